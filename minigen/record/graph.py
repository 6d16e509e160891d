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


class Value:
    """y = function(*args, **kwargs); `array` is what came out while recording, `order` its place in the program.

    function is None for what comes from outside: an argument, or an array that is read anew in every replay.
    kind: "pure", "draw" (takes numbers from a generator) or "check" (raises where its first argument is false).
    """

    __slots__ = ("function", "args", "kwargs", "array", "order", "kind", "viewed", "_inputs")

    def __init__(self, function: Callable | None, args: tuple, kwargs: dict, array: Any, order: int, kind: str):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.array, self.order, self.kind, self.viewed = array, order, kind, False
        self._inputs = list(values_in((args, tuple(kwargs.values()))))

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)

    @property
    def name(self) -> str:
        """What the operation is called in a printed program."""
        if self.function is None:
            return "outside"
        name = getattr(self.function, "__name__", type(self.function).__name__)
        owner = getattr(self.function, "__self__", None)
        return f"{owner.__name__}.{name}" if isinstance(owner, np.ufunc) else name.strip("_")

    def inputs(self) -> list[Value]:
        """The values among the arguments, also inside lists and tuples."""
        return self._inputs


def values_in(tree: Any) -> Iterator[Value]:
    """Every Value of nested lists and tuples."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, list | tuple):
        for branch in tree:
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
        key = ("outside", id(array))
        if key not in self._known:
            self._known[key] = self._add(Value(None, (), {}, array, len(self.values), "pure"))
        return self._known[key]

    def call(self, function: Callable, args: tuple, kwargs: dict, kind: str = "pure") -> Value:
        """Compute function(*args, **kwargs) on the arrays at hand and write it down."""
        key = None
        if kind == "pure":
            key = (function, frozen(args), frozen(tuple(sorted(kwargs.items()))))
            try:
                if (known := self._known.get(key)) is not None:
                    self.repeated += 1
                    return known
            except TypeError:  # an argument that cannot be compared: nothing is shared
                key = None
        args, kwargs = _lift(self, args), {name: _lift(self, arg) for name, arg in kwargs.items()}
        concrete = {name: substitute(arg, _array) for name, arg in kwargs.items()}
        array = function(*substitute(args, _array), **concrete)
        if isinstance(array, np.generic | bool | int | float | complex):
            array = np.asarray(array)
        if not isinstance(array, np.ndarray | tuple | list):
            raise RecordError(f"record: {getattr(function, '__name__', function)} answers {type(array).__name__}; only "
                              "functions that answer arrays have a recorded form")
        value = self._add(Value(function, args, kwargs, array, len(self.values), kind))
        if key is not None:
            self._known[key] = value
        return value

    def _add(self, value: Value) -> Value:
        self.values.append(value)
        return value


def _array(value: Value) -> Any:
    return value.array


def _lift(graph: Graph, tree: Any) -> Any:
    """Arrays that are not recorded themselves enter the program as values from outside."""
    return tree_map(lambda x: graph.outside(x) if isinstance(x, np.ndarray) else x, tree)


def frozen(tree: Any) -> Any:
    """A key under which two equal arguments are found: numbers by type and digits, arrays by identity."""
    if isinstance(tree, Value):
        return ("value", tree.order)
    if isinstance(tree, np.ndarray):
        return ("array", id(tree))
    if isinstance(tree, list | tuple):
        return (type(tree).__name__, *(frozen(branch) for branch in tree))
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
    needed = {v.order for v in results} | {v.order for v in values if v.kind != "pure"}
    for value in reversed(values):
        if value.order in needed:
            needed.update(v.order for v in value.inputs())
    return [value for value in values if value.order in needed]
