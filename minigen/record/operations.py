"""What the compiler knows about NumPy's functions: how each is written in a loop, and which write where they are told.

A map computes each number from the numbers at the same place. `MAPS[function]` is the expression of that number; the
operands are `{0}`, `{1}`, ..., already in the precision in which NumPy would compute.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minigen.autodiff.indexing import scatter_forward

from .graph import Value, Whole, item
from .traced import cast

MAPS = {
    np.add: "{0} + {1}", np.subtract: "{0} - {1}", np.multiply: "{0} * {1}", np.true_divide: "{0} / {1}",
    np.negative: "-{0}", np.positive: "{0}", np.absolute: "abs({0})", np.square: "{0} * {0}", np.sqrt: "sqrt({0})",
    np.reciprocal: "one / {0}", np.maximum: "greater({0}, {1})", np.minimum: "smaller({0}, {1})",
    np.sign: "sign({0})", np.floor: "floor({0})", np.where: "({1} if {0} else {2})",
    np.greater: "{0} > {1}", np.greater_equal: "{0} >= {1}", np.less: "{0} < {1}", np.less_equal: "{0} <= {1}",
    np.equal: "{0} == {1}", np.not_equal: "{0} != {1}", np.isnan: "{0} != {0}", np.isfinite: "{0} - {0} == zero",
    np.bitwise_and: "{0} & {1}", np.bitwise_or: "{0} | {1}", np.logical_and: "{0} & {1}", np.logical_or: "{0} | {1}",
    np.logical_not: "not {0}", np.invert: "not {0}", cast: "{0}",
}
HEAVY = {np.exp: "exp({0})", np.log: "log({0})", np.tanh: "tanh({0})", np.log1p: "log1p({0})", np.expm1: "expm1({0})"}
"""Maps worth storing rather than computing twice. In float64 they are left to NumPy, whose loops are as fast."""
ON_TRUTH = {np.bitwise_and, np.bitwise_or, np.logical_and, np.logical_or, np.logical_not, np.invert}
REDUCTIONS = {np.add.reduce: ("plus", 0.0), np.maximum.reduce: ("greater", -np.inf),
              np.minimum.reduce: ("smaller", np.inf)}
"""How two parts of a reduction are combined, and what it begins with."""
PRODUCTS = {np.dot, np.matmul}
WITH_OUT = {np.concatenate, np.stack, *PRODUCTS}
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
BOOL = np.dtype(bool)


def kind_of(value: Value) -> str:
    """outside, view, map, reduction, product, draw, check or call: how a program makes the value."""
    function = value.function
    if function is None:
        return "outside"
    if isinstance(function, Whole):
        return function.kind
    if value.base is not None and (function is item or value.dtype == value.base.dtype):
        return "view"
    return "product" if _is_product(value) else "map" if _is_map(value) else "reduction" if _is_sum(value) else "call"


def operands(value: Value) -> list[Any]:
    """The arguments of a map that are numbers: values and Python or NumPy scalars."""
    return list(value.args[:1] if value.function is cast else value.args)


def working_type(value: Value) -> np.dtype:
    """The precision in which NumPy computes the map (that of the result, but for comparisons and the like)."""
    if value.function in (cast, np.where):
        return value.dtype
    return np.result_type(*(x.array if isinstance(x, Value) else x for x in operands(value)))


def _is_map(value: Value) -> bool:
    """Whether a generated loop can compute it, element by element."""
    function = value.function
    if function not in MAPS and function not in HEAVY or value.kwargs:
        return False
    if not all(isinstance(x, Value | int | float | np.generic) for x in operands(value)):
        return False
    if not all(x.dtype in (*FLOATS, BOOL) for x in [value, *value.inputs]):
        return False
    if function in HEAVY:
        return value.dtype == np.float32
    if function in ON_TRUTH:
        return working_type(value) == BOOL
    return value.dtype == BOOL or working_type(value) in FLOATS


def _is_sum(value: Value) -> bool:
    """Whether a generated loop can reduce it."""
    if value.function not in REDUCTIONS or not isinstance(value.args[0], Value):
        return False
    x, start = value.args[0], REDUCTIONS[value.function][1]
    return (x.dtype in FLOATS and value.dtype == x.dtype and x.array.size > 0 and x.array.ndim > 0
            and value.kwargs.get("initial", start) == start)


def _is_product(value: Value) -> bool:
    """A matrix product of floats that BLAS can write into a buffer."""
    if value.function not in PRODUCTS or value.kwargs or len(value.inputs) != 2 or value.dtype.kind != "f":
        return False
    a, b = value.inputs
    if value.function is np.dot and b.array.ndim > 2:  # pairs every matrix with every other, which matmul does not
        return False
    return a.dtype == b.dtype == value.dtype and a.array.ndim > 0 < b.array.ndim


def reduced_axes(value: Value) -> tuple[int, ...]:
    """The axes that a reduction sums over."""
    axis, ndim = value.kwargs.get("axis", 0), value.args[0].array.ndim
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def keeps_zeros(value: Value) -> bool:
    """Whether it is zero everywhere but at a fixed place: those zeros are written once, in memory of its own."""
    return value.function is scatter_forward and value.inputs == [value.args[0]]


def call_into(function: Callable, out: np.ndarray, args: tuple, kwargs: dict) -> tuple[Callable, tuple] | None:
    """A call that writes function(*args, **kwargs) into `out`; None for a function that only answers new arrays."""
    ufunc = getattr(function, "__self__", function)
    if function in WITH_OUT or isinstance(ufunc, np.ufunc) and ufunc.nout == 1:
        return partial(function, *args, out=out, **kwargs), ()
    into = _reshape_into if function is np.reshape else getattr(function, "into", None)
    return into and (into, (out, args, kwargs))


def _reshape_into(out: np.ndarray, args: tuple, kwargs: dict) -> None:
    """Of an array that does not lie in order: a copy in the old shape"""
    if len(args) == 2 and not kwargs:
        np.copyto(out.reshape(args[0].shape), args[0])
    else:  # in another order of axes
        np.copyto(out, np.reshape(*args, **kwargs))
