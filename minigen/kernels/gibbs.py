"""Gibbs sampling of a few chains of a restricted Boltzmann machine: rows of active units are added, not multiplied.

For v in {0,1}^D, v'W is the sum of the rows W_i with v_i = 1. A matrix product for one chain reads all of W; this reads
the active rows alone, and the sampling follows while the sums are in the first cache. Above some twenty chains with a
third of the units active, matrix products are faster. float32; twins in `reference_gibbs.py` give the same bits.
"""

from __future__ import annotations

import numpy as np

from .jit import jit_exact
from .random import bias_sigmoid_bernoulli

f32, u64 = np.float32, np.uint64


@jit_exact
def add_active_rows(x, W, z):
    """z_q <- sum of the rows W_i where x_qi is not 0, in the order of i. x: (chains, n), W: (n, m), z: (chains, m)"""
    active = np.empty(x.shape[1] + 1, np.int64)
    for q in range(x.shape[0]):
        row, n, k = z[q], 0, 0
        for i in range(x.shape[1]):
            active[n] = i
            n += x[q, i] != f32(0.0)
        for j in range(row.size):
            row[j] = f32(0.0)
        while k + 4 <= n:  # four at a time: a quarter of the passes over z, the same sums
            w0, w1, w2, w3 = W[active[k]], W[active[k + 1]], W[active[k + 2]], W[active[k + 3]]
            for j in range(row.size):
                row[j] = row[j] + w0[j] + w1[j] + w2[j] + w3[j]
            k += 4
        while k < n:
            w0 = W[active[k]]
            for j in range(row.size):
                row[j] += w0[j]
            k += 1


@jit_exact
def sweeps(key, counter, W, WT, b, c, v, h, n):
    """n times: h ~ p(h | v) = sigmoid(c + v'W), then v ~ p(v | h) = sigmoid(b + W h), in place.

    W: (D, H) and WT: (H, D) its transpose, both contiguous; v: (chains, D), h: (chains, H) of 0 and 1. Every half-step
    is a draw of `bias_sigmoid_bernoulli`: a call takes n ((chains H + 1) // 2 + (chains D + 1) // 2) blocks.
    """
    zh, zv, at = np.empty_like(h), np.empty_like(v), u64(counter)
    for _ in range(n):
        add_active_rows(v, W, zh)
        bias_sigmoid_bernoulli(key, at, zh, c, zh, h)
        at += u64((h.size + 1) // 2)
        add_active_rows(h, WT, zv)
        bias_sigmoid_bernoulli(key, at, zv, b, zv, v)
        at += u64((v.size + 1) // 2)
