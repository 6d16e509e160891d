"""Gibbs sweeps of the Ising model on a grid: p(s_ij = +1 | rest) depends on the sum -4..4 of the neighbours alone.

spins: (chains, rows, columns) int8 of -1 and +1, changed in place; up: the table of `thresholds`; periodic: the grid is
a torus, with sides of at least 3, both even for `checkerboard`. A spin comes up where the upper 24 bits of its word are
below up[sum + 4]. Words are those of `random.py` from block `counter` on: each row of a sweep (of a colour) of a chain
takes its words in order and begins a new block; sweeps come first, then chains, then colours, then rows.
`sequential_blocks` and `checkerboard_blocks` say how many blocks a call takes. Twins in `reference_ising.py`: the same
bits.
"""

from __future__ import annotations

import numpy as np

from .jit import inline, jit_exact
from .random import words

i8, i32, u32, u64 = np.int8, np.int32, np.uint32, np.uint64


def thresholds(coupling: float, field: float, temperature: float) -> np.ndarray:
    """2^24 sigmoid(2 (J n + h) / T) for the sums n = -4..4 of the neighbours, rounded up: (9,) int32"""
    t = 2 * (coupling * np.arange(-4, 5) + field) / temperature
    return np.ceil(2**24 * np.exp(-np.logaddexp(0, -t))).astype(np.int32)


def sequential_blocks(chains: int, rows: int, columns: int, sweeps: int) -> int:
    """Blocks of random words that `sequential` takes."""
    return sweeps * chains * rows * ((columns + 1) // 2)


def checkerboard_blocks(chains: int, rows: int, columns: int, sweeps: int) -> int:
    """Blocks of random words that `checkerboard` takes: of each colour a row has at most half, rounded up."""
    return sweeps * chains * 2 * rows * (((columns + 1) // 2 + 1) // 2)


@inline
def comes_up(word, n, up):
    """1 if the upper 24 bits of a word are below up[n + 4], else -1; by comparisons, which are vectorised"""
    t = up[8]
    t = up[7] if n < i32(4) else t
    t = up[6] if n < i32(3) else t
    t = up[5] if n < i32(2) else t
    t = up[4] if n < i32(1) else t
    t = up[3] if n < i32(0) else t
    t = up[2] if n < i32(-1) else t
    t = up[1] if n < i32(-2) else t
    t = up[0] if n < i32(-3) else t
    return i8(1) if i32(word >> u32(8)) < t else i8(-1)


@jit_exact
def sequential(key, counter, spins, up, periodic, sweeps):
    """Every spin in turn from its conditional, in the order of reading, `sweeps` times"""
    chains, rows, columns = spins.shape
    blocks, outside = (columns + 1) // 2, i32(1) if periodic else i32(0)
    w, nothing, at = np.empty(2 * blocks, np.uint32), np.zeros(columns, np.int8), u64(counter)
    for _ in range(sweeps):
        for chain in range(chains):
            s = spins[chain]
            for i in range(rows):
                words(key, at, w)
                at += u64(blocks)
                above = s[i - 1] if i > 0 or periodic else nothing  # s[-1] is the last row
                below = s[(i + 1) % rows] if i < rows - 1 or periodic else nothing
                left = i32(s[i, columns - 1]) * outside
                for j in range(columns):
                    right = i32(s[i, j + 1]) if j < columns - 1 else i32(s[i, 0]) * outside
                    n = i32(above[j]) + i32(below[j]) + left + right
                    left = i32(1) if i32(w[j] >> u32(8)) < up[n + 4] else i32(-1)
                    s[i, j] = left


@jit_exact
def split(spins, halves):
    """halves[q, 1 + i, 1 + k] <- spins[i, 2 k + (i + q) % 2], 0 where that is outside. halves: (2, rows + 2, w + 2)"""
    rows, columns = spins.shape
    halves[:] = i8(0)
    for i in range(rows):
        for q in range(2):
            row, half = spins[i, (i + q) % 2:], halves[q, i + 1, 1:]
            for k in range((row.size + 1) // 2):
                half[k] = row[2 * k]


@jit_exact
def merge(halves, spins):
    """The other way"""
    rows, columns = spins.shape
    for i in range(rows):
        row, first, second = spins[i], halves[i % 2, i + 1, 1:], halves[1 - i % 2, i + 1, 1:]
        for k in range(columns // 2):
            row[2 * k], row[2 * k + 1] = first[k], second[k]
        if columns % 2:
            row[columns - 1] = first[columns // 2]


@jit_exact
def wrap(half):
    """The border takes the values of the other side of the torus."""
    rows, w = half.shape[0] - 2, half.shape[1] - 2
    for i in range(1, rows + 1):
        half[i, 0], half[i, w + 1] = half[i, w], half[i, 1]
    for k in range(1, w + 1):
        half[0, k], half[rows + 1, k] = half[rows, k], half[1, k]


@jit_exact
def half_row(above, below, beside, aside, w, up, row):
    """New spins of one colour in one row from their four neighbours"""
    table = (up[0], up[1], up[2], up[3], up[4], up[5], up[6], up[7], up[8])
    for k in range(row.size):
        row[k] = comes_up(w[k], i32(above[k]) + i32(below[k]) + i32(beside[k]) + i32(aside[k]), table)


@jit_exact
def half_sweep(key, counter, other, half, q, columns, up):
    """All spins of colour q at once: in row i the neighbours of k are k and k - 1 or k + 1 of the other colour's"""
    rows, most = half.shape[0] - 2, half.shape[1] - 2
    blocks = (most + 1) // 2
    w = np.empty(2 * blocks, np.uint32)
    for i in range(rows):
        odd = (i + q) % 2
        n = (columns - odd + 1) // 2
        words(key, u64(counter) + u64(i * blocks), w)
        beside, aside = other[i + 1, 1:n + 1], other[i + 1, 2 * odd:2 * odd + n]
        half_row(other[i, 1:n + 1], other[i + 2, 1:n + 1], beside, aside, w, up, half[i + 1, 1:n + 1])


@jit_exact
def checkerboard(key, counter, spins, up, periodic, sweeps):
    """All spins of one colour of a chess board at once, then all of the other, `sweeps` times; colour 0 has (0, 0).

    The colours are kept in two half lattices meanwhile, so that neighbours are contiguous.
    """
    chains, rows, columns = spins.shape
    halves = np.empty((chains, 2, rows + 2, (columns + 1) // 2 + 2), np.int8)
    for chain in range(chains):
        split(spins[chain], halves[chain])
    at, blocks = u64(counter), u64(rows * (((columns + 1) // 2 + 1) // 2))
    for _ in range(sweeps):
        for chain in range(chains):
            for q in range(2):
                other = halves[chain, 1 - q]
                if periodic:
                    wrap(other)
                half_sweep(key, at, other, halves[chain, q], q, columns, up)
                at += blocks
    for chain in range(chains):
        merge(halves[chain], spins[chain])
