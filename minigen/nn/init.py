"""Initialisers: arrays of random weights whose variance keeps the scale of signals through the layers.

All draw in float64 and round afterwards: one seed gives the same weights in float32 and float64.
Shapes: (in, out) for a linear layer; with `fans=(fan_in, fan_out)`, any other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .checking import generator, known


def glorot_uniform(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
                   dtype: Any = np.float32) -> np.ndarray:
    """w ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)):  Var w = 2 / (fan_in + fan_out).

    Glorot and Bengio 2010, eq. 16. The variance is the compromise that keeps both the signals forward and the
    gradients backward at their scale through layers that are linear near 0, such as tanh.
    """
    bound = math.sqrt(6 / sum(_fans(shape, fans)))
    return generator(rng, "glorot_uniform").uniform(-bound, bound, shape).astype(dtype)


def glorot_normal(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
                  dtype: Any = np.float32) -> np.ndarray:
    """w ~ N(0, sigma^2), sigma^2 = 2 / (fan_in + fan_out). Glorot and Bengio 2010, eq. 12."""
    sigma = math.sqrt(2 / sum(_fans(shape, fans)))
    return (sigma * generator(rng, "glorot_normal").standard_normal(shape)).astype(dtype)


def he_normal(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
              dtype: Any = np.float32) -> np.ndarray:
    """w ~ N(0, sigma^2), sigma^2 = 2 / fan_in. He et al. 2015, eq. 10.

    relu halves the second moment of what comes in; the 2 restores it.
    """
    sigma = math.sqrt(2 / _fans(shape, fans)[0])
    return (sigma * generator(rng, "he_normal").standard_normal(shape)).astype(dtype)


def he_uniform(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
               dtype: Any = np.float32) -> np.ndarray:
    """w ~ U(-a, a), a = sqrt(6 / fan_in):  Var w = 2 / fan_in. He et al. 2015, eq. 10."""
    bound = math.sqrt(6 / _fans(shape, fans)[0])
    return generator(rng, "he_uniform").uniform(-bound, bound, shape).astype(dtype)


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
               dtype: Any = np.float32) -> np.ndarray:
    """W'W = I or WW' = I, whichever fits, W uniform among such matrices:  Var w = 1 / max(m, n). Saxe et al. 2014.

    Axes after the first are taken as one: (m, n, k, k) becomes an m x nkk matrix. The signs of R's diagonal are
    moved into Q, without which Q is not uniform (Mezzadri 2007). `fans` plays no part.
    """
    if len(shape) < 2:
        raise ValueError(f"orthogonal: shape is {shape}; expected at least two axes")
    m, n = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(generator(rng, "orthogonal").standard_normal((max(m, n), min(m, n))))
    q *= np.copysign(1.0, np.diagonal(r))
    return np.ascontiguousarray(q if m >= n else q.T).reshape(shape).astype(dtype)


def zeros(shape: tuple[int, ...], rng: np.random.Generator, *, fans: tuple[int, int] | None = None,
          dtype: Any = np.float32) -> np.ndarray:
    """w = 0:  Var w = 0. For a last layer that begins at the identity or at the prior; `rng`, `fans` play no part."""
    return np.zeros(shape, dtype)


INITIALISERS = {"glorot": glorot_uniform, "glorot_normal": glorot_normal, "he": he_normal, "he_uniform": he_uniform,
                "orthogonal": orthogonal, "zeros": zeros}


def draw(init: str, shape: tuple[int, ...], rng: np.random.Generator, fans: tuple[int, int], dtype: Any,
         who: str) -> np.ndarray:
    """An array from the initialiser of that name; ValueError in the name of the layer `who` where there is none."""
    known(init, INITIALISERS, "init", who)
    return INITIALISERS[init](shape, generator(rng, who), fans=fans, dtype=dtype)


def _fans(shape: tuple[int, ...], fans: tuple[int, int] | None) -> tuple[int, int]:
    if fans is None and len(shape) != 2:
        raise ValueError(f"initialiser: shape is {shape}; expected (in, out), or fans=(fan_in, fan_out) beside it")
    fan_in, fan_out = shape if fans is None else fans
    if fan_in < 1 or fan_out < 1:
        raise ValueError(f"initialiser: fan_in is {fan_in} and fan_out {fan_out}; expected at least 1")
    return fan_in, fan_out
