"""Where values live: one block of memory, in which a place is used again as soon as nobody reads it any more."""

from __future__ import annotations

import heapq
import itertools

import numpy as np

ALIGNMENT = 64  # bytes of a cache line


def laid_like(block: np.ndarray, array: np.ndarray) -> np.ndarray:
    """The numbers of a flat block as an array of the same shape, in the same order of axes in memory.

    NumPy keeps the order of what it computes from (images with their channels last stay so), and loops along memory
    are fast. Whatever is a view of the array is then a view of this one too.
    """
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return block.reshape([array.shape[axis] for axis in axes]).transpose(np.argsort(axes))


def layout(lives: list[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Offsets for buffers (bytes, first step, last step), and the size of the block.

    In order of time each takes the free place that is nearest in size, which may grow, or a new one where that costs
    less memory.
    """
    sizes: list[int] = []
    taken, free, place_of = [], [], [0] * len(lives)
    for i in sorted(range(len(lives)), key=lambda i: (lives[i][1], -lives[i][0])):
        size, first, last = lives[i]
        while taken and taken[0][0] < first:
            free.append(heapq.heappop(taken)[1])
        place = min(free, key=lambda p: abs(sizes[p] - size), default=None)
        if place is None or abs(sizes[place] - size) >= size:
            place = len(sizes)
            sizes.append(0)
        else:
            free.remove(place)
        sizes[place] = max(sizes[place], -(-size // ALIGNMENT) * ALIGNMENT)
        heapq.heappush(taken, (last, place))
        place_of[i] = place
    begins = list(itertools.accumulate(sizes, initial=0))
    return [begins[place] for place in place_of], begins[-1]
