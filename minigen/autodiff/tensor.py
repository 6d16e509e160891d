"""The tape: a `Tensor` is an array that remembers the rule and the arguments that made it.

Only three things are needed for reverse mode: a value, the node that made it, and an order in which nodes were made.
The rules live in `rules.py`, the backward pass in `backward.py`; operators are added to `Tensor` by `operators.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

ArrayLike = Any
_ticks = itertools.count()
_recording = True
recorder: Any = None  # set by minigen.record while a function is recorded; then every rule is handed to it


class Placeholder:
    """What stands for a plain array while a function is recorded."""

    __slots__ = ()


class Node:
    """One application of a rule: y = rule(*args, **kwargs), in the order of `tick`.

    `values` are the plain arrays of `args` at the time of recording; the node keeps them, not the Tensor it made,
    so a graph holds no reference cycle and dies with its last Tensor. `wanted` says which arguments take a cotangent.
    """

    __slots__ = ("rule", "args", "values", "wanted", "kwargs", "y", "tick", "guard")

    def __init__(self, rule: Any, args: tuple, values: list, wanted: list[bool], kwargs: dict, y: np.ndarray):
        self.rule, self.args, self.values, self.wanted = rule, args, values, wanted
        self.kwargs, self.y = kwargs, y
        self.tick = next(_ticks)
        self.guard = hold(args, values)
        y.flags.writeable = False

    def free(self) -> None:
        """Let go of everything the backward pass needed."""
        self.args = self.values = self.y = self.guard = None


class Tensor:
    """An array with a gradient: `Tensor(data, requires_grad=True)` is a leaf, every other Tensor comes from a rule.

    data: ndarray of any shape (copied); grad: ndarray of the same shape after `backward`, else None.
    Raises TypeError when a gradient is asked of data that is not float32 or float64.
    """

    __slots__ = ("data", "grad", "requires_grad", "node", "__weakref__")
    __array_ufunc__ = None  # makes `ndarray * Tensor` call Tensor.__rmul__

    def __init__(self, data: ArrayLike, requires_grad: bool = False, dtype: Any = None):
        if isinstance(data, Tensor):
            data = data.data
        self.data = np.array(data, dtype=dtype)
        if self.data.dtype == object:
            raise TypeError(f"Tensor: data must be numbers in a rectangular array, got {type(data).__name__}")
        if requires_grad and self.data.dtype not in (np.float32, np.float64):
            raise TypeError(f"Tensor: requires_grad needs float32 or float64 data, got {self.data.dtype}")
        self.grad: np.ndarray | None = None
        self.requires_grad = requires_grad
        self.node: Node | None = None

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)

    def item(self) -> float:
        """The one number that it holds; raises ValueError for more than one."""
        return self.data.item()

    def numpy(self) -> np.ndarray:
        """A writable copy of the value."""
        return self.data.copy()

    def detach(self) -> Tensor:
        """The same value, cut off from the tape."""
        return wrap(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise TypeError("NumPy cannot take a Tensor that is on the tape: the gradient would stop there. Use the "
                            "functions of minigen.autodiff, or value(t) where a plain number is meant")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("a Tensor without axes cannot be iterated")
        return (self[i] for i in range(len(self.data)))

    def __float__(self) -> float:
        return float(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __setitem__(self, key: Any, new: Any) -> None:
        raise TypeError("a Tensor cannot be changed in place: the tape would not know. Use where, index_add or "
                        "concatenate to make a new one, or write to .data of a leaf between two steps")

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        body = np.array2string(self.data, precision=6, threshold=20, separator=", ", prefix="Tensor(")
        made = f", from {self.node.rule.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({body}, {self.dtype}{made})"


def wrap(data: np.ndarray, node: Node | None = None) -> Tensor:
    """A Tensor around an array that is not copied."""
    t = Tensor.__new__(Tensor)
    t.data, t.grad, t.requires_grad, t.node = data, None, node is not None, node
    return t


def value(x: ArrayLike) -> np.ndarray:
    """The plain array of a Tensor, array or number (no copy)."""
    if isinstance(x, Tensor):
        return x.data if recorder is None else recorder.lift(x)
    return x if isinstance(x, Placeholder) else np.asarray(x)


def is_recording() -> bool:
    """Whether operations on Tensors that require a gradient are recorded now."""
    return _recording


@contextmanager
def recording(on: bool) -> Iterator[None]:
    """Record, or do not record, inside the block."""
    global _recording
    before, _recording = _recording, on
    try:
        yield
    finally:
        _recording = before


def no_grad() -> Any:
    """Inside the block nothing is recorded: evaluation at the price of NumPy."""
    return recording(False)


_locks: dict[int, list] = {}


def nothing_held() -> bool:
    """Whether no living tape holds an array of its user."""
    return not _locks


class _Guard:
    """Gives arrays back to their user when it dies."""

    __slots__ = ("arrays",)

    def __init__(self, arrays: list):
        self.arrays = arrays

    def __del__(self) -> None:
        for array in self.arrays:
            held = _locks[id(array)]
            held[1] -= 1
            if held[1] == 0:
                del _locks[id(array)]
                _make_writeable(array)


def _make_writeable(array: np.ndarray) -> None:
    """NumPy refuses this to a view of a read-only base, as another tape may still hold one: it is unlocked between."""
    base = array.base
    if type(base) is np.ndarray and not base.flags.writeable:
        base.flags.writeable = True
        array.flags.writeable = True
        base.flags.writeable = False
    else:
        array.flags.writeable = True


def hold(args: tuple, values: list) -> _Guard | None:
    """Make the arrays that a node shares with its user (leaves and constants) read-only for as long as it lives.

    Of a constant that is a view, the array it looks into is held as well; a leaf has its own. The results of
    operations are read-only for good; these are given back when the tape lets go of them.
    """
    arrays = []
    for arg, array in zip(args, values):
        while type(array) is np.ndarray:
            if array.flags.writeable:
                array.flags.writeable = False
                _locks[id(array)] = [array, 1]
            elif (held := _locks.get(id(array))) is not None:  # one more node holds it
                held[1] += 1
            else:  # read-only by itself
                break
            arrays.append(array)
            array = array.base if arg is array else None
    return _Guard(arrays) if arrays else None
