"""Float32 kernels of the fused operations: one pass over memory where NumPy makes one per ufunc.

Twins of the same name in `reference.py` say the same in NumPy. z, y, g: (n, m) contiguous; b: (m,).
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .math32 import exp32, log32, sigmoid32, tanh32

f32 = np.float32


@jit
def bias_relu(z, b):
    """z <- max(z + b, 0)"""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            t = z[i, j] + b[j]
            z[i, j] = f32(0.0) if t < f32(0.0) else t


@jit
def bias_tanh(z, b):
    """z <- tanh(z + b)"""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = tanh32(z[i, j] + b[j])


@jit
def bias_sigmoid(z, b):
    """z <- sigmoid(z + b)"""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = sigmoid32(z[i, j] + b[j])


@jit
def rbm_phase(x, t, weight, rows, p, db, dc):
    """One phase of an RBM's gradient: rows <- weight x, p <- sigmoid(t), db and dc grow by the columns of rows and
    weight p. The sum of softplus(t) = max(t, 0) - log max(p, 1 - p). x, rows: (n, D), t, p: (n, m), db: (D,), dc: (m,)
    """
    w, total = f32(weight), 0.0
    for i in range(x.shape[0]):
        row, units = rows[i], p[i]
        for j in range(row.size):
            row[j] = w * x[i, j]
        for j in range(row.size):
            db[j] += row[j]
        for j in range(units.size):
            units[j] = sigmoid32(t[i, j])
        for j in range(units.size):
            dc[j] += w * units[j]
        for start in range(0, units.size, 120):  # 120 factors of at least 1/2 stay above the smallest normal number
            logits, part, rest, product = t[i, start:start + 120], units[start:start + 120], f32(0.0), f32(1.0)
            for j in range(part.size):
                rest += logits[j] if logits[j] > f32(0.0) else f32(0.0)
                product *= part[j] if part[j] > f32(0.5) else f32(1.0) - part[j]
            total += rest - np.log(product)
    return total


@jit
def relu_cotangent(g, y, d, db):
    """d <- g [y > 0],  db <- its column sums"""
    db[:] = f32(0.0)
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            d[i, j] = g[i, j] if y[i, j] > f32(0.0) else f32(0.0)
        for j in range(y.shape[1]):  # apart from the loop above, which then needs no check for overlapping arrays
            db[j] += d[i, j]


@jit
def tanh_cotangent(g, y, d, db):
    """d <- g (1 - y^2),  db <- its column sums"""
    db[:] = f32(0.0)
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            d[i, j] = g[i, j] * (f32(1.0) - y[i, j] * y[i, j])
        for j in range(y.shape[1]):
            db[j] += d[i, j]


@jit
def bernoulli_logits(t, x, out):
    """out_i <- sum_j x_ij t_ij - softplus(t_ij)"""
    for i in range(t.shape[0]):
        total = f32(0.0)
        for j in range(t.shape[1]):
            a = t[i, j]
            e = exp32(-abs(a))
            total += x[i, j] * a - max(a, f32(0.0)) - (log32(f32(1.0) + e) if e == e else e)
        out[i] = total


@jit
def bernoulli_cotangent(g, t, x, d):
    """d_ij <- g_i (x_ij - sigmoid(t_ij))"""
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            d[i, j] = g[i] * (x[i, j] - f32(1.0) / (f32(1.0) + exp32(-t[i, j])))
