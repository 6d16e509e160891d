"""One pass over memory per update: every number is read and written once, where NumPy makes a pass per operation.

Twins of the same name in `reference.py` say the same in NumPy. All arrays are one-dimensional, contiguous and of one
precision: p the parameters, g their gradient (only read), m, v, u the running moments; the rest are Python floats.
Values are taken into locals before anything is stored: reading back what was stored made these loops 2.5 times slower.
"""

from __future__ import annotations

import numpy as np

from .jit import jit


@jit
def sgd(p, g, rate):
    """p <- p - rate g"""
    r = p.dtype.type(rate)
    for i in range(p.size):
        p[i] -= r * g[i]


@jit
def momentum(p, g, m, rate, keep, nesterov):
    """m <- keep m + g;  p <- p - rate m,  or p - rate (g + keep m) when nesterov"""
    number = p.dtype.type
    r, k = number(rate), number(keep)
    own, past = (number(1.0), k) if nesterov else (number(0.0), number(1.0))  # the same loop for both
    for i in range(p.size):
        gi, pi = g[i], p[i]
        mi = k * m[i] + gi
        m[i] = mi
        p[i] = pi - r * (own * gi + past * mi)


@jit
def rmsprop(p, g, v, rate, decay, eps):
    """v <- decay v + (1 - decay) g^2;  p <- p - rate g / (sqrt(v) + eps)"""
    number = p.dtype.type
    r, d, c, e = number(rate), number(decay), number(1.0 - decay), number(eps)
    for i in range(p.size):
        gi, pi = g[i], p[i]
        vi = d * v[i] + c * gi * gi
        v[i] = vi
        p[i] = pi - r * gi / (np.sqrt(vi) + e)


@jit
def adam(p, g, m, v, rate, beta1, beta2, eps, shrink):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- shrink p - rate m / (sqrt(v) + eps)"""
    number = p.dtype.type
    b1, c1, b2, c2 = number(beta1), number(1.0 - beta1), number(beta2), number(1.0 - beta2)
    r, e, s = number(rate), number(eps), number(shrink)
    for i in range(p.size):
        gi, pi = g[i], p[i]
        mi, vi = b1 * m[i] + c1 * gi, b2 * v[i] + c2 * gi * gi
        m[i] = mi
        v[i] = vi
        p[i] = s * pi - r * mi / (np.sqrt(vi) + e)


@jit
def adamax(p, g, m, u, rate, beta1, beta2, eps):
    """m <- b1 m + (1 - b1) g;  u <- max(b2 u, |g| + eps);  p <- p - rate m / u"""
    number = p.dtype.type
    b1, c1, b2, r, e = number(beta1), number(1.0 - beta1), number(beta2), number(rate), number(eps)
    for i in range(p.size):
        gi, pi = g[i], p[i]
        mi, ui = b1 * m[i] + c1 * gi, max(b2 * u[i], abs(gi) + e)
        m[i] = mi
        u[i] = ui
        p[i] = pi - r * mi / ui


@jit
def average(s, p, decay):
    """s <- decay s + (1 - decay) p, written so that s = p stays exactly p"""
    c = p.dtype.type(1.0 - decay)
    for i in range(p.size):
        s[i] += c * (p[i] - s[i])
