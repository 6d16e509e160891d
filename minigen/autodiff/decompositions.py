"""Rules of what solves linear equations: inv, solve, cholesky, det and slogdet, over stacks of matrices (..., n, n).

A matrix that a decomposition cannot take raises numpy.linalg.LinAlgError with the name of the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from .linalg import matmul, mT
from .recordable import ensure
from .rules import primitive
from .shapes import expand_dims
from .tensor import Tensor, value, wrap


def _decompose(name: str, fault: str, f: Callable, A: np.ndarray, *b: np.ndarray) -> np.ndarray:
    """f(A, *b) on square matrices, with errors that name the operation."""
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(f"{name}: A has shape {A.shape}; expected (..., n, n)")
    try:
        return f(A, *b)
    except LinAlgError:
        raise LinAlgError(f"{name}: A of shape {A.shape} {fault}") from None


def _inv(A: np.ndarray) -> np.ndarray:
    """A^-1."""
    return _decompose("inv", "is singular or holds a singular matrix", np.linalg.inv, A)


def _solve(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A^-1 b, b of shape (n,) or (..., n, k) as in NumPy 2: a stack of vectors is solved as (..., n, 1)."""
    if b.ndim == 0 or b.shape[-1 if b.ndim == 1 else -2] != A.shape[-1]:
        raise ValueError(f"solve: b has shape {b.shape}; expected ({A.shape[-1]},) or (..., {A.shape[-1]}, k)")
    return _decompose("solve", "is singular or holds a singular matrix", np.linalg.solve, A, b)


def _solve_joint(g: Any, y: Any, wanted: list[bool], A: Any, b: Any) -> list:
    """d (A^-1 b) = A^-1 (db - dA y), so with u = A^-T g: db gets u, dA gets -u y'"""
    vector = b.ndim == 1
    u = solve(mT(A), expand_dims(g, -1) if vector else g)
    return [-matmul(u, mT(expand_dims(y, -1) if vector else y)) if wanted[0] else None,
            (u[..., 0] if vector else u) if wanted[1] else None]


inv = primitive("inv", _inv, lambda g, y, A: -matmul(matmul(mT(y), g), mT(y)))
solve = primitive("solve", _solve, joint=_solve_joint)


def _cholesky(A: np.ndarray) -> np.ndarray:
    """The lower triangular L with L L' = (A + A') / 2.

    A is symmetrised first, so that both its triangles count and its cotangent is symmetric.
    """
    return _decompose("cholesky", "is not positive definite", lambda A: np.linalg.cholesky((A + mT(A)) / 2), A)


def _cholesky_vjp(g: Any, L: Any, A: Any) -> Any:
    """dL = L P(L^-1 dA L^-T), P the lower triangle with half its diagonal; Murray 2016, eq. 10"""
    n = L.shape[-1]
    halved = np.tril(np.ones((n, n), L.dtype)) - 0.5 * np.eye(n, dtype=L.dtype)
    middle = solve(mT(L), matmul(mT(L), g) * halved)  # L^-T P(L' g)
    S = mT(solve(mT(L), mT(middle)))  # L^-T P(L' g) L^-1
    return (S + mT(S)) / 2


cholesky = primitive("cholesky", _cholesky, _cholesky_vjp)


def _inverse_transpose(name: str, A: Any, regular: np.ndarray) -> Any:
    """A^-T, or an error that says whose gradient asked for it."""
    ensure(regular, lambda: LinAlgError(f"{name}: its gradient was asked for at a singular matrix, where A^-T does not "
                                        "exist"))
    return mT(inv(A))


def _det(A: np.ndarray) -> np.ndarray:
    """det A; its gradient det(A) A^-T raises LinAlgError where A is singular."""
    return _decompose("det", "has no determinant", np.linalg.det, A)


def _det_vjp(g: Any, y: Any, A: Any) -> Any:
    """d det A = det(A) tr(A^-1 dA)"""
    return expand_dims(g * y, (-2, -1)) * _inverse_transpose("det", A, value(y) != 0)


def _logabsdet(A: np.ndarray) -> np.ndarray:
    """log|det A|, -inf where A is singular; the gradient A^-T raises LinAlgError there."""
    return _decompose("slogdet", "has no determinant", lambda A: np.linalg.slogdet(A)[1], A)


def _logabsdet_vjp(g: Any, y: Any, A: Any) -> Any:
    """d log|det A| = tr(A^-1 dA)"""
    return expand_dims(g, (-2, -1)) * _inverse_transpose("slogdet", A, value(y) != -np.inf)


det = primitive("det", _det, _det_vjp)
logabsdet = primitive("logabsdet", _logabsdet, _logabsdet_vjp)


def slogdet(A: Any) -> tuple[Any, Any]:
    """(sign, log|det A|) over a stack of matrices, as np.linalg.slogdet; the sign is constant and not recorded.

    A singular matrix gives (0, -inf); asking for its gradient raises LinAlgError.
    """
    y = logabsdet(A)
    sign = np.linalg.slogdet(value(A))[0]
    return (wrap(value(sign)) if isinstance(A, Tensor) else sign), y
