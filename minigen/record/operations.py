"""What the compiler knows about NumPy's functions: how each is written in a generated loop, and which only look.

A map computes each number from the numbers at the same place. `MAPS[function]` is the expression of that number; the
operands are `{0}`, `{1}`, ..., already in the precision in which NumPy would compute.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .graph import Value
from .traced import VIEWS, cast, item

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
HEAVY = {
    np.exp: "exp({0})", np.log: "log({0})", np.tanh: "tanh({0})", np.log1p: "log1p({0})",
    np.expm1: "expm1({0})",
}
"""Maps worth storing rather than computing twice. In float64 they are left to NumPy, whose loops are as fast."""
ON_TRUTH = {np.bitwise_and, np.bitwise_or, np.logical_and, np.logical_or, np.logical_not, np.invert}
REDUCTIONS = {np.add.reduce: ("plus", "0"), np.maximum.reduce: ("greater", "-inf"),
              np.minimum.reduce: ("smaller", "inf")}
"""How two parts of a reduction are combined, and what it begins with."""
PRODUCTS = {np.dot, np.matmul}
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
BOOL = np.dtype(bool)


def operands(value: Value) -> list[Any]:
    """The arguments of a map that are numbers: values and Python or NumPy scalars."""
    return list(value.args[:1] if value.function is cast else value.args)


def working_type(value: Value) -> np.dtype:
    """The precision in which NumPy computes the map (that of the result, but for comparisons and the like)."""
    if value.function in (cast, np.where):
        return value.dtype
    return np.result_type(*(x.array if isinstance(x, Value) else x for x in operands(value)))


def is_map(value: Value) -> bool:
    """Whether a generated loop can compute it, element by element."""
    function = value.function
    if function not in MAPS and function not in HEAVY:
        return False
    if set(value.kwargs) or function is np.where and len(value.args) < 3:
        return False
    if not all(isinstance(x, Value | int | float | np.generic) for x in operands(value)):
        return False
    known = all(x.dtype in (*FLOATS, BOOL) for x in [value, *value.inputs()])
    if not known:
        return False
    if function in HEAVY:
        return value.dtype == np.float32
    if function in ON_TRUTH:
        return working_type(value) == BOOL
    return value.dtype == BOOL or working_type(value) in FLOATS


def is_reduction(value: Value) -> bool:
    """Whether a generated loop can reduce it."""
    if value.function not in REDUCTIONS or "initial" in value.kwargs or not isinstance(value.args[0], Value):
        return False
    x = value.args[0]
    return x.dtype in FLOATS and value.dtype == x.dtype and x.array.size > 0 and x.array.ndim > 0


def reduced_axes(value: Value) -> tuple[int, ...]:
    """The axes that a reduction sums over."""
    axis, ndim = value.kwargs.get("axis", 0), value.args[0].array.ndim
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def is_view(value: Value) -> bool:
    """Whether it only looks at another array in another shape (a reshape may still have to copy)."""
    if value.function is item:
        return True
    if value.function not in VIEWS or value.function is np.flip or not isinstance(value.args[0], Value):
        return False
    if value.function is operator.getitem:
        return basic(value.args[1])
    return True


def basic(key: Any) -> bool:
    """Whether a key names a regular part of an array, read forwards."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, int | np.integer)
               or isinstance(part, slice) and (part.step is None or part.step > 0) for part in parts)
