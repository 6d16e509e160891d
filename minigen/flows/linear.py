"""Linear flows z = W x + b, with W held in factors whose determinant is read off a diagonal.

J_f = W (S2:61 prints its transpose; the determinants agree, the maps do not). The factors are found once, from a
random rotation; after that a gradient step must not leave their class: S2:73 leaves out that P stays fixed, that L
keeps a unit diagonal, and that Q stays orthogonal, which free entries do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor
from minigen.nn.checking import generator, whole

from .base import Flow


def rotation(d: int, rng: np.random.Generator) -> np.ndarray:
    """A random orthogonal matrix, (d, d): QR of a Gaussian matrix with the signs of R's diagonal taken out."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diagonal(r))


def plu(W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W = P L U by Gaussian elimination with partial pivoting: permutation, unit lower, upper, each (d, d).

    Every square W has one: of a singular W, U has a 0 on its diagonal. ValueError for another shape.
    """
    U = np.array(W, dtype=np.float64)
    if U.ndim != 2 or U.shape[0] != U.shape[1]:
        raise ValueError(f"plu: W has shape {U.shape}; expected (d, d)")
    d = len(U)
    L, order = np.eye(d), np.arange(d)
    for k in range(d - 1):
        pivot = k + int(np.argmax(np.abs(U[k:, k])))
        for rows in (U, order):
            rows[[k, pivot]] = rows[[pivot, k]]
        L[[k, pivot], :k] = L[[pivot, k], :k]
        if U[k, k]:
            L[k + 1:, k] = U[k + 1:, k] / U[k, k]
            U[k + 1:] -= np.outer(L[k + 1:, k], U[k])
    return np.eye(d)[order].T, L, np.triu(U)


class _Linear(Flow):
    """z = W x + b; subclasses say what W is and what its log|det| is."""

    b: Tensor

    def weight(self) -> Any:
        """W, (d, d)."""
        raise NotImplementedError

    def log_det(self) -> Any:
        """log|det W|, a scalar."""
        raise NotImplementedError

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (W x + b, log|det W|)."""
        x = self._read(x, "x")
        return x @ ad.transpose(self.weight()) + self.b, ad.broadcast_to(self.log_det(), x.shape[:1])

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (W^-1 (z - b), -log|det W|)."""
        z = self._read(z, "z")
        x = ad.transpose(ad.solve(self.weight(), ad.transpose(z - self.b)))
        return x, ad.broadcast_to(-self.log_det(), z.shape[:1])


class DenseLinear(_Linear):
    """W free: log|det W| costs O(d^3) at every step. The baseline of the two below."""

    def __init__(self, d: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        super().__init__(d)
        self.W = Tensor(rotation(d, generator(rng, "DenseLinear")), requires_grad=True, dtype=dtype)
        self.b = Tensor(np.zeros(d), requires_grad=True, dtype=dtype)

    def weight(self) -> Any:
        """W itself."""
        return self.W

    def log_det(self) -> Any:
        """log|det W| by factoring it anew."""
        return ad.slogdet(self.W)[1]


class PLULinear(_Linear):
    """W = P L (U + diag(sign exp(s))):  log|det W| = sum_i s_i, O(d).

    P: fixed permutation, sign: fixed signs; learnt are L below and U above the diagonal and s: (d,).
    Kingma and Dhariwal 2018, eq. 10-11; S2:65.
    """

    def __init__(self, d: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        super().__init__(d)
        P, L, U = plu(rotation(d, generator(rng, "PLULinear")))
        diagonal = np.diagonal(U)
        self.P, self.sign = Tensor(P, dtype=dtype), Tensor(np.sign(diagonal), dtype=dtype)
        self.L = Tensor(np.tril(L, -1), requires_grad=True, dtype=dtype)
        self.U = Tensor(np.triu(U, 1), requires_grad=True, dtype=dtype)
        self.s = Tensor(np.log(np.abs(diagonal)), requires_grad=True, dtype=dtype)
        self.b = Tensor(np.zeros(d), requires_grad=True, dtype=dtype)

    def weight(self) -> Any:
        """P L (U + diag)."""
        eye = np.eye(self.d, dtype=self.L.dtype)
        lower = ad.tril(self.L, -1) + eye
        return self.P @ (lower @ (ad.triu(self.U, 1) + eye * (self.sign * ad.exp(self.s))))

    def log_det(self) -> Any:
        """sum_i s_i"""
        return ad.sum(self.s)


class QRLinear(_Linear):
    """W = H_1 ... H_k R,  H = I - 2 v v' / |v|^2:  log|det W| = sum_i s_i, for R with the diagonal exp(s).

    v: (reflections, d), one row a reflection; d of them reach every orthogonal matrix of determinant (-1)^d.
    ValueError where a row is 0: it has no direction to reflect along.
    Tomczak and Welling 2016, eq. 6; Hoogeboom et al. 2019, section 4; S2:70.
    """

    def __init__(self, d: int, reflections: int | None = None, *, rng: np.random.Generator, dtype: Any = np.float32):
        super().__init__(d)
        k = whole(d if reflections is None else reflections, "reflections", "QRLinear")
        self.v = Tensor(generator(rng, "QRLinear").standard_normal((k, d)), requires_grad=True, dtype=dtype)
        self.R = Tensor(np.zeros((d, d)), requires_grad=True, dtype=dtype)
        self.s = Tensor(np.zeros(d), requires_grad=True, dtype=dtype)
        self.b = Tensor(np.zeros(d), requires_grad=True, dtype=dtype)

    def orthogonal(self) -> Any:
        """Q = H_1 ... H_k, (d, d)."""
        squares = ad.sum(self.v * self.v, axis=1)
        ad.ensure(ad.value(squares) != 0, lambda squares: ValueError(
            f"{self.title()}: row {np.argmin(squares)} of v is 0; a reflection needs a direction"), squares)
        Q = np.eye(self.d, dtype=self.v.dtype)
        for k in range(self.v.shape[0]):
            v = self.v[k]
            Q = Q - ad.expand_dims(Q @ v, 1) * (v * (2 / squares[k]))
        return Q

    def weight(self) -> Any:
        """Q R"""
        return self.orthogonal() @ (ad.triu(self.R, 1) + np.eye(self.d, dtype=self.R.dtype) * ad.exp(self.s))

    def log_det(self) -> Any:
        """sum_i s_i"""
        return ad.sum(self.s)
