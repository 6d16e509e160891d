"""What layers ask of their arguments: whole numbers, pairs, generators, known names. One clear sentence each."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def whole(value: Any, argument: str, who: str, least: int = 1) -> int:
    """`value` as an int >= least; ValueError naming the layer and the argument otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(f"{who}: {argument} is {value!r}; expected a whole number of at least {least}")
    return number


def pair(value: Any, argument: str, who: str, least: int = 1) -> tuple[int, int]:
    """(height, width) from one whole number or two."""
    both = (value, value) if not isinstance(value, tuple | list) else value
    if len(both) != 2:
        raise ValueError(f"{who}: {argument} is {value!r}; expected a whole number or two (height, width)")
    return whole(both[0], argument, who, least), whole(both[1], argument, who, least)


def generator(rng: Any, who: str) -> np.random.Generator:
    """`rng` itself; TypeError when it is no numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{who}: rng is {rng!r}; expected a numpy.random.Generator, as np.random.default_rng(0)")
    return rng


def float_type(dtype: Any, who: str) -> np.dtype:
    """float32 or float64; TypeError otherwise."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in FLOATS or dtype is None:
        raise TypeError(f"{who}: dtype is {dtype!r}; expected float32 or float64")
    return found


def known(name: Any, names: Iterable[str], argument: str, who: str) -> Any:
    """`name` itself; ValueError listing what there is when it is not among `names`."""
    names = list(names)
    if name not in names:
        raise ValueError(f"{who}: {argument} is {name!r}; expected one of {', '.join(names)}")
    return name


def numbers(x: Any, dtype: np.dtype, who: str) -> Any:
    """x as a layer reads it: a Tensor as it is, everything else as an array of the layer's own precision."""
    if isinstance(x, Tensor):
        return x
    x = ad.value(x)
    if x.dtype.kind not in "buif":
        raise TypeError(f"{who}: x has dtype {x.dtype}; expected real numbers")
    return x.astype(dtype, copy=False)
