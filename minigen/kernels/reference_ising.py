"""The kernels of `ising.py` in plain NumPy: same names, same signatures, the same bits."""

from __future__ import annotations

import numpy as np

from .reference_random import blocks


def neighbour_sum(s: np.ndarray, periodic: bool) -> np.ndarray:
    """Sum of the up to four neighbours of every spin. s: (..., rows, columns)"""
    if periodic:
        return sum(np.roll(s, step, axis) for axis in (-2, -1) for step in (-1, 1))
    p = np.pad(s, [(0, 0)] * (s.ndim - 2) + [(1, 1), (1, 1)])
    return p[..., :-2, 1:-1] + p[..., 2:, 1:-1] + p[..., 1:-1, :-2] + p[..., 1:-1, 2:]


def draws(key: int, counter: int, rows: int, n: int) -> np.ndarray:
    """24 bits for each of n spins of each row, every row from a new block on: (rows, n)"""
    pairs = (n + 1) // 2
    return blocks(key, counter, rows * pairs).reshape(rows, 2 * pairs)[:, :n] >> np.uint32(8)


def sequential(key: int, counter: int, spins: np.ndarray, up: np.ndarray, periodic: bool, sweeps: int) -> None:
    """Every spin in turn from its conditional, in the order of reading, `sweeps` times"""
    chains, rows, columns = spins.shape
    w = draws(key, counter, sweeps * chains * rows, columns).reshape(sweeps, *spins.shape)
    for sweep, q, i, j in np.ndindex(w.shape):
        n = neighbour_sum(spins[q], periodic)[i, j]
        spins[q, i, j] = 1 if w[sweep, q, i, j] < up[n + 4] else -1


def checkerboard(key: int, counter: int, spins: np.ndarray, up: np.ndarray, periodic: bool, sweeps: int) -> None:
    """All spins of one colour of a chess board at once, then all of the other, `sweeps` times; colour 0 has (0, 0)"""
    chains, rows, columns = spins.shape
    half = (columns + 1) // 2
    w = draws(key, counter, sweeps * chains * 2 * rows, half).reshape(sweeps, chains, 2, rows, half)
    i, j = np.indices((rows, columns))
    for sweep in range(sweeps):
        for q in (0, 1):
            drawn = np.where(w[sweep][:, q, i, j // 2] < up[neighbour_sum(spins, periodic) + 4], 1, -1)
            spins[...] = np.where((i + j) % 2 == q, drawn, spins)
