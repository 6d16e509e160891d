"""Trainers of models with a free energy: what `fit` is given, each with its own way of dreaming the negative phase.

d/dtheta [-mean log p(v)] = mean dF(v) - E_p dF(v'): the data pull their free energy down, what the model dreams pushes
it up. The expectation is taken over fantasies v' of a Markov chain; where it begins is all that differs. S4:142-169.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.training import Loss

from .rbm import RBM
from .sampling import bernoulli, coins, stream

MOMENT = 20
"""Units of the smaller side up to which validation is by the exact likelihood: 2^20 states, a fraction of a second."""


class Dream(NamedTuple):
    """Fantasies v' (chains, D), their hidden logits (chains, H), and the states from which the chains will go on."""

    v: np.ndarray
    logits: np.ndarray
    states: np.ndarray | None = None


class Contrast(nn.Module):
    """mean F(v) - mean F(v'), v from the data, v' fantasies that carry no gradient. Its value is no likelihood.

    model: RBM, GaussianRBM, LabelRBM or what else has `free_energy`, `hidden_logits` and `sample_visible`. A model with
    a method `contrast` computes the gradient by products, every other one on the tape.
    """

    def __init__(self, model: Any, **settings: Any):
        self.model = model
        self.config = {**settings, "model": type(model).__name__, **model.config}

    def dream(self, logits: np.ndarray, rng: np.random.Generator) -> Dream:
        """Fantasies of chains that may begin at the data, whose hidden logits are given."""
        raise NotImplementedError(f"{type(self).__name__} has no dream: write it")

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """Lets the model set its biases from the data, as before training."""
        self.model.fit_to(data, rng)

    def loss(self, v: np.ndarray, rng: np.random.Generator) -> Loss:
        """mean F(v) - mean F(v'), and the squared error of one reconstruction of v, which is no likelihood either.

        Persistent chains stay where they are: it is `loss_and_gradients` that moves them.
        """
        self.model.check(v)
        fantasies = self.dream(self.model.hidden_logits(v), stream(rng)).v
        back = self.model.visible_mean(self.model.hidden_probabilities(v))
        return Loss(self._contrast(v, fantasies), {"reconstruction_error": float(((v - back) ** 2).sum(-1).mean())})

    def validate(self, v: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        """{"loss": -mean log p(v) where log Z is a matter of a moment, else the contrast; "reconstruction_error"}."""
        loss = self.loss(v, rng)
        parts = {"loss": float(ad.value(loss.total)), **loss.parts}
        if isinstance(self.model, RBM) and min(self.model.W.shape) <= MOMENT:
            parts["loss"] = -self.model.log_likelihood(v).mean()
        return parts

    def loss_and_gradients(self, v: np.ndarray, rng: np.random.Generator, into: dict[str, np.ndarray]) -> dict:
        """{"loss": mean F(v) - mean F(v')}; its gradients are written into {name of parameter: array}.

        v: (batch, D). Raises ValueError for rows that the model cannot have made.
        """
        self.model.check(v)
        logits = self.model.hidden_logits(v)
        dream = self.dream(logits, stream(rng))
        into = {name.removeprefix("model."): place for name, place in into.items()}
        if hasattr(self.model, "contrast"):
            value = self.model.contrast(v, logits, dream.v, dream.logits, into)
        else:
            value = self._contrast_on_tape(v, dream.v, into)
        self.go_on(dream, into)
        return {"loss": value}

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """What the model dreams, from coin flips on: (n, D)."""
        return self.model.sample(n, rng)

    def go_on(self, dream: Dream, gradients: dict[str, np.ndarray]) -> None:
        """What a trainer keeps of a dream for the next one."""

    def _contrast(self, v: np.ndarray, fantasies: np.ndarray) -> ad.Tensor:
        return ad.mean(self.model.free_energy(v)) - ad.mean(self.model.free_energy(fantasies))

    def _contrast_on_tape(self, v: np.ndarray, fantasies: np.ndarray, into: dict[str, np.ndarray]) -> float:
        total = self._contrast(v, fantasies)
        total.backward()
        for name, p in self.model.named_parameters():
            into[name][...] = 0 if p.grad is None else p.grad
        return float(ad.value(total))


class ContrastiveDivergence(Contrast):
    """CD-k: every chain begins at a datum and takes k Gibbs sweeps. Hinton 2002; S4:160-169.

    Biased for every k, less for a longer chain: see lecture 04, where the bias is computed exactly.
    """

    def __init__(self, model: Any, k: int = 1):
        super().__init__(model, k=positive(k, "k", type(self).__name__))
        self.k = k

    def dream(self, logits: np.ndarray, rng: np.random.Generator) -> Dream:
        """v' after k sweeps that begin with h ~ p(h | v)."""
        v = self.model.sample_visible(bernoulli(logits, rng), rng)
        for _ in range(self.k - 1):
            v = self.model.sample_visible(self.model.sample_hidden(v, rng), rng)
        return Dream(v, self.model.hidden_logits(v))


class PersistentCD(Contrast):
    """PCD-k: the chains go on from update to update, k sweeps each. Tieleman 2008 (stochastic maximum likelihood).

    chains: how many; kept as hidden states, as they stand after the last update. With fast_rate > 0 the chains see
    theta + fast, where fast <- decay fast - fast_rate gradient pushes them away from where they stand: they mix faster
    than the model's own chain would. Tieleman and Hinton 2009 (decay 19/20).
    """

    def __init__(self, model: Any, k: int = 1, *, chains: int = 100, fast_rate: float = 0.0, decay: float = 0.95,
                 rng: np.random.Generator):
        name = type(self).__name__
        if not 0 <= fast_rate < np.inf or not 0 <= decay < 1:
            raise ValueError(f"{name}: fast_rate is {fast_rate} and decay {decay}; expected fast_rate >= 0 and decay "
                             "in [0, 1)")
        super().__init__(model, k=positive(k, "k", name), chains=positive(chains, "chains", name),
                         fast_rate=fast_rate, decay=decay)
        self.k, self.fast_rate, self.decay = k, fast_rate, decay
        self.chains = ad.Tensor(coins((chains, model.c.size), model.c.dtype, rng))
        self.fast = {n: ad.Tensor(np.zeros_like(p.data)) for n, p in model.named_parameters()} if fast_rate else {}

    def dream(self, logits: np.ndarray, rng: np.random.Generator) -> Dream:
        """v' of the chains, k sweeps further."""
        walker = self._walker()
        v = walker.sample_visible(self.chains.data, rng)
        for _ in range(self.k - 1):
            v = walker.sample_visible(walker.sample_hidden(v, rng), rng)
        logits = walker.hidden_logits(v)
        return Dream(v, self.model.hidden_logits(v) if self.fast else logits, bernoulli(logits, rng))

    def go_on(self, dream: Dream, gradients: dict[str, np.ndarray]) -> None:
        """Keeps the chains' new states, and lets the fast weights follow the gradient."""
        self.chains.data[...] = dream.states
        for name, fast in self.fast.items():
            fast.data *= self.decay
            fast.data -= self.fast_rate * gradients[name]

    def _walker(self) -> Any:
        """The model as the chains see it."""
        if not self.fast:
            return self.model
        walker = copy(self.model)
        for name, fast in self.fast.items():
            vars(walker)[name] = ad.Tensor(getattr(self.model, name).data + fast.data)
        return walker


def positive(number: int, name: str, where: str) -> int:
    """A whole number of at least 1, or one error."""
    if not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(f"{where}: {name} is {number!r}; expected a whole number of at least 1")
    return int(number)
