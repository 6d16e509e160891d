"""The activations of layers on one row of units, in the precision of the row, chosen by a number.

float32 takes the polynomials of `math32.py`, float64 the C library. Twin: `activate` in `reference_masked.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from .jit import jit
from .math32 import exp32, log32, tanh32

CODES = {None: 0, "relu": 1, "leaky_relu": 2, "tanh": 3, "sigmoid": 4, "softplus": 5, "elu": 6, "silu": 7, "gelu": 8}
"""What the kernels call the activations that layers know by name."""


def exponential(x):
    """e^x in the precision of x."""
    return np.exp(x)


def tangent(x):
    """tanh x in the precision of x."""
    return np.tanh(x)


def log_one_plus(e):
    """log(1 + e) for 0 <= e <= 1 in the precision of e; float32 to 6e-8 absolute."""
    return np.log1p(e)


@overload(exponential)
def _exponential(x):
    return (lambda x: exp32(x)) if x == types.float32 else (lambda x: math.exp(x))


@overload(tangent)
def _tangent(x):
    return (lambda x: tanh32(x)) if x == types.float32 else (lambda x: math.tanh(x))


@overload(log_one_plus)
def _log_one_plus(e):
    return (lambda e: log32(np.float32(1.0) + e)) if e == types.float32 else (lambda e: math.log1p(e))


@jit
def activate(y, code):
    """y <- f(y), elementwise; y: contiguous, one-dimensional; code: f's number in CODES"""
    number = y.dtype.type
    zero, one = number(0.0), number(1.0)
    if code == 1:
        for i in range(y.size):
            y[i] = zero if y[i] < zero else y[i]
    elif code == 2:
        for i in range(y.size):
            y[i] = number(0.01) * y[i] if y[i] < zero else y[i]
    elif code == 3:
        for i in range(y.size):
            y[i] = tangent(y[i])
    elif code == 4:
        for i in range(y.size):
            y[i] = one / (one + exponential(-y[i]))
    elif code == 5:
        for i in range(y.size):
            e = exponential(-abs(y[i]))
            y[i] = max(y[i], zero) + (log_one_plus(e) if e == e else e)
    elif code == 6:
        for i in range(y.size):
            y[i] = exponential(y[i]) - one if y[i] < zero else y[i]
    elif code == 7:
        for i in range(y.size):
            y[i] = y[i] / (one + exponential(-y[i]))
    elif code == 8:
        for i in range(y.size):
            y[i] = number(0.5) * y[i] * number(math.erfc(-y[i] * number(math.sqrt(0.5))))
