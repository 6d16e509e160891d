"""What lies between the matrix products of a density pass, on feature-major panels: a row a unit, a column a datum.

Twins of the same name in `reference_masked.py` say the same in NumPy. All arrays are contiguous, of one precision.
"""

from __future__ import annotations

from .jit import jit
from .masked_activations import activate, exponential


@jit
def bias_activate(H, b, code):
    """H_js <- f(H_js + b_j). H: (m, n), b: (m,)"""
    for j in range(H.shape[0]):
        row, bias = H[j], b[j]
        for s in range(row.size):
            row[s] += bias
        activate(row, code)


@jit
def standardise(P, b, X, Z, log_det):
    """Z <- (X - mu) exp(-alpha),  log_det_s <- log_det_s - sum_j alpha_js

    P: (2 m, n), rows 2 j and 2 j + 1 hold mu_j and alpha_j less their biases b: (2 m,). X, Z: (m, n), log_det: (n,).
    """
    for j in range(X.shape[0]):
        mu, alpha, x, z, c, a = P[2 * j], P[2 * j + 1], X[j], Z[j], b[2 * j], b[2 * j + 1]
        for s in range(x.size):
            z[s] = (x[s] - mu[s] - c) * exponential(-alpha[s] - a)
        for s in range(x.size):
            log_det[s] -= alpha[s] + a
