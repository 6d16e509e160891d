"""Random numbers from a counter: Philox 2x32-10 (Salmon et al. 2011), the same bits for any cutting and any machine.

Block c of key k is two 32-bit words a, b, a bijection of the 64-bit counter c (its low word is word 0 of the paper's
counter, its high word is word 1). A draw that starts at `counter` takes for its element i
    uniforms, bernoulli and kin   block counter + i // 2: a for even i, b for odd i,
    normals                       block counter + i // 2: cosine for even i, sine for odd i,
    uniforms64                    block counter + i,
    normals64                     block counter + 2 (i // 2) for the radius, the next one for the angle,
so a draw may be cut anywhere between two pairs. The next draw starts behind: (n + 1) // 2 blocks for n numbers in
single precision, n rounded up to even in double. Counters wrap at 2^64. Twins in `reference_random.py` give the same
bits: all arithmetic is exact on integers or rounded one operation at a time (`jit_exact`).

key: np.uint32, counter: np.uint64; arrays float32 (float64 where the name says 64), contiguous and flat.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import inline, jit_exact
from .math32 import log32, odds32

f32, f64, i32, u32, u64 = np.float32, np.float64, np.int32, np.uint32, np.uint64

LARGEST_NORMAL, LARGEST_NORMAL64 = 6.77, 8.66
"""No normal number can lie further out: sqrt(66 log 2) in single, sqrt(108 log 2) in double precision."""

_MULTIPLIER, _WEYL, _LOW = u64(0xD256D193), u64(0x9E3779B9), u64(0xFFFFFFFF)


@inline
def philox(key, counter):
    """Ten rounds of (l, r) <- (high(M l) xor k xor r, low(M l)), k <- k + W, on words in the low halves of uint64."""
    l, r, k = counter, counter >> u64(32), u64(key)
    for _ in range(10):
        product = (l & _LOW) * _MULTIPLIER
        l, r, k = (product >> u64(32)) ^ k ^ r, product, k + _WEYL
    return u32(l & _LOW), u32(r & _LOW)


@inline
def uniform24(word):
    """The upper 24 bits over 2^24: [0, 1)"""
    return f32(i32(word >> u32(8))) * f32(2.0**-24)


@inline
def uniform53(a, b):
    """27 bits of a above 26 bits of b, over 2^53: [0, 1)"""
    return f64(i32(a >> u32(5))) * 2.0**-27 + f64(i32(b >> u32(6))) * 2.0**-53


@inline
def quarter(word):
    """word / 2^32 turns as the nearest of 0..3 quarters and a rest in [-1/2, 1/2) of a quarter, over 2^30"""
    ahead = (u64(word) + u64(1 << 29)) & _LOW
    return i32(ahead >> u64(30)), i32(ahead & u64((1 << 30) - 1)) - i32(1 << 29)


@inline
def sincos32(q, t):
    """cos and sin of q quarter turns plus t, |t| <= pi/4 (1 ulp of 1); polynomials of Cephes"""
    z = t * t
    s = ((f32(-1.9515295891e-4) * z + f32(8.3321608736e-3)) * z + f32(-1.6666654611e-1)) * z * t + t
    c = ((f32(2.443315711809948e-5) * z + f32(-1.388731625493765e-3)) * z + f32(4.166664568298827e-2)) * z * z
    c = c - f32(0.5) * z + f32(1.0)
    cos, sin = (s, c) if q & i32(1) else (c, s)
    return -cos if (q + i32(1)) & i32(2) else cos, -sin if q & i32(2) else sin


@inline
def log64(x):
    """log x = e log 2 + log m for x = m 2^e, m in [sqrt(1/2), sqrt(2)), by s = (m - 1) / (m + 1); x positive, normal.

    Polynomial of fdlibm (Sun 1993)."""
    bits = f64(x).view(u64) + u64(0x3FF00000_00000000 - 0x3FE6A09E_00000000)
    e = f64(i32(u32(bits >> u64(52))) - i32(1023))
    m = u64((bits & u64(0x000FFFFF_FFFFFFFF)) + u64(0x3FE6A09E_00000000)).view(f64) - 1.0
    s = m / (2.0 + m)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01
                + w * 1.479819860511658591e-01)))
    half = 0.5 * m * m
    return e * 6.93147180369123816490e-01 - ((half - (s * (half + (odd + even)) + e * 1.90821492927058770002e-10)) - m)


@inline
def sincos64(q, t):
    """cos and sin of q quarter turns plus t, |t| <= pi/4; polynomials of fdlibm"""
    z = t * t
    s = 2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
    s = 8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04 + z * s)
    s = t + z * t * (-1.66666666666666324348e-01 + z * s)
    c = -2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
    c = 4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * (2.48015872894767294178e-05 + z * c))
    half = 0.5 * z
    top = 1.0 - half
    c = top + (((1.0 - top) - half) + z * z * c)
    cos, sin = (s, c) if q & i32(1) else (c, s)
    return -cos if (q + i32(1)) & i32(2) else cos, -sin if q & i32(2) else sin


@inline
def normal_pair(a, b):
    """Box and Muller 1958: sqrt(-2 log u) (cos, sin)(2 pi v), u in (0, 1] from all bits of a, v from those of b"""
    u = f32(a) * f32(2.0**-32) + f32(2.0**-33)
    radius = f32(math.sqrt(f32(-2.0) * log32(u)))
    q, rest = quarter(b)
    cos, sin = sincos32(q, f32(rest) * f32(math.pi / 2**31))
    return radius * cos, radius * sin


@inline
def normal_pair64(a, b, c, d):
    """The same with u of 53 bits from the first block, v from the second"""
    radius = math.sqrt(-2.0 * log64(uniform53(a, b) + 2.0**-54))
    q, rest = quarter(c)
    cos, sin = sincos64(q, (f64(rest) + f64(i32(d >> u32(1))) * 2.0**-31) * (math.pi / 2**31))
    return radius * cos, radius * sin


@inline
def fires(u, p):
    """1 where u < p, else 0; nan where p is nan"""
    return f32(1.0) if u < p else (f32(0.0) if p == p else p)


@inline
def lights(u, t):
    """1 where u < sigmoid(t), else 0, by u (1 + e^-t) < 1: no division; nan where t is nan"""
    lit = f32(1.0) if u * (f32(1.0) + odds32(t)) < f32(1.0) else f32(0.0)
    return lit if t == t else t


@jit_exact
def words(key, counter, out):
    """out_2k, out_2k+1 <- the words a, b of block counter + k. out: uint32, of even length"""
    for k in range(out.size // 2):
        out[2 * k], out[2 * k + 1] = philox(key, u64(counter) + u64(k))


@jit_exact
def uniform_pairs(key, counter, out):
    """`uniforms` of even length"""
    for k in range(out.size // 2):
        a, b = philox(key, u64(counter) + u64(k))
        out[2 * k] = uniform24(a)
        out[2 * k + 1] = uniform24(b)


@jit_exact
def uniforms(key, counter, out):
    """out_i <- u_i in [0, 1), a multiple of 2^-24"""
    pairs = out.size // 2
    uniform_pairs(key, counter, out[:2 * pairs])
    if out.size % 2:
        last = np.empty(2, np.float32)
        uniform_pairs(key, u64(counter) + u64(pairs), last)
        out[2 * pairs] = last[0]


@jit_exact
def uniforms64(key, counter, out):
    """out_i <- u_i in [0, 1), a multiple of 2^-53"""
    for k in range(out.size):
        a, b = philox(key, u64(counter) + u64(k))
        out[k] = uniform53(a, b)


@jit_exact
def normal_pairs(key, counter, out):
    """`normals` of even length"""
    for k in range(out.size // 2):
        a, b = philox(key, u64(counter) + u64(k))
        out[2 * k], out[2 * k + 1] = normal_pair(a, b)


@jit_exact
def normals(key, counter, out):
    """out_i <- N(0, 1); |z| <= 6.77, error 6e-7 for given words"""
    pairs = out.size // 2
    normal_pairs(key, counter, out[:2 * pairs])
    if out.size % 2:
        last = np.empty(2, np.float32)
        normal_pairs(key, u64(counter) + u64(pairs), last)
        out[2 * pairs] = last[0]


@jit_exact
def normal_pairs64(key, counter, out):
    """`normals64` of even length"""
    for k in range(out.size // 2):
        a, b = philox(key, u64(counter) + u64(2 * k))
        c, d = philox(key, u64(counter) + u64(2 * k + 1))
        out[2 * k], out[2 * k + 1] = normal_pair64(a, b, c, d)


@jit_exact
def normals64(key, counter, out):
    """out_i <- N(0, 1); |z| <= 8.66, error 2e-15 for given words"""
    pairs = out.size // 2
    normal_pairs64(key, counter, out[:2 * pairs])
    if out.size % 2:
        last = np.empty(2, np.float64)
        normal_pairs64(key, u64(counter) + u64(2 * pairs), last)
        out[2 * pairs] = last[0]


@jit_exact
def bernoulli(key, counter, p, out):
    """out_i <- [u_i < p_i]: 1 with probability p_i rounded up to a multiple of 2^-24; never for 0, always for 1"""
    for k in range(out.size // 2):
        a, b = philox(key, u64(counter) + u64(k))
        out[2 * k] = fires(uniform24(a), p[2 * k])
        out[2 * k + 1] = fires(uniform24(b), p[2 * k + 1])
    if out.size % 2:
        a, b = philox(key, u64(counter) + u64(out.size // 2))
        out[out.size - 1] = fires(uniform24(a), p[out.size - 1])


@jit_exact
def sigmoid_bernoulli(key, counter, t):
    """t_i <- [u_i < sigmoid(t_i)]: logits become the draw, 1 with a probability within 1.1e-7 of sigmoid(t_i)"""
    for k in range(t.size // 2):
        a, b = philox(key, u64(counter) + u64(k))
        t[2 * k] = lights(uniform24(a), t[2 * k])
        t[2 * k + 1] = lights(uniform24(b), t[2 * k + 1])
    if t.size % 2:
        a, b = philox(key, u64(counter) + u64(t.size // 2))
        t[t.size - 1] = lights(uniform24(a), t[t.size - 1])
