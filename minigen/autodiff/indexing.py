"""Rules of reading and adding at places: `x[key]` and `index_add` are each other's cotangent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rules import primitive
from .tensor import value


def _plain(key: Any) -> Any:
    """The key with any Tensor in it as its array."""
    return tuple(_plain(k) for k in key) if isinstance(key, tuple) else value(key) if hasattr(key, "node") else key


def _repeats(key: Any) -> bool:
    """Whether the same place may be named twice (only integer arrays can do that)."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(k, list | np.ndarray) and np.asarray(k).dtype != bool for k in parts)


def _index_add(x: np.ndarray, key: Any, add: np.ndarray) -> np.ndarray:
    """A copy of x with `add` added at x[key]; places named twice receive both."""
    out = np.array(x)
    if _repeats(key):
        np.add.at(out, key, add)
    else:
        out[key] += add
    return out


index_add = primitive("index_add", _index_add, lambda g, y, x, key, add: g, None,
                      lambda g, y, x, key, add: getitem(g, key))
getitem = primitive("getitem", lambda x, key: x[_plain(key)],
                    lambda g, y, x, key: index_add(np.zeros(x.shape, x.dtype), _plain(key), g))


def _grid(indices: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple:
    """The key that take_along_axis reads."""
    key = list(np.ix_(*(np.arange(n) for n in indices.shape)))
    key[axis % len(shape)] = indices
    return tuple(key)


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """x read at `indices` along one axis, as np.take_along_axis (equal shapes off that axis)."""
    return getitem(x, _grid(np.asarray(value(indices)), x.shape, axis))
