"""Annealed importance sampling of an RBM: what stands between two matrix products, for many chains at once.

    log f_beta(v) = (1 - beta) a'v + beta b'v + sum_j softplus(beta t_j),  t = c + v'W, 0 <= beta <= 1.

The base, beta = 0, has visible logits a and hidden units that are fair coins; the hidden bias grows as beta c.
Salakhutdinov and Murray 2008, eq. 14-18. A step of the annealing is z = v W, `hidden_step`, z = h W', `visible_step`;
backwards the increments of log w are taken with the other sign. float32, weights in float64. Twins in
`reference_annealing.py` draw the same bits; increments agree to 1e-6 of the sum of the units' shares.
"""

from __future__ import annotations

import numpy as np

from .jit import jit, jit_exact
from .math32 import expm1_32, sigmoid32
from .random import lights, uniforms

f32, f64, u64 = np.float32, np.float64, np.uint64

BLOCK = 512  # units whose factors, all above 1/2, are multiplied before a logarithm is taken


@jit
def log_ratio(t, last, beta, x):
    """sum_j softplus(beta t_j) - softplus(last t_j), 0 <= last <= beta, with an error in proportion to each difference.

    Each is (beta - last) max(t, 0) + log(1 + x),  x = sigmoid(-last |t|) (exp(-(beta - last) |t|) - 1) > -1/2.
    """
    d, low, total = f32(beta - last), f32(last), 0.0
    for j in range(t.size):
        x[j] = sigmoid32(-low * abs(t[j])) * expm1_32(-d * abs(t[j]))
    for start in range(0, t.size, BLOCK):
        t_part, x_part, rest, product = t[start:start + BLOCK], x[start:start + BLOCK], 0.0, 1.0
        for j in range(t_part.size):
            product *= 1.0 + f64(x_part[j])
            rest += f64(t_part[j] if t_part[j] > f32(0.0) else f32(0.0))
        total += (beta - last) * rest + np.log(product)
    return total


@jit_exact
def hidden_step(key, counter, z, c, score, last, beta, log_w, h):
    """log w <- log w + log f_beta(v) - log f_last(v), then h ~ p_beta(h | v) = sigmoid(beta (z + c)).

    z = v W, which becomes z + c, and h: (chains, H); score = (b - a)'v and log_w: (chains,) float64; one draw of z.size
    numbers.
    """
    n, u = z.shape[1], np.empty(z.shape[1] + 1, np.float32)
    for q in range(z.shape[0]):
        t, drawn, odd = z[q], h[q], q * n % 2  # a row that begins in the middle of a pair
        for j in range(n):
            t[j] += c[j]
        log_w[q] += (beta - last) * score[q] + log_ratio(t, last, beta, u)
        uniforms(key, u64(counter) + u64(q * n // 2), u[:n + odd])
        row = u[odd:]
        for j in range(n):
            drawn[j] = lights(row[j], f32(beta) * t[j])


@jit_exact
def visible_step(key, counter, z, a, b, beta, v, score):
    """v ~ p_beta(v | h) = sigmoid((1 - beta) a + beta (z + b)), score <- (b - a)'v.

    z = h W' and v: (chains, D); score: (chains,) float64; one draw of z.size numbers.
    """
    n, u = z.shape[1], np.empty(z.shape[1] + 1, np.float32)
    for q in range(z.shape[0]):
        t, drawn, odd = z[q], v[q], q * n % 2
        uniforms(key, u64(counter) + u64(q * n // 2), u[:n + odd])
        row = u[odd:]
        for i in range(n):
            drawn[i] = lights(row[i], f32(1.0 - beta) * a[i] + f32(beta) * (t[i] + b[i]))
        score[q] = dot_difference(drawn, a, b)


@jit
def dot_difference(v, a, b):
    """(b - a)'v in float64"""
    total = 0.0
    for i in range(v.size):
        total += f64(v[i]) * (f64(b[i]) - f64(a[i]))
    return total
