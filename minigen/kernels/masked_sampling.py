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
def add_combination(S, r, W, start, below, m):
    """S_r <- S_r + sum_{k<m} W_{start+k} S_{below+k}. S: (units, n), W: flat; four rows of S at a time

    Whole arrays and places in them: a view of a row costs as much as the arithmetic on it.
    """
    n, fours = S.shape[1], m // 4 * 4
    for k in range(0, fours, 4):
        w0, w1, w2, w3 = W[start + k], W[start + k + 1], W[start + k + 2], W[start + k + 3]
        j = below + k
        for s in range(n):
            S[r, s] += (w0 * S[j, s] + w1 * S[j + 1, s]) + (w2 * S[j + 2, s] + w3 * S[j + 3, s])
    for k in range(fours, m):
        w0, j = W[start + k], below + k
        for s in range(n):
            S[r, s] += w0 * S[j, s]


@jit
def draw_affine(S, Z, d, j, log_det):
    """x <- z exp(alpha) + mu,  log_det <- log_det + alpha, for x, z, mu, alpha in the rows S_d, Z_d, S_j, S_{j+1}"""
    for s in range(log_det.size):
        S[d, s] = Z[d, s] * exponential(S[j + 1, s]) + S[j, s]
    for s in range(log_det.size):
        log_det[s] += S[j + 1, s]


@jit
def sample_block(S, Z, log_det, W, first, rows, at, code, d0, d1):
    """Steps d0 <= d < d1 of a batch. Units that become final there hold their bias and what units final before d0 add.

    S: (all units, n), Z: (d, n) noise, log_det: (n,).
    """
    last, d_all = first.shape[0] - 1, first.shape[1] - 1
    for d in range(d0, d1):
        for l in range(1, last + 1):
            width, seen, ready = first[l - 1, d_all], first[l - 1, d0], first[l - 1, d if l == 1 else d + 1]
            for j in range(first[l, d], first[l, d + 1]):
                r = rows[l] + j
                add_combination(S, r, W, at[l] + j * width + seen, rows[l - 1] + seen, ready - seen)
                if l < last:
                    activate(S[r], code)
        draw_affine(S, Z, d, rows[last] + 2 * d, log_det)


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
