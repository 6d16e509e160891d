"""Images cut into patches, so that a convolution is one matrix product; inside, channels come last.

A patch is copied in long runs that way. Patches of some images are made at a time: they stay in cache, and no more
than `AT_ONCE` numbers of them exist, however large the batch. Workspaces come from a dict: empty at every call of
the tape, kept between the calls of a recorded program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .fast import fast

AT_ONCE = 2 ** 17
FEWEST_ROWS = 256  # a product of fewer is not worth its call


class Geometry(NamedTuple):
    """Where the kernel is laid: each a pair (vertical, horizontal), and the number of groups of channels."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def reach(self, kernel: tuple[int, int]) -> tuple[int, int]:
        """How many pixels the dilated kernel spans."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, kernel))

    def positions(self, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """How many places the kernel takes on an image of `size`: (n + 2 p - reach) // s + 1."""
        return tuple((n + 2 * p - r) // s + 1
                     for n, p, r, s in zip(size, self.padding, self.reach(kernel), self.stride))


def room(scratch: dict, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The workspace of that name, made when it is first asked for; what is in it is for its user to write."""
    array = scratch.get(name)
    if array is None:
        array = scratch[name] = np.empty(shape, dtype)
    return array


def patches(image: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """A view (batch, rows, columns, kh, kw, channels) of an image (batch, height, width, channels) with its border."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    rh, rw = geometry.reach(kernel)
    n, h, w, c = image.shape
    sn, sy, sx, sc = image.strides
    return as_strided(image, (n, (h - rh) // sh + 1, (w - rw) // sw + 1, *kernel, c),
                      (sn, sy * sh, sx * sw, sy * dh, sx * dw, sc), writeable=False)


def add_patches(image: np.ndarray, patches: np.ndarray, geometry: Geometry) -> None:
    """The adjoint of `patches`: each patch is added where it was read, in place."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    _, rows, columns, kh, kw, _ = patches.shape
    for i in range(kh):
        for j in range(kw):
            image[:, i * dh:i * dh + sh * rows:sh, j * dw:j * dw + sw * columns:sw] += patches[:, :, :, i, j]


def _im2col(image: np.ndarray, columns: np.ndarray, c: int, rows: tuple, kernel: tuple, geometry: Geometry) -> None:
    """columns[(m, r, q), (g, a, b, k)] <- image[m, r s + a d, q s + b d, (g, k)]"""
    if faster := fast("im2col", image, columns):
        faster(image.reshape(*image.shape[:2], -1), columns, geometry.groups, c, rows, kernel, geometry.stride,
             geometry.dilation)
        return
    seen = patches(image, kernel, geometry)
    seen = seen.reshape(*seen.shape[:5], geometry.groups, c).transpose(0, 1, 2, 5, 3, 4, 6)
    columns.reshape(seen.shape)[...] = seen


def _col2im(columns: np.ndarray, image: np.ndarray, c: int, rows: tuple, kernel: tuple, geometry: Geometry) -> None:
    """image[m, r s + a d, q s + b d, (g, k)] += columns[(m, r, q), (g, a, b, k)]"""
    if faster := fast("col2im", columns, image):
        faster(columns, image.reshape(*image.shape[:2], -1), geometry.groups, c, rows, kernel, geometry.stride,
             geometry.dilation)
        return
    seen = columns.reshape(len(image), *rows, geometry.groups, *kernel, c).transpose(0, 1, 2, 4, 5, 3, 6)
    add_patches(image, seen.reshape(*seen.shape[:5], -1), geometry)


def blocks(shape: tuple[int, ...], kernel: tuple[int, int], geometry: Geometry, dtype: np.dtype,
           scratch: dict) -> Blocks:
    """The `Blocks` of that scratch, made when first asked for."""
    if "blocks" not in scratch:
        scratch["blocks"] = Blocks(shape, kernel, geometry, dtype)
    return scratch["blocks"]


class Blocks:
    """Images (n, height, width, channels), some at a time, and their patches as matrices."""

    def __init__(self, shape: tuple[int, ...], kernel: tuple[int, int], geometry: Geometry, dtype: np.dtype):
        self.n, h, w, channels = shape
        (ph, pw), self.geometry, self.kernel = geometry.padding, geometry, kernel
        self.c, width = channels // geometry.groups, kernel[0] * kernel[1] * channels
        self.rows = geometry.positions((h, w), kernel)
        self.of_image = self.rows[0] * self.rows[1]
        self.step = max(1, min(self.n, max(FEWEST_ROWS, AT_ONCE // max(1, width)) // self.of_image))
        self._image = np.empty((self.step, h + 2 * ph, w + 2 * pw, channels), dtype)
        self._inside = self._image[:, ph:ph + h, pw:pw + w]
        image = self._image
        self._border = (image[:, :ph], image[:, ph + h:], image[:, :, :pw], image[:, :, pw + w:])
        self._columns = np.empty((self.step * self.of_image, width), dtype)

    def __iter__(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Which images, which positions of all images, and the room of their patches as matrices of each group."""
        for a in range(0, self.n, self.step):
            b = min(a + self.step, self.n)
            columns = self._columns[:(b - a) * self.of_image]
            matrices = columns.reshape(len(columns), self.geometry.groups, -1).transpose(1, 0, 2)
            yield slice(a, b), slice(a * self.of_image, b * self.of_image), matrices

    def cut(self, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """The positions of each block and the patches there, (groups, positions, kh kw c)."""
        for side in self._border:
            side[...] = 0
        for images, where, matrices in self:
            count = images.stop - images.start
            self._inside[:count] = x[images]
            _im2col(self._image[:count], self._columns[:count * self.of_image], self.c, self.rows, self.kernel,
                    self.geometry)
            yield where, matrices

    def lay(self, images: slice, y: np.ndarray) -> None:
        """The adjoint: the patches in the matrices of these images, added up into y[images]."""
        count = images.stop - images.start
        image = self._image[:count]
        image[...] = 0
        _col2im(self._columns[:count * self.of_image], image, self.c, self.rows, self.kernel, self.geometry)
        y[images] = self._inside[:count]
