"""The kernel of `gray.py` in plain NumPy: every state, softplus by softplus; safe for weights of any size."""

from __future__ import annotations

import numpy as np

LOW = 7  # a block is 2^7 states of the first seven units


def log_sum(W: np.ndarray, b: np.ndarray, c: np.ndarray, first: int, last: int) -> float:
    """log sum_h exp(c'h + sum_i softplus(b_i + W_i h)) over blocks first <= k < last; equal to 1e-12"""
    low, total = min(LOW, c.size), -np.inf
    for k in range(first, last):
        h = (np.arange(1 << low)[:, None] + ((k ^ k >> 1) << low)) >> np.arange(c.size) & 1
        terms = h @ c + np.logaddexp(0, h @ W.T + b).sum(1)
        total = np.logaddexp(total, terms.max() + np.log(np.exp(terms - terms.max()).sum()))
    return float(total)
