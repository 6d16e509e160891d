"""One update of a restricted Boltzmann machine on binary digits, in every engine.

    W <- W + lr/B sum_b [v_b p(h|v_b)' - v'_b p(h|v'_b)'],  b and c alike,

v' by k Gibbs sweeps from the data (CD-k, Hinton 2002) or from chains that go on from update to update (PCD-k, Tieleman
2008). States are drawn, the statistics take probabilities of hidden units. Each step returns W (D, H), b and c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .vae_race import digits

LR = 0.05
Step = Callable[[], tuple[Any, Any, Any]]


@dataclass(frozen=True)
class RBMRace:
    """k sweeps of as many chains as a batch has rows; `persistent` chains begin at coin flips and go on."""

    k: int = 1
    persistent: bool = False
    visible: int = 784
    hidden: int = 500
    batch: int = 100

    def batches(self) -> Iterator[np.ndarray]:
        """Minibatches without end, the same ones every time."""
        return digits(self.batch)

    def start(self) -> list[np.ndarray]:
        """W, b, c that every engine starts from."""
        W = 0.01 * np.random.default_rng(0).standard_normal((self.visible, self.hidden))
        return [a.astype(np.float32) for a in (W, np.zeros(self.visible), np.zeros(self.hidden))]

    def minigen(self) -> Step:
        """Ours as `fit` takes a step: trainer and plain SGD."""
        from minigen import nn
        from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
        from minigen.energy.rbm import RBM
        from minigen.kernels.stream import Stream
        from minigen.optim import SGD

        nn.use_kernels()
        rng = Stream(np.random.default_rng(0))
        model = RBM(self.visible, self.hidden, rng=rng)
        for p, a in zip((model.W, model.b, model.c), self.start()):
            p.data[...] = a
        trainer = (PersistentCD(model, self.k, chains=self.batch, rng=rng) if self.persistent
                   else ContrastiveDivergence(model, self.k))
        named = dict(trainer.named_parameters())
        optimizer, batches = SGD(named.values(), lr=LR), self.batches()
        places = dict(zip(named, optimizer.gradients()))

        def step() -> tuple:
            trainer.loss_and_gradients(next(batches), rng, places)
            for name, p in named.items():
                p.grad = places[name]
            optimizer.step()
            return model.W.data, model.b.data, model.c.data

        return step

    def floor(self) -> Callable[[], None]:
        """The matrix products alone: 1 + 2 k for the phases, one of both phases' rows for the gradient."""
        rng, rows = np.random.default_rng(0), self.batch

        def draw(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape, dtype=np.float32)

        v, W, h, both_v, both_h = (draw(rows, self.visible), draw(self.visible, self.hidden), draw(rows, self.hidden),
                                   draw(2 * rows, self.visible), draw(2 * rows, self.hidden))
        to_hidden, to_visible = (v, W, np.empty_like(h)), (h, W.T, np.empty_like(v))
        calls = [to_hidden, *[to_visible, to_hidden] * self.k, (both_v.T, both_h, np.empty_like(W))]

        def step() -> None:
            for a, b, out in calls:
                np.dot(a, b, out=out)

        return step

    def torch(self) -> Step:
        """torch without gradients, in place."""
        return self._torch(compiled=False)

    def compiled_torch(self) -> Step:
        """The same under torch.compile."""
        return self._torch(compiled=True)

    def _torch(self, compiled: bool) -> Step:
        import torch

        torch.manual_seed(0)
        W, b, c = map(torch.from_numpy, self.start())
        batches, h = self.batches(), torch.bernoulli(torch.full((self.batch, self.hidden), 0.5))
        rate = LR / self.batch

        def update(v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
            p = torch.sigmoid(torch.addmm(c, v, W))
            if not self.persistent:
                h = torch.bernoulli(p)
            for _ in range(self.k):
                fantasy = torch.bernoulli(torch.sigmoid(torch.addmm(b, h, W.t())))
                q = torch.sigmoid(torch.addmm(c, fantasy, W))
                h = torch.bernoulli(q)
            W.addmm_(v.t(), p, alpha=rate)
            W.addmm_(fantasy.t(), q, alpha=-rate)
            b.add_((v - fantasy).sum(0), alpha=rate)
            c.add_((p - q).sum(0), alpha=rate)
            return h

        taken = torch.compile(update) if compiled else update

        @torch.no_grad()
        def step() -> tuple:
            nonlocal h
            h = taken(torch.from_numpy(next(batches)), h)
            return W, b, c

        return step

    def jax(self) -> Step:
        """jax, the whole update under jit, buffers donated."""
        import jax
        import jax.numpy as jnp

        rate = LR / self.batch

        def flips(key, logits):
            return (jax.random.uniform(key, logits.shape) < jax.nn.sigmoid(logits)).astype(jnp.float32)

        def update(W, b, c, h, key, v):
            p = jax.nn.sigmoid(v @ W + c)
            if not self.persistent:
                key, sub = jax.random.split(key)
                h = flips(sub, v @ W + c)
            for _ in range(self.k):
                key, first, second = jax.random.split(key, 3)
                fantasy = flips(first, h @ W.T + b)
                logits = fantasy @ W + c
                h = flips(second, logits)
            q = jax.nn.sigmoid(logits)
            return (W + rate * (v.T @ p - fantasy.T @ q), b + rate * (v - fantasy).sum(0), c + rate * (p - q).sum(0), h,
                    key)

        compiled = jax.jit(update, donate_argnums=(0, 1, 2, 3))
        state = (*map(jnp.asarray, self.start()), jnp.zeros((self.batch, self.hidden)), jax.random.PRNGKey(0))
        batches = self.batches()

        def step() -> tuple:
            nonlocal state
            state = jax.block_until_ready(compiled(*state, next(batches)))
            return state[:3]

        return step

    def sklearn_float32(self) -> Step:
        """scikit-learn's BernoulliRBM, which is PCD-1, in single precision."""
        return self._sklearn(np.float32)

    def sklearn_float64(self) -> Step:
        """The same in double precision."""
        return self._sklearn(np.float64)

    def _sklearn(self, dtype: Any) -> Step:
        """`_fit` is one update inside its `fit`; `partial_fit` would turn every batch to double precision."""
        from sklearn.neural_network import BernoulliRBM

        batches, rng = (x.astype(dtype) for x in self.batches()), np.random.RandomState(0)
        model = BernoulliRBM(self.hidden, learning_rate=LR, batch_size=self.batch, n_iter=1, random_state=rng)
        model.fit(next(self.batches()).astype(dtype))
        W, b, c = self.start()
        model.components_[...] = W.T
        model.intercept_visible_[...], model.intercept_hidden_[...] = b, c

        def step() -> tuple:
            model._fit(next(batches), rng)
            return model.components_.T, model.intercept_visible_, model.intercept_hidden_

        return step

    def learnergy(self) -> Step:
        """learnergy's RBM: the update inside its `fit`, without the errors and likelihoods that it reports."""
        import torch
        from learnergy.models.bernoulli import RBM

        model = RBM(n_visible=self.visible, n_hidden=self.hidden, steps=self.k, learning_rate=LR, use_gpu=False)
        parameters, batches = (model.W, model.a, model.b), self.batches()
        with torch.no_grad():
            for p, a in zip(parameters, self.start()):
                p.copy_(torch.from_numpy(a))

        def step() -> tuple:
            v = torch.from_numpy(next(batches))
            fantasy = model.gibbs_sampling(v)[4].detach()
            cost = torch.mean(model.energy(v)) - torch.mean(model.energy(fantasy))
            model.optimizer.zero_grad()
            cost.backward()
            model.optimizer.step()
            return parameters

        return step
