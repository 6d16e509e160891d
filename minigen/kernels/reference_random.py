"""The kernels of `random.py` in plain NumPy: same names, same signatures, the same bits."""

from __future__ import annotations

import math

import numpy as np

from .reference_math32 import log32, odds32

f32, i32, u32, u64 = np.float32, np.int32, np.uint32, np.uint64

MULTIPLIER, WEYL = 0xD256D193, 0x9E3779B9


def blocks(key: int, counter: int, n: int, rounds: int = 10) -> np.ndarray:
    """(n, 2) words of uint32 of the blocks counter ... counter + n - 1"""
    c = u64(counter) + np.arange(n, dtype=u64)
    l, r = c & u64(0xFFFFFFFF), c >> u64(32)
    for i in range(rounds):
        product = l * u64(MULTIPLIER)
        l, r = (product >> u64(32)) ^ u64((int(key) + i * WEYL) % 2**32) ^ r, product & u64(0xFFFFFFFF)
    return np.stack([l, r], axis=-1).astype(u32)


def words(key: int, counter: int, out: np.ndarray) -> None:
    """out_2k, out_2k+1 <- the words of block counter + k"""
    out[...] = blocks(key, counter, out.size // 2).reshape(-1)


def uniforms(key: int, counter: int, out: np.ndarray) -> None:
    """out_i <- u_i in [0, 1), a multiple of 2^-24"""
    w = blocks(key, counter, (out.size + 1) // 2).reshape(-1)[:out.size]
    out[...] = (w >> u32(8)) * f32(2.0**-24)


def uniforms64(key: int, counter: int, out: np.ndarray) -> None:
    """out_i <- u_i in [0, 1), a multiple of 2^-53"""
    a, b = blocks(key, counter, out.size).T
    out[...] = (a >> u32(5)) * 2.0**-27 + (b >> u32(6)) * 2.0**-53


def normals(key: int, counter: int, out: np.ndarray) -> None:
    """out_i <- N(0, 1), Box and Muller 1958; |z| <= 6.77"""
    a, b = blocks(key, counter, (out.size + 1) // 2).T
    radius = np.sqrt(f32(-2.0) * log32(a.astype(f32) * f32(2.0**-32) + f32(2.0**-33)))
    q, rest = _quarter(b)
    cos, sin = _sincos32(q, rest.astype(f32) * f32(math.pi / 2**31))
    out[...] = np.stack([radius * cos, radius * sin], axis=-1).reshape(-1)[:out.size]


def normals64(key: int, counter: int, out: np.ndarray) -> None:
    """out_i <- N(0, 1); |z| <= 8.66"""
    a, b, c, d = blocks(key, counter, out.size + out.size % 2).reshape(-1, 4).T
    u = (a >> u32(5)) * 2.0**-27 + (b >> u32(6)) * 2.0**-53 + 2.0**-54
    radius = np.sqrt(-2.0 * _log64(u))
    q, rest = _quarter(c)
    cos, sin = _sincos64(q, (rest + (d >> u32(1)) * 2.0**-31) * (math.pi / 2**31))
    out[...] = np.stack([radius * cos, radius * sin], axis=-1).reshape(-1)[:out.size]


def bernoulli(key: int, counter: int, p: np.ndarray, out: np.ndarray) -> None:
    """out_i <- [u_i < p_i]; nan where p is nan"""
    u = np.empty(out.size, f32)
    uniforms(key, counter, u)
    out[...] = np.where(np.isnan(p), p, u.reshape(out.shape) < p)


def sigmoid_bernoulli(key: int, counter: int, t: np.ndarray) -> None:
    """t_i <- [u_i < sigmoid(t_i)], by u (1 + e^-t) < 1; nan where t is nan"""
    u = np.empty(t.size, f32)
    uniforms(key, counter, u)
    with np.errstate(invalid="ignore"):  # u = 0 where e^-t is inf
        lit = u.reshape(t.shape) * (f32(1.0) + odds32(t)) < 1
    t[...] = np.where(np.isnan(t), t, lit)


def _quarter(word: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """word / 2^32 turns as the nearest of 0..3 quarters and a rest over 2^30"""
    ahead = word + u32(1 << 29)
    return (ahead >> u32(30)).astype(i32), (ahead & u32((1 << 30) - 1)).astype(i32) - i32(1 << 29)


def _turned(q: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin after q quarter turns"""
    cos, sin = np.where(q & 1, s, c), np.where(q & 1, c, s)
    return np.where((q + 1) & 2, -cos, cos), np.where(q & 2, -sin, sin)


def _sincos32(q: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = t * t
    s = ((f32(-1.9515295891e-4) * z + f32(8.3321608736e-3)) * z + f32(-1.6666654611e-1)) * z * t + t
    c = ((f32(2.443315711809948e-5) * z + f32(-1.388731625493765e-3)) * z + f32(4.166664568298827e-2)) * z * z
    return _turned(q, c - f32(0.5) * z + f32(1.0), s)


def _log64(x: np.ndarray) -> np.ndarray:
    bits = x.view(u64) + u64(0x3FF00000_00000000 - 0x3FE6A09E_00000000)
    e = (bits >> u64(52)).astype(float) - 1023.0
    m = ((bits & u64(0x000FFFFF_FFFFFFFF)) + u64(0x3FE6A09E_00000000)).view(float) - 1.0
    s = m / (2.0 + m)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01
                + w * 1.479819860511658591e-01)))
    half = 0.5 * m * m
    return e * 6.93147180369123816490e-01 - ((half - (s * (half + (odd + even)) + e * 1.90821492927058770002e-10)) - m)


def _sincos64(q: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = t * t
    s = 2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
    s = 8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04 + z * s)
    s = t + z * t * (-1.66666666666666324348e-01 + z * s)
    c = -2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
    c = 4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * (2.48015872894767294178e-05 + z * c))
    half = 0.5 * z
    top = 1.0 - half
    return _turned(q, top + (((1.0 - top) - half) + z * z * c), s)
