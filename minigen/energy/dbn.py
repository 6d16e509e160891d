"""Deep belief network: an RBM at the top, and below it layers that are generated downwards, one given the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood
from minigen.nn.checking import generator, whole

from .rbm import RBM
from .sampling import stream

MOST_ENUMERATED = 15
"""Units of a hidden layer below the top pair that an exact likelihood sums over."""
CHUNK = 1 << 22  # numbers of a table held at once


class DBN(nn.Module):
    """p(v, h_1, ..., h_L) = p(v | h_1) p(h_1 | h_2) ... p(h_(L-1), h_L), the last factor an RBM: the top pair.

    rbms[l]: the RBM between layers l and l + 1, layer 0 the visible one. The lower ones give p(h_(l-1) | h_l)
    = sigmoid(W_l h_l + b_l), downwards, and upwards the recognition q(h_l | h_(l-1)) = sigmoid(W_l' h_(l-1) + c_l),
    until `untie` gives it parameters of its own. `greedy.train_greedily(dbn.rbms, ...)` trains it. Likelihoods in
    nats. Hinton, Osindero and Teh 2006; S4:175-183, which prints p(h_1 | h_2) for the top pair.
    """

    def __init__(self, sizes: Sequence[int], *, rng: np.random.Generator, dtype: Any = np.float32):
        sizes = [whole(n, f"sizes[{i}]", "DBN") for i, n in enumerate(sizes)]
        if len(sizes) < 3:
            raise ValueError(f"DBN: sizes is {sizes}; expected the visible layer and at least two hidden ones")
        rng = generator(rng, "DBN")
        self.sizes = tuple(sizes)
        self.config = {"sizes": sizes, "dtype": np.dtype(dtype).name}
        self.rbms = [RBM(n, m, rng=rng, dtype=dtype) for n, m in zip(sizes, sizes[1:])]
        self.recognition: list[nn.Linear] = []

    def title(self) -> str:
        """DBN(784 - 500 - 1000)"""
        return f"DBN({' - '.join(map(str, self.sizes))})"

    @property
    def top(self) -> RBM:
        """The RBM of the two top layers."""
        return self.rbms[-1]

    def untie(self) -> None:
        """Recognition weights of their own, copies of the generative ones to begin with, as wake-sleep trains them."""
        self.recognition = [nn.Linear(*rbm.W.shape, rng=np.random.default_rng(0), activation="sigmoid",
                                      dtype=rbm.W.dtype) for rbm in self.rbms[:-1]]
        for layer, rbm in zip(self.recognition, self.rbms):
            layer.W.data[...], layer.b.data[...] = rbm.W.data, rbm.c.data

    def recognise(self, layer: int, h: np.ndarray) -> np.ndarray:
        """q(h_(layer + 1) = 1 | h_layer), for the layers below the top pair's upper one. (..., H)."""
        if self.recognition:
            with ad.no_grad():
                return ad.value(self.recognition[layer](h))
        return self.rbms[layer].hidden_probabilities(h)

    # ---------------------------------------------------------------------------------------------- probabilities

    def log_joint(self, states: Sequence[np.ndarray], log_z: float | None = None) -> np.ndarray:
        """log p(v, h_1, ..., h_L) in nats: (n,). states: one (n, sizes[l]) a layer, v first. log_z: of the top RBM."""
        with ad.no_grad():
            total = -ad.value(self.top.energy(*states[-2:])).astype(np.float64)
        total -= self.top.log_z() if log_z is None else log_z
        for rbm, below, above in zip(self.rbms[:-1], states, states[1:]):
            total += _log_bernoulli(below, rbm.visible_logits(above))
        return total

    def log_likelihood(self, v: np.ndarray, log_z: float | None = None) -> Likelihood:
        """log p(v) = log sum_h p(v | h_1) p(h_1), exact: every hidden layer below the top pair's upper one enumerated.

        2^H_1 terms a datum with two hidden layers. Raises ValueError above 15 units in such a layer.
        """
        self.rbms[0].check(v)
        widest = max(self.sizes[1:-1])
        if widest > MOST_ENUMERATED:
            raise ValueError(f"DBN: the exact likelihood enumerates hidden layers, the widest of which has {widest} "
                             f"units; at most {MOST_ENUMERATED} are possible; use bound")
        h = _all_states(self.sizes[-2])
        log_p = -self.top.free_energies(h) - (self.top.log_z() if log_z is None else log_z)
        for rbm in self.rbms[-2:0:-1]:
            below = _all_states(rbm.b.size)
            log_p, h = _mixture(below, log_p, rbm.visible_logits(h)), below
        return Likelihood(_mixture(v, log_p, self.rbms[0].visible_logits(h)), "exact",
                          "hidden layers and log Z by enumeration")

    def bound(self, v: np.ndarray, rng: np.random.Generator, draws: int = 10, log_z: float | None = None) -> Likelihood:
        """log p(v) >= E_q[log p(v, h_1, ..., h_(L-1)) - log q(h | v)], q the recognition, h_L summed out exactly.

        draws: samples of q for each datum; the standard error is that of their mean. log_z: of the top RBM, exact
        unless given (by `ais`). Hinton, Osindero and Teh 2006, eq. 8.
        """
        self.rbms[0].check(v)
        z, rng = self.top.log_z() if log_z is None else log_z, stream(rng)
        terms = np.array([self._weigh(v, rng) for _ in range(whole(draws, "draws", "DBN.bound", 2))]) - z
        return Likelihood(terms.mean(0), "bound", f"recognition, {draws} draws",
                          terms.std(0, ddof=1) / np.sqrt(draws))

    def _weigh(self, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """log p(v, h) + log Z - log q(h | v) for one draw of h: (n,)."""
        total, h = np.zeros(len(v)), v
        for l, rbm in enumerate(self.rbms[:-1]):
            q = self.recognise(l, h)
            above = (rng.random(q.shape, dtype=q.dtype) < q).astype(q.dtype)
            total += _log_bernoulli(h, rbm.visible_logits(above)) + _entropy_term(above, q)
            h = above
        return total - self.top.free_energies(h)

    # --------------------------------------------------------------------------------------------------- sampling

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """v of n draws: `sweeps` Gibbs sweeps in the top RBM, then once down through p(h_(l-1) | h_l). (n, D)."""
        return self.down(self.top.sample(whole(n, "n", "DBN.sample"), rng, sweeps), rng)

    def down(self, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """v ~ p(v | h_1) p(h_1 | h_2) ..., from states of the lower layer of the top pair. (n, D)."""
        rng = stream(rng)
        for rbm in self.rbms[-2::-1]:
            h = rbm.sample_visible(h, rng)
        return h

    def up(self, v: np.ndarray, layers: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Layer `layers` (the top one unless told) from v by recognition: means, or with a generator states."""
        for l in range(len(self.rbms) if layers is None else layers):
            q = self.recognise(l, v) if l < len(self.rbms) - 1 else self.top.hidden_probabilities(v)
            v = q if rng is None else (rng.random(q.shape, dtype=q.dtype) < q).astype(q.dtype)
        return v


def _log_bernoulli(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """sum_i x_i t_i - softplus(t_i), in float64."""
    logits = logits.astype(np.float64)
    return (x * logits - ad.softplus(logits)).sum(-1)


def _mixture(x: np.ndarray, log_p: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """log sum_k p_k prod_i Bernoulli(x_i; logits_ki) for every row of x: (n,)."""
    constant = log_p - ad.softplus(logits.astype(np.float64)).sum(-1)
    return np.concatenate([ad.logsumexp(piece @ logits.T + constant, axis=1)
                           for piece in np.array_split(x, 1 + len(x) * len(logits) // CHUNK)])


def _entropy_term(h: np.ndarray, q: np.ndarray) -> np.ndarray:
    """-log q(h) of independent units with means q: (n,)."""
    return -np.log(np.where(h == 1, q, 1 - q).astype(np.float64)).sum(-1)


def _all_states(n: int) -> np.ndarray:
    """All binary vectors of length n: (2^n, n)."""
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.float64)
