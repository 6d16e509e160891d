"""Rules of operations that move numbers without changing them: each sends the cotangent back the way it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .rules import primitive
from .tensor import value

identity = primitive("identity", lambda x: np.asarray(x).view(), lambda g, y, x: g)
reshape = primitive("reshape", np.reshape, lambda g, y, x, shape: reshape(g, x.shape))
squeeze = primitive("squeeze", np.squeeze, lambda g, y, x, axis=None: reshape(g, x.shape))
expand_dims = primitive("expand_dims", np.expand_dims, lambda g, y, x, axis: reshape(g, x.shape))
broadcast_to = primitive("broadcast_to", np.broadcast_to, lambda g, y, x, shape: g)
astype = primitive("astype", lambda x, dtype: x.astype(dtype), lambda g, y, x, dtype: astype(g, x.dtype))


def _transpose_vjp(g: Any, y: Any, x: Any, axes: Sequence[int] | None = None) -> Any:
    """the inverse permutation"""
    return transpose(g, None if axes is None else tuple(np.argsort(np.asarray(axes) % x.ndim)))


transpose = primitive("transpose", np.transpose, _transpose_vjp)
swapaxes = primitive("swapaxes", np.swapaxes, lambda g, y, x, a, b: swapaxes(g, a, b))
moveaxis = primitive("moveaxis", np.moveaxis, lambda g, y, x, a, b: moveaxis(g, b, a))
flip = primitive("flip", np.flip, lambda g, y, x, axis=None: flip(g, axis))


def _roll_vjp(g: Any, y: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    """rolled back"""
    return roll(g, tuple(-s for s in shift) if np.ndim(shift) else -shift, axis)


roll = primitive("roll", np.roll, _roll_vjp)


def _parts(g: Any, sizes: Sequence[int], axis: int) -> list:
    ends = np.cumsum(sizes)
    lead = (slice(None),) * (axis % g.ndim)
    return [g[(*lead, slice(int(e - n), int(e)))] for n, e in zip(sizes, ends)]


def _concatenate_joint(g: Any, y: Any, wanted: list[bool], *parts: Any, axis: int = 0) -> list:
    """each part takes its piece of the cotangent"""
    pieces = _parts(g, [np.shape(value(p))[axis] for p in parts], axis)
    return [piece if want else None for piece, want in zip(pieces, wanted)]


_concatenate = primitive("concatenate", lambda *parts, axis=0: np.concatenate(parts, axis=axis),
                         joint=_concatenate_joint)


def concatenate(parts: Sequence[Any], axis: int = 0) -> Any:
    """Join along an axis that exists."""
    return _concatenate(*parts, axis=axis)


def stack(parts: Sequence[Any], axis: int = 0) -> Any:
    """Join along a new axis."""
    return concatenate([expand_dims(p, axis) for p in parts], axis=axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list:
    """Cut along an axis: into equal sections, or before each index of a list, as np.split."""
    n = x.shape[axis]
    if isinstance(sections, int | np.integer):
        if sections < 1 or n % sections:
            raise ValueError(f"split: axis {axis} has length {n}, which {sections} sections do not divide")
        return _parts(x, [n // sections] * int(sections), axis)
    edges = [0, *sections, n]
    return _parts(x, [b - a for a, b in zip(edges, edges[1:])], axis)


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    return [tuple(map(int, w)) for w in np.broadcast_to(np.asarray(pad_width), (ndim, 2))]


def _pad_vjp(g: Any, y: Any, x: Any, pad_width: Any, constant: float = 0.0) -> Any:
    """the border is dropped"""
    return g[tuple(slice(a, a + n) for (a, _), n in zip(_widths(pad_width, x.ndim), x.shape))]


pad = primitive("pad", lambda x, pad_width, constant=0.0: np.pad(x, _widths(pad_width, x.ndim),
                                                                 constant_values=constant), _pad_vjp)


tril = primitive("tril", np.tril, lambda g, y, x, k=0: tril(g, k))
triu = primitive("triu", np.triu, lambda g, y, x, k=0: triu(g, k))
