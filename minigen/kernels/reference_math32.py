"""The polynomials of `math32.py` on whole arrays: the same roundings in the same order, so the same bits."""

from __future__ import annotations

import numpy as np

f32, i32 = np.float32, np.int32


def log32(x: np.ndarray) -> np.ndarray:
    """log x = e log 2 + log m for x = m 2^e; x positive and normal"""
    b = x.view(i32) - i32(0x3F3504F3)
    e = (b >> i32(23)).astype(f32)
    m = ((b & i32(0x007FFFFF)) + i32(0x3F3504F3)).view(f32) - f32(1.0)
    p = f32(7.0376836292e-2)
    for c in (-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
              2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1):
        p = p * m + f32(c)
    z = m * m
    return m + (m * z * p + e * f32(-2.12194440e-4) - f32(0.5) * z) + e * f32(0.693359375)


def odds32(t: np.ndarray) -> np.ndarray:
    """e^-t = 2^s, s = -t log2 e; inf for s > 127, 0 for s < -125"""
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite t
        s = t * f32(-1.44269504088896341)
        shifted = s + f32(12582912.0)
        f = s - (shifted - f32(12582912.0))
        p = f32(1.3265107987e-3)
        for c in (9.6715008840e-3, 5.5507324636e-2, 2.4022242427e-1, 6.9314700365e-1, 1.0):
            p = p * f + f32(c)
    e = (p.view(i32) + (shifted.view(i32) << i32(23))).view(f32)
    return np.where(s < f32(-125.0), f32(0.0), np.where(s > f32(127.0), f32(np.inf), e))
