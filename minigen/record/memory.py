"""Where values live: one block of memory, in which a place is used again as soon as nobody reads it any more."""

from __future__ import annotations

import bisect

import numpy as np

ALIGNMENT = 64  # bytes of a cache line


def laid_like(block: np.ndarray, array: np.ndarray) -> np.ndarray:
    """The numbers of a flat block as an array of the same shape, in the same order of axes in memory.

    NumPy keeps the order of what it computes from (images with their channels last stay so), and loops along memory
    are fast. An array with gaps gets the usual order.
    """
    axes = sorted(range(array.ndim), key=lambda a: -array.strides[a])
    dense = block.reshape([array.shape[a] for a in axes]).transpose(np.argsort(axes))
    return dense if dense.strides == array.strides else block.reshape(array.shape)


def layout(lives: list[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Offsets for buffers (bytes, first step, last step), and the size of the block: best fit, in order of time."""
    order = sorted(range(len(lives)), key=lambda i: (lives[i][1], -lives[i][0]))
    offsets, busy, free, end = [0] * len(lives), [], [], 0
    for i in order:
        size, first, last = (lives[i][0] + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT, lives[i][1], lives[i][2]
        while busy and busy[0][0] < first:
            _, start, length = busy.pop(0)
            _give_back(free, start, length)
        fits = [(length, start) for start, length in free if length >= size]
        if fits:
            length, start = min(fits)
            free.remove((start, length))
            if length > size:
                bisect.insort(free, (start + size, length - size))
        elif free and sum(free[-1]) == end:  # the last gap grows
            start, _ = free.pop()
            end = start + size
        else:
            start, end = end, end + size
        offsets[i] = start
        bisect.insort(busy, (last, start, size))
    return offsets, end


def _give_back(free: list[tuple[int, int]], start: int, length: int) -> None:
    """Enter a gap, joined to its neighbours."""
    i = bisect.bisect(free, (start, length))
    if i < len(free) and free[i][0] == start + length:
        length += free.pop(i)[1]
    if i and sum(free[i - 1]) == start:
        start, before = free.pop(i - 1)
        length += before
    bisect.insort(free, (start, length))
