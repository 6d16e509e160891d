"""Rules of two-dimensional convolution and pooling on images (batch, channels, height, width).

y = conv2d(x, w) is linear in x and in w, so there is one trilinear form <g, conv2d(x, w)> and three ways to read it:
`conv2d` gives the factor of g, `conv2d_transpose` that of x, `conv2d_weight` that of w. Each is the cotangent of the
others, and gradients of every order stay among the three. Each cuts the images into patches and makes one matrix
product: channels last inside, so that a patch is copied in long runs; results are views in the order of axes above,
which the next convolution undoes without a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .rules import primitive
from .shapes import broadcast_to, pad
from .tensor import value

Pair = int | tuple[int, int]


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


def _patches(image: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """A view (batch, rows, columns, kh, kw, channels) of a padded image (batch, height, width, channels)."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    rh, rw = geometry.reach(kernel)
    n, h, w, c = image.shape
    sn, sy, sx, sc = image.strides
    return as_strided(image, (n, (h - rh) // sh + 1, (w - rw) // sw + 1, *kernel, c),
                      (sn, sy * sh, sx * sw, sy * dh, sx * dw, sc), writeable=False)


def _add_patches(image: np.ndarray, patches: np.ndarray, geometry: Geometry) -> None:
    """The adjoint of `_patches`: each patch is added where it was read, in place."""
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    _, rows, columns, kh, kw, _ = patches.shape
    for i in range(kh):
        for j in range(kw):
            image[:, i * dh:i * dh + sh * rows:sh, j * dw:j * dw + sw * columns:sw] += patches[:, :, :, i, j]


def _padded(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Channels last, with a border of zeros."""
    ph, pw = geometry.padding
    x = x.transpose(0, 2, 3, 1)
    if not (ph or pw):
        return np.ascontiguousarray(x)
    n, h, w, c = x.shape
    image = np.zeros((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
    image[:, ph:ph + h, pw:pw + w] = x
    return image


def _columns(image: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> Iterator[tuple[slice, np.ndarray]]:
    """The patches as matrices (groups, positions, kh kw channels), some images at a time so that they stay in cache.

    With them goes the slice of all positions that they stand for.
    """
    patches = _patches(image, kernel, geometry)
    n, rows, columns, kh, kw, c = patches.shape
    patches = patches.reshape(n, rows, columns, kh, kw, geometry.groups, c // geometry.groups)
    patches = patches.transpose(5, 0, 1, 2, 3, 4, 6)
    width, step = kh * kw * c // geometry.groups, _images_at_once(rows * columns, kh * kw * c)
    for a in range(0, n, step):
        part = patches[:, a:a + step]
        yield (slice(a * rows * columns, (a + part.shape[1]) * rows * columns),
               part.reshape(geometry.groups, part.shape[1] * rows * columns, width))


def _images_at_once(positions: int, width: int) -> int:
    """Patches of about 2^18 numbers fit in cache; a product of fewer than 256 rows is not worth its call."""
    return max(1, max(256, 2 ** 18 // max(1, width)) // max(1, positions))


def _by_group(z: np.ndarray, groups: int) -> np.ndarray:
    """(batch, channels, rows, columns) as matrices (groups, batch rows columns, channels of the group)."""
    n, c, rows, columns = z.shape
    return z.transpose(0, 2, 3, 1).reshape(n * rows * columns, groups, c // groups).transpose(1, 0, 2)


def _kernel_matrix(w: np.ndarray, groups: int) -> np.ndarray:
    """(out, in, kh, kw) as matrices (groups, kh kw in, out of the group)."""
    out, c, kh, kw = w.shape
    return w.reshape(groups, out // groups, c, kh, kw).transpose(0, 3, 4, 2, 1).reshape(groups, kh * kw * c, -1)


def _conv2d(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """y[n, o, r, c] = sum_{i, a, b} x[n, i, r s + a d - p, c s + b d - p] w[o, i, a, b]."""
    n, out, kernel, groups = len(x), len(w), w.shape[2:], geometry.groups
    rows, columns = geometry.positions(x.shape[2:], kernel)
    y = np.empty((groups, n * rows * columns, out // groups), np.result_type(x, w))
    matrix = _kernel_matrix(w, groups)
    for where, part in _columns(_padded(x, geometry), kernel, geometry):
        np.matmul(part, matrix, out=y[:, where])
    return y.transpose(1, 0, 2).reshape(n, rows, columns, out).transpose(0, 3, 1, 2)


def _conv2d_transpose(z: np.ndarray, w: np.ndarray, geometry: Geometry, size: tuple[int, int]) -> np.ndarray:
    """The adjoint of x -> conv2d(x, w) for images of `size`: each number of z lays its multiple of the kernel."""
    (n, _, rows, columns), (_, c, kh, kw), groups = z.shape, w.shape, geometry.groups
    (ph, pw), positions = geometry.padding, rows * columns
    image = np.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, groups * c), np.result_type(z, w))
    matrix, z = np.swapaxes(_kernel_matrix(w, groups), 1, 2), _by_group(z, groups)
    step = _images_at_once(positions, kh * kw * c * groups)
    for a in range(0, n, step):
        part = z[:, a * positions:(a + step) * positions] @ matrix
        part = part.reshape(groups, -1, rows, columns, kh, kw, c).transpose(1, 2, 3, 4, 5, 0, 6)
        _add_patches(image[a:a + step], part.reshape(*part.shape[:5], groups * c), geometry)
    return image[:, ph:ph + size[0], pw:pw + size[1]].transpose(0, 3, 1, 2)


def _conv2d_weight(x: np.ndarray, z: np.ndarray, geometry: Geometry, kernel: tuple[int, int]) -> np.ndarray:
    """The adjoint of w -> conv2d(x, w) for a kernel of that size: the correlation of x with z."""
    out, c, groups = z.shape[1], x.shape[1] // geometry.groups, geometry.groups
    z = _by_group(z, groups)
    w = np.zeros((groups, kernel[0] * kernel[1] * c, out // groups), np.result_type(x, z))
    for where, part in _columns(_padded(x, geometry), kernel, geometry):
        w += np.swapaxes(part, 1, 2) @ z[:, where]
    return w.reshape(groups, *kernel, c, out // groups).transpose(0, 4, 3, 1, 2).reshape(out, c, *kernel)


_conv = primitive("conv2d", _conv2d,
                  lambda g, y, x, w, geometry: _transpose(g, w, geometry, x.shape[2:]),
                  lambda g, y, x, w, geometry: _weight(x, g, geometry, w.shape[2:]))
_transpose = primitive("conv2d_transpose", _conv2d_transpose,
                       lambda g, y, z, w, geometry, size: _conv(g, w, geometry),
                       lambda g, y, z, w, geometry, size: _weight(g, z, geometry, w.shape[2:]))
_weight = primitive("conv2d_weight", _conv2d_weight,
                    lambda g, y, x, z, geometry, kernel: _transpose(z, g, geometry, x.shape[2:]),
                    lambda g, y, x, z, geometry, kernel: _conv(x, g, geometry))


def conv2d(x: Any, w: Any, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1) -> Any:
    """y[n, o, r, c] = sum_{i, a, b} x[n, i, r s + a d - p, c s + b d - p] w[o, i, a, b], x being 0 outside.

    x: (batch, in, height, width); w: (out, in / groups, kh, kw); y: (batch, out, rows, columns) with
    rows = (height + 2 p - d (kh - 1) - 1) // s + 1. stride s, padding p, dilation d: an int or a pair (vertical,
    horizontal). Output channels of group k see the input channels of group k only. It is the cross-correlation that
    networks call convolution. Raises ValueError that names the argument which does not fit.
    """
    geometry = _geometry("conv2d", x, w, stride, padding, dilation, groups)
    if x.shape[1] != groups * w.shape[1]:
        raise ValueError(f"conv2d: x has {x.shape[1]} channels; expected {groups * w.shape[1]}, as w has shape "
                         f"{w.shape} and groups is {groups}")
    _fits("conv2d", x.shape[2:], geometry, w.shape[2:])
    return _conv(x, w, geometry)


def conv2d_transpose(x: Any, w: Any, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0,
                     dilation: Pair = 1, groups: int = 1) -> Any:
    """The adjoint of conv2d: <conv2d(u, w), x> = <u, conv2d_transpose(x, w)> with the same w, stride and padding.

    x: (batch, in, rows, columns); w: (in, out / groups, kh, kw); y: (batch, out, height, width) with
    height = (rows - 1) s - 2 p + d (kh - 1) + 1 + output_padding, where output_padding < s picks one of the s heights
    that conv2d maps to the same rows. Raises ValueError that names the argument which does not fit.
    """
    name = "conv2d_transpose"
    geometry = _geometry(name, x, w, stride, padding, dilation, groups)
    if x.shape[1] != w.shape[0]:
        raise ValueError(f"{name}: x has {x.shape[1]} channels; expected {w.shape[0]}, as w has shape {w.shape}")
    extra = _pair(name, "output_padding", output_padding, 0)
    if any(e >= s for e, s in zip(extra, geometry.stride)):
        raise ValueError(f"{name}: output_padding is {extra}; expected less than stride, {geometry.stride}")
    size = tuple((n - 1) * s - 2 * p + r + e for n, s, p, r, e in
                 zip(x.shape[2:], geometry.stride, geometry.padding, geometry.reach(w.shape[2:]), extra))
    if min(size) < 1:
        raise ValueError(f"{name}: padding {geometry.padding} leaves an image of {size}, from x of shape {x.shape} "
                         f"and w of shape {w.shape}")
    return _transpose(x, w, geometry, size)


def _windows(x: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """A view (kh, kw, batch, channels, rows, columns) of everything that the kernel covers."""
    return _patches(x.transpose(0, 2, 3, 1), kernel, geometry).transpose(3, 4, 0, 5, 1, 2)


def _overlap_add(windows: np.ndarray, geometry: Geometry, size: tuple[int, int]) -> np.ndarray:
    """The adjoint of windows: each number is added where it was read, on images of `size`."""
    _, _, n, c, _, _ = windows.shape
    image = np.zeros((n, *size, c), windows.dtype)
    _add_patches(image, windows.transpose(2, 4, 5, 0, 1, 3), geometry)
    return image.transpose(0, 3, 1, 2)


windows = primitive("windows", _windows,
                    lambda g, y, x, kernel, geometry: overlap_add(g, geometry, x.shape[2:]))
overlap_add = primitive("overlap_add", _overlap_add,
                        lambda g, y, x, geometry, size: windows(g, x.shape[:2], geometry))


def _over_window(ufunc: np.ufunc, windows: np.ndarray) -> np.ndarray:
    """windows reduced over (kh, kw), one pixel of the kernel after the other (a reduction over views is 20x slower)."""
    return reduce(ufunc, (windows[i, j] for i in range(windows.shape[0]) for j in range(windows.shape[1])))


def _average(x: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """The mean over each window."""
    return _over_window(np.add, _windows(x, kernel, geometry)) / (kernel[0] * kernel[1])


def _average_vjp(g: Any, y: Any, x: Any, kernel: tuple[int, int], geometry: Geometry) -> Any:
    """every pixel of a window takes the same part"""
    return overlap_add(broadcast_to(g / (kernel[0] * kernel[1]), (*kernel, *g.shape)), geometry, x.shape[2:])


def _largest(x: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """The maximum over each window."""
    return _over_window(np.maximum, _windows(x, kernel, geometry))


def _largest_vjp(g: Any, y: Any, x: Any, kernel: tuple[int, int], geometry: Geometry) -> Any:
    """the pixels at the maximum take it all; ties share equally"""
    share = (_windows(value(x), kernel, geometry) == value(y)).astype(g.dtype)
    share /= _over_window(np.add, share)
    return overlap_add(g * share, geometry, x.shape[2:])


_average_pool = primitive("avg_pool2d", _average, _average_vjp)
_max_pool = primitive("max_pool2d", _largest, _largest_vjp)


def avg_pool2d(x: Any, kernel: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    """The mean over each window of `kernel` pixels, zeros of the padding included.

    x: (batch, channels, height, width); stride: that of the kernel unless given. Raises ValueError as conv2d.
    """
    return _average_pool(*_to_pool("avg_pool2d", x, kernel, stride, padding, 0.0))


def max_pool2d(x: Any, kernel: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    """The maximum over each window of `kernel` pixels, padding excluded; pixels that tie share the cotangent.

    x: (batch, channels, height, width); stride: that of the kernel unless given. Raises ValueError as conv2d.
    """
    return _max_pool(*_to_pool("max_pool2d", x, kernel, stride, padding, -np.inf))


def _to_pool(name: str, x: Any, kernel: Pair, stride: Pair | None, padding: Pair, border: float) -> tuple:
    """x with its border, the kernel and where it is laid."""
    _image(name, x)
    kernel = _pair(name, "kernel", kernel, 1)
    stride = kernel if stride is None else _pair(name, "stride", stride, 1)
    padding = _pair(name, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise ValueError(f"{name}: padding is {padding}; expected at most half of kernel, {kernel}")
    _fits(name, x.shape[2:], Geometry(stride, padding, (1, 1), 1), kernel)
    if any(padding):
        x = pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), border)
    return x, kernel, Geometry(stride, (0, 0), (1, 1), 1)


def _pair(name: str, argument: str, given: Pair, least: int) -> tuple[int, int]:
    """An int or a pair of ints as a pair."""
    pair = tuple(given) if isinstance(given, tuple | list) else (given, given)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= least for n in pair):
        raise ValueError(f"{name}: {argument} is {given!r}; expected an int >= {least}, or two of them")
    return pair


def _image(name: str, x: Any) -> None:
    if np.ndim(x) != 4:
        raise ValueError(f"{name}: x has shape {np.shape(x)}; expected (batch, channels, height, width)")


def _fits(name: str, size: tuple[int, int], geometry: Geometry, kernel: tuple[int, int]) -> None:
    if min(geometry.positions(size, kernel)) < 1:
        raise ValueError(f"{name}: kernel {tuple(kernel)} spans {geometry.reach(kernel)} pixels; expected no more than "
                         f"x has, {tuple(size)} with padding {geometry.padding} on each side")


def _geometry(name: str, x: Any, w: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Geometry:
    """The checked arguments that both directions share."""
    _image(name, x)
    if np.ndim(w) != 4 or 0 in w.shape:
        raise ValueError(f"{name}: w has shape {np.shape(w)}; expected four axes, none of length 0")
    if not isinstance(groups, int | np.integer) or groups < 1 or w.shape[0] % groups:
        raise ValueError(f"{name}: groups is {groups!r}; expected a divisor of {w.shape[0]}, as w has shape {w.shape}")
    return Geometry(_pair(name, "stride", stride, 1), _pair(name, "padding", padding, 0),
                    _pair(name, "dilation", dilation, 1), groups)
