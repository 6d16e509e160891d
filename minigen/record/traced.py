"""What stands for an array while a function is recorded: it computes like one, and writes down what was computed.

Every way in which NumPy code can work on an array ends in one of a few doors: an operator, a ufunc, a function of
NumPy, a method, a change in place. Those are written down. The doors through which a number would reach Python (an
`if`, a `float`) are closed, because the replay could not take another way there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigen.autodiff.containers import tree_map
from minigen.autodiff.tensor import Placeholder, Tensor

from .graph import Graph, RecordError, Value

ABOUT_SHAPE = {np.shape, np.ndim, np.size, np.result_type, np.zeros_like, np.ones_like, np.empty_like, np.full_like,
               np.iscomplexobj, np.broadcast_shapes, np.may_share_memory, np.shares_memory}
VIEWS = {np.reshape, np.transpose, np.expand_dims, np.squeeze, np.broadcast_to, np.swapaxes, np.moveaxis, np.ravel,
         np.diagonal, np.flip, operator.getitem}
IN_PLACE = {np.copyto, np.put, np.putmask, np.place, np.put_along_axis, np.fill_diagonal}
OF_UNKNOWN_SHAPE = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.extract, np.compress, np.union1d,
                    np.intersect1d, np.setdiff1d, np.trim_zeros, np.unique_values}
REDUCTIONS = {np.sum: np.add.reduce, np.max: np.maximum.reduce, np.min: np.minimum.reduce,
              np.prod: np.multiply.reduce, np.all: np.logical_and.reduce, np.any: np.logical_or.reduce}
POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


def cast(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x in another precision"""
    return x.astype(dtype)


def item(parts: Any, i: int) -> Any:
    """One of several results"""
    return parts[i]


class Traced(Placeholder):
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
    T = property(lambda self: self._call(np.transpose, self))
    mT = property(lambda self: self._call(np.swapaxes, self, -1, -2))

    def _call(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        return record_call(self.graph, function, args, kwargs)

    # ---------------------------------------------------------------------------------- NumPy's own two doors

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, out: Any = (), **kwargs: Any) -> Any:
        if method == "at" or "where" in kwargs and kwargs["where"] is not True:
            self._refuse(f"np.{ufunc.__name__}{'.at' if method == 'at' else ' with where='}", "changes single numbers")
        kwargs.pop("where", None)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        result = self._call(function, *args, **kwargs)
        if not out:
            return result
        if len(out) != 1 or not isinstance(out[0], Traced):
            self._refuse(f"np.{ufunc.__name__} with out=", "writes into an array that is not recorded")
        return out[0]._rebind(result)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        if function in ABOUT_SHAPE:
            return function(*_concrete(args), **{k: _concrete(v) for k, v in kwargs.items()})
        if function in REDUCTIONS:
            return _reduce(self, REDUCTIONS[function], args[0], *args[1:], **kwargs)
        if function is np.mean:
            return _mean(*args, **kwargs)
        if function is np.clip:
            return _clip(*args, **kwargs)
        if function in IN_PLACE:
            self._refuse(f"np.{function.__name__}", "changes a part of an array")
        if function in OF_UNKNOWN_SHAPE or function is np.where and len(args) + len(kwargs) == 1:
            self._refuse(f"np.{function.__name__}", "has a shape that depends on values")
        if kwargs.get("out") is not None:
            self._refuse(f"np.{function.__name__} with out=", "writes into an array that is not recorded")
        return self._call(function, *args, **kwargs)

    # ------------------------------------------------------------------------------------------------- methods

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return _reduce(self, np.add.reduce, self, axis, keepdims=keepdims, dtype=dtype)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return _reduce(self, np.maximum.reduce, self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return _reduce(self, np.minimum.reduce, self, axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        return _reduce(self, np.logical_and.reduce, self, axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        return _reduce(self, np.logical_or.reduce, self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return _mean(self, axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Any:
        return self._call(np.reshape, self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        if not axes or axes == (None,):
            return self.T
        return self._call(np.transpose, self, tuple(axes[0]) if len(axes) == 1 else axes)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if self.dtype == np.dtype(dtype):
            return self.copy() if copy else self
        return self._call(cast, self, np.dtype(dtype))

    def copy(self) -> Traced:
        return Traced(self.graph, self.value)

    def ravel(self, order: str = "C") -> Any:
        return self._call(np.reshape, self, -1)

    def swapaxes(self, a: int, b: int) -> Any:
        return self._call(np.swapaxes, self, a, b)

    def squeeze(self, axis: Any = None) -> Any:
        return self._call(np.squeeze, self, axis)

    def dot(self, other: Any) -> Any:
        return self._call(np.dot, self, other)

    def clip(self, low: Any = None, high: Any = None) -> Any:
        return _clip(self, low, high)

    # ------------------------------------------------------------------------------------------------- changes

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if isinstance(part, Traced) and part.dtype == bool:
                self._refuse("x[mask]", "has a shape that depends on values")
        return self._call(operator.getitem, self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        if key is not Ellipsis and key != slice(None):
            self._refuse("x[key] = y", "changes a part of an array")
        self._rebind(self._call(np.broadcast_to, new, self.shape))

    def _rebind(self, result: Traced) -> Traced:
        """A change in place: the name stands for the new value from now on."""
        if not self.flags.writeable or self.value.function in VIEWS or self.value.viewed or not self.value.function:
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

    def __pow__(self, p: Any) -> Any:
        simple = POWERS.get(p) if isinstance(p, int | float) else None
        return self._call(simple, self) if simple else self._call(np.power, self, p)


ADVICE = ("A recorded program does the same operations every time, so Python must not see values inside it: choose "
          "with where(condition, a, b), stop with ensure(good, error), hand numbers back and look at them outside, or "
          "run this function without recording it")


def _operator(function: np.ufunc, swapped: bool = False, in_place: bool = False) -> Callable:
    def operate(self: Traced, other: Any) -> Any:
        if isinstance(other, Tensor):  # the Tensor's own operator knows what to do
            return NotImplemented
        result = self._call(function, *((other, self) if swapped else (self, other)))
        changes = in_place and (self.ndim or not self.value.function)  # a number of NumPy's is never changed in place
        return self._rebind(result) if changes else result

    return operate


for _name, _function in dict(add=np.add, sub=np.subtract, mul=np.multiply, truediv=np.true_divide, matmul=np.matmul,
                             floordiv=np.floor_divide, mod=np.remainder, pow=np.power, and_=np.bitwise_and,
                             or_=np.bitwise_or, xor=np.bitwise_xor).items():
    _name = _name.strip("_")
    setattr(Traced, f"__r{_name}__", _operator(_function, swapped=True))
    setattr(Traced, f"__i{_name}__", _operator(_function, in_place=True))
    if _name != "pow":
        setattr(Traced, f"__{_name}__", _operator(_function))
for _name, _function in dict(lt=np.less, le=np.less_equal, gt=np.greater, ge=np.greater_equal, eq=np.equal,
                             ne=np.not_equal).items():
    setattr(Traced, f"__{_name}__", _operator(_function))
Traced.__neg__ = lambda self: self._call(np.negative, self)
Traced.__pos__ = lambda self: self.copy()
Traced.__abs__ = lambda self: self._call(np.absolute, self)
Traced.__invert__ = lambda self: self._call(np.invert, self)
Traced.__hash__ = object.__hash__


def record_call(graph: Graph, function: Callable, args: Any, kwargs: dict, kind: str = "pure") -> Any:
    """Write the call down; the answer is Traced, a tuple of them where the function has several results."""
    if function in (np.dot, np.matmul) and _is_thin(*args):
        return _by_terms(*args)
    args, kwargs = _values(args), {k: _values(v) for k, v in kwargs.items() if v is not np._NoValue}
    value = graph.call(function, args, kwargs, kind)
    if function in VIEWS:
        for viewed in value.inputs():
            viewed.viewed = True
    if not isinstance(value.array, tuple | list):
        return Traced(graph, value)
    parts = [Traced(graph, graph.call(item, (value, i), {})) for i in range(len(value.array))]
    return type(value.array)(*parts) if hasattr(value.array, "_fields") else tuple(parts)


def _is_thin(a: Any, b: Any) -> bool:
    """Whether a matrix product sums over one or two terms only."""
    return (len(np.shape(a)) == 2 == len(np.shape(b)) and 1 <= a.shape[1] <= 2 and a.shape[1] == b.shape[0]
            and a.dtype.kind == b.dtype.kind == "f")


def _by_terms(a: Any, b: Any) -> Any:
    """a b = sum_k a_k b_k': a loop is faster at that than BLAS, and takes in the operations around it."""
    first, *rest = (a[:, k:k + 1] * b[k:k + 1] for k in range(a.shape[1]))
    return first + rest[0] if rest else first


def _values(tree: Any) -> Any:
    return tree_map(lambda x: x.value if isinstance(x, Traced) else x, tree)


def _concrete(tree: Any) -> Any:
    return tree_map(lambda x: x.value.array if isinstance(x, Traced) else x, tree)


def _reduce(door: Traced, function: Callable, x: Any, axis: Any = None, dtype: Any = None, out: Any = None,
            keepdims: Any = False, initial: Any = np._NoValue, where: Any = True) -> Any:
    if out is not None or where is not True:
        door._refuse(f"{function.__self__.__name__}.reduce with out= or where=", "has no recorded form")
    kwargs = {"axis": tuple(axis) if isinstance(axis, list) else axis, "keepdims": bool(keepdims)}
    if dtype is not None:
        kwargs["dtype"] = dtype
    if initial is not np._NoValue and not (x.size and abs(initial) == np.inf):  # infinity is where max and min begin
        kwargs["initial"] = initial
    return record_call(door.graph, function, (x,), kwargs)


def _mean(x: Traced, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    total = _reduce(x, np.add.reduce, x, axis, dtype, out, keepdims is True)
    count = x.size // max(total.size, 1)
    return total / (count if total.dtype.kind == "f" else float(count))


def _clip(x: Any, low: Any = None, high: Any = None, out: Any = None) -> Any:
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high, out=out)
