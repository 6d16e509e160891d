"""Gibbs sampling of a few chains of a restricted Boltzmann machine: rows of active units are added, not multiplied.

For v in {0,1}^D, v'W is the sum of the rows W_i with v_i = 1. A matrix product for one chain reads all of W; this reads
the active rows alone, and the sampling follows while the sums are in the first cache. Above some twenty chains with a
third of the units active, matrix products are faster. float32; twins in `reference_gibbs.py` give the same bits.
"""

from __future__ import annotations

import numpy as np

from .jit import jit_exact
from .random import sigmoid_bernoulli

f32, u64 = np.float32, np.uint64


@jit_exact
def strangers(x):
    """How many numbers of x are neither 0 nor 1; nan is one of them"""
    flat, count = x.reshape(-1), 0
    for i in range(flat.size):
        count += (flat[i] != f32(0.0)) & (flat[i] != f32(1.0))
    return count


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
def flip(key, counter, z, b):
    """z <- [u < sigmoid(z + b)]: inputs become the draw of `random.sigmoid_bernoulli`. z: (n, m), b: (m,)"""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] += b[j]
    sigmoid_bernoulli(key, counter, z.reshape(-1))


@jit_exact
def sweeps(key, counter, W, WT, b, c, v, h, n):
    """n times: h ~ p(h | v) = sigmoid(c + v'W), then v ~ p(v | h) = sigmoid(b + W h), in place.

    W: (D, H) and WT: (H, D) its transpose, both contiguous; v: (chains, D), h: (chains, H) of 0 and 1. Every half-step
    is a draw of `flip`: a call takes n ((chains H + 1) // 2 + (chains D + 1) // 2) blocks.
    """
    at = u64(counter)
    for _ in range(n):
        add_active_rows(v, W, h)
        flip(key, at, h, c)
        at += u64((h.size + 1) // 2)
        add_active_rows(h, WT, v)
        flip(key, at, v, b)
        at += u64((v.size + 1) // 2)
