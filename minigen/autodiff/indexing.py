"""Rules of reading and adding at places: `getitem` and `scatter` are each other's cotangent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .rules import primitive
from .tensor import value

# Each part of a key is an argument of its own: the tape then guards index arrays as it guards any other.
_getitem = primitive("getitem", lambda x, *key: x[key],
                     lambda g, y, x, *key: _scatter(g, x.shape, *key))


def scatter_forward(g: np.ndarray, shape: tuple[int, ...], *key: Any) -> np.ndarray:
    """Zeros of `shape` with g added at `key`."""
    out = np.zeros(shape, np.result_type(g))
    if not any(isinstance(k, np.ndarray) and k.dtype != bool for k in key):
        out[key] = g  # only integer arrays can name a place twice
    elif (axis := _row_axis(key, len(shape))) is not None:
        _scatter_rows(out, axis, key[-1], g)
    else:
        np.add.at(out, key, g)
    return out


def _row_axis(key: tuple, ndim: int) -> int | None:
    """The axis that (:, :, indices) or (..., indices) reads; None for every other key with an integer array."""
    if len(key) == 2 and key[0] is Ellipsis:
        return ndim - 1
    return len(key) - 1 if all(isinstance(k, slice) and k == slice(None) for k in key[:-1]) else None


def _scatter_rows(out: np.ndarray, axis: int, indices: np.ndarray, g: np.ndarray) -> None:
    """Add g at `indices` of one axis: rows named twice are sorted together and summed (np.add.at is 2-9x slower)."""
    before, n, after = out.shape[:axis], out.shape[axis], out.shape[axis + 1:]
    rows = indices.ravel() % n
    g = np.broadcast_to(g, (*before, *indices.shape, *after)).reshape(*before, rows.size, *after)
    if np.bincount(rows, minlength=1).max() > 1:
        order = np.argsort(rows, kind="stable")
        starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
        g = np.add.reduceat(np.take(g, order, axis), starts, axis)
        rows = rows[order[starts]]
    out[(*(slice(None),) * axis, rows)] = g


_scatter = primitive("scatter", scatter_forward,
                     lambda g, y, add, shape, *key: _getitem(g, *key))


def _parts(key: Any) -> tuple:
    """The key as a tuple of slices, None, Ellipsis, ints and arrays."""
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(np.array(k, dtype=None if len(k) else int) if isinstance(k, list | tuple) else k for k in parts)


def getitem(x: Any, key: Any) -> Any:
    """x[key], for every key of NumPy: ints, slices, None, Ellipsis, integer and boolean arrays (or Tensors)."""
    return _getitem(x, *_parts(key))


def index_add(x: Any, key: Any, add: Any) -> Any:
    """x with `add` (broadcast) added at x[key]; a place that is named twice receives both."""
    if isinstance(add, int | float):
        add = np.asarray(add, np.result_type(x.dtype, add))
    return x + _scatter(add, x.shape, *_parts(key))


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """y[i, j, k] = x[i, indices[i, j, k], k] for axis 1, and so on; off the axis the shapes broadcast."""
    indices = np.asarray(value(indices))
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_axis: indices has shape {indices.shape}; expected {x.ndim} axes as x {x.shape}")
    key = list(np.ix_(*(np.arange(n) for n in x.shape)))
    key[normalize_axis_index(axis, x.ndim)] = indices
    return getitem(x, tuple(key))
