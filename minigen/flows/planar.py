"""Planar flow: a ridge added along one direction, with the constraint that keeps it invertible, and its inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

from .base import Flow


class Planar(Flow):
    """z = x + u^ tanh(w'x + b);  log|det J| = log(1 + (1 - tanh^2(w'x + b)) w'u^).

    u^ = u + (softplus(w'u) - 1 - w'u) w / |w|^2 has w'u^ = softplus(w'u) - 1 > -1, so the map is monotone along w.
    (With |w| for |w|^2, a slip of public code, it is not.) The inverse solves one scalar equation per row.
    w, u: (d,), b: scalar. Rezende and Mohamed 2015, eq. 10-12 and appendix A.1; S4:768.
    """

    def __init__(self, d: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        self.d = d
        self.w = Tensor(rng.standard_normal(d) / np.sqrt(d), requires_grad=True, dtype=dtype)
        self.u = Tensor(0.1 * rng.standard_normal(d), requires_grad=True, dtype=dtype)
        self.b = Tensor(np.zeros(()), requires_grad=True, dtype=dtype)

    def constrained(self) -> tuple[Any, Any]:
        """(u^, w'u^): (d,) and a scalar above -1."""
        wu = ad.sum(self.w * self.u)
        along = ad.softplus(wu) - 1
        return self.u + (along - wu) * self.w / ad.sum(self.w * self.w), along

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log-det)."""
        self._check(x, "x")
        u, along = self.constrained()
        h = ad.tanh(x @ self.w + self.b)
        return x + ad.expand_dims(h, 1) * u, ad.log1p((1 - h * h) * along)

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log-det): x = z - u^ tanh(a), where a = w'x + b solves a + w'u^ tanh(a) = w'z + b."""
        self._check(z, "z")
        u, along = self.constrained()
        h = ad.tanh(ridge_root(z @ self.w + self.b, along))
        return z - ad.expand_dims(h, 1) * u, -ad.log1p((1 - h * h) * along)


def _ridge_root(s: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a with a + c tanh(a) = s for c > -1, by Newton's method kept inside a bracket that halves where it must.

    |a - s| <= |c|, because |tanh| <= 1: that is the first bracket. The left side rises with a, so the root is one.
    """
    s = np.asarray(s)
    reach = np.abs(c) + 1e-3 * (1 + np.abs(s))
    low, high, a = s - reach, s + reach, s.copy()
    for _ in range(100):
        t = np.tanh(a)
        excess = a + c * t - s
        low, high = np.where(excess < 0, a, low), np.where(excess < 0, high, a)
        step = a - excess / (1 + c * (1 - t * t))
        new = np.where((step > low) & (step < high), step, (low + high) / 2)
        if np.all(np.abs(new - a) <= 2 * np.finfo(s.dtype).eps * (1 + np.abs(a))):
            return new
        a = new
    return a


def _ridge_slope(a: Any, c: Any) -> Any:
    """d (a + c tanh a) / da"""
    t = ad.tanh(a)
    return 1 + c * (1 - t * t)


# The implicit function theorem: F(a, s, c) = a + c tanh(a) - s = 0 gives da = (ds - tanh(a) dc) / F_a.
ridge_root = ad.primitive("ridge_root", _ridge_root,
                          lambda g, a, s, c: g / _ridge_slope(a, c),
                          lambda g, a, s, c: -g * ad.tanh(a) / _ridge_slope(a, c))
