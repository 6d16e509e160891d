"""Restricted Boltzmann machine: a bipartite Markov random field, small enough to be normalised exactly by one side."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood

from .sampling import coins, flip, fused_kernels, kernels, log_odds, stranger, stream

LARGEST_SIDE = 25
"""Units of the side that is enumerated: 2^25 states beside 784 units take ten seconds."""
FEW_CHAINS = 16
"""Up to so many chains, adding rows of active units is quicker than a product, which reads all of W for a few rows."""


def require_plain(model: Any, who: str) -> None:
    """Raises TypeError unless the model is an RBM itself: of its subclasses some draw their visible side otherwise."""
    if type(model) is not RBM:
        raise TypeError(f"{who}: the model is {type(model).__name__}; expected an RBM whose units are all binary")


class RBM(nn.Module):
    """p(v, h) = exp(-E(v, h)) / Z,  E(v, h) = -v'Wh - b'v - c'h,  v in {0,1}^D, h in {0,1}^H.

    W: (D, H), b: (D,) visible biases, c: (H,) hidden biases. Likelihoods in nats. Train it by a trainer of
    `contrastive_divergence`; above 25 units on both sides log Z comes from `ais`. Smolensky 1986; S4:77-169.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        if min(n_visible, n_hidden) < 1:
            raise ValueError(f"RBM: n_visible and n_hidden must be positive, got {n_visible}, {n_hidden}")
        self.config = {"n_visible": n_visible, "n_hidden": n_hidden, "dtype": np.dtype(dtype).name}
        self.W = ad.Tensor(0.01 * rng.standard_normal((n_visible, n_hidden)), requires_grad=True, dtype=dtype)
        self.b = ad.Tensor(np.zeros(n_visible), requires_grad=True, dtype=dtype)
        self.c = ad.Tensor(np.zeros(n_hidden), requires_grad=True, dtype=dtype)

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """b <- log odds of each visible unit in the data. Hinton 2010, section 8."""
        self.b.data[...] = log_odds(data)

    def energy(self, v: Any, h: Any) -> Any:
        """E(v, h) = -v'Wh - b'v - c'h. v: (..., D), h: (..., H); result (...)."""
        return -ad.sum(v @ self.W * h, axis=-1) - v @ self.b - h @ self.c

    def free_energy(self, v: Any) -> Any:
        """F(v) = -log sum_h exp(-E(v, h)) = -b'v - sum_j softplus(c_j + v'W_j). v: (..., D); result (...)."""
        self._check_width(v)
        return -(v @ self.b) - ad.sum(ad.softplus(v @ self.W + self.c), axis=-1)

    def to_hidden(self, v: np.ndarray) -> np.ndarray:
        """v'W, what the hidden units hear, without their biases. v: (..., D); result (..., H), no gradient."""
        return v @ self.W.data

    def to_visible(self, h: np.ndarray) -> np.ndarray:
        """W h, what the visible units hear, without their biases. h: (..., H); result (..., D), no gradient."""
        return h @ self.W.data.T

    def hidden_logits(self, v: np.ndarray) -> np.ndarray:
        """c + v'W, the log odds of every hidden unit given v. v: (..., D); result (..., H), no gradient."""
        logits = self.to_hidden(v)
        logits += self.c.data
        return logits

    def visible_logits(self, h: np.ndarray) -> np.ndarray:
        """b + W h, the log odds of every visible unit given h. h: (..., H); result (..., D), no gradient."""
        logits = self.to_visible(h)
        logits += self.b.data
        return logits

    def hidden_probabilities(self, v: np.ndarray) -> np.ndarray:
        """p(h_j = 1 | v) = sigmoid(c_j + v'W_j): (..., H)."""
        return ad.sigmoid(self.hidden_logits(v))

    def visible_probabilities(self, h: np.ndarray) -> np.ndarray:
        """p(v_i = 1 | h) = sigmoid(b_i + W_i h): (..., D)."""
        return ad.sigmoid(self.visible_logits(h))

    visible_mean = visible_probabilities

    def sample_hidden(self, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """h ~ p(h | v): (..., H)."""
        return flip(self.to_hidden(v), rng, self.c.data)

    def sample_visible(self, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """v ~ p(v | h): (..., D)."""
        return flip(self.to_visible(h), rng, self.b.data)

    def gibbs(self, v: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        """v after k sweeps h ~ p(h | v), v ~ p(v | h). v: (chains, D) of zeros and ones, else ValueError."""
        self.check(v)
        rng = stream(rng)
        if type(self) is RBM and len(v) <= FEW_CHAINS and v.dtype == self.W.dtype == np.float32:
            return self._gibbs_by_rows(v, k, rng)
        for _ in range(k):
            v = self.sample_visible(self.sample_hidden(v, rng), rng)
        return v

    def _gibbs_by_rows(self, v: np.ndarray, k: int, rng: Any) -> np.ndarray:
        """The same draws, but that sums of rows of active units stand for products."""
        v, W = np.ascontiguousarray(v).copy(), np.ascontiguousarray(self.W.data)
        h = np.empty((len(v), self.c.size), np.float32)
        blocks = k * ((h.size + 1) // 2 + (v.size + 1) // 2)
        kernels().gibbs.sweeps(*rng.take(blocks), W, np.ascontiguousarray(W.T), self.b.data, self.c.data, v, h, k)
        return v

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """n chains after `sweeps` Gibbs sweeps from coin flips: near p(v) where the chain mixes. (n, D)."""
        return self.gibbs(coins((n, self.b.size), self.W.dtype, rng), sweeps, rng)

    def log_z(self) -> float:
        """log Z in nats: the smaller side is enumerated, the other side is summed in closed form.

        Raises ValueError above 25 units on both sides. S4:74 counts 2^D terms; 2^min(D, H) do.
        """
        from minigen.kernels.gray import log_partition  # here, because it costs Numba's import

        W, b, c = (p.data.astype(np.float64) for p in (self.W, self.b, self.c))
        if W.shape[0] < W.shape[1]:
            W, b, c = W.T, c, b
        if c.size > LARGEST_SIDE:
            raise ValueError(f"RBM: exact log Z enumerates the smaller side, which has {c.size} units; at most "
                             f"{LARGEST_SIDE} are possible; estimate it by ais")
        return log_partition(W, b, c)

    def log_likelihood(self, v: np.ndarray) -> Likelihood:
        """log p(v) = -F(v) - log Z, exact. v: (n, D)."""
        return Likelihood(-self.free_energies(v) - self.log_z(), "exact", "log Z by enumeration of the smaller side")

    def free_energies(self, v: np.ndarray) -> np.ndarray:
        """F(v) without a tape, in float64: (n,)."""
        with ad.no_grad():
            return ad.value(self.free_energy(v)).astype(np.float64)

    def contrast(self, v: np.ndarray, logits: np.ndarray, fantasies: np.ndarray, fantasy_logits: np.ndarray,
                 into: dict[str, np.ndarray]) -> float:
        """mean F(v) - mean F(v'), its gradients in `into`: dF/dW = -v p(h|v)', dF/db = -v, dF/dc = -p(h|v).

        v: (n, D), logits: (n, H), fantasies: (m, D), fantasy_logits: (m, H); one product for both phases. Infinite
        where free energies are so large that their precision no longer tells one nat from the next.
        """
        n, m, db, dc = len(v), len(fantasies), into["b"], into["c"]
        signed, hidden = (np.empty((n + m, size), self.c.dtype) for size in (self.b.size, self.c.size))
        phase = fused_kernels(v, logits, fantasies, fantasy_logits, db, dc).rbm_phase
        db[...] = dc[...] = 0
        data = phase(v, logits, -1 / n, signed[:n], hidden[:n], db, dc) / n
        dreamt = phase(fantasies, fantasy_logits, 1 / m, signed[n:], hidden[n:], db, dc) / m
        np.dot(signed.T, hidden, out=into["W"])
        told = max(data, dreamt) * np.finfo(hidden.dtype).eps < 1
        return float(db @ self.b.data) - data + dreamt if told else np.inf

    def check(self, v: np.ndarray) -> None:
        """Raises ValueError unless v is rows of zeros and ones, at least one row."""
        self._check_width(v)
        if v.ndim != 2 or not len(v):
            raise ValueError(f"RBM: v has shape {v.shape}; expected (n, {self.b.size}) with n >= 1")
        if (strange := stranger(v)) is not None:
            raise ValueError(f"RBM: v holds {strange}; expected zeros and ones (see minigen.data.binarise)")

    def _check_width(self, v: Any) -> None:
        if v.shape[-1:] != self.b.shape:
            raise ValueError(f"RBM: v has shape {v.shape}; expected (..., {self.b.size})")
