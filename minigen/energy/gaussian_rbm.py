"""RBM with real visible units: given the hidden units a Gaussian, altogether a mixture of 2^H of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood

from .boltzmann import binary_states
from .sampling import flip, stream

MOST_HIDDEN = 20  # of log Z: 2^20 states of the hidden units
CHUNK_BITS = 14


class GaussianRBM(nn.Module):
    """p(v, h) = exp(-E) / Z,  E(v, h) = sum_i (v_i - b_i)^2 / (2 s_i^2) - (v / s)'Wh - c'h,  v real, h in {0,1}^H.

    W: (D, H), b: (D,) visible biases, c: (H,) hidden biases, log_sigma: (D,) log s, trained with learn_sigma=True and
    otherwise 0, so that data should have about unit variance. Densities in nats, exact up to 20 hidden units. p(v) is
    a mixture of 2^H Gaussians N(b + s W h, s^2), one for each h. Welling et al. 2004; Hinton 2010, section 13.2.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, learn_sigma: bool = False, rng: np.random.Generator,
                 dtype: Any = np.float32):
        if min(n_visible, n_hidden) < 1:
            raise ValueError(f"GaussianRBM: n_visible and n_hidden must be positive, got {n_visible}, {n_hidden}")
        self.config = {"n_visible": n_visible, "n_hidden": n_hidden, "learn_sigma": bool(learn_sigma),
                       "dtype": np.dtype(dtype).name}
        self.W = ad.Tensor(0.01 * rng.standard_normal((n_visible, n_hidden)), requires_grad=True, dtype=dtype)
        self.b = ad.Tensor(np.zeros(n_visible), requires_grad=True, dtype=dtype)
        self.c = ad.Tensor(np.zeros(n_hidden), requires_grad=True, dtype=dtype)
        self.log_sigma = ad.Tensor(np.zeros(n_visible), requires_grad=bool(learn_sigma), dtype=dtype)

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """b <- mean of the data, and log s <- log of their standard deviation where it is learned."""
        self.check(data)
        self.b.data[...] = data.mean(0)
        if self.log_sigma.requires_grad:
            self.log_sigma.data[...] = np.log(np.maximum(data.std(0), 1e-3))

    def energy(self, v: Any, h: Any) -> Any:
        """E(v, h). v: (..., D), h: (..., H); result (...)."""
        return self._well(v) - ad.sum(self._scaled(v) @ self.W * h, axis=-1) - h @ self.c

    def free_energy(self, v: Any) -> Any:
        """F(v) = sum_i (v_i - b_i)^2 / 2 s_i^2 - sum_j softplus(c_j + (v / s)'W_j). v: (..., D); result (...)."""
        self._check_width(v)
        return self._well(v) - ad.sum(ad.softplus(self._scaled(v) @ self.W + self.c), axis=-1)

    def hidden_logits(self, v: np.ndarray) -> np.ndarray:
        """c + (v / s)'W, the log odds of every hidden unit given v. v: (..., D); result (..., H), no gradient."""
        logits = v * np.exp(-self.log_sigma.data) @ self.W.data
        logits += self.c.data
        return logits

    def hidden_probabilities(self, v: np.ndarray) -> np.ndarray:
        """p(h_j = 1 | v) = sigmoid(c_j + (v / s)'W_j): (..., H)."""
        return ad.sigmoid(self.hidden_logits(v))

    def visible_mean(self, h: np.ndarray) -> np.ndarray:
        """E[v | h] = b + s W h; the variance is s^2 whatever h is. h: (..., H); result (..., D), no gradient."""
        return self.b.data + np.exp(self.log_sigma.data) * (h @ self.W.data.T)

    def sample_hidden(self, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """h ~ p(h | v): (..., H)."""
        return flip(self.hidden_logits(v), rng)

    def sample_visible(self, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """v ~ N(b + s W h, s^2): (..., D)."""
        mean = self.visible_mean(h)
        return mean + np.exp(self.log_sigma.data) * rng.standard_normal(mean.shape, dtype=mean.dtype)

    def gibbs(self, v: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        """v after k sweeps h ~ p(h | v), v ~ p(v | h). v: (chains, D)."""
        self.check(v)
        rng = stream(rng)
        for _ in range(k):
            v = self.sample_visible(self.sample_hidden(v, rng), rng)
        return v

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """n chains after `sweeps` Gibbs sweeps from N(b, s^2): near p(v) where the chain mixes. (n, D)."""
        noise = rng.standard_normal((n, self.b.size)).astype(self.b.dtype)
        return self.gibbs(self.b.data + np.exp(self.log_sigma.data) * noise, sweeps, rng)

    def log_z(self) -> float:
        """log Z = sum_i log(s_i sqrt(2 pi)) + log sum_h exp(c'h + (b / s)'Wh + |Wh|^2 / 2), nats, by enumeration of h.

        The visible units are integrated out in closed form, whatever their number. ValueError above 20 hidden units.
        """
        W, b, c, log_sigma = (p.data.astype(np.float64) for p in (self.W, self.b, self.c, self.log_sigma))
        H = len(c)
        if H > MOST_HIDDEN:
            raise ValueError(f"GaussianRBM: exact log Z enumerates the hidden units, which are {H}; at most "
                             f"{MOST_HIDDEN} are possible")
        biases, couplings = c + b * np.exp(-log_sigma) @ W, W.T @ W
        low = binary_states(min(H, CHUNK_BITS)).astype(float)
        total = -np.inf
        for high in binary_states(H - low.shape[1]):
            h = np.concatenate([np.broadcast_to(high, (len(low), len(high))), low], axis=1)
            total = np.logaddexp(total, ad.logsumexp(h @ biases + 0.5 * (h @ couplings * h).sum(1)))
        return float(total + (log_sigma + 0.5 * np.log(2 * np.pi)).sum())

    def log_likelihood(self, v: np.ndarray) -> Likelihood:
        """log p(v) = -F(v) - log Z, the density in nats, exact. v: (n, D)."""
        self.check(v)
        return Likelihood(-self.free_energies(v) - self.log_z(), "exact", "log Z by enumeration of the hidden units")

    def free_energies(self, v: np.ndarray) -> np.ndarray:
        """F(v) without a tape, in float64: (n,)."""
        with ad.no_grad():
            return ad.value(self.free_energy(v)).astype(np.float64)

    def check(self, v: np.ndarray) -> None:
        """Raises ValueError unless v is rows of finite numbers, at least one row."""
        self._check_width(v)
        if v.ndim != 2 or not len(v):
            raise ValueError(f"GaussianRBM: v has shape {v.shape}; expected (n, {self.b.size}) with n >= 1")
        strange = ~np.isfinite(v)
        if strange.any():
            raise ValueError(f"GaussianRBM: v holds {v[strange][0]}; expected finite numbers")

    def _scaled(self, v: Any) -> Any:
        return v * ad.exp(-self.log_sigma)

    def _well(self, v: Any) -> Any:
        return 0.5 * ad.sum(self._scaled(v - self.b) ** 2, axis=-1)

    def _check_width(self, v: Any) -> None:
        if v.shape[-1:] != self.b.shape:
            raise ValueError(f"GaussianRBM: v has shape {v.shape}; expected (..., {self.b.size})")
