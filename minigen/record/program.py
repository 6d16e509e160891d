"""The compiled program: memory laid out, loops generated, and a flat list of calls that a replay goes through."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigen.autodiff.containers import tree_map

from .graph import RecordError, Value, Whole, living, substitute, values_in
from .loops import nest
from .memory import ALIGNMENT, laid_like, layout
from .operations import call_into, keeps_zeros
from .plan import Item, Plan
from .tracing import Trace


class Program:
    """What a recorded function became: `run(arrays, generators)` computes it again in the same memory.

    places: results that must be written to a given array, in pairs.
    bytes_held: the size of the common block; block: (value, first byte, first step, last step) for each value in it,
    steps as in `plan.items`. allocating: what asks for memory in every run.
    """

    def __init__(self, trace: Trace, places: list[tuple[Value, np.ndarray]] = ()):
        results = list(values_in(trace.results))
        self.trace = trace
        self.values = living(trace.values, results + trace.inputs)
        self.plan = Plan(self.values, results)
        self._arrays: dict[int, Any] = {}
        self.steps: list[tuple[Callable, tuple]] = []
        self.loops: list[tuple[str, Item]] = []
        self.allocating: list[Value] = []
        for value, place in places:
            fits = value.dtype == place.dtype and value.array.flags.c_contiguous  # views are what they were recorded on
            if fits and value.order in self.plan.stored:
                self._arrays.setdefault(value.order, place)
        self._allocate({self.plan.base(v).order for v in results})
        for item in self.plan.items:
            self.steps.append(self._loop(item) if item.kind == "loop" else self._call(item.kind, item.values[0]))
        for value, place in places:  # what could not be computed where it is wanted
            if self.array(value) is not place:
                self.steps.append((np.copyto, (place, self.array(value))))
        self.inputs, self.sources = [self.array(value) for value in trace.inputs], trace.sources
        self.results = tree_map(lambda v: _read_only(self.array(v)), trace.results)

    def __repr__(self) -> str:
        return (f"Program({len(self.values)} values in {len(self.plan.items)} steps, {len(self.steps)} calls, "
                f"{self.bytes_held} bytes)")

    def __str__(self) -> str:
        from .show import listing

        return listing(self)

    @property
    def bytes_live(self) -> int:
        """The most that the values in the block need at any one time."""
        changes = np.zeros(len(self.plan.items) + 1, int)
        for value, _, first, last in self.block:
            changes[[first, last + 1]] += value.array.nbytes, -value.array.nbytes
        return int(changes.cumsum().max())

    def draw(self, ax: Any = None) -> Any:
        """A figure of the steps, with what passes between them (`record/pictures.py`)."""
        from .pictures import draw

        return draw(self, ax)

    def draw_memory(self) -> Any:
        """A figure of the memory over the steps, without and with reuse (`record/pictures.py`)."""
        from .pictures import draw_memory

        return draw_memory(self)

    def run(self, arrays: list[np.ndarray], generators: list[np.random.Generator]) -> Any:
        """Compute anew; the results are the program's own arrays, which the next run overwrites."""
        for buffer, array in zip(self.inputs, arrays):
            np.copyto(buffer, array)
        for source, rng in zip(self.sources, generators):
            source.rng = rng
        for function, args in self.steps:
            function(*args)
        return self.results

    def interpret(self, arrays: list[np.ndarray], generators: list[np.random.Generator]) -> Any:
        """The same, one NumPy call per recorded operation: what `run` is tested against."""
        found: dict[int, Any] = {value.order: array for value, array in zip(self.trace.inputs, arrays)}
        for source, rng in zip(self.sources, generators):
            source.rng = rng
        for value in self.values:
            if value.order not in found:
                found[value.order] = value.compute(lambda v: found[v.order]) if value.function else value.array
        return tree_map(lambda v: np.array(found[v.order]), self.trace.results)

    # --------------------------------------------------------------------------------------------------- memory

    def array(self, value: Value) -> Any:
        """The array of a value that is stored, or looks into one that is."""
        if value.order not in self._arrays:
            self._arrays[value.order] = value.compute(self.array) if value.function else value.array
        return self._arrays[value.order]

    def memory(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        """The array of a value, and the one whose memory it looks into."""
        base = self.plan.base(value)
        array, root = self.array(value), self.array(self.plan.around.get(base.order, base))
        return array, root if isinstance(root, np.ndarray) else array

    def reads(self, item: Item) -> list[Value]:
        """The values whose memory a step reads, itself or through a view, each once."""
        return self.plan.reads(item)

    def writes(self, item: Item) -> list[Value]:
        """The values whose memory a step writes."""
        return [] if item.kind == "check" else item.values

    def _allocate(self, lasting: set[int]) -> None:
        """Give every stored value its place: one of its own where a result looks at it, else in the common block."""
        plan = self.plan
        last = {read.order: index for index, item in enumerate(plan.items) for read in plan.reads(item)}
        lives = []
        for value in plan.values:
            order, array = value.order, value.array
            if order not in plan.stored or order in self._arrays:
                continue
            if around := plan.around.get(order):
                self._arrays[around.order] = np.zeros(around.shape, around.dtype)
                self._arrays[order] = self._arrays[around.order][around.args[2:]]
            elif isinstance(array, tuple | list):
                self._arrays[order] = tuple(map(np.empty_like, array))
            elif order in lasting or keeps_zeros(value):
                self._arrays[order] = laid_like(np.zeros(array.size, array.dtype), array)
            else:
                lives.append((value, plan.at[order], last.get(order, plan.at[order])))
        offsets, self.bytes_held = layout([(value.array.nbytes, first, end) for value, first, end in lives])
        block = np.empty(self.bytes_held + ALIGNMENT, np.uint8)
        block = block[-block.ctypes.data % ALIGNMENT:]
        self.block = [(value, begin, first, end) for begin, (value, first, end) in zip(offsets, lives)]
        for value, begin, *_ in self.block:
            piece = block[begin:begin + value.array.nbytes]
            self._arrays[value.order] = laid_like(piece.view(value.dtype), value.array)

    # --------------------------------------------------------------------------------------------------- calls

    def _loop(self, item: Item) -> tuple[Callable, tuple]:
        """One compiled function for each nest: equal nests of several layers are then compiled once."""
        from .compile import compiled

        source, arguments = nest(item, self.plan, self.memory)
        self.loops.append((source, item))
        return compiled(source), tuple(arguments)

    def _call(self, kind: str, value: Value) -> tuple[Callable, tuple]:
        args, kwargs = substitute((value.args, value.kwargs), self.array)
        if kind == "check":
            return value.function, args
        out = self.array(value)
        if kind == "product":
            return _product(*args, out)
        if keeps_zeros(value):
            return operator.setitem, (out, args[2:], args[0])
        call = call_into(value.function, out, args, kwargs)
        if call is None and (kind == "draw" or not isinstance(value.function, Whole)):  # which has its own workspaces
            self.allocating.append(value)
        return call or (_copy_into, (out, value.function, args, kwargs))


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> tuple[Callable, tuple]:
    if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:  # one product over all rows
        a, out = a.reshape(-1, a.shape[-1]), out.reshape(-1, out.shape[-1])
    return np.dot if a.ndim <= 2 and b.ndim <= 2 else np.matmul, (a, b, out)


def _copy_into(out: Any, function: Callable, args: Any, kwargs: dict) -> None:
    found = function(*args, **kwargs)
    for buffer, array in zip(out, found) if isinstance(out, tuple) else [(out, found)]:
        if np.shape(array) != buffer.shape:
            raise RecordError(f"replay: {getattr(function, '__name__', function)} answered an array of shape "
                              f"{np.shape(array)}, but {buffer.shape} when it was recorded")
        np.copyto(buffer, array)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = as_strided(array, array.shape, array.strides)
    view.flags.writeable = False
    return view
