"""Families of a location and a scale: uniform, Laplace, logistic, Student's t, Cauchy. All have rsample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, shielded, supported


class Uniform(Distribution):
    """p(x) = 1 / (high - low) on [low, high], element by element.

    low < high broadcast to batch_shape; ValueError otherwise. Samples lie in [low, high).
    """

    event_axes = {"low": 0, "high": 0}

    def __init__(self, low: Any = 0.0, high: Any = 1.0):
        self._take(low=low, high=high)
        if not np.all(ad.value(self.low) < ad.value(self.high)):
            raise ValueError("Uniform: low is not below high everywhere; expected low < high")

    def log_prob(self, x: Any) -> Array:
        """-log(high - low), and -inf outside; the gradient to x is 0."""
        x, low, high = self._with(x)
        outside = (ad.value(x) < ad.value(low)) | (ad.value(x) > ad.value(high))
        return supported(outside, 0 * shielded(outside, x, low) - ad.log(high - low))

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = low + (high - low) u, u ~ U[0, 1)."""
        low, high = self._own()
        u = rng.random(self._shape(shape), dtype=np.float32 if self.dtype == np.float32 else np.float64)
        below = np.nextafter(ad.value(high), ad.value(low))  # rounding may reach high, which [low, high) leaves out
        return ad.minimum(low + (high - low) * u, below)

    def entropy(self) -> Array:
        """log(high - low) nats."""
        low, high = self._own()
        return self._per_batch(ad.log(high - low))

    @property
    def mean(self) -> Array:
        """(low + high) / 2."""
        low, high = self._own()
        return (low + high) / 2

    @property
    def variance(self) -> Array:
        """(high - low)^2 / 12."""
        low, high = self._own()
        return ad.square(high - low) / 12


class LocationScale(Distribution):
    """x = mu + scale e with e from one standard density; a subclass gives the density and the draw of e."""

    event_axes = {"mu": 0, "scale": 0}
    positive = ("scale",)

    def __init__(self, mu: Any = 0.0, scale: Any = 1.0):
        self._take(mu=mu, scale=scale)

    def log_prob(self, x: Any) -> Array:
        """log p(e) - log scale, e = (x - mu) / scale."""
        x, *shape_parameters, mu, scale = self._with(x)
        return self._standard_log_prob((x - mu) / scale, *shape_parameters) - ad.log(scale)

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = mu + scale e, e from the standard density."""
        e = np.asarray(self._standard_sample(rng, self._shape(shape)), dtype=self.dtype)
        return self.mu + self.scale * e

    def entropy(self) -> Array:
        """H(e) + log scale nats."""
        *shape_parameters, _, scale = self._own()
        return self._per_batch(ad.log(scale) + self._standard_entropy(*shape_parameters))

    @property
    def mean(self) -> Array:
        """mu, by symmetry."""
        return self._per_event(self._own()[-2])

    @property
    def variance(self) -> Array:
        """scale^2 Var e."""
        *shape_parameters, _, scale = self._own()
        return self._per_event(self._standard_variance(*shape_parameters) * ad.square(scale))


class Laplace(LocationScale):
    """p(x) = exp(-|x - mu| / scale) / (2 scale), element by element. At x = mu the gradient is taken as 0."""

    def _standard_log_prob(self, e: Array) -> Array:
        return -ad.abs(e) - math.log(2)

    def _standard_sample(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return rng.laplace(size=shape)

    def _standard_entropy(self) -> float:
        return 1 + math.log(2)

    def _standard_variance(self) -> float:
        return 2.0


class Logistic(LocationScale):
    """p(x) = sigmoid(e) sigmoid(-e) / scale, e = (x - mu) / scale; its distribution function is sigmoid(e)."""

    def _standard_log_prob(self, e: Array) -> Array:
        return e - 2 * ad.softplus(e)

    def _standard_sample(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return rng.logistic(size=shape)

    def _standard_entropy(self) -> float:
        return 2.0

    def _standard_variance(self) -> float:
        return math.pi**2 / 3


class Cauchy(LocationScale):
    """p(x) = 1 / (pi scale (1 + e^2)), e = (x - mu) / scale. Mean and variance do not exist: ValueError."""

    def _standard_log_prob(self, e: Array) -> Array:
        return -ad.log1p(e * e) - math.log(math.pi)

    def _standard_sample(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        return rng.standard_cauchy(size=shape)

    def _standard_entropy(self) -> float:
        return math.log(4 * math.pi)

    @property
    def mean(self) -> Array:
        """Does not exist."""
        raise ValueError("Cauchy: the mean does not exist; mu is the median")

    @property
    def variance(self) -> Array:
        """Does not exist."""
        raise ValueError("Cauchy: the variance does not exist; scale is half the distance of the quartiles")


class StudentT(LocationScale):
    """p(x) = Gamma((df + 1) / 2) / (Gamma(df / 2) sqrt(df pi) scale) (1 + e^2 / df)^(-(df + 1) / 2).

    df > 0 degrees of freedom, mu, scale broadcast to batch_shape; e = (x - mu) / scale. Cauchy at df = 1, Normal as
    df grows. The sampler is pathwise in mu and scale only: rsample refuses a df that a tape records.
    """

    event_axes = {"df": 0, "mu": 0, "scale": 0}
    positive = ("df", "scale")

    def __init__(self, df: Any, mu: Any = 0.0, scale: Any = 1.0):
        self._take(df=df, mu=mu, scale=scale)

    def _standard_log_prob(self, e: Array, df: Array) -> Array:
        return log_gamma_half(df / 2) - 0.5 * ad.log(df * math.pi) - (df + 1) / 2 * ad.log1p(e * e / df)

    def _standard_sample(self, rng: np.random.Generator, shape: tuple) -> np.ndarray:
        if isinstance(self.df, ad.Tensor) and self.df.requires_grad and ad.is_recording():
            raise NotImplementedError("StudentT: rsample has no gradient to df; pass df.detach() to hold it fixed")
        return rng.standard_t(ad.value(self.df), size=shape)

    def _standard_entropy(self, df: Array) -> Array:
        half = df / 2
        spread = (half + 0.5) * (ad.digamma(half + 0.5) - ad.digamma(half))
        return spread + 0.5 * ad.log(df * math.pi) - log_gamma_half(half)

    def _standard_variance(self, df: Array) -> Array:
        self._need_moments()
        finite = ad.value(df) > 2
        return ad.where(finite, df / (ad.where(finite, df, 3.0) - 2), np.inf)

    @property
    def mean(self) -> Array:
        """mu where df > 1; ValueError otherwise."""
        self._need_moments()
        return super().mean

    def _need_moments(self) -> None:
        lowest = np.min(ad.value(self.df))
        if not lowest > 1:
            raise ValueError(f"StudentT: df has the value {lowest}; mean and variance exist for df > 1")


def log_gamma_half(a: Array) -> Array:
    """log Gamma(a + 1/2) - log Gamma(a), without cancellation where a is large.

    From a = 30 on by log(a) / 2 - 1/(8a) + 1/(192a^3) - 1/(640a^5) + 17/(14336a^7), whose next term is below 1e-16.
    """
    large = ad.value(a) >= 30
    direct = ad.where(large, 1.0, a)
    r = 1 / ad.where(large, a, 30.0)
    r2 = r * r
    series = -0.5 * ad.log(r) - r * (1 / 8 - r2 * (1 / 192 - r2 * (1 / 640 - r2 * (17 / 14336))))
    return ad.where(large, series, ad.lgamma(direct + 0.5) - ad.lgamma(direct))
