"""From a graph to a schedule: which values get memory, and which loops compute several of them at once.

A map that is used by maps of the same shape needs no memory: its expression is written into the loop that uses it.
The rest is stored: results of products, of reductions and of whole NumPy calls, and maps that those read, that are
seen in another shape, or that are costly and used twice. Stored maps and reductions over one shape share a loop
whenever the order of things allows; a value joins the earliest such loop after everything that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen.autodiff.indexing import scatter_forward

from .graph import Value
from .memory import laid_like
from .operations import HEAVY, PRODUCTS, basic, is_map, is_reduction, is_view
from .traced import item
from .tracing import Check, Draw

COSTLY, OF_A_HEAVY_ONE, LONGEST, WIDEST = 6, 10, 60, 24


@dataclass
class Item:
    """One step of the program. kind: loop, product, draw, check, join or call; a loop has a shape and many values."""

    kind: str
    values: list[Value]
    shape: tuple[int, ...] = ()
    reads: set[int] = field(default_factory=set)


@dataclass
class Part:
    """A piece of a joined array: `value` lies at `key` of it."""

    key: tuple
    value: Value


class Plan:
    """The schedule of a graph, and for every value what it is.

    kind: order -> "outside", "view", "map", "reduction", "product", "draw", "check", "join" or "call".
    stored: orders of the values that have memory of their own. at: order -> index of the item that makes it.
    joins: order -> the parts of a value that is put together from others (concatenated, or zeros around one part).
    """

    def __init__(self, values: list[Value], results: list[Value]):
        self.users: dict[int, list[Value]] = {v.order: [] for v in values}
        for value in values:
            for read in value.inputs():
                self.users[read.order].append(value)
        self.results = {v.order for v in results}
        joined = list(_joins(values))
        self.joins = {value.order: parts for value, parts in joined}
        bypassed = {v.order for value, _ in joined for v in self._bypassed(value)}
        self.values = [v for v in values if v.order not in bypassed]
        self.kind: dict[int, str] = {}
        self._forms: dict[int, Any] = {}
        for value in self.values:
            self.kind[value.order] = self._kind(value)
        self.stored = self._stored()
        self.home = {part.value.order: (order, part.key) for order, parts in self.joins.items() for part in parts
                     if self._lives_in(order, part.value)}
        self.items: list[Item] = []
        self.at: dict[int, int] = {}
        self._schedule()
        self._keep_in_registers()

    # ----------------------------------------------------------------------------------------------- what is what

    def _bypassed(self, value: Value) -> list[Value]:
        """The padded arrays of a sum of them, which nobody needs when the parts are laid side by side."""
        if value.function is not np.add:
            return []
        return [v for v in value.inputs()
                if v.function is scatter_forward and len(set(_orders(self.users[v.order]))) == 1
                and v.order not in self.results]

    def reads(self, value: Value) -> list[Value]:
        """What computing the value reads."""
        if value.order in self.joins:
            return [part.value for part in self.joins[value.order]]
        return value.inputs()

    def _kind(self, value: Value) -> str:
        if value.order in self.joins:
            return "join"
        if value.function is None:
            return "outside"
        if isinstance(value.function, Draw | Check):
            return value.kind
        if value.function in PRODUCTS and _is_product(value):
            return "product"
        if is_view(value) and self._only_looks(value):
            return "view"
        return "map" if is_map(value) else "reduction" if is_reduction(value) else "call"

    def _only_looks(self, value: Value) -> bool:
        """Whether NumPy answers a view here: a reshape of what does not lie in order must copy."""
        if value.function is item:
            return True
        looked = value.function(self._form(value.args[0]), *value.args[1:], **value.kwargs)
        shares = np.may_share_memory(looked, self._form(value.args[0])) or looked.size == 0
        if shares:
            self._forms[value.order] = looked
        return shares

    def _form(self, value: Value) -> np.ndarray:
        """An array that lies in memory as the value will."""
        if value.order not in self._forms:
            outside = value.function is None or value.function is item
            self._forms[value.order] = value.array if outside else laid_like(
                np.empty(value.array.size, value.dtype), value.array)
        return self._forms[value.order]

    def _stored(self) -> set[int]:
        """Orders of the values that need memory of their own."""
        stored = {v.order for v in self.values if self.kind[v.order] not in ("map", "view", "outside")}
        stored |= {order for order in self.results if self.kind[order] == "map"}
        for value in self.values:
            for read in self.reads(value):
                if self.kind[read.order] == "map" and not self._in_one_loop(value, read):
                    stored.add(read.order)
        cost: dict[int, int] = {}
        for value in self.values:
            if self.kind[value.order] not in ("map", "reduction"):
                continue
            own = OF_A_HEAVY_ONE if value.function in HEAVY else 1
            cost[value.order] = own + sum(cost.get(v.order, 0) for v in value.inputs() if v.order not in stored)
            users = len(set(_orders(self.users[value.order])))
            if users > 1 and cost[value.order] >= COSTLY or cost[value.order] > LONGEST:
                stored.add(value.order)
        return stored

    def _in_one_loop(self, user: Value, read: Value) -> bool:
        kind = self.kind[user.order]
        return (kind == "map" and user.shape == read.shape) or kind == "reduction"

    def _lives_in(self, order: int, part: Value) -> bool:
        """Whether a part of a joined array can be computed straight into its place."""
        return (self.kind[part.order] in ("map", "reduction") and len(self.users[part.order]) == 1
                and part.order not in self.results and part.order in self.stored)

    # --------------------------------------------------------------------------------------------------- schedule

    def base(self, value: Value) -> Value:
        """The value whose memory a view looks into."""
        while self.kind[value.order] == "view":
            value = value.args[0]
        return value

    def domain(self, value: Value) -> tuple[int, ...]:
        """The shape that a loop runs over to compute the value."""
        return value.args[0].shape if self.kind[value.order] == "reduction" else value.shape

    def leaves(self, value: Value) -> Iterator[Value]:
        """The stored values and views that a loop reads to compute a map or a reduction."""
        stack, seen = list(value.inputs()), set()
        while stack:
            read = stack.pop()
            if read.order in seen:
                continue
            seen.add(read.order)
            if self.kind[read.order] == "map" and read.order not in self.stored:
                stack.extend(read.inputs())
            else:
                yield read

    def _schedule(self) -> None:
        latest: dict[tuple, int] = {}
        del self._forms
        for value in self.values:
            kind = self.kind[value.order]
            if kind == "outside":
                self.at[value.order] = -1
            elif kind == "view":
                self.at[value.order] = self.at[self.base(value).order]
            elif kind == "join":
                self._place_join(value)
            elif kind in ("map", "reduction"):
                if value.order in self.stored:
                    self._place_in_loop(value, latest)
            else:
                self._append(Item(kind, [value]))

    def _keep_in_registers(self) -> None:
        """A map that only its own loop reads needs no memory: the loop has the number at hand."""
        readers: dict[int, set[int]] = {}
        for index, step in enumerate(self.items):
            for value in step.values:
                for read in self.leaves(value) if step.kind == "loop" else self.reads(value):
                    readers.setdefault(self.base(read).order, set()).add(index if self.base(read) is read else -1)
        for index, step in enumerate(self.items):
            spare = [v for v in step.values if self.kind[v.order] == "map" and v.order not in self.results
                     and v.order not in self.home and readers.get(v.order) == {index}]
            step.values = [v for v in step.values if v not in spare]
            self.stored -= set(_orders(spare))

    def _append(self, item: Item) -> None:
        self.at[item.values[-1].order] = len(self.items)
        self.items.append(item)

    def _place_join(self, value: Value) -> None:
        parts = self.joins[value.order]
        if all(self.home.get(part.value.order, (None,))[0] == value.order for part in parts):
            self.at[value.order] = max(self.at[part.value.order] for part in parts)
        else:
            self._append(Item("join", [value]))

    def _place_in_loop(self, value: Value, latest: dict[tuple, int]) -> None:
        shape, first, near = self.domain(value), 0, -1
        leaves = list(self.leaves(value))
        for leaf in leaves:
            at = self.at[leaf.order]
            here = self.kind[leaf.order] == "map" and leaf.shape == shape  # made in the same loop, at the same place
            first, near = max(first, at if here else at + 1), max(near, at)
        for index in (near, near + 1, latest.get(shape, -1)):
            if first <= index < len(self.items) and self._fits(self.items[index], shape, leaves):
                break
        else:
            index = len(self.items)
            self.items.append(Item("loop", [], shape))
        self.items[index].values.append(value)
        self.items[index].reads.update(leaf.order for leaf in leaves)
        self.at[value.order] = index
        latest[shape] = index

    def _fits(self, item: Item, shape: tuple[int, ...], leaves: list[Value]) -> bool:
        if item.kind != "loop" or item.shape != shape:
            return False
        return len(item.reads | {leaf.order for leaf in leaves}) + len(item.values) < WIDEST


def _orders(values: list[Value]) -> list[int]:
    return [v.order for v in values]


def _is_product(value: Value) -> bool:
    """A matrix product of floats that BLAS can write into a buffer."""
    a, b = value.args[:2]
    if value.kwargs or len(value.args) != 2 or not (isinstance(a, Value) and isinstance(b, Value)):
        return False
    if value.function is np.dot and b.array.ndim > 2:  # pairs every matrix with every other, which matmul does not
        return False
    return a.dtype == b.dtype == value.dtype and value.dtype.kind == "f" and a.array.ndim and b.array.ndim


def _joins(values: list[Value]) -> Iterator[tuple[Value, list[Part]]]:
    """Values that are put together from parts: concatenations, zeros around a part, sums of such with no overlap."""
    for value in values:
        joined = value.function is np.concatenate and len(value.args) == 1 and value.kwargs.get("axis", 0) is not None
        if joined and all(isinstance(part, Value) for part in value.args[0]):
            axis, edge, parts = value.kwargs.get("axis", 0) % value.array.ndim, 0, []
            for part in value.args[0]:
                key = (slice(None),) * axis + (slice(edge, edge + part.shape[axis]),)
                parts.append(Part(key, part))
                edge += part.shape[axis]
            if all(part.value.dtype == value.dtype for part in parts):
                yield value, parts
        elif (part := _padded(value)) is not None:
            yield value, [part]
        elif value.function is np.add:
            parts = [_padded(v) if isinstance(v, Value) else None for v in value.args]
            if None not in parts and all(p.value.shape != () for p in parts) and _apart(value.shape, parts):
                yield value, parts


def _padded(value: Value) -> Part | None:
    """The part of an array that is zero elsewhere."""
    if value.function is not scatter_forward:
        return None
    part, _, *key = value.args
    fits = isinstance(part, Value) and basic(tuple(key)) and part.dtype == value.dtype
    return Part(tuple(key), part) if fits and np.empty(value.shape)[tuple(key)].shape == part.shape else None


def _apart(shape: tuple[int, ...], parts: list[Part]) -> bool:
    """Whether no place belongs to two parts."""
    taken = np.zeros(shape, np.int8)
    for part in parts:
        taken[part.key] += 1
    return taken.max(initial=0) <= 1


def covers(shape: tuple[int, ...], parts: list[Part]) -> bool:
    """Whether every place belongs to a part, so that no zeros are needed."""
    taken = np.zeros(shape, bool)
    for part in parts:
        taken[part.key] = True
    return bool(taken.all())
