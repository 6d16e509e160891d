"""Sampling by degree: every unit of a masked net is computed once, as soon as the inputs it may see are drawn.

At step d the units of degree d become final, layer after layer, then the outputs of input d, then input d itself. All
units live in one array; `rows` says where a layer begins in it, `first[l, d]` how many units of layer l (0: inputs,
last: outputs) are final before step d, `at` where the weights (out, in) of a layer begin in the flat W. Units are
sorted by degree and masked weights are 0, so what a unit may see is a leading piece of its row of weights.
Twins of the same name in `reference_masked.py`. All arrays are contiguous and, but for the tables, of one precision.
"""

from __future__ import annotations

from .jit import jit
from .masked_activations import activate, exponential


@jit
def dot(w, x):
    """sum_k w_k x_k"""
    total = w.dtype.type(0.0)
    for k in range(w.size):
        total += w[k] * x[k]
    return total


@jit
def add_combination(y, w, X):
    """y_s <- y_s + sum_k w_k X_ks. y: (n,), w: (m,), X: (m, n); four rows of X at a time"""
    m = w.size // 4 * 4
    for k in range(0, m, 4):
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        x0, x1, x2, x3 = X[k], X[k + 1], X[k + 2], X[k + 3]
        for s in range(y.size):
            y[s] += (w0 * x0[s] + w1 * x1[s]) + (w2 * x2[s] + w3 * x3[s])
    for k in range(m, w.size):
        w0, x0 = w[k], X[k]
        for s in range(y.size):
            y[s] += w0 * x0[s]


@jit
def draw_affine(x, z, mu, alpha, log_det):
    """x <- z exp(alpha) + mu,  log_det <- log_det + alpha. All (n,)"""
    for s in range(x.size):
        x[s] = z[s] * exponential(alpha[s]) + mu[s]
    for s in range(x.size):
        log_det[s] += alpha[s]


@jit
def sample_block(S, Z, log_det, W, first, rows, at, code, d0, d1):
    """Steps d0 <= d < d1 of a batch. Units that become final there hold their bias and what units final before d0 add.

    S: (all units, n), Z: (d, n) noise, log_det: (n,).
    """
    last, d_all = first.shape[0] - 1, first.shape[1] - 1
    for d in range(d0, d1):
        for l in range(1, last + 1):
            width, seen, ready = first[l - 1, d_all], first[l - 1, d0], first[l - 1, d if l == 1 else d + 1]
            X = S[rows[l - 1] + seen:rows[l - 1] + ready]
            for j in range(first[l, d], first[l, d + 1]):
                start = at[l] + j * width
                y = S[rows[l] + j]
                add_combination(y, W[start + seen:start + ready], X)
                if l < last:
                    activate(y, code)
        j = rows[last] + 2 * d
        draw_affine(S[d], Z[d], S[j], S[j + 1], log_det)


@jit
def sample_rows(S, Z, log_det, W, b, first, rows, at, code):
    """All steps of a few data, row by row: a unit is a dot product along its row of weights.

    S: (n, all units), Z: (n, d) noise, log_det: (n,), b: (all units but the inputs,).
    """
    last, d_all = first.shape[0] - 1, first.shape[1] - 1
    for d in range(d_all):
        for l in range(1, last + 1):
            width, ready = first[l - 1, d_all], first[l - 1, d if l == 1 else d + 1]
            j0, j1 = rows[l] + first[l, d], rows[l] + first[l, d + 1]
            for j in range(j0, j1):
                start = at[l] + (j - rows[l]) * width
                w = W[start:start + ready]
                for s in range(S.shape[0]):
                    S[s, j] = b[j - d_all] + dot(w, S[s, rows[l - 1]:rows[l - 1] + ready])
            if l < last:
                for s in range(S.shape[0]):
                    activate(S[s, j0:j1], code)
        j = rows[last] + 2 * d
        for s in range(S.shape[0]):
            S[s, d] = Z[s, d] * exponential(S[s, j + 1]) + S[s, j]
            log_det[s] += S[s, j + 1]
