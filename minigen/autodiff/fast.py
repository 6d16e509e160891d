"""The table of faster twins: rules ask it first and fall back to NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FAST: dict[str, Callable] = {}
"""Faster twins for contiguous float32 arrays, by name, entered by `minigen.nn.use_kernels`; NumPy serves without."""


def fast(name: str, *arrays: Any) -> Callable | None:
    """The kernel of that name where every array suits it."""
    kernel = FAST.get(name)
    if kernel is None:
        return None
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype != np.float32 or not a.flags.c_contiguous:
            return None
    return kernel
