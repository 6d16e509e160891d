"""The kernels of `gibbs.py` in plain NumPy: same names, same signatures, the same bits."""

from __future__ import annotations

import numpy as np

from .reference_random import bias_sigmoid_bernoulli


def add_active_rows(x: np.ndarray, W: np.ndarray, z: np.ndarray) -> None:
    """z_q <- sum of the rows W_i where x_qi is not 0, in the order of i"""
    z[...] = 0
    for q, i in zip(*np.nonzero(x)):
        z[q] += W[i]


def sweeps(key: int, counter: int, W: np.ndarray, WT: np.ndarray, b: np.ndarray, c: np.ndarray, v: np.ndarray,
           h: np.ndarray, n: int) -> None:
    """n times: h ~ p(h | v) = sigmoid(c + v'W), then v ~ p(v | h) = sigmoid(b + W h), in place"""
    zh, zv, at = np.empty_like(h), np.empty_like(v), int(counter)
    for _ in range(n):
        add_active_rows(v, W, zh)
        bias_sigmoid_bernoulli(key, at, zh, c, zh, h)
        at += (h.size + 1) // 2
        add_active_rows(h, WT, zv)
        bias_sigmoid_bernoulli(key, at, zv, b, zv, v)
        at += (v.size + 1) // 2
