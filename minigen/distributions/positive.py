"""Families on the positive numbers and on the simplex: Rayleigh, Pareto, gamma, beta, Dirichlet.

Supports of the gamma, beta and Dirichlet are open: at a boundary the density is taken as 0, whatever its limit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, shielded, supported

SUM_TOLERANCE = 1e-4  # how far the numbers of a point of the simplex may be from summing to 1


class Rayleigh(Distribution):
    """p(x) = x / scale^2 exp(-x^2 / (2 scale^2)), x > 0: the length of a 2-D Gaussian of standard deviation scale."""

    event_axes = {"scale": 0}
    positive = ("scale",)

    def __init__(self, scale: Any = 1.0):
        self._take(scale=scale)

    def log_prob(self, x: Any) -> Array:
        """log e - e^2 / 2 - log scale, e = x / scale; -inf for x <= 0."""
        x, scale = self._with(x)
        outside = ad.value(x) <= 0
        e = shielded(outside, x, 1.0) / scale
        return supported(outside, ad.log(e) - 0.5 * (e * e) - ad.log(scale))

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = scale sqrt(2 t), t ~ Exponential(1)."""
        return self.scale * np.sqrt(2 * exponential(rng, self._shape(shape))).astype(self.dtype)

    def entropy(self) -> Array:
        """1 + log(scale / sqrt 2) + gamma / 2 nats, gamma = 0.5772... of Euler."""
        return ad.log(self._own()[0]) + (1 - 0.5 * math.log(2) + 0.5 * np.euler_gamma)

    @property
    def mean(self) -> Array:
        """scale sqrt(pi / 2)."""
        return self._own()[0] * math.sqrt(math.pi / 2)

    @property
    def variance(self) -> Array:
        """scale^2 (4 - pi) / 2."""
        return ad.square(self._own()[0]) * (2 - math.pi / 2)


class Pareto(Distribution):
    """p(x) = alpha scale^alpha / x^(alpha + 1), x >= scale > 0; alpha > 0."""

    event_axes = {"alpha": 0, "scale": 0}
    positive = ("alpha", "scale")

    def __init__(self, alpha: Any, scale: Any = 1.0):
        self._take(alpha=alpha, scale=scale)

    def log_prob(self, x: Any) -> Array:
        """log(alpha / scale) - (alpha + 1) log(x / scale); -inf for x < scale."""
        x, alpha, scale = self._with(x)
        outside = ad.value(x) < ad.value(scale)
        e = shielded(outside, x, ad.value(scale)) / scale
        return supported(outside, ad.log(alpha) - ad.log(scale) - (alpha + 1) * ad.log(e))

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = scale exp(t / alpha), t ~ Exponential(1)."""
        return self.scale * ad.exp(exponential(rng, self._shape(shape)).astype(self.dtype) / self.alpha)

    def entropy(self) -> Array:
        """log(scale / alpha) + 1 / alpha + 1 nats."""
        alpha, scale = self._own()
        return ad.log(scale) - ad.log(alpha) + 1 / alpha + 1

    @property
    def mean(self) -> Array:
        """alpha scale / (alpha - 1), infinite for alpha <= 1."""
        alpha, scale = self._own()
        finite = ad.value(alpha) > 1
        return ad.where(finite, alpha * scale / (ad.where(finite, alpha, 2.0) - 1), np.inf)

    @property
    def variance(self) -> Array:
        """alpha scale^2 / ((alpha - 1)^2 (alpha - 2)), infinite for alpha <= 2."""
        alpha, scale = self._own()
        finite = ad.value(alpha) > 2
        a = ad.where(finite, alpha, 3.0)
        return ad.where(finite, a * ad.square(scale) / (ad.square(a - 1) * (a - 2)), np.inf)


class Gamma(Distribution):
    """p(x) = rate^alpha x^(alpha - 1) exp(-rate x) / Gamma(alpha), x > 0; alpha, rate > 0. Mean alpha / rate."""

    event_axes = {"alpha": 0, "rate": 0}
    positive = ("alpha", "rate")

    def __init__(self, alpha: Any, rate: Any = 1.0):
        self._take(alpha=alpha, rate=rate)

    def log_prob(self, x: Any) -> Array:
        """alpha log rate + (alpha - 1) log x - rate x - log Gamma(alpha); -inf for x <= 0."""
        x, alpha, rate = self._with(x)
        outside = ad.value(x) <= 0
        x = shielded(outside, x, 1.0)
        return supported(outside, alpha * ad.log(rate) + (alpha - 1) * ad.log(x) - rate * x - ad.lgamma(alpha))

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x ~ p; a draw too small for the dtype becomes its smallest normal number, never 0."""
        x = np.exp(log_gamma_sample(rng, ad.value(self.alpha), self._shape(shape)) - np.log(ad.value(self.rate)))
        return np.maximum(x.astype(self.dtype), np.finfo(self.dtype).tiny)

    def entropy(self) -> Array:
        """alpha - log rate + log Gamma(alpha) + (1 - alpha) digamma(alpha) nats."""
        alpha, rate = self._own()
        return alpha - ad.log(rate) + ad.lgamma(alpha) + (1 - alpha) * ad.digamma(alpha)

    @property
    def mean(self) -> Array:
        """alpha / rate."""
        alpha, rate = self._own()
        return alpha / rate

    @property
    def variance(self) -> Array:
        """alpha / rate^2."""
        alpha, rate = self._own()
        return alpha / ad.square(rate)


class Beta(Distribution):
    """p(x) = x^(alpha - 1) (1 - x)^(beta - 1) / B(alpha, beta), 0 < x < 1; alpha, beta > 0."""

    event_axes = {"alpha": 0, "beta": 0}
    positive = ("alpha", "beta")

    def __init__(self, alpha: Any, beta: Any):
        self._take(alpha=alpha, beta=beta)

    def log_prob(self, x: Any) -> Array:
        """(alpha - 1) log x + (beta - 1) log(1 - x) - log B(alpha, beta); -inf off (0, 1)."""
        x, alpha, beta = self._with(x)
        outside = (ad.value(x) <= 0) | (ad.value(x) >= 1)
        x = shielded(outside, x, 0.5)
        log_p = (alpha - 1) * ad.log(x) + (beta - 1) * ad.log1p(-x) - log_beta(alpha, beta)
        return supported(outside, log_p)

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x = g / (g + h), g ~ Gamma(alpha), h ~ Gamma(beta); kept off 0 and 1."""
        shape, info = self._shape(shape), np.finfo(self.dtype)
        log_g = log_gamma_sample(rng, ad.value(self.alpha), shape)
        log_h = log_gamma_sample(rng, ad.value(self.beta), shape)
        return np.clip(ad.sigmoid(log_g - log_h).astype(self.dtype), info.tiny, 1 - info.epsneg)

    def entropy(self) -> Array:
        """log B - (alpha - 1) psi(alpha) - (beta - 1) psi(beta) + (alpha + beta - 2) psi(alpha + beta) nats."""
        alpha, beta = self._own()
        both = alpha + beta
        return (log_beta(alpha, beta) - (alpha - 1) * ad.digamma(alpha) - (beta - 1) * ad.digamma(beta)
                + (both - 2) * ad.digamma(both))

    @property
    def mean(self) -> Array:
        """alpha / (alpha + beta)."""
        alpha, beta = self._own()
        return alpha / (alpha + beta)

    @property
    def variance(self) -> Array:
        """alpha beta / ((alpha + beta)^2 (alpha + beta + 1))."""
        alpha, beta = self._own()
        both = alpha + beta
        return alpha * beta / (ad.square(both) * (both + 1))


class Dirichlet(Distribution):
    """p(x) = prod_k x_k^(alpha_k - 1) Gamma(sum_k alpha_k) / prod_k Gamma(alpha_k) on the simplex.

    alpha: (..., K) > 0; x: (..., K), positive numbers that sum to 1 within 1e-4. The density is with respect to the
    first K - 1 coordinates.
    """

    event_axes = {"alpha": 1}
    event_ndim = 1
    positive = ("alpha",)

    def __init__(self, alpha: Any):
        self._take(alpha=alpha)
        if self.event_shape in ((), (0,), (1,)):
            raise ValueError(f"Dirichlet: alpha has event_shape {self.event_shape}; expected (..., K) with K >= 2")

    def log_prob(self, x: Any) -> Array:
        """sum_k (alpha_k - 1) log x_k - log B(alpha); -inf off the open simplex; shape x.shape[:-1]."""
        x, alpha = self._with(x)
        numbers = ad.value(x)
        outside = (numbers <= 0).any(axis=-1) | (np.abs(numbers.sum(axis=-1) - 1) > SUM_TOLERANCE)
        x = shielded(outside[..., None], x, 1 / numbers.shape[-1])
        return supported(outside, ad.sum((alpha - 1) * ad.log(x), axis=-1) - log_multi_beta(alpha))

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x = g / sum_k g_k, g_k ~ Gamma(alpha_k), in logarithms: small alpha gives no 0 / 0; kept off 0."""
        log_g = log_gamma_sample(rng, ad.value(self.alpha), self._shape(shape))
        return np.maximum(ad.softmax(log_g, axis=-1).astype(self.dtype), np.finfo(self.dtype).tiny)

    def entropy(self) -> Array:
        """log B(alpha) + (a - K) psi(a) - sum_k (alpha_k - 1) psi(alpha_k) nats, a = sum_k alpha_k."""
        alpha, = self._own()
        a = ad.sum(alpha, axis=-1)
        return (log_multi_beta(alpha) + (a - self.event_shape[0]) * ad.digamma(a)
                - ad.sum((alpha - 1) * ad.digamma(alpha), axis=-1))

    @property
    def mean(self) -> Array:
        """alpha_k / a, a = sum_k alpha_k."""
        alpha, = self._own()
        return alpha / ad.sum(alpha, axis=-1, keepdims=True)

    @property
    def variance(self) -> Array:
        """m_k (1 - m_k) / (a + 1), m the mean."""
        m = self.mean
        return m * (1 - m) / (ad.sum(self._own()[0], axis=-1, keepdims=True) + 1)


def exponential(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """t ~ Exponential(1)."""
    return np.asarray(rng.standard_exponential(shape))


def log_gamma_sample(rng: np.random.Generator, alpha: Any, shape: tuple[int, ...]) -> np.ndarray:
    """log g, g ~ Gamma(alpha, 1): log h - t / alpha with h ~ Gamma(alpha + 1), t ~ Exponential(1).

    In logarithms because g itself underflows for small alpha. Marsaglia and Tsang 2000, section 6.
    """
    alpha = np.asarray(alpha, dtype=np.float64)
    return np.log(rng.standard_gamma(alpha + 1, shape)) - exponential(rng, shape) / alpha


def log_beta(alpha: Array, beta: Array) -> Array:
    """log B(alpha, beta) = log Gamma(alpha) + log Gamma(beta) - log Gamma(alpha + beta)."""
    return ad.lgamma(alpha) + ad.lgamma(beta) - ad.lgamma(alpha + beta)


def log_multi_beta(alpha: Array) -> Array:
    """log B(alpha) = sum_k log Gamma(alpha_k) - log Gamma(sum_k alpha_k), over the last axis."""
    return ad.sum(ad.lgamma(alpha), axis=-1) - ad.lgamma(ad.sum(alpha, axis=-1))
