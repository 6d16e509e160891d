"""The kernels of `annealing.py` in plain NumPy: same names, same signatures; the same draws, weights in float64."""

from __future__ import annotations

import numpy as np

from .reference_random import sigmoid_bernoulli

f32 = np.float32


def log_ratio(t: np.ndarray, last: float, beta: float, x: np.ndarray | None = None) -> np.ndarray:
    """sum_j softplus(beta t_j) - softplus(last t_j)"""
    t = t.astype(np.float64)
    return (np.logaddexp(0, beta * t) - np.logaddexp(0, last * t)).sum(-1)


def hidden_step(key: int, counter: int, z: np.ndarray, c: np.ndarray, score: np.ndarray, last: float, beta: float,
                log_w: np.ndarray, h: np.ndarray) -> None:
    """log w <- log w + log f_beta(v) - log f_last(v), then h ~ sigmoid(beta (z + c)); z <- z + c"""
    z += c
    log_w += (beta - last) * score + log_ratio(z, last, beta)
    np.multiply(f32(beta), z, out=h)
    sigmoid_bernoulli(key, counter, h)


def visible_step(key: int, counter: int, z: np.ndarray, a: np.ndarray, b: np.ndarray, beta: float, v: np.ndarray,
                 score: np.ndarray) -> None:
    """v ~ sigmoid((1 - beta) a + beta (z + b)), score <- (b - a)'v"""
    v[...] = f32(1 - beta) * a + f32(beta) * (z + b)
    sigmoid_bernoulli(key, counter, v)
    score[...] = dot_difference(v, a, b)


def dot_difference(v: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """(b - a)'v in float64"""
    return v.astype(np.float64) @ (b.astype(np.float64) - a)
