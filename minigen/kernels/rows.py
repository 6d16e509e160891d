"""Float32 kernels of whole rows: log-sum-exp and log-softmax over the last axis, each a few passes over a cached row.

Twins of the same name in `reference_rows.py` say the same in NumPy. x, d: (n, m) contiguous; y, g as each line says.
A row of -inf has y = -inf, a row with +inf has y = inf, a row with nan has y = nan.
"""

from __future__ import annotations

import numpy as np

from .jit import inline, jit
from .math32 import exp32, log32

f32, i32 = np.float32, np.int32


@inline
def ordered(bits):
    """Floats as integers in the same order, and back: a maximum of integers is a vector instruction, that of floats
    which may be nan is not. A positive nan is above inf; a negative one is lost here and found in the sum."""
    return i32(bits ^ i32(i32(bits >> i32(31)) & i32(0x7FFFFFFF)))


@inline
def largest(x, i):
    """max_j x_ij; -inf of an empty row. In a row with nan: nan, or whatever else where that nan has a minus sign"""
    most = ordered(f32(-np.inf).view(i32))
    for j in range(x.shape[1]):
        most = max(most, ordered(f32(x[i, j]).view(i32)))
    return i32(ordered(most)).view(f32)


@jit
def logsumexp(x, out):
    """out_i <- log sum_j exp(x_ij), shifted by the largest of the row where that is finite"""
    for i in range(x.shape[0]):
        top = largest(x, i)
        shift = top if abs(top) < f32(np.inf) else f32(0.0)
        total = f32(0.0)
        for j in range(x.shape[1]):
            total += exp32(x[i, j] - shift)
        y = shift + log32(total) if abs(top) < f32(np.inf) else top
        out[i] = y if total == total else total


@jit
def logsumexp_cotangent(g, y, x, d):
    """d_ij <- g_i exp(x_ij - y_i), 0 in a row of -inf. y: the result of `logsumexp`; g, y: (n,)"""
    for i in range(x.shape[0]):
        weight, shift = g[i], f32(0.0) if y[i] == f32(-np.inf) else y[i]  # read before the loop that writes
        for j in range(x.shape[1]):
            d[i, j] = weight * exp32(x[i, j] - shift)


@jit
def log_softmax(x, out):
    """out_ij <- x_ij - log sum_k exp(x_ik); nan in a row of -inf or with +inf, where there are no probabilities

    The largest of the row is subtracted first, so that large numbers lose nothing of their differences.
    """
    for i in range(x.shape[0]):
        top = largest(x, i)
        total = f32(0.0)
        for j in range(x.shape[1]):
            t = x[i, j] - top
            out[i, j] = t
            total += exp32(t)
        rest = log32(total) if total == total else total
        for j in range(x.shape[1]):
            out[i, j] -= rest


@jit
def log_softmax_cotangent(g, y, d):
    """d_ij <- g_ij - exp(y_ij) sum_k g_ik. y: the result of `log_softmax`; g, y, d: (n, m)"""
    for i in range(g.shape[0]):
        total = f32(0.0)
        for j in range(g.shape[1]):
            total += g[i, j]
        for j in range(g.shape[1]):
            d[i, j] = g[i, j] - exp32(y[i, j]) * total
