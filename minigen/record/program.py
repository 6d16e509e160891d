"""The compiled program: memory laid out, loops generated, and a flat list of calls that a replay goes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigen.autodiff.containers import tree_map

from .graph import RecordError, Value, living, substitute, values_in
from .loops import nest
from .memory import ALIGNMENT, laid_like, layout
from .plan import Item, Plan, covers
from .tracing import Draw, Trace, Whole, WholeRule


class Program:
    """What a recorded function became: `run(arrays, generators)` computes it again in the same memory.

    places: results that must be written to a given array, in pairs.
    bytes_live: the most that values need at any one time; bytes_held: what the program holds for them.
    block: (value, first byte, first step, last step) for each value in the common block; steps as in `plan.items`.
    """

    def __init__(self, trace: Trace, places: list[tuple[Value, np.ndarray]] = ()):
        results = list(values_in(_listed(trace.results)))
        self.trace = trace
        self.values = living(trace.values, results + trace.inputs)
        self.plan = Plan(self.values, results)
        self._by_order = {value.order: value for value in self.values}
        self._arrays: dict[int, Any] = {}
        self.steps: list[tuple[Callable, tuple]] = []
        self.loops: list[tuple[str, Item]] = []
        self.allocating: list[Value] = []
        copies = self._take_places(places)
        self._allocate()
        self.inputs, self.sources = [self.array(value) for value in trace.inputs], trace.sources
        self._emit()
        for value, place in copies:
            self._step(np.copyto, place, self.array(value))
        self.results = tree_map(lambda v: _read_only(self.array(v)), trace.results)

    def __repr__(self) -> str:
        return (f"Program({len(self.values)} values in {len(self.plan.items)} steps, {len(self.steps)} calls, "
                f"{self.bytes_held} bytes)")

    def __str__(self) -> str:
        from .show import listing

        return listing(self)

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
                array = value.array if value.function is None else _call(value, lambda v: found[v.order])
                found[value.order] = np.asarray(array) if isinstance(array, np.generic) else array
        return tree_map(lambda v: np.array(found[v.order]), self.trace.results)

    # --------------------------------------------------------------------------------------------------- memory

    def array(self, value: Value) -> np.ndarray:
        """The array of a value that is stored, or looks into one that is."""
        found = self._arrays.get(value.order)
        if found is None:
            found = self._arrays[value.order] = self._look(value)
        return found

    def _look(self, value: Value) -> Any:
        order = value.order
        if order in self.plan.home:
            joined, key = self.plan.home[order]
            return self._arrays[joined][key]
        if self.plan.kind[order] == "outside":
            if not isinstance(value.array, np.ndarray) or min(value.array.strides, default=0) >= 0:
                return value.array
            forwards = value.array.copy()  # loops only go forwards
            self._step(np.copyto, forwards, value.array)
            return forwards
        return _call(value, self.array)

    def memory(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        """The array of a value, and the one whose memory it looks into."""
        array, owner = self.array(value), self.array(self._owner(value))
        return array, owner if isinstance(owner, np.ndarray) else array

    def _owner(self, value: Value) -> Value:
        value = self.plan.base(value)
        while value.order in self.plan.home:
            value = self.plan.base(self._by_order[self.plan.home[value.order][0]])
        return value

    def _take_places(self, places: list[tuple[Value, np.ndarray]]) -> list[tuple[Value, np.ndarray]]:
        """Let results be computed where they are wanted; what cannot be is copied there at the end."""
        copies = []
        for value, place in places:
            order = value.order
            if order in self._arrays or order not in self.plan.stored or place.dtype != value.dtype:
                copies.append((value, place))
            else:
                self._arrays[order] = place
        return copies

    def lasting(self) -> list[Value]:
        """The values whose memory the results look into."""
        return [self._owner(self._by_order[order]) for order in sorted(self.plan.results)]

    def _allocate(self) -> None:
        """Give every stored value its place: one of its own where a result looks at it, else in the common block."""
        plan, own = self.plan, []
        lasting = {value.order for value in self.lasting()}
        for value in plan.values:
            order = value.order
            if order in self._arrays or order not in plan.stored or order in plan.home:
                continue
            if isinstance(value.array, tuple | list):
                self._arrays[order] = tuple(np.zeros_like(part) for part in value.array)
            elif order in lasting or self._keeps_zeros(value):
                self._arrays[order] = laid_like(np.zeros(value.array.size, value.dtype), value.array)
            else:
                own.append(value)
        last = self._last_uses()
        lives = [(v.array.nbytes, self._first(v), last.get(v.order, self._first(v))) for v in own]
        offsets, size = layout(lives)
        block = np.empty(size + ALIGNMENT, np.uint8)
        shift = -block.ctypes.data % ALIGNMENT
        for value, offset in zip(own, offsets):
            piece = block[shift + offset:shift + offset + value.array.nbytes]
            self._arrays[value.order] = laid_like(piece.view(value.dtype), value.array)
        self.bytes_held, self.bytes_live = size, _most_at_once(lives)
        self.block = [(value, offset, first, last) for value, offset, (_, first, last) in zip(own, offsets, lives)]

    def _keeps_zeros(self, value: Value) -> bool:
        """A joined array with gaps: the zeros are written once, so nobody else may use its memory."""
        return self.plan.kind[value.order] == "join" and not covers(value.shape, self.plan.joins[value.order])

    def _first(self, value: Value) -> int:
        if self.plan.kind[value.order] == "join":
            return min(self.plan.at[part.value.order] for part in self.plan.joins[value.order])
        return self.plan.at[value.order]

    def _last_uses(self) -> dict[int, int]:
        """The last item that reads the memory of a stored value, itself or through a view."""
        return {read.order: index for index, item in enumerate(self.plan.items) for read in self.reads(item)}

    def reads(self, item: Item) -> list[Value]:
        """The values whose memory a step reads, itself or through a view, each once."""
        found: dict[int, Value] = {}
        for value in item.values:
            for read in self.plan.leaves(value) if item.kind == "loop" else self.plan.reads(value):
                owner = self._owner(read)
                found[owner.order] = owner
        return list(found.values())

    def writes(self, item: Item) -> list[Value]:
        """The values whose memory a step writes, each once."""
        return list({owner.order: owner for owner in map(self._owner, item.values)}.values())

    # --------------------------------------------------------------------------------------------------- calls

    def _emit(self) -> None:
        for item in self.plan.items:
            getattr(self, f"_emit_{item.kind}")(item)

    def _emit_loop(self, item: Item) -> None:
        """One compiled function for each nest: equal nests of several layers are then compiled once."""
        from .compile import compiled

        signature = _Signature()
        lines = nest(item, self.plan, self.memory, signature.array, signature.length)
        source = "\n".join([f"def loops({', '.join(signature.parameters())}):", *lines, ""])
        self._step(compiled(source), *signature.arguments())
        self.loops.append((source, item))

    def _emit_product(self, item: Item) -> None:
        value, = item.values
        a, b = (self.array(v) for v in value.args)
        out = self.array(value)
        if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:  # one product over all rows
            a, out = a.reshape(-1, a.shape[-1]), out.reshape(-1, out.shape[-1])
        two = a.ndim <= 2 and b.ndim <= 2
        self._step(np.dot if two and out.flags.c_contiguous else np.matmul, a, b, out)

    def _step(self, function: Callable, *args: Any) -> None:
        self.steps.append((function, args))

    def _emit_draw(self, item: Item) -> None:
        value, = item.values
        draw, out = value.function, self.array(value)
        plain = set(value.kwargs) <= {"size", "dtype"} and len(value.args) <= 2
        if draw.method in Draw.INTO and plain and out.dtype.kind == "f" and out.flags.c_contiguous:
            self._step(_draw_into, draw.source, draw.method, out)
        else:
            self._emit_whole(value, out)

    def _emit_check(self, item: Item) -> None:
        value, = item.values
        self._step(value.function, *(self.array(v) for v in value.args))

    def _emit_join(self, item: Item) -> None:
        value, = item.values
        for part in self.plan.joins[value.order]:
            if self.plan.home.get(part.value.order, (None,))[0] != value.order:
                self._step(np.copyto, self.array(value)[part.key], self.array(part.value))

    def _emit_call(self, item: Item) -> None:
        value, = item.values
        out = self.array(value)
        if value.function is np.reshape:  # of an array that does not lie in order: a copy in the old shape
            self._step(np.copyto, out.reshape(value.args[0].shape), self.array(value.args[0]))
        elif isinstance(value.function, np.ufunc) and value.function.nout == 1 and not value.kwargs:
            self._step(value.function, *substitute(value.args, self.array), out)
        elif _is_reduce(value):
            axis, keepdims = value.kwargs["axis"], value.kwargs.get("keepdims", False)
            self._step(value.function, self.array(value.args[0]), axis, None, out, keepdims)
        elif isinstance(value.function, WholeRule):
            kwargs = {name: substitute(arg, self.array) for name, arg in value.kwargs.items()}
            self._step(_rule_into, value.function.rule.into, out, {}, substitute(value.args, self.array), kwargs)
        else:
            self._emit_whole(value, out)

    def _emit_whole(self, value: Value, out: Any) -> None:
        """A function that only knows how to answer a new array."""
        if not isinstance(value.function, Whole):
            self.allocating.append(value)
        kwargs = {name: substitute(arg, self.array) for name, arg in value.kwargs.items()}
        self._step(_copy_into, out, value.function, substitute(value.args, self.array), kwargs)


def _is_reduce(value: Value) -> bool:
    """Whether it is the reduction of a ufunc, which can write into a buffer."""
    owner = getattr(value.function, "__self__", None)
    return isinstance(owner, np.ufunc) and value.name.endswith(".reduce") and {"axis"} <= set(value.kwargs) <= {
        "axis", "keepdims"} and isinstance(value.args[0], Value)


class _Signature:
    """Names for the memory and the lengths that a compiled function is handed."""

    def __init__(self) -> None:
        self.arrays: dict[tuple, tuple[str, np.ndarray]] = {}
        self.lengths: dict[str, int] = {}

    def array(self, flat: np.ndarray) -> str:
        key = (flat.ctypes.data, flat.dtype)
        name, known = self.arrays.get(key, (f"m{len(self.arrays)}", flat))
        longest = flat if flat.size > known.size else known
        self.arrays[key] = (name, longest)
        return name

    def length(self, n: int) -> str:
        return next((name for name, length in self.lengths.items() if length == n), None) or self._new_length(n)

    def _new_length(self, n: int) -> str:
        name = f"n{len(self.lengths)}"
        self.lengths[name] = n
        return name

    def parameters(self) -> list[str]:
        return [*self.lengths, *(name for name, _ in self.arrays.values())]

    def arguments(self) -> list[Any]:
        return [*self.lengths.values(), *(flat for _, flat in self.arrays.values())]


def _call(value: Value, array_of: Callable[[Value], Any]) -> Any:
    kwargs = {name: substitute(arg, array_of) for name, arg in value.kwargs.items()}
    return value.function(*substitute(value.args, array_of), **kwargs)


def _draw_into(source: Any, method: str, out: np.ndarray) -> None:
    getattr(source.rng, method)(out=out, dtype=out.dtype)


def _copy_into(out: Any, function: Callable, args: Any, kwargs: dict) -> None:
    found = function(*args, **kwargs)
    for buffer, array in zip(out, found) if isinstance(out, tuple) else [(out, found)]:
        if np.shape(array) != buffer.shape:
            raise RecordError(f"replay: {getattr(function, '__name__', function)} answered an array of shape "
                              f"{np.shape(array)}, but {buffer.shape} when it was recorded")
        np.copyto(buffer, array)


def _rule_into(into: Callable, out: np.ndarray, scratch: dict, args: Any, kwargs: dict) -> None:
    into(out, scratch, *args, **kwargs)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = as_strided(array, array.shape, array.strides)
    view.flags.writeable = False
    return view


def _most_at_once(lives: list[tuple[int, int, int]]) -> int:
    """The largest number of bytes alive at one step."""
    changes: dict[int, int] = {}
    for size, first, last in lives:
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    most = now = 0
    for step in sorted(changes):
        now += changes[step]
        most = max(most, now)
    return most


def _listed(tree: Any) -> Any:
    """A nest with dicts made lists."""
    if isinstance(tree, dict):
        return [_listed(branch) for branch in tree.values()]
    return [_listed(branch) for branch in tree] if isinstance(tree, list | tuple) else tree
