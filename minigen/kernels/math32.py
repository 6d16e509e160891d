"""exp, log, tanh, sigmoid and softplus of float32 by polynomials, written so that a loop over them is vectorised.

Numba's own math.exp calls the C library one number at a time. The polynomials are those of Cephes (Moshier 1989). The
errors, tested over the whole range: exp 5 ulp, log 2 ulp, tanh 2 ulp, sigmoid 6 ulp, softplus 2e-7 absolute or 4 ulp.
A nan comes out where a nan went in; exp is 0 below -87 and inf above 88, so sigmoid is 0 below -88 (6e-39 too small).
log32 alone is for positive normal numbers only: of others, nan and inf among them, it says nothing true.
"""

from __future__ import annotations

import numpy as np

from .jit import inline

f32, i32 = np.float32, np.int32


@inline
def exp32(x):
    """e^x = 2^n e^r with n = round(x / log 2); 2^n is made by writing the exponent bits."""
    y = min(max(x, f32(-87.0)), f32(88.0))
    n = np.floor(y * f32(1.44269504088896341) + f32(0.5))
    r = y - n * f32(0.693359375) - n * f32(-2.12194440e-4)
    p = f32(1.9875691500e-4)
    p = p * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    p = p * r * r + r + f32(1.0)
    e = p * (i32((i32(n) + i32(127)) << i32(23))).view(f32)
    e = f32(0.0) if x < f32(-87.0) else e
    e = f32(np.inf) if x > f32(88.0) else e
    return e if x == x else x


@inline
def log32(x):
    """log x = e log 2 + log m for x = m 2^e, m in [sqrt(1/2), sqrt(2)). x: positive and normal."""
    b = i32(f32(x).view(i32) - i32(0x3F3504F3))
    e = f32(i32(b >> i32(23)))
    m = (i32((b & i32(0x007FFFFF)) + i32(0x3F3504F3))).view(f32) - f32(1.0)
    p = f32(7.0376836292e-2)
    p = p * m + f32(-1.1514610310e-1)
    p = p * m + f32(1.1676998740e-1)
    p = p * m + f32(-1.2420140846e-1)
    p = p * m + f32(1.4249322787e-1)
    p = p * m + f32(-1.6668057665e-1)
    p = p * m + f32(2.0000714765e-1)
    p = p * m + f32(-2.4999993993e-1)
    p = p * m + f32(3.3333331174e-1)
    z = m * m
    return m + (m * z * p + e * f32(-2.12194440e-4) - f32(0.5) * z) + e * f32(0.693359375)


@inline
def tanh32(x):
    """An odd polynomial near 0, 1 - 2 / (e^{2|x|} + 1) with the sign of x elsewhere."""
    a = abs(x)
    z = x * x
    p = f32(-5.70498872745e-3)
    p = p * z + f32(2.06390887954e-2)
    p = p * z + f32(-5.37397155531e-2)
    p = p * z + f32(1.33314422036e-1)
    p = p * z + f32(-3.33332819422e-1)
    near = x + x * z * p
    t = f32(1.0) - f32(2.0) / (exp32(f32(2.0) * a) + f32(1.0))
    return near if a < f32(0.625) else (t if x > f32(0.0) else -t)


@inline
def sigmoid32(x):
    """1 / (1 + e^{-x})"""
    return f32(1.0) / (f32(1.0) + exp32(-x))


@inline
def odds32(t):
    """e^-t = 2^s, s = -t log2 e: the odds against a unit of logit t; inf for s > 127, 0 for s < -125. Not for nan.

    Half the work of exp32, for draws: 1 / (1 + e^-t) comes within 5e-8 of sigmoid(t), e^-t itself within 4e-6 e^-t.
    The polynomial is a minimax fit of 2^f on [-1/2, 1/2] that is 1 at 0.
    """
    s = t * f32(-1.44269504088896341)
    shifted = s + f32(12582912.0)  # 1.5 2^23: the last bits are those of round(s)
    f = s - (shifted - f32(12582912.0))
    p = f32(1.3265107987e-3)
    p = p * f + f32(9.6715008840e-3)
    p = p * f + f32(5.5507324636e-2)
    p = p * f + f32(2.4022242427e-1)
    p = p * f + f32(6.9314700365e-1)
    p = p * f + f32(1.0)
    e = i32(f32(p).view(i32) + i32(f32(shifted).view(i32) << i32(23))).view(f32)
    e = f32(np.inf) if s > f32(127.0) else e
    return f32(0.0) if s < f32(-125.0) else e


@inline
def softplus32(x):
    """max(x, 0) + log(1 + e^{-|x|})"""
    e = exp32(-abs(x))
    return max(x, f32(0.0)) + (log32(f32(1.0) + e) if e == e else e)


@inline
def log32_any(x):
    """log x for every x: -inf at 0, nan below, subnormal numbers scaled up first."""
    small = x < f32(1.1754944e-38)
    y = log32(x * f32(8388608.0) if small else x) - (f32(15.942385) if small else f32(0.0))
    y = y if x > f32(0.0) else f32(np.nan)
    y = f32(-np.inf) if x == f32(0.0) else y
    return y if x < f32(np.inf) else (x if x > f32(0.0) else f32(np.nan))


@inline
def log1p32(x):
    """log u + (x - (u - 1)) / u with u = 1 + x: what 1 + x rounds away is put back. Never compile it with `reassoc`."""
    u = f32(1.0) + x
    y = log32_any(u) + (x - (u - f32(1.0))) / u
    return y if (u > f32(0.0)) & (u < f32(np.inf)) else log32_any(u)


@inline
def expm1_32(x):
    """e^x - 1: a Taylor polynomial for |x| < 1/2, the difference elsewhere."""
    p = f32(1.0 / 40320.0)
    p = p * x + f32(1.0 / 5040.0)
    p = p * x + f32(1.0 / 720.0)
    p = p * x + f32(1.0 / 120.0)
    p = p * x + f32(1.0 / 24.0)
    p = p * x + f32(1.0 / 6.0)
    p = p * x + f32(0.5)
    near = x + x * x * p
    return near if abs(x) < f32(0.5) else exp32(x) - f32(1.0)
