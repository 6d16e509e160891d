"""The kernels of `patches.py` in plain NumPy: the formula for one pixel (a, b) of the kernel at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Pair = tuple[int, int]


def im2col(image: np.ndarray, columns: np.ndarray, groups: int, c: int, rows: Pair, kernel: Pair, stride: Pair,
           dilation: Pair) -> None:
    """columns[(m, r, q), (g, a, b, k)] <- image[m, r s + a d, (q s + b d, g, k)]"""
    for seen, column in _pixels(image, columns, groups, c, rows, kernel, stride, dilation):
        column[...] = seen


def col2im(columns: np.ndarray, image: np.ndarray, groups: int, c: int, rows: Pair, kernel: Pair, stride: Pair,
           dilation: Pair) -> None:
    """image[m, r s + a d, (q s + b d, g, k)] += columns[(m, r, q), (g, a, b, k)]: the adjoint of im2col"""
    for seen, column in _pixels(image, columns, groups, c, rows, kernel, stride, dilation):
        seen += column


def _pixels(image: np.ndarray, columns: np.ndarray, groups: int, c: int, rows: Pair, kernel: Pair, stride: Pair,
            dilation: Pair) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What pixel (a, b) of the kernel sees, and its columns: views (images, rows down, rows across, groups, c)."""
    pixels = image.reshape(*image.shape[:2], -1, groups, c)
    patches = columns.reshape(len(image), *rows, groups, *kernel, c)
    for a, b in np.ndindex(*kernel):
        down, across = (slice(start, start + (n - 1) * step + 1, step) for start, n, step in
                        zip((a * dilation[0], b * dilation[1]), rows, stride))
        yield pixels[:, down, across], patches[:, :, :, :, a, b]
