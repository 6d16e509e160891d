"""The kernels of `fused.py` in plain NumPy: same names, same signatures, nothing to guess."""

from __future__ import annotations

import numpy as np


def bias_relu(z: np.ndarray, b: np.ndarray) -> None:
    """z <- max(z + b, 0)"""
    z[...] = np.maximum(z + b, 0)


def bias_tanh(z: np.ndarray, b: np.ndarray) -> None:
    """z <- tanh(z + b)"""
    z[...] = np.tanh(z + b)


def bias_sigmoid(z: np.ndarray, b: np.ndarray) -> None:
    """z <- sigmoid(z + b)"""
    z[...] = np.exp(-np.logaddexp(0, -(z + b)))


def rbm_phase(x: np.ndarray, t: np.ndarray, weight: float, rows: np.ndarray, p: np.ndarray, db: np.ndarray,
              dc: np.ndarray) -> float:
    """rows <- weight x, p <- sigmoid(t), db and dc grow by the columns of rows and weight p; the sum of softplus(t)"""
    rows[...] = weight * x
    p[...] = np.exp(-np.logaddexp(0, -t))
    db += rows.sum(0)
    dc += weight * p.sum(0)
    return float(np.logaddexp(0, t.astype(np.float64)).sum())


def relu_cotangent(g: np.ndarray, y: np.ndarray, d: np.ndarray, db: np.ndarray) -> None:
    """d <- g [y > 0],  db <- its column sums"""
    d[...] = g * (y > 0)
    db[...] = d.sum(0)


def tanh_cotangent(g: np.ndarray, y: np.ndarray, d: np.ndarray, db: np.ndarray) -> None:
    """d <- g (1 - y^2),  db <- its column sums"""
    d[...] = g * (1 - y * y)
    db[...] = d.sum(0)


def bernoulli_logits(t: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out_i <- sum_j x_ij t_ij - softplus(t_ij)"""
    out[...] = (x * t - np.logaddexp(0, t)).sum(-1)


def bernoulli_cotangent(g: np.ndarray, t: np.ndarray, x: np.ndarray, d: np.ndarray) -> None:
    """d_ij <- g_i (x_ij - sigmoid(t_ij))"""
    d[...] = g[:, None] * (x - np.exp(-np.logaddexp(0, -t)))
