"""Rules of operations that copy numbers: in the reverse pass the copies are added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from .reductions import sum as total
from .rules import primitive
from .shapes import reshape


def _tile_vjp(g: Any, y: Any, x: Any, reps: Any) -> Any:
    """the copies are added up"""
    reps = (reps,) if isinstance(reps, int | np.integer) else tuple(reps)
    ndim = max(len(reps), x.ndim)
    reps, shape = (1,) * (ndim - len(reps)) + reps, (1,) * (ndim - x.ndim) + x.shape
    folded = reshape(g, tuple(n for pair in zip(reps, shape) for n in pair))
    return reshape(total(folded, axis=tuple(range(0, 2 * ndim, 2))), x.shape)


tile = primitive("tile", np.tile, _tile_vjp)


def _repeat_vjp(g: Any, y: Any, x: Any, repeats: int, axis: int | None = None) -> Any:
    """the copies are added up"""
    shape = x.shape if axis is not None else (x.size,)
    axis = 0 if axis is None else axis % x.ndim
    folded = reshape(g, (*shape[:axis], shape[axis], repeats, *shape[axis + 1:]))
    return reshape(total(folded, axis=axis + 1), x.shape)


def _repeat(x: np.ndarray, repeats: int, axis: int | None = None) -> np.ndarray:
    """Each element `repeats` times in a row."""
    if not isinstance(repeats, int | np.integer):
        raise TypeError(f"repeat: repeats must be one int, got {type(repeats).__name__}")
    return np.repeat(x, repeats, axis)


repeat = primitive("repeat", _repeat, _repeat_vjp)
