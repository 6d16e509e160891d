"""The kernels of `optimisers.py` in plain NumPy: same names, same signatures, nothing to guess."""

from __future__ import annotations

import numpy as np


def sgd(p: np.ndarray, g: np.ndarray, rate: float) -> None:
    """p <- p - rate g"""
    p -= rate * g


def momentum(p: np.ndarray, g: np.ndarray, m: np.ndarray, rate: float, keep: float, nesterov: bool) -> None:
    """m <- keep m + g;  p <- p - rate m,  or p - rate (g + keep m) when nesterov"""
    m[...] = keep * m + g
    p -= rate * (g + keep * m if nesterov else m)


def rmsprop(p: np.ndarray, g: np.ndarray, v: np.ndarray, rate: float, decay: float, eps: float) -> None:
    """v <- decay v + (1 - decay) g^2;  p <- p - rate g / (sqrt(v) + eps)"""
    v[...] = decay * v + (1 - decay) * g * g
    p -= rate * g / (np.sqrt(v) + eps)


def adam(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, rate: float, beta1: float, beta2: float,
         eps: float, shrink: float) -> None:
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- shrink p - rate m / (sqrt(v) + eps)"""
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    p[...] = shrink * p - rate * m / (np.sqrt(v) + eps)


def adamax(p: np.ndarray, g: np.ndarray, m: np.ndarray, u: np.ndarray, rate: float, beta1: float, beta2: float,
           eps: float) -> None:
    """m <- b1 m + (1 - b1) g;  u <- max(b2 u, |g| + eps);  p <- p - rate m / u"""
    m[...] = beta1 * m + (1 - beta1) * g
    u[...] = np.maximum(beta2 * u, np.abs(g) + eps)
    p -= rate * m / u


def average(s: np.ndarray, p: np.ndarray, decay: float) -> None:
    """s <- decay s + (1 - decay) p, written so that s = p stays exactly p"""
    s += (1 - decay) * (p - s)
