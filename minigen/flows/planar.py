"""Planar flow: a ridge added along one direction, with the constraint that keeps it invertible, and its inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Rule, Tensor
from minigen.autodiff.rules import apply
from minigen.nn.checking import generator

from .base import Flow


class Planar(Flow):
    """z = x + u^ tanh(w'x + b);  log|det J| = log(1 + (1 - tanh^2(w'x + b)) w'u^).

    u^ = u + (m - 1 - w'u) w / |w|^2 with m = softplus(w'u) has w'u^ = m - 1 > -1, so the map is monotone along w and
    m is its least slope there. (With |w| for |w|^2, a slip of public code, it need not be.) The inverse solves one
    scalar equation per row. w, u: (d,), b: scalar. ValueError where w is 0: the ridge then has no direction, and u^
    grows without limit on the way there. Rezende and Mohamed 2015, eq. 10-12 and appendix A.1; S4:768.
    """

    def __init__(self, d: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        super().__init__(d)
        rng = generator(rng, "Planar")
        self.w = Tensor(rng.standard_normal(d) / np.sqrt(d), requires_grad=True, dtype=dtype)
        self.u = Tensor(0.1 * rng.standard_normal(d), requires_grad=True, dtype=dtype)
        self.b = Tensor(np.zeros(()), requires_grad=True, dtype=dtype)

    def constrained(self) -> tuple[Any, Any]:
        """(u^, m): (d,) and the scalar 1 + w'u^ > 0."""
        square = ad.sum(self.w * self.w)
        ad.ensure(ad.value(square) != 0, lambda: ValueError(f"{self.title()}: w is 0; a ridge needs a direction"))
        wu = ad.sum(self.w * self.u)
        m = ad.softplus(wu)
        return self.u + self.w * ((m - 1 - wu) / square), m

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log-det)."""
        x = self._read(x, "x")
        u, m = self.constrained()
        a = x @ self.w + self.b
        return x + ad.expand_dims(ad.tanh(a), 1) * u, ad.log(_slope(a, m))

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log-det): x = z - u^ tanh(a), where a = w'x + b solves a + w'u^ tanh(a) = w'z + b."""
        z = self._read(z, "z")
        u, m = self.constrained()
        a = ridge_root(z @ self.w + self.b, m)
        return z - ad.expand_dims(ad.tanh(a), 1) * u, -ad.log(_slope(a, m))


def _slope(a: Any, m: Any) -> Any:
    """d (a + (m - 1) tanh a) / da = tanh^2 a + m (1 - tanh^2 a): a sum of positive terms, so that no digit of a small
    m is lost, as it is in 1 + (m - 1) (1 - tanh^2 a)."""
    t = ad.tanh(a)
    return t * t + m * (1 - t * t)


def _root(s: np.ndarray, m: np.ndarray) -> np.ndarray:
    """a with a + (m - 1) tanh(a) = s for m > 0, by Newton's method kept inside a bracket that halves where it must.

    |a - s| <= |m - 1|, because |tanh| <= 1: that is the first bracket. The left side rises with a, so the root is one.
    """
    s, m = np.broadcast_arrays(s, m)
    reach = np.abs(m - 1) + 1e-3 * (1 + np.abs(s))
    low, high, a = s - reach, s + reach, s
    for _ in range(100):
        t = np.tanh(a)
        excess = (a - t) + m * t - s
        low, high = np.where(excess < 0, a, low), np.where(excess < 0, high, a)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a step to nowhere is not inside
            newton = a - excess / _slope(a, m)
        new = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
        if np.all(np.abs(new - a) <= 2 * np.finfo(s.dtype).eps * (1 + np.abs(a))):
            return new
        a = new
    return a


# The implicit function theorem: F(a, s, m) = a + (m - 1) tanh a - s = 0 gives da = (ds - tanh(a) dm) / F_a.
RIDGE_ROOT = Rule("ridge_root", _root,
                  (lambda g, a, s, m: g / _slope(a, m),
                   lambda g, a, s, m: -g * ad.tanh(a) / _slope(a, m)))


def ridge_root(s: Any, m: Any) -> Any:
    """a with a + (m - 1) tanh(a) = s, m > 0, elementwise, with the implicit gradient to every order.

    s, m broadcast. A rule of its own outside the table of the engine, which knows nothing of flows.
    """
    return apply(RIDGE_ROOT, (s, m), {})
