"""Rules of two-dimensional convolution and pooling on images (batch, channels, height, width).

y = conv2d(x, w) is linear in x and in w, so there is one trilinear form <g, conv2d(x, w)> and three ways to read it:
`conv2d` gives the factor of g, `conv2d_transpose` that of x, `conv2d_weight` that of w. Each is the cotangent of the
others, and gradients of every order stay among the three. Each cuts the images into patches and makes one matrix
product (`patches.py`). Results are views of arrays with channels last, which the next convolution reads as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from .fast import fast
from .fused import ACTIVATIONS, UNFUSED
from .patches import Geometry, add_patches, blocks, patches, room
from .recordable import whole
from .reductions import sum as total
from .rules import primitive
from .shapes import broadcast_to, pad, reshape
from .tensor import Tensor, value

Pair = int | tuple[int, int]


def _last(x: np.ndarray) -> np.ndarray:
    """(batch, channels, rows, columns) as a view (batch, rows, columns, channels)."""
    return x.transpose(0, 2, 3, 1)


def _by_group(z: np.ndarray, groups: int) -> np.ndarray:
    """(batch, rows, columns, channels), contiguous, as matrices (groups, batch rows columns, channels of the group)."""
    return z.reshape(-1, groups, z.shape[3] // groups).transpose(1, 0, 2)


def _channels_last(z: np.ndarray, scratch: dict) -> np.ndarray:
    """(batch, channels, rows, columns) as a contiguous array (batch, rows, columns, channels)."""
    z = _last(z)
    if z.flags.c_contiguous:
        return z
    moved = room(scratch, "z", z.shape, z.dtype)
    moved[...] = z
    return moved


def _kernel_matrix(w: np.ndarray, groups: int, scratch: dict) -> np.ndarray:
    """(out, c, kh, kw) as matrices (groups, kh kw c, out of the group)."""
    out, c, kh, kw = w.shape
    matrix = room(scratch, "w", (groups, kh * kw * c, out // groups), w.dtype)
    matrix.reshape(groups, kh, kw, c, -1)[...] = w.reshape(groups, -1, c, kh, kw).transpose(0, 3, 4, 2, 1)
    return matrix


def _correlate(x: np.ndarray, w: np.ndarray | None, z: np.ndarray | None, geometry: Geometry, kernel: tuple[int, int],
               scratch: dict) -> tuple[np.ndarray | None, np.ndarray | None]:
    """From one cut of x into patches P: the products P w, channels last, and P'z, shaped as w; None without w or z."""
    x, groups, y, more = _last(x), geometry.groups, None, None
    dtype = np.result_type(*(a for a in (x, w, z) if a is not None))
    some = blocks(x.shape, kernel, geometry, dtype, scratch)
    if w is not None:
        y, matrix = room(scratch, "y", (len(x), *some.rows, len(w)), dtype), _kernel_matrix(w, groups, scratch)
        y_of = _by_group(y, groups)
    if z is not None:
        z_of = _by_group(_channels_last(z, scratch), groups)
        added = room(scratch, "added", (groups, z_of.shape[2], x.shape[3] // groups * kernel[0] * kernel[1]), dtype)
        part = room(scratch, "part", added.shape, dtype)
        added[...] = 0
    for where, cut in some.cut(x):
        if w is not None:
            np.matmul(cut, matrix, out=y_of[:, where])
        if z is not None:
            added += np.matmul(z_of[:, where].transpose(0, 2, 1), cut, out=part)
    if z is not None:
        more = room(scratch, "dw", (z.shape[1], x.shape[3] // groups, *kernel), dtype)
        more[...] = added.reshape(len(more), *kernel, -1).transpose(0, 3, 1, 2)
    return y, more


def _both_from_one_cut(d: np.ndarray, w: np.ndarray, z: np.ndarray, geometry: Geometry, scratch: dict) -> tuple:
    """conv2d(d, w) and conv2d_weight(d, z)"""
    y, dw = _correlate(d, w, z, geometry, w.shape[2:], scratch)
    return y.transpose(0, 3, 1, 2), dw


def _conv2d(x: np.ndarray, w: np.ndarray, geometry: Geometry, b: np.ndarray | None = None,
            activation: str | None = None, scratch: dict | None = None) -> np.ndarray:
    """y[n, o, r, c] = f(sum_{i, a, b} x[n, i, r s + a d - p, c s + b d - p] w[o, i, a, b] + b[o])."""
    y, _ = _correlate(x, w, None, geometry, w.shape[2:], {} if scratch is None else scratch)
    return _finish(y, b, activation)


def _conv2d_transpose(z: np.ndarray, w: np.ndarray, geometry: Geometry, size: tuple[int, int],
                      b: np.ndarray | None = None, activation: str | None = None,
                      scratch: dict | None = None) -> np.ndarray:
    """f(. + b) of the adjoint of x -> conv2d(x, w) for images of `size`: each z lays its multiple of the kernel."""
    scratch = {} if scratch is None else scratch
    groups, dtype = geometry.groups, np.result_type(z, w)
    y = room(scratch, "y", (len(z), *size, groups * w.shape[1]), dtype)
    matrix = _kernel_matrix(w, groups, scratch).transpose(0, 2, 1)
    z_of = _by_group(_channels_last(z, scratch), groups)
    some = blocks(y.shape, w.shape[2:], geometry, dtype, scratch)
    for images, where, matrices in some:
        np.matmul(z_of[:, where], matrix, out=matrices)
        some.lay(images, y)
    return _finish(y, b, activation)


def _conv2d_weight(x: np.ndarray, z: np.ndarray, geometry: Geometry, kernel: tuple[int, int],
                   scratch: dict | None = None) -> np.ndarray:
    """The adjoint of w -> conv2d(x, w) for a kernel of that size: the correlation of x with z."""
    return _correlate(x, None, z, geometry, kernel, {} if scratch is None else scratch)[1]


def _finish(y: np.ndarray, b: np.ndarray | None, activation: str | None) -> np.ndarray:
    """f(y + b) in place of y, which has its channels last; a view that has them first."""
    z = y.reshape(-1, y.shape[3])
    if b is not None and (kernel := fast(f"bias_{activation}", z, b)):
        kernel(z, b.reshape(-1))
    else:
        if b is not None:
            z += b.reshape(-1)
        if activation is not None:
            ACTIVATIONS[activation].apply(z)
    return y.transpose(0, 3, 1, 2)


def _before_finish(g: Any, y: Any, b: Any, activation: str | None, want: bool) -> tuple[Any, Any]:
    """d = g * f'(y), the cotangent of the sum under f, and its sums over all axes but channels, for b"""
    if activation is None and not want:
        return g, None
    if type(g) is not np.ndarray:
        d = g if activation is None else g * ACTIVATIONS[activation].slope(y)
        return d, reshape(total(d, axis=(0, 2, 3)), b.shape) if want else None
    shape, channels = _last(y).shape, y.shape[1]
    g, y = (np.ascontiguousarray(_last(a)).reshape(-1, channels) for a in (g, y))
    if kernel := fast(f"{activation}_cotangent", g, y):
        d, db = np.empty_like(y), np.empty(channels, y.dtype)
        kernel(g, y, d, db)
    else:
        d = g if activation is None else g * ACTIVATIONS[activation].slope(y)
        db = np.add.reduce(d, axis=0)
    return d.reshape(shape).transpose(0, 3, 1, 2), db.reshape(b.shape) if want else None


def _conv2d_joint(g: Any, y: Any, wanted: list, x: Any, w: Any, geometry: Geometry, b: Any,
                  activation: str | None) -> list:
    """dx gets conv2d_transpose(d, w), dw gets conv2d_weight(x, d), db the sums of d = g * f'(y)"""
    d, db = _before_finish(g, y, b, activation, bool(wanted[3]))
    return [_transpose(d, w, geometry, x.shape[2:], None, None) if wanted[0] else None,
            _weight(x, d, geometry, w.shape[2:]) if wanted[1] else None, None, db]


def _transpose_joint(g: Any, y: Any, wanted: list, z: Any, w: Any, geometry: Geometry, size: tuple[int, int],
                     b: Any, activation: str | None) -> list:
    """dz gets conv2d(d, w), dw gets conv2d_weight(d, z), on plain arrays from one cut of d; db the sums of d"""
    d, db = _before_finish(g, y, b, activation, bool(wanted[4]))
    if not isinstance(d, Tensor) and wanted[0] and wanted[1]:
        dz, dw = whole(_both_from_one_cut, d, w, z, geometry)
        return [dz, dw, None, None, db]
    return [_conv(d, w, geometry, None, None) if wanted[0] else None,
            _weight(d, z, geometry, w.shape[2:]) if wanted[1] else None, None, None, db]


def _into(forward: Callable) -> Callable:
    """The form of a rule that writes into a buffer: its forward with workspaces that are kept."""
    def into(out: np.ndarray, scratch: dict, *values, **kwargs) -> None:
        np.copyto(out, forward(*values, **kwargs, scratch=scratch))

    return into


_conv = primitive("conv2d", _conv2d, joint=_conv2d_joint, into=_into(_conv2d))
_transpose = primitive("conv2d_transpose", _conv2d_transpose, joint=_transpose_joint, into=_into(_conv2d_transpose))
_weight = primitive("conv2d_weight", _conv2d_weight,
                    lambda g, y, x, z, geometry, kernel: _transpose(z, g, geometry, x.shape[2:], None, None),
                    lambda g, y, x, z, geometry, kernel: _conv(x, g, geometry, None, None), into=_into(_conv2d_weight))


def conv2d(x: Any, w: Any, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1, *,
           b: Any = None, activation: str | None = None) -> Any:
    """y[n, o, r, c] = f(sum_{i, a, b} x[n, i, r s + a d - p, c s + b d - p] w[o, i, a, b] + b[o]), x being 0 outside.

    x: (batch, in, height, width); w: (out, in / groups, kh, kw); y: (batch, out, rows, columns) with
    rows = (height + 2 p - d (kh - 1) - 1) // s + 1. stride s, padding p, dilation d: an int or a pair (vertical,
    horizontal). Output channels of group k see the input channels of group k only. It is the cross-correlation that
    networks call convolution. b: (out, 1, 1); activation: the name of f, as in `linear`; without either f is the
    identity and b is 0. Raises ValueError that names the argument which does not fit.
    """
    geometry = _geometry("conv2d", x, w, stride, padding, dilation, groups)
    if x.shape[1] != groups * w.shape[1]:
        raise ValueError(f"conv2d: x has {x.shape[1]} channels; expected {groups * w.shape[1]}, as w has shape "
                         f"{w.shape} and groups is {groups}")
    _fits("conv2d", x.shape[2:], geometry, w.shape[2:])
    inner = _inner("conv2d", b, w.shape[0], activation)
    y = _conv(x, w, geometry, b, inner)
    return UNFUSED[activation](y) if activation in UNFUSED else y


def conv2d_transpose(x: Any, w: Any, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0,
                     dilation: Pair = 1, groups: int = 1, *, b: Any = None, activation: str | None = None) -> Any:
    """The adjoint of conv2d: <conv2d(u, w), x> = <u, conv2d_transpose(x, w)> with the same w, stride and padding.

    x: (batch, in, rows, columns); w: (in, out / groups, kh, kw); y: (batch, out, height, width) with
    height = (rows - 1) s - 2 p + d (kh - 1) + 1 + output_padding, where output_padding < s picks one of the s heights
    that conv2d maps to the same rows. b: (out, 1, 1) is added, and f of that name applied, as in `conv2d`.
    Raises ValueError that names the argument which does not fit.
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
    inner = _inner(name, b, groups * w.shape[1], activation)
    y = _transpose(x, w, geometry, size, b, inner)
    return UNFUSED[activation](y) if activation in UNFUSED else y


def _windows(x: np.ndarray, kernel: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """A view (kh, kw, batch, channels, rows, columns) of everything that the kernel covers."""
    return patches(_last(x), kernel, geometry).transpose(3, 4, 0, 5, 1, 2)


def _overlap_add(windows: np.ndarray, geometry: Geometry, size: tuple[int, int]) -> np.ndarray:
    """The adjoint of windows: each number is added where it was read, on images of `size`."""
    _, _, n, c, _, _ = windows.shape
    image = np.zeros((n, *size, c), windows.dtype)
    add_patches(image, windows.transpose(2, 4, 5, 0, 1, 3), geometry)
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
    share = (windows(value(x), kernel, geometry) == value(y)).astype(g.dtype)
    share = share / _over_window(np.add, share)
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


def _inner(name: str, b: Any, out: int, activation: str | None) -> str | None:
    """The activation that is part of the same node, b and activation being checked."""
    if b is not None and np.shape(b) != (out, 1, 1):
        raise ValueError(f"{name}: b has shape {np.shape(b)}; expected ({out}, 1, 1)")
    if activation is not None and activation not in ACTIVATIONS and activation not in UNFUSED:
        raise ValueError(f"{name}: activation is {activation!r}; expected None or one of "
                         f"{', '.join([*ACTIVATIONS, *UNFUSED])}")
    return activation if activation in ACTIVATIONS else None
