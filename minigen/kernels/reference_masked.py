"""The masked kernels in plain NumPy: same names, same signatures, nothing to guess.

`density` and `sample` are the dense ways: one full pass, and one full pass for every input.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

from .masked import MaskedNet
from .masked_activations import CODES

FUNCTIONS = {
    None: lambda y: y,
    "relu": lambda y: np.maximum(y, 0),
    "leaky_relu": lambda y: np.where(y < 0, 0.01 * y, y),
    "tanh": np.tanh,
    "sigmoid": lambda y: np.exp(-np.logaddexp(0, -y)),
    "softplus": lambda y: np.logaddexp(0, y),
    "elu": lambda y: np.where(y < 0, np.expm1(np.minimum(y, 0)), y),
    "silu": lambda y: y * np.exp(-np.logaddexp(0, -y)),
    "gelu": lambda y: 0.5 * y * np.vectorize(erfc, otypes=[y.dtype])(-y * sqrt(0.5)),
}
NAMES = {code: name for name, code in CODES.items()}


def activate(y: np.ndarray, code: int) -> None:
    """y <- f(y)"""
    y[...] = FUNCTIONS[NAMES[code]](y)


def bias_activate(H: np.ndarray, b: np.ndarray, code: int) -> None:
    """H_js <- f(H_js + b_j)"""
    H[...] = FUNCTIONS[NAMES[code]](H + b[:, None])


def standardise(P: np.ndarray, b: np.ndarray, X: np.ndarray, Z: np.ndarray, log_det: np.ndarray) -> None:
    """Z <- (X - mu) exp(-alpha),  log_det <- log_det - sum_j alpha_j"""
    mu, alpha = (P + b[:, None])[0::2], (P + b[:, None])[1::2]
    Z[...] = (X - mu) * np.exp(-alpha)
    log_det -= alpha.sum(0)


def dot(w: np.ndarray, x: np.ndarray) -> float:
    """sum_k w_k x_k"""
    return np.dot(w, x)


def add_combination(S: np.ndarray, r: int, W: np.ndarray, start: int, below: int, m: int) -> None:
    """S_r <- S_r + sum_{k<m} W_{start+k} S_{below+k}"""
    S[r] += W[start:start + m] @ S[below:below + m]


def draw_affine(S: np.ndarray, Z: np.ndarray, d: int, j: int, log_det: np.ndarray) -> None:
    """x <- z exp(alpha) + mu,  log_det <- log_det + alpha"""
    S[d] = Z[d] * np.exp(S[j + 1]) + S[j]
    log_det += S[j + 1]


def sample_block(S: np.ndarray, Z: np.ndarray, log_det: np.ndarray, W: np.ndarray, first: np.ndarray, rows: np.ndarray,
                 at: np.ndarray, code: int, d0: int, d1: int) -> None:
    """At each step the units of that degree, layer by layer, from the units below that are final; then the input"""
    last = len(first) - 1
    for d in range(d0, d1):
        for l in range(1, last + 1):
            j0, j1, seen, ready = *first[l, d:d + 2], first[l - 1, d0], first[l - 1, d + (l > 1)]
            weights = W[at[l]:at[l] + first[l, -1] * first[l - 1, -1]].reshape(-1, first[l - 1, -1])
            units = S[rows[l] + j0:rows[l] + j1]
            units += weights[j0:j1, seen:ready] @ S[rows[l - 1] + seen:rows[l - 1] + ready]
            if l < last:
                activate(units, code)
        draw_affine(S, Z, d, rows[last] + 2 * d, log_det)


def sample_rows(S: np.ndarray, Z: np.ndarray, log_det: np.ndarray, W: np.ndarray, b: np.ndarray, first: np.ndarray,
                rows: np.ndarray, at: np.ndarray, code: int) -> None:
    """One block of all steps"""
    S[:, rows[1]:] = b
    sample_block(S.T, Z.T, log_det, W, first, rows, at, code, 0, first[0, -1])


def dense(net: MaskedNet, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mu, alpha) by the whole net, zeros and all. x, mu, alpha: (n, d) in the order of the net"""
    *hidden, (W, b) = net.layers
    for V, c in hidden:
        x = FUNCTIONS[net.activation](x @ V.T + c)
    y = x @ W.T + b
    return y[:, 0::2], y[:, 1::2]


def density(net: MaskedNet, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z = (x - mu) exp(-alpha), -sum alpha"""
    mu, alpha = dense(net, x[:, net.order])
    z = np.empty_like(x)
    z[:, net.order] = (x[:, net.order] - mu) * np.exp(-alpha)
    return z, -alpha.sum(1)


def sample(net: MaskedNet, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x = z exp(alpha(x)) + mu(x), repeated d times from x = 0: after i passes the first i inputs are right"""
    noise, x = z[:, net.order], np.zeros_like(z)
    for _ in range(net.d):
        mu, alpha = dense(net, x)
        x = noise * np.exp(alpha) + mu
    found = np.empty_like(z)
    found[:, net.order] = x
    return found, alpha.sum(1)
