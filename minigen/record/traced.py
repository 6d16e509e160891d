"""What stands for an array while a function is recorded: it computes like one, and writes down what was computed.

Every way in which NumPy code can work on an array ends in one of NumPy's two doors, `__array_ufunc__` (operators too)
and `__array_function__`, or in a change in place. Those are written down. The doors through which a number would reach
Python (an `if`, a `float`) are closed, because the replay could not take another way there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from minigen.autodiff.containers import tree_map
from minigen.autodiff.tensor import Placeholder

from .graph import Graph, RecordError, Value, item

ABOUT_SHAPE = {np.shape, np.ndim, np.size, np.result_type, np.zeros_like, np.ones_like, np.empty_like, np.full_like,
               np.iscomplexobj, np.broadcast_shapes, np.may_share_memory, np.shares_memory}
AS_METHODS = {np.sum, np.max, np.min, np.prod, np.all, np.any, np.mean, np.clip}
"""Functions that are recorded as the methods of the same name are."""
REFUSED = {getattr(np, name): why for why, names in {
    "changes a part of an array": "copyto put putmask place put_along_axis fill_diagonal",
    "has a shape that depends on values": "nonzero flatnonzero argwhere unique unique_values extract compress union1d "
                                          "intersect1d setdiff1d trim_zeros"}.items() for name in names.split()}
POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}
ADVICE = ("A recorded program does the same operations every time, so Python must not see values inside it: choose "
          "with where(condition, a, b), stop with ensure(good, error), hand numbers back and look at them outside, or "
          "run this function without recording it")


def cast(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x in another precision"""
    return x.astype(dtype)


class Traced(NDArrayOperatorsMixin, Placeholder):
    """A recorded array. Its operations answer Traced arrays; its shape and dtype are known, its numbers are not."""

    __slots__ = ("value", "graph", "flags")
    base = None

    def __init__(self, graph: Graph, value: Value):
        self.graph, self.value = graph, value
        self.flags = SimpleNamespace(writeable=True, c_contiguous=False)

    shape = property(lambda self: self.value.array.shape)
    ndim = property(lambda self: self.value.array.ndim)
    size = property(lambda self: self.value.array.size)
    dtype = property(lambda self: self.value.array.dtype)
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))

    # ---------------------------------------------------------------------------------- NumPy's own two doors

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, out: Any = (), where: Any = True,
                        **kwargs: Any) -> Any:
        name = f"np.{ufunc.__name__}.{method}".removesuffix(".__call__")
        if method == "at" or where is not True:
            self._refuse(name if method == "at" else f"{name} with where=", "changes single numbers")
        result = self._call(ufunc if method == "__call__" else getattr(ufunc, method), *args, **kwargs)
        if not out:
            return result
        if len(out) != 1 or not isinstance(out[0], Traced):
            self._refuse(f"{name} with out=", "writes into an array that is not recorded")
        return out[0]._rebind(result)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        if function in ABOUT_SHAPE:
            args, kwargs = tree_map(lambda x: x.value.array if isinstance(x, Traced) else x, (args, kwargs))
            return function(*args, **kwargs)
        if function in REFUSED:
            self._refuse(f"np.{function.__name__}", REFUSED[function])
        if function is np.where and len(args) == 1:
            self._refuse("np.where", REFUSED[np.nonzero])
        if function in AS_METHODS and isinstance(args[0], Traced):
            return getattr(args[0], function.__name__)(*args[1:], **kwargs)
        if kwargs.get("out") is not None:
            self._refuse(f"np.{function.__name__} with out=", "writes into an array that is not recorded")
        return self._call(function, *args, **kwargs)

    def _call(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        return record_call(self.graph, function, args, kwargs)

    # ------------------------------------------------------------------------------------------------- methods

    def reshape(self, *shape: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if self.dtype == np.dtype(dtype):
            return self.copy() if copy else self
        return self._call(cast, self, np.dtype(dtype))

    def copy(self) -> Traced:
        return Traced(self.graph, self.value)

    def ravel(self) -> Any:
        return np.reshape(self, -1)

    def mean(self, axis: Any = None, **kwargs: Any) -> Any:
        total = self.sum(axis, **kwargs)
        return total / (self.size // max(total.size, 1))

    def clip(self, low: Any = None, high: Any = None) -> Any:
        x = self if low is None else np.maximum(self, low)
        return x if high is None else np.minimum(x, high)

    def __pow__(self, p: Any) -> Any:
        simple = POWERS.get(p) if isinstance(p, int | float) else None
        return simple(self) if simple else np.power(self, p)

    def __getitem__(self, key: Any) -> Any:
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, Traced) and part.dtype == bool:
                self._refuse("x[mask]", "has a shape that depends on values")
        return self._call(operator.getitem, self, key)

    # ------------------------------------------------------------------------------------------------- changes

    def __setitem__(self, key: Any, new: Any) -> None:
        if key is not Ellipsis and key != slice(None):
            self._refuse("x[key] = y", "changes a part of an array")
        self._rebind(self._call(np.broadcast_to, new, self.shape))

    def _rebind(self, result: Traced) -> Traced:
        """A change in place: the name stands for the new value from now on."""
        value = self.value
        if self.ndim == 0 and value.function:  # a number of NumPy's is never changed in place
            return result
        if not self.flags.writeable or value.base or value.viewed or not value.function:
            self._refuse("a change in place", "would reach an array that others look at")
        self.value = result.astype(self.dtype).value
        return self

    # ------------------------------------------------------------------------------------------------ refusals

    def _refuse(self, what: str, why: str) -> Any:
        raise RecordError(f"record: {what} {why} (a {self.dtype} array of shape {self.shape}, made by "
                          f"{self.value.name!r}). {ADVICE}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse(f"x.{name}", "has no recorded form")

    def __bool__(self) -> bool:
        return self._refuse("an if, and or while on a recorded array", "chooses a way by its value")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._refuse("np.asarray or the like", "takes the numbers of a recorded array out of the program")

    def __float__(self) -> float:
        return self._refuse("float()", "takes the number of a recorded array out of the program")

    __int__ = __index__ = __complex__ = item = tolist = __float__

    def __len__(self) -> int:
        return len(self.value.array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Traced({self.value.name}, {self.dtype}, {self.shape})"


for _function in (np.swapaxes, np.squeeze, np.dot):
    setattr(Traced, _function.__name__, lambda self, *args, _f=_function, **kwargs: _f(self, *args, **kwargs))
for _name, _ufunc in dict(sum=np.add, max=np.maximum, min=np.minimum, prod=np.multiply, all=np.logical_and,
                          any=np.logical_or).items():
    setattr(Traced, _name, lambda self, axis=None, _u=_ufunc, **kwargs: _u.reduce(self, axis=axis, **kwargs))


def record_call(graph: Graph, function: Callable, args: Any, kwargs: dict) -> Any:
    """Write the call down; the answer is Traced, a tuple of them where the function has several results."""
    if function in (np.dot, np.matmul) and _is_thin(*args):
        return _by_terms(*args)
    value = graph.call(function, *tree_map(lambda x: x.value if isinstance(x, Traced) else x, (args, kwargs)))
    if not isinstance(value.array, tuple | list):
        return Traced(graph, value)
    parts = [Traced(graph, graph.call(item, (value, i), {})) for i in range(len(value.array))]
    return type(value.array)(*parts) if hasattr(value.array, "_fields") else tuple(parts)


def _is_thin(a: Any, b: Any) -> bool:
    """Whether a matrix product sums over one or two terms only."""
    return (np.ndim(a) == 2 == np.ndim(b) and 1 <= a.shape[1] <= 2 and a.shape[1] == b.shape[0]
            and a.dtype.kind == b.dtype.kind == "f")


def _by_terms(a: Any, b: Any) -> Any:
    """a b = sum_k a_k b_k': a loop is faster at that than BLAS, and takes in the operations around it."""
    first, *rest = (a[:, k:k + 1] * b[k:k + 1] for k in range(a.shape[1]))
    return first + rest[0] if rest else first
