"""The von Mises-Fisher distribution on the sphere S^(d-1) in R^d, for every d >= 2."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, shielded, supported

NORM_TOLERANCE = 1e-4  # how far the length of a unit vector may be from 1
LARGE_ORDER = 20  # from here on the expansion for large orders holds to the last digits
TERMS = 10


class VonMisesFisher(Distribution):
    """p(x) = c_d(kappa) exp(kappa mu . x) for |x| = 1, c_d(kappa) = kappa^(d/2-1) / ((2 pi)^(d/2) I_(d/2-1)(kappa)).

    mu: (..., d), unit vectors; kappa >= 0: (...), concentration, uniform at 0. The density is with respect to the
    area of the sphere. On S^2 c_3 = kappa / (4 pi sinh kappa). Mardia and Jupp 2000, eq. 9.3.4.
    """

    event_axes = {"mu": 1, "kappa": 0}
    event_ndim = 1

    def __init__(self, mu: Any, kappa: Any):
        self._take(mu=mu, kappa=kappa)
        if not self.event_shape or self.event_shape[0] < 2:
            raise ValueError(f"VonMisesFisher: mu has event_shape {self.event_shape}; expected (..., d) with d >= 2")
        if not (np.abs(np.linalg.norm(ad.value(self.mu), axis=-1) - 1) <= NORM_TOLERANCE).all():
            raise ValueError("VonMisesFisher: mu is not of length 1; divide it by its norm")
        if not np.all(ad.value(self.kappa) >= 0):
            raise ValueError(f"VonMisesFisher: kappa has the value {np.min(ad.value(self.kappa))}; expected >= 0")

    def _normaliser(self) -> tuple[Array, Array]:
        """(-log c_d(kappa) - kappa, A_d(kappa) = |E x|), in the dtype of the parameters."""
        mu, kappa = self._own()
        scaled, ratio = log_bessel(self.event_shape[0] / 2 - 1, kappa)
        return scaled + 0.5 * self.event_shape[0] * math.log(2 * math.pi), kappa * ratio

    def log_prob(self, x: Any) -> Array:
        """kappa (mu . x - 1) + (log c_d(kappa) + kappa); -inf where | |x| - 1 | > 1e-4; shape x.shape[:-1]."""
        x, mu, kappa = self._with(x)
        outside = np.abs(np.linalg.norm(ad.value(x), axis=-1) - 1) > NORM_TOLERANCE
        x = shielded(outside[..., None], x, ad.value(mu))
        return supported(outside, kappa * (ad.sum(mu * x, axis=-1) - 1) - self._normaliser()[0])

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x = w mu + sqrt(1 - w^2) v: w = mu . x by rejection, v uniform among the unit vectors orthogonal to mu.

        The share of proposals kept is 0.65 or more for every d and kappa. Ulrich 1984; Wood 1994.
        """
        shape = self._shape(shape)
        mu = np.broadcast_to(ad.value(self.mu), shape).astype(np.float64)
        kappa = np.broadcast_to(ad.value(self.kappa), shape[:-1]).astype(np.float64)
        gap = sample_gap(rng, kappa.ravel(), shape[-1]).reshape(*shape[:-1], 1)
        g = rng.standard_normal(shape)
        v = g - (g * mu).sum(axis=-1, keepdims=True) * mu
        v /= np.linalg.norm(v, axis=-1, keepdims=True)
        return ((1 - gap) * mu + np.sqrt(gap * (2 - gap)) * v).astype(self.dtype)

    def entropy(self) -> Array:
        """-log c_d(kappa) - kappa A_d(kappa) nats, with respect to the area."""
        scaled, A = self._normaliser()
        return self._per_batch(scaled + self._own()[1] * (1 - A))

    @property
    def mean(self) -> Array:
        """A_d(kappa) mu, A_d = I_(d/2) / I_(d/2-1): a point inside the sphere."""
        mu, A = self._own()[0], self._normaliser()[1]
        return self._per_event(ad.expand_dims(A, -1) * mu)


def sample_gap(rng: np.random.Generator, kappa: np.ndarray, d: int) -> np.ndarray:
    """1 - mu . x for kappa: (n,); the gap and not mu . x, which rounds to 1 where kappa is large."""
    b = (d - 1) / (2 * kappa + np.sqrt(4 * kappa**2 + (d - 1) ** 2))
    w0 = (1 - b) / (1 + b)
    gap = np.empty(kappa.shape)
    left = np.arange(kappa.size)
    while left.size:
        z = rng.beta((d - 1) / 2, (d - 1) / 2, size=left.size)
        bl, wl = b[left], w0[left]
        proposed = 2 * bl * z / (1 - (1 - bl) * z)
        # log of target over envelope, both divided by their values at w0: 1 - w0 w = (1 - w0) + w0 gap
        fall = np.log1p(wl * (proposed - (1 - wl)) / (1 - wl**2))
        log_keep = kappa[left] * ((1 - wl) - proposed) + (d - 1) * fall
        keep = -rng.standard_exponential(left.size) <= log_keep
        gap[left[keep]] = proposed[keep]
        left = left[~keep]
    return gap


def log_bessel(order: float, x: Array) -> tuple[Array, Array]:
    """log(I_order(x) x^-order) - x and I_(order+1)(x) / (I_order(x) x), for order >= 0 and x >= 0; smooth at x = 0.

    Debye's expansion at an order above 20, then down by I_(k-1) = I_(k+1) + (2 k / x) I_k, which is stable in that
    direction. Computed in float64, returned in the dtype of x. DLMF 10.41.3, 10.29.1.
    """
    dtype, x = x.dtype, ad.astype(x, np.float64) if isinstance(x, ad.Tensor) else x.astype(np.float64)
    steps = max(0, math.ceil(LARGE_ORDER - order))
    k = order + steps
    log_I = _debye(k, x)
    ratio = ad.exp(_debye(k + 1, x) - log_I)
    square = x * x
    for _ in range(steps):
        ratio = 1 / (square * ratio + 2 * k)
        log_I = log_I - ad.log(ratio)
        k -= 1
    return tuple(ad.astype(y, dtype) if isinstance(y, ad.Tensor) else y.astype(dtype) for y in (log_I, ratio))


def _debye(order: float, x: Array) -> Array:
    """log(I_order(x) x^-order) - x for a large order, uniformly in x."""
    s = ad.sqrt(x * x + order**2)
    r, t2 = 1 / s, order**2 / (s * s)
    series = 0.0
    for coefficients in reversed(_debye_coefficients()):
        p = 0.0
        for c in coefficients[::-1]:
            p = p * t2 + c
        series = series * r + p
    return order**2 / (s + x) - order * ad.log(s + order) - 0.5 * ad.log(2 * math.pi * s) + ad.log(series)


@cache
def _debye_coefficients() -> list[np.ndarray]:
    """U_k(t) / t^k as polynomials in t^2: U_(k+1) = t^2 (1 - t^2) U_k' / 2 + int_0^t (1 - 5 s^2) U_k ds / 8."""
    t2, U = Polynomial([0, 0, 1]), Polynomial([1.0])
    found = []
    for k in range(TERMS):
        found.append(U.coef[k::2])
        U = t2 * (1 - t2) * U.deriv() / 2 + ((1 - 5 * t2) * U).integ() / 8
    return found
