"""The kernels of `gibbs.py` in plain NumPy: same names, same signatures, the same bits."""

from __future__ import annotations

import numpy as np

from .reference_random import sigmoid_bernoulli


def strangers(x: np.ndarray) -> int:
    """How many numbers of x are neither 0 nor 1"""
    return int(((x != 0) & (x != 1)).sum())


def add_active_rows(x: np.ndarray, W: np.ndarray, z: np.ndarray) -> None:
    """z_q <- sum of the rows W_i where x_qi is not 0, in the order of i"""
    z[...] = 0
    for q, i in zip(*np.nonzero(x)):
        z[q] += W[i]


def flip(key: int, counter: int, z: np.ndarray, b: np.ndarray) -> None:
    """z <- [u < sigmoid(z + b)]"""
    z += b
    sigmoid_bernoulli(key, counter, z)


def sweeps(key: int, counter: int, W: np.ndarray, WT: np.ndarray, b: np.ndarray, c: np.ndarray, v: np.ndarray,
           h: np.ndarray, n: int) -> None:
    """n times: h ~ p(h | v) = sigmoid(c + v'W), then v ~ p(v | h) = sigmoid(b + W h), in place"""
    at = int(counter)
    for _ in range(n):
        add_active_rows(v, W, h)
        flip(key, at, h, c)
        at += (h.size + 1) // 2
        add_active_rows(h, WT, v)
        flip(key, at, v, b)
        at += (v.size + 1) // 2
