"""Flows that treat every coordinate by itself; the determinant is a product."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

from .base import Flow


class Affine(Flow):
    """z_j = (x_j - m_j) exp(-s_j);  log|det J| = -sum_j s_j.

    m, s: (d,), zero at first; `fit_to` sets them so that the given data have mean 0 and variance 1 (the start that
    actnorm takes, Kingma and Dhariwal 2018, section 3.1).
    """

    def __init__(self, d: int, *, dtype: Any = np.float32):
        super().__init__(d)
        self.m = Tensor(np.zeros(d, dtype), requires_grad=True)
        self.s = Tensor(np.zeros(d, dtype), requires_grad=True)

    def fit_to(self, x: np.ndarray) -> None:
        """m <- mean, s <- log standard deviation of x: (n, d)."""
        x = self._read(x, "x")
        self.m.data[...] = x.mean(0)
        self.s.data[...] = np.log(x.std(0) + 1e-6)

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log-det)."""
        x = self._read(x, "x")
        return (x - self.m) * ad.exp(-self.s), ad.broadcast_to(-ad.sum(self.s), x.shape[:1])

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log-det)."""
        z = self._read(z, "z")
        return z * ad.exp(self.s) + self.m, ad.broadcast_to(ad.sum(self.s), z.shape[:1])


class Logit(Flow):
    """z_j = logit(y_j), y = margin + (1 - 2 margin) x;  log|det J| = sum_j log(1 - 2 margin) - log y_j - log(1 - y_j).

    From a cube a little larger than [0, 1]^d, by margin / (1 - 2 margin) at each wall, to R^d: z stays finite where
    x is 0 or 1, and samples of a model behind it may leave [0, 1]^d by that much. ValueError for x outside the larger
    cube. Dinh et al. 2017, section 4.1.
    """

    def __init__(self, d: int, margin: float = 0.01):
        if not 0 < margin < 0.5:
            raise ValueError(f"Logit: margin is {margin}; expected a number between 0 and 1/2")
        super().__init__(d)
        self.margin = margin

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log-det)."""
        x = self._read(x, "x")
        scale = 1 - 2 * self.margin
        y = self.margin + scale * x
        inside = (ad.value(y) > 0) & (ad.value(y) < 1)
        ad.ensure(inside, lambda x, inside: ValueError(
            f"{self.title()}: x has the entry {x[~inside][0]:g}; expected [0, 1], or beyond it by less than "
            f"{self.margin / scale:.3g}: scale the data first"), x, inside)
        log_y, log_rest = ad.log(y), ad.log(1 - y)
        return log_y - log_rest, self.d * float(np.log(scale)) - ad.sum(log_y + log_rest, axis=-1)

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log-det)."""
        z = self._read(z, "z")
        scale = 1 - 2 * self.margin
        log_det = -ad.sum(ad.softplus(z) + ad.softplus(-z), axis=-1) - self.d * float(np.log(scale))
        return (ad.sigmoid(z) - self.margin) / scale, log_det
