"""The graph of a recorded function: one `Value` per array, made by a NumPy function from earlier ones.

What the function did is written down at the level of NumPy, below the gradient rules: a backward pass is recorded
like everything else, and a `Value` can always be computed again by calling its function on arrays, which is what the
compiled program is tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigen.autodiff.containers import tree_map


class RecordError(RuntimeError):
    """The function cannot be recorded; the message says which operation asked for what."""


class Whole:
    """A function that is not NumPy's: computed as it stands in every replay.

    kind: "call", "draw" (takes numbers from a generator) or "check" (raises where its first argument is false).
    alike: calls of functions that are alike in this are shared as those of one function; by default no two are.
    into: into(out, args, kwargs) writes function(*args, **kwargs) into an array, where there is a way to do that.
    """

    def __init__(self, name: str, function: Callable, kind: str = "call", into: Callable | None = None,
                 alike: Any = None):
        self.__name__, self.function, self.kind, self.into, self.alike = name, function, kind, into, alike or self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def item(parts: Any, i: int) -> Any:
    """One of several results"""
    return parts[i]


class Value:
    """y = function(*args, **kwargs); `array` is what came out while recording, `order` its place in the program.

    function is None for what comes from outside: an argument, or an array that is read anew in every replay.
    base: the value in whose memory NumPy let the answer lie, if it did; viewed: whether this is the base of another.
    """

    __slots__ = ("function", "args", "kwargs", "inputs", "array", "order", "base", "viewed")

    def __init__(self, function: Callable | None, args: tuple, kwargs: dict, array: Any, order: int):
        self.function, self.args, self.kwargs, self.array, self.order = function, args, kwargs, array, order
        self.inputs = list(values_in([args, kwargs]))
        self.base, self.viewed = self._looked_at(), False
        if self.base is not None:
            self.base.viewed = True

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)

    def _looked_at(self) -> Value | None:
        first = self.args[0] if self.args else None
        if not isinstance(first, Value) or isinstance(self.function, Whole):
            return None
        if self.function is item:
            return first
        arrays = isinstance(self.array, np.ndarray) and isinstance(first.array, np.ndarray)
        return first if arrays and np.may_share_memory(self.array, first.array) else None

    @property
    def name(self) -> str:
        """What the operation is called in a printed program."""
        if self.function is None:
            return "outside"
        name = getattr(self.function, "__name__", type(self.function).__name__)
        owner = getattr(self.function, "__self__", None)
        return f"{owner.__name__}.{name}" if isinstance(owner, np.ufunc) else name.strip("_")

    def compute(self, array_of: Callable[[Value], Any]) -> Any:
        """The answer of the function to other arrays."""
        return self.function(*substitute(self.args, array_of), **substitute(self.kwargs, array_of))


def values_in(tree: Any) -> Iterator[Value]:
    """Every Value of a nest."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, list | tuple | dict):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from values_in(branch)


def substitute(tree: Any, array_of: Callable[[Value], Any]) -> Any:
    """The same nest with every Value replaced."""
    return tree_map(lambda x: array_of(x) if isinstance(x, Value) else x, tree)


class Graph:
    """Values in the order in which they were made. The same operation on the same values is made once.

    repeated: how often an operation was asked for that had been made already.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.repeated = 0
        self._known: dict[Any, Value] = {}

    def outside(self, array: np.ndarray) -> Value:
        """The value that stands for an array that exists already; one for each array."""
        if id(array) not in self._known:
            self._known[id(array)] = self._add(None, (), {}, array)
        return self._known[id(array)]

    def call(self, function: Callable, args: tuple, kwargs: dict) -> Value:
        """Compute function(*args, **kwargs) on the arrays at hand and write it down."""
        args, kwargs = tree_map(self._entered, (args, kwargs))
        key = (getattr(function, "alike", function), frozen(args), frozen(tuple(sorted(kwargs.items()))))
        try:
            known = self._known.get(key)
        except TypeError:  # an argument that cannot be compared: nothing is shared
            key = known = None
        if known is not None:
            self.repeated += 1
            return known
        array = function(*substitute(args, _array), **substitute(kwargs, _array))
        if isinstance(array, np.generic | bool | int | float | complex):
            array = np.asarray(array)
        if not isinstance(array, np.ndarray | tuple | list):
            raise RecordError(f"record: {getattr(function, '__name__', function)} answers {type(array).__name__}; only "
                              "functions that answer arrays have a recorded form")
        value = self._add(function, args, kwargs, array)
        if key is not None:
            self._known[key] = value
        return value

    def _add(self, function: Callable | None, args: tuple, kwargs: dict, array: Any) -> Value:
        self.values.append(Value(function, args, kwargs, array, len(self.values)))
        return self.values[-1]

    def _entered(self, x: Any) -> Any:
        """Arrays that are not recorded themselves enter the program as values from outside."""
        return self.outside(x) if isinstance(x, np.ndarray) else x


def _array(value: Value) -> Any:
    return value.array


def frozen(tree: Any) -> Any:
    """A key under which two equal arguments are found: numbers by type and digits, arrays by their place."""
    if isinstance(tree, Value):
        return ("value", tree.order)
    if isinstance(tree, list | tuple):
        return (type(tree).__name__, *map(frozen, tree))
    if isinstance(tree, int | float | np.generic | slice | np.dtype):
        return (type(tree).__name__, repr(tree))
    return tree


def difference(first: list[Value], second: list[Value]) -> str | None:
    """How two recordings of one function differ, or None: a difference means that it computes something in Python."""
    for a, b in zip(first, second):
        if a.name != b.name:
            return f"operation {a.order} was {a.name}, then {b.name}"
        if a.function is None and not _same(a.array, b.array):
            return f"an array of shape {np.shape(a.array)} was computed outside the recorded operations"
        for i, (x, y) in enumerate(zip([*a.args, *a.kwargs.values()], [*b.args, *b.kwargs.values()])):
            if not callable(x) and frozen(x) != frozen(y):
                return f"argument {i} of {a.name} (operation {a.order}) was {x!r:.40}, then {y!r:.40}"
    if len(first) != len(second):
        return f"there were {len(first)} operations, then {len(second)}"
    return None


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def living(values: list[Value], results: list[Value]) -> list[Value]:
    """The values that a result depends on, and what draws or checks: the rest is dead code."""
    needed = {v.order for v in results} | {v.order for v in values if getattr(v.function, "kind", "call") != "call"}
    for value in reversed(values):
        if value.order in needed:
            needed.update(v.order for v in value.inputs)
    return [value for value in values if value.order in needed]
