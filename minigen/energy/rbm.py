"""Restricted Boltzmann machine: a bipartite Markov random field, small enough to be normalised exactly by one side."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood
from minigen.training import Loss

LARGEST_SIDE = 25  # units of the side that is enumerated: 2^25 states take about a minute
CHUNK = 1 << 14  # states held in memory at once


class RBM(nn.Module):
    """p(v, h) = exp(-E(v, h)) / Z,  E(v, h) = -v'Wh - b'v - c'h,  v in {0,1}^D, h in {0,1}^H.

    W: (D, H), b: (D,) visible biases, c: (H,) hidden biases; `cd_steps` Gibbs steps give the negative phase.
    Likelihoods in nats, exact up to 25 units on the smaller side. Hinton 2002; S4:77-169.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, cd_steps: int = 1, rng: np.random.Generator,
                 dtype: Any = np.float32):
        if min(n_visible, n_hidden, cd_steps) < 1:
            raise ValueError("RBM: n_visible, n_hidden and cd_steps must be positive, got "
                             f"{n_visible}, {n_hidden}, {cd_steps}")
        self.config = {"n_visible": n_visible, "n_hidden": n_hidden, "cd_steps": cd_steps,
                       "dtype": np.dtype(dtype).name}
        self.cd_steps = cd_steps
        self.W = ad.Tensor(0.01 * rng.standard_normal((n_visible, n_hidden)), requires_grad=True, dtype=dtype)
        self.b = ad.Tensor(np.zeros(n_visible), requires_grad=True, dtype=dtype)
        self.c = ad.Tensor(np.zeros(n_hidden), requires_grad=True, dtype=dtype)

    def energy(self, v: Any, h: Any) -> Any:
        """E(v, h) = -v'Wh - b'v - c'h. v: (..., D), h: (..., H); result (...)."""
        return -ad.sum(v @ self.W * h, axis=-1) - v @ self.b - h @ self.c

    def free_energy(self, v: Any) -> Any:
        """F(v) = -log sum_h exp(-E(v, h)) = -b'v - sum_j softplus(c_j + v'W_j). v: (..., D); result (...)."""
        self._check(v)
        return -(v @ self.b) - ad.sum(ad.softplus(v @ self.W + self.c), axis=-1)

    def hidden_probabilities(self, v: Any) -> np.ndarray:
        """p(h_j = 1 | v) = sigmoid(c_j + v'W_j): (..., H)."""
        return ad.sigmoid(v @ self.W.data + self.c.data)

    def visible_probabilities(self, h: Any) -> np.ndarray:
        """p(v_i = 1 | h) = sigmoid(b_i + W_i h): (..., D)."""
        return ad.sigmoid(h @ self.W.data.T + self.b.data)

    def gibbs(self, v: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        """v after k sweeps h ~ p(h|v), v ~ p(v|h). v: (chains, D)."""
        for _ in range(k):
            h = _bernoulli(self.hidden_probabilities(v), rng)
            v = _bernoulli(self.visible_probabilities(h), rng)
        return v

    def loss(self, v: np.ndarray, rng: np.random.Generator) -> Loss:
        """mean F(v) - F(v_k), v_k from k Gibbs sweeps that start at v and carry no gradient: its gradient is CD-k.

        The value is no likelihood, nor a bound of one; the squared error of one reconstruction stands beside it.
        """
        v_k = self.gibbs(v, self.cd_steps, rng)
        contrast = ad.mean(self.free_energy(v)) - ad.mean(self.free_energy(v_k))
        back = self.visible_probabilities(self.hidden_probabilities(v))
        return Loss(contrast, {"reconstruction_error": ((v - back) ** 2).sum(-1).mean()})

    def log_z(self) -> float:
        """log Z in nats: the sum over the smaller side is enumerated, the other side is summed in closed form.

        Raises ValueError above 25 units on both sides. S4:74 counts 2^D terms; 2^min(D, H) do.
        """
        W, b, c = (p.data.astype(np.float64) for p in (self.W, self.b, self.c))
        if W.shape[0] < W.shape[1]:
            W, b, c = W.T, c, b
        n = W.shape[1]
        if n > LARGEST_SIDE:
            raise ValueError(f"RBM: exact log Z enumerates the smaller side, which has {n} units; at most "
                             f"{LARGEST_SIDE} are possible")
        bits, total = np.arange(n), -np.inf
        for start in range(0, 1 << n, CHUNK):
            h = ((np.arange(start, min(start + CHUNK, 1 << n))[:, None] >> bits) & 1).astype(np.float64)
            terms = h @ c + ad.softplus(h @ W.T + b).sum(-1)
            total = np.logaddexp(total, ad.logsumexp(terms))
        return float(total)

    def log_likelihood(self, v: np.ndarray) -> Likelihood:
        """log p(v) = -F(v) - log Z, exact. v: (n, D)."""
        with ad.no_grad():
            free = ad.value(self.free_energy(v)).astype(np.float64)
        return Likelihood(-free - self.log_z(), "exact", "log Z by enumeration of the smaller side")

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """n chains after `sweeps` Gibbs sweeps from coin flips: near p(v) where the chain mixes. (n, D)."""
        coins = (rng.random((n, self.W.shape[0])) < 0.5).astype(self.W.dtype)
        return self.gibbs(coins, sweeps, rng)

    def _check(self, v: Any) -> None:
        if v.shape[-1:] != self.b.shape:
            raise ValueError(f"RBM: v has shape {v.shape}; expected (..., {self.b.size})")


def _bernoulli(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability p, else 0, in the dtype of p."""
    return (rng.random(p.shape, dtype=p.dtype) < p).astype(p.dtype)
