"""log Z of a restricted Boltzmann machine by enumeration of one side, in Gray code order, in double precision.

    Z = sum_h exp(c'h) prod_i (1 + exp(b_i + W_i h)),   exp(b_i + W_i h) = A_i(high units of h) B_i(low units of h)

B is tabulated for the 2^7 states of the low units. The states of the high units are walked in Gray code order, so that
one unit changes at a time: A_i is multiplied by exp(W_ij) or exp(-W_ij), and made anew from its sum before rounding can
pile up. One factor of one state then costs a multiply-add and a multiply, and the exponent of the product is taken out
after every eighth. Sums over states are kept beside the exponent of the largest term so far.

On one core, 784 units to a state: 5e6 states a second, more than a hundred times softplus by softplus. Tested error of
log Z: 1e-12, relative or absolute, whichever is larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import reference_gray
from .jit import inline, jit

f64, i64 = np.float64, np.int64

LOW = 7  # units of a tabulated block of 2^7 states
GROUP = 8  # factors between two looks at the exponent
ANEW = 256  # blocks between two exact sums
PIECE = 1 << 13  # blocks of one call: 2^20 states, a fraction of a second
LARGEST = 700.0  # exp of more overflows

LOG_2 = math.log(2.0)


def log_partition(W: np.ndarray, b: np.ndarray, c: np.ndarray,
                  report: Callable[[int, int], None] = lambda done, states: None) -> float:
    """log sum_{h in {0,1}^H} exp(c'h + sum_i softplus(b_i + W_i h)) in nats.

    W: (D, H), b: (D,), c: (H,) in any floating type; H is the side that is enumerated. After every 2^20 states
    `report(states done, all states)` is called, and Ctrl-C is heard. Weights so large that a product of eight factors
    could overflow go softplus by softplus. ValueError where shapes disagree or a parameter is nan or infinite.
    """
    W, b, c = (np.asarray(x, np.float64) for x in (W, b, c))
    if W.ndim != 2 or b.shape != W.shape[:1] or c.shape != W.shape[1:]:
        raise ValueError(f"log_partition: W, b, c have shapes {W.shape}, {b.shape}, {c.shape}; expected (D, H), (D,), "
                         "(H,)")
    for name, values in (("W", W), ("b", b), ("c", c)):
        if not np.isfinite(values).all():
            raise ValueError(f"log_partition: {name} has entries that are not finite")
    W, b, safe = _dealt(W, b)
    blocks, total = 1 << max(c.size - LOW, 0), -math.inf
    for first in range(0, blocks, PIECE):
        last = min(first + PIECE, blocks)
        total = float(np.logaddexp(total, (log_sum if safe else reference_gray.log_sum)(W, b, c, first, last)))
        report((last << c.size) // blocks, 1 << c.size)
    return total


def _dealt(W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Whole groups of units, the largest pre-activations spread among them, and whether no product can overflow.

    A unit that is added has b = -inf: its factor is 1.
    """
    missing = -len(b) % GROUP
    W, b = np.vstack([W, np.zeros((missing, W.shape[1]))]), np.append(b, np.full(missing, -np.inf))
    largest = b + np.maximum(W, 0).sum(1)
    order = np.argsort(largest).reshape(GROUP, -1).T.reshape(-1)
    product = np.maximum(largest, 0)[order].reshape(-1, GROUP).sum(1)
    terms = np.abs(W).sum(1) + np.where(np.isfinite(b), np.abs(b), 0)
    return W[order], b[order], max(product.max(initial=0), terms.max(initial=0)) < LARGEST


@inline
def power(d):
    """2^d for whole d <= 0, at least 2^-1022"""
    return i64((max(d, i64(-1022)) + i64(1023)) << i64(52)).view(f64)


@jit
def multiply(A, B, p, e):
    """2^e p <- 2^e p prod_i (1 + A_i B_i) for every state of a block.

    A: (groups, 8), B: (groups, 8 n), unit k of group g at B[g, k n:(k + 1) n], p: (n,), e: (n,) int64
    """
    n = p.size
    for g in range(A.shape[0]):
        a0, a1, a2, a3, a4, a5, a6, a7 = A[g, 0], A[g, 1], A[g, 2], A[g, 3], A[g, 4], A[g, 5], A[g, 6], A[g, 7]
        t = B[g]
        for l in range(n):
            x = (p[l] * ((1.0 + a0 * t[l]) * (1.0 + a1 * t[n + l]))
                 * ((1.0 + a2 * t[2 * n + l]) * (1.0 + a3 * t[3 * n + l]))
                 * ((1.0 + a4 * t[4 * n + l]) * (1.0 + a5 * t[5 * n + l]))
                 * ((1.0 + a6 * t[6 * n + l]) * (1.0 + a7 * t[7 * n + l])))
            bits = f64(x).view(i64)
            e[l] += (bits >> i64(52)) - i64(1023)
            p[l] = i64((bits & i64((1 << 52) - 1)) | i64(1023 << 52)).view(f64)


@jit
def scaled_sum(p, e, top):
    """sum_l p_l 2^(e_l - top)"""
    total = 0.0
    for l in range(p.size):
        total += p[l] * power(e[l] - top)
    return total


@jit
def enter(b, W, c, factors, k, exact, A):
    """A_i <- exp(b_i + W_i h) for the high units h of block k, from those of block k - 1 or exactly; returns c'h"""
    code, flipped, t = k ^ (k >> 1), 0, 0.0
    for j in range(c.size):
        if (code >> j) & 1:
            t += c[j]
    if exact:
        for i in range(b.size):
            x = b[i]
            for j in range(c.size):
                if (code >> j) & 1:
                    x += W[i, j]
            A[i] = math.exp(x)
    else:
        while not (k >> flipped) & 1:
            flipped += 1
        factor = factors[(code >> flipped) & 1, flipped]
        for i in range(b.size):
            A[i] *= factor[i]
    return t


@jit
def walk(b, W, c, factors, B, p_low, e_low, first, last):
    """(total, top): total 2^top is the sum over blocks first <= k < last; W, c: of the high units"""
    n = p_low.size
    A, p, e = np.empty((B.shape[0], GROUP)), np.empty(n), np.empty(n, np.int64)
    total, top = 0.0, i64(-(1 << 40))
    for k in range(first, last):
        t = enter(b, W, c, factors, k, (k - first) % ANEW == 0, A.reshape(-1))
        shift = i64(math.floor(t / LOG_2))
        for l in range(n):
            p[l], e[l] = p_low[l], e_low[l] + shift
        multiply(A, B, p, e)
        largest = top
        for l in range(n):
            largest = max(largest, e[l])
        total = total * power(top - largest) + math.exp(t - shift * LOG_2) * scaled_sum(p, e, largest)
        top = largest
    return total, top


def log_sum(W: np.ndarray, b: np.ndarray, c: np.ndarray, first: int, last: int) -> float:
    """log sum_h exp(c'h) prod_i (1 + exp(b_i + W_i h)) over blocks first <= k < last of 2^7 states.

    In block k the high units are the bits of the Gray code k xor (k >> 1). len(b) is a multiple of 8.
    """
    low, high = W[:, :LOW], np.ascontiguousarray(W[:, LOW:])
    states = np.arange(1 << low.shape[1]) >> np.arange(low.shape[1])[:, None] & 1
    B = np.exp(low @ states).reshape(len(b) // GROUP, -1)
    t = c[:LOW] @ states
    e = np.floor(t / LOG_2).astype(np.int64)
    factors = np.exp(np.ascontiguousarray([-high.T, high.T]))
    total, top = walk(b, high, c[LOW:], factors, B, np.exp(t - e * LOG_2), e, first, last)
    return math.log(total) + top * LOG_2
