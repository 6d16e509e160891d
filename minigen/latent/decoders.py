"""Likelihoods of a decoder: what the numbers that its net puts out mean."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from minigen import autodiff as ad

LOG_2PI = float(np.log(2 * np.pi))


class Decoder(Protocol):
    """p(x | net output); all over the last axis."""

    parameters_per_pixel: int

    def log_prob(self, out: Any, x: Any) -> Any:
        """log p(x | z) in nats, summed over pixels: (batch,)."""

    def mean(self, out: np.ndarray) -> np.ndarray:
        """E[x | z], (batch, pixels)."""

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """x ~ p(x | z), (batch, pixels)."""


class BernoulliDecoder:
    """p(x|z) = prod_j Bernoulli(x_j | sigmoid(t_j)); the net puts out the logits t."""

    parameters_per_pixel = 1

    def log_prob(self, out: Any, x: Any) -> Any:
        """sum_j x_j t_j - softplus(t_j)."""
        return ad.bernoulli_logits(out, x)

    def mean(self, out: np.ndarray) -> np.ndarray:
        """sigmoid(t)."""
        return ad.sigmoid(out)

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One where a uniform number is below sigmoid(t)."""
        return (rng.random(out.shape, dtype=out.dtype) < ad.sigmoid(out)).astype(out.dtype)


class GaussianDecoder:
    """p(x|z) = N(mu(z), diag sigma(z)^2): a mean net and a covariance net. S1:41-42.

    The net puts out mu and s with log sigma = 5 tanh(s / 5): free around 0, held above e^-5 because the density of
    a datum that is met exactly would grow without bound.
    """

    parameters_per_pixel = 2
    widest = 5.0

    def split(self, out: Any) -> tuple[Any, Any]:
        """(mu, log sigma), each (batch, pixels)."""
        n = out.shape[-1] // 2
        return out[..., :n], self.widest * ad.tanh(out[..., n:] / self.widest)

    def log_prob(self, out: Any, x: Any) -> Any:
        """-sum_j ((x_j - mu_j) / sigma_j)^2 / 2 + log sigma_j + log(2 pi) / 2."""
        mu, log_sigma = self.split(out)
        scaled = (x - mu) * ad.exp(-log_sigma)
        return -ad.sum(0.5 * scaled * scaled + log_sigma, axis=-1) - 0.5 * LOG_2PI * x.shape[-1]

    def mean(self, out: np.ndarray) -> np.ndarray:
        """mu(z)."""
        return self.split(out)[0]

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """mu + sigma eps."""
        mu, log_sigma = self.split(out)
        return mu + np.exp(log_sigma) * rng.standard_normal(mu.shape, dtype=mu.dtype)


DECODERS: dict[str, Decoder] = {"bernoulli": BernoulliDecoder(), "gaussian": GaussianDecoder()}
