"""The polynomials of `math32.py` on whole arrays: the same roundings in the same order, so the same bits."""

from __future__ import annotations

import numpy as np

f32, i32 = np.float32, np.int32


def exp32(x: np.ndarray) -> np.ndarray:
    """e^x = 2^n e^r with n = round(x / log 2)"""
    y = np.where(np.isnan(x), f32(0.0), np.clip(x, f32(-87.0), f32(88.0)))
    n = np.floor(y * f32(1.44269504088896341) + f32(0.5))
    r = y - n * f32(0.693359375) - n * f32(-2.12194440e-4)
    p = f32(1.9875691500e-4)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + f32(c)
    p = p * r * r + r + f32(1.0)
    e = p * ((n.astype(i32) + i32(127)) << i32(23)).view(f32)
    e = np.where(x < f32(-87.0), f32(0.0), e)
    e = np.where(x > f32(88.0), f32(np.inf), e)
    return np.where(np.isnan(x), x, e)


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


def sigmoid32(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^{-x})"""
    return f32(1.0) / (f32(1.0) + exp32(-x))
