"""Rules of matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rules import primitive
from .shapes import expand_dims, swapaxes


def mT(x: Any) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def _matmul_left_vjp(g: Any, y: Any, a: Any, b: Any) -> Any:
    """d (A B) = dA B + A dB, so dA gets g B'"""
    if a.ndim == 1 and b.ndim == 1:
        return g * b
    if a.ndim == 1:
        g = expand_dims(g, -2)
        out = matmul(g, mT(b))
        return out[..., 0, :]
    if b.ndim == 1:
        return expand_dims(g, -1) * b
    return matmul(g, mT(b))


def _matmul_right_vjp(g: Any, y: Any, a: Any, b: Any) -> Any:
    """d (A B) = dA B + A dB, so dB gets A' g"""
    if a.ndim == 1 and b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return expand_dims(a, -1) * expand_dims(g, -2)
    if b.ndim == 1:
        return matmul(mT(a), expand_dims(g, -1))[..., 0]
    return matmul(mT(a), g)


matmul = primitive("matmul", np.matmul, _matmul_left_vjp, _matmul_right_vjp)
