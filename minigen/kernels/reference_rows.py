"""The kernels of `rows.py` in plain NumPy: same names, same signatures, sums in double precision."""

from __future__ import annotations

import numpy as np


def logsumexp(x: np.ndarray, out: np.ndarray) -> None:
    """out_i <- log sum_j exp(x_ij)"""
    out[...] = np.logaddexp.reduce(x, dtype=np.float64, axis=-1, initial=-np.inf)


def logsumexp_cotangent(g: np.ndarray, y: np.ndarray, x: np.ndarray, d: np.ndarray) -> None:
    """d_ij <- g_i exp(x_ij - y_i), 0 in a row of -inf"""
    d[...] = g[:, None] * np.exp(x - np.where(y == -np.inf, 0, y)[:, None])


def log_softmax(x: np.ndarray, out: np.ndarray) -> None:
    """out_ij <- x_ij - log sum_k exp(x_ik); nan in a row of -inf or with +inf"""
    t = x - np.max(x, axis=-1, keepdims=True, initial=-np.inf)
    out[...] = t - np.log(np.exp(t).sum(-1, dtype=np.float64, keepdims=True))


def log_softmax_cotangent(g: np.ndarray, y: np.ndarray, d: np.ndarray) -> None:
    """d_ij <- g_ij - exp(y_ij) sum_k g_ik"""
    d[...] = g - np.exp(y) * g.sum(-1, keepdims=True)
