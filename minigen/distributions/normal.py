"""Gaussians: elementwise, diagonal, and with a full covariance. sigma is a standard deviation everywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape

LOG_2PI = math.log(2 * math.pi)


def gaussian_log_density(x: Array, mu: Array, sigma: Array) -> Array:
    """-((x - mu) / sigma)^2 / 2 - log sigma - log(2 pi) / 2, element by element."""
    z = (x - mu) / sigma
    return -0.5 * (z * z) - (ad.log(sigma) + 0.5 * LOG_2PI)


def standard_normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """epsilon ~ N(0, 1), drawn in float32 where that is wanted."""
    return np.asarray(rng.standard_normal(shape, dtype=np.float32 if dtype == np.float32 else np.float64))


class Normal(Distribution):
    """p(x) = exp(-(x - mu)^2 / (2 sigma^2)) / (sigma sqrt(2 pi)), element by element.

    mu, sigma: numbers, arrays or Tensors that broadcast to batch_shape; sigma > 0 is a standard deviation. S4:623.
    """

    event_axes = {"mu": 0, "sigma": 0}
    positive = ("sigma",)

    def __init__(self, mu: Any = 0.0, sigma: Any = 1.0):
        self._take(mu=mu, sigma=sigma)

    def log_prob(self, x: Any) -> Array:
        """-((x - mu) / sigma)^2 / 2 - log sigma - log(2 pi) / 2; shape of x and the parameters broadcast."""
        return gaussian_log_density(*self._with(x))

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = mu + sigma epsilon, epsilon ~ N(0, 1)."""
        return self.mu + self.sigma * standard_normal(rng, self._shape(shape), self.dtype)

    def entropy(self) -> Array:
        """log(2 pi e sigma^2) / 2 nats."""
        return self._per_batch(ad.log(self._own()[1]) + 0.5 * (1 + LOG_2PI))

    @property
    def mean(self) -> Array:
        """mu."""
        return self._per_event(self._own()[0])

    @property
    def variance(self) -> Array:
        """sigma^2."""
        return self._per_event(ad.square(self._own()[1]))


class DiagonalNormal(Normal):
    """p(x) = prod_i N(x_i; mu_i, sigma_i^2): independent along the last axis, which is summed.

    mu, sigma: (..., d), or sigma a number; event_shape (d,), log_prob of shape x.shape[:-1]. S4:527.
    """

    event_axes = {"mu": 1, "sigma": 1}
    event_ndim = 1

    def __init__(self, mu: Any, sigma: Any = 1.0):
        self._take(mu=mu, sigma=sigma)
        if not self.event_shape:
            raise ValueError("DiagonalNormal: mu and sigma are numbers; expected an array of shape (..., d)")

    def log_prob(self, x: Any) -> Array:
        """sum_i log N(x_i; mu_i, sigma_i^2); shape x.shape[:-1]."""
        return ad.sum(gaussian_log_density(*self._with(x)), axis=-1)

    def entropy(self) -> Array:
        """sum_i log(2 pi e sigma_i^2) / 2 nats."""
        return ad.sum(self._per_event(ad.log(self._own()[1]) + 0.5 * (1 + LOG_2PI)), axis=-1)


class MultivariateNormal(Distribution):
    """p(x) = exp(-|L^-1 (x - mu)|^2 / 2) / ((2 pi)^(d/2) prod_i L_ii), covariance L L'.

    mu: (..., d); give one of scale_tril: (..., d, d), lower triangular with positive diagonal, or covariance:
    (..., d, d), symmetric positive definite. Raises ValueError for neither, both, or a matrix that is not such.
    """

    event_axes = {"mu": 1, "scale_tril": 2}
    event_ndim = 1

    def __init__(self, mu: Any, scale_tril: Any = None, *, covariance: Any = None):
        if (scale_tril is None) == (covariance is None):
            raise ValueError("MultivariateNormal: give scale_tril or covariance, one of the two")
        if scale_tril is None:
            covariance = self._checked("covariance", covariance)
            self._check_square("covariance", covariance)
            scale_tril = _cholesky(covariance)
        self._check_square("scale_tril", scale_tril)
        self._take(mu=mu, scale_tril=scale_tril)
        d = self.scale_tril.shape[-1]
        if self.event_shape != (d,):
            raise ValueError(f"MultivariateNormal: mu has shape {np.shape(ad.value(self.mu))}; expected (..., {d})")
        L = ad.value(self.scale_tril)
        if np.triu(L, 1).any() or not (np.diagonal(L, axis1=-2, axis2=-1) > 0).all():
            raise ValueError("MultivariateNormal: scale_tril is not lower triangular with a positive diagonal")

    def _check_square(self, name: str, matrix: Any) -> None:
        shape = np.shape(ad.value(matrix))
        if len(shape) < 2 or shape[-1] != shape[-2] or not shape[-1]:
            raise ValueError(f"MultivariateNormal: {name} has shape {shape}; expected (..., d, d)")

    def log_prob(self, x: Any) -> Array:
        """-|L^-1 (x - mu)|^2 / 2 - sum_i log L_ii - (d / 2) log(2 pi); shape x.shape[:-1]."""
        x, mu, L = self._with(x)
        z = whiten(L, x - mu)
        return -0.5 * ad.sum(z * z, axis=-1) - (log_det(L) + 0.5 * LOG_2PI * self.event_shape[0])

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = mu + L epsilon, epsilon ~ N(0, I)."""
        noise = standard_normal(rng, self._shape(shape), self.dtype)
        if self.scale_tril.ndim == 2:
            return self.mu + noise @ self.scale_tril.T
        return self.mu + ad.matmul(self.scale_tril, noise[..., None])[..., 0]

    def entropy(self) -> Array:
        """log det(2 pi e L L') / 2 nats."""
        _, L = self._own()
        return self._per_batch(log_det(L) + 0.5 * (1 + LOG_2PI) * self.event_shape[0])

    @property
    def mean(self) -> Array:
        """mu."""
        return self._per_event(self._own()[0])

    @property
    def covariance(self) -> Array:
        """L L'."""
        L = self._own()[1]
        return ad.matmul(L, ad.mT(L))

    @property
    def variance(self) -> Array:
        """The diagonal of L L'."""
        return self._per_event(ad.sum(ad.square(self._own()[1]), axis=-1))


def _cholesky(covariance: Array) -> Array:
    """The L of covariance = L L'; ValueError where there is none."""
    numbers = ad.value(covariance)
    if not np.allclose(numbers, np.swapaxes(numbers, -1, -2), rtol=1e-5, atol=1e-8 * np.abs(numbers).max()):
        raise ValueError("MultivariateNormal: covariance is not symmetric")
    try:
        return ad.cholesky(covariance)
    except np.linalg.LinAlgError:
        lowest = np.linalg.eigvalsh(numbers).min()
        raise ValueError(f"MultivariateNormal: covariance has the eigenvalue {lowest:.3g}; expected a positive "
                         "definite matrix") from None


def whiten(L: Array, x: Array) -> Array:
    """L^-1 x for x: (..., d). One triangle for all x is factored once, not once per x."""
    if L.ndim == 2 and x.ndim > 1:
        return ad.mT(ad.solve(L, ad.mT(x)))
    return ad.solve(L, ad.expand_dims(x, -1))[..., 0]


def log_det(L: Array) -> Array:
    """sum_i log L_ii of triangles (..., d, d)."""
    diagonal = np.arange(L.shape[-1])
    return ad.sum(ad.log(ad.getitem(L, (..., diagonal, diagonal))), axis=-1)
