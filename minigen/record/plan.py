"""From a graph to a schedule: which values get memory, and which loops compute several of them at once.

A map that is used by maps of the same shape needs no memory: its expression is written into the loop that uses it.
The rest is stored: results of products, of reductions and of whole NumPy calls, and maps that those read, that are
seen in another shape, or that are costly and used twice. Stored maps and reductions over one shape share a loop
whenever the order of things allows.
"""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Value
from .operations import HEAVY, keeps_zeros, kind_of

COSTLY, OF_A_HEAVY_ONE, LONGEST, WIDEST = 6, 10, 60, 24


@dataclass
class Item:
    """One step of the program. kind: loop, product, draw, check or call; a loop has a shape and many values."""

    kind: str
    values: list[Value]
    shape: tuple[int, ...] = ()


class Plan:
    """The schedule of a graph.

    kind: order of a value -> "outside", "view", "map", "reduction", "product", "draw", "check" or "call".
    stored: orders of the values that have memory of their own. at: order -> index of the item that makes the value.
    around: order of a part -> the value that is zero around it, where a loop can compute the part in its place there;
    that value then counts as a view of its part.
    """

    def __init__(self, values: list[Value], results: list[Value]):
        self.values = values
        self.kind = {v.order: kind_of(v) for v in values}
        self.results = {v.order for v in results}
        self.users = dict.fromkeys(self.kind, 0)
        for value in values:
            for order in {v.order for v in value.inputs}:
                self.users[order] += 1
        self.around = {v.args[0].order: v for v in values if keeps_zeros(v) and self._goes_inside(v.args[0], v)}
        self.kind |= dict.fromkeys((v.order for v in self.around.values()), "view")
        self.stored = {v.order for v in values if self.kind[v.order] not in ("map", "view", "outside", "check")}
        self._store_maps()
        self.items: list[Item] = []
        self.at: dict[int, int] = {}
        self._schedule()
        self._keep_in_registers()

    def base(self, value: Value) -> Value:
        """The value whose memory a view looks into."""
        while self.kind[value.order] == "view":
            value = value.base or value.args[0]
        return value

    def _goes_inside(self, part: Value, whole: Value) -> bool:
        made_by_loop = self.kind[part.order] in ("map", "reduction") and part.order not in self.results
        return made_by_loop and part.shape == whole.array[whole.args[2:]].shape != ()

    def inside(self, values: list[Value]) -> tuple[list[Value], list[Value]]:
        """What a loop for these values computes for every number, and what it reads, in order."""
        computed, read, stack = {}, {}, list(values)
        wanted = {v.order for v in values}
        while stack:
            v = stack.pop()
            if v.order in wanted or self.kind[v.order] == "map" and v.order not in self.stored:
                if v.order not in computed:
                    computed[v.order] = v
                    stack += v.inputs
            else:
                read[v.order] = v
        return [computed[order] for order in sorted(computed)], [read[order] for order in sorted(read)]

    def reads(self, item: Item) -> list[Value]:
        """The values whose memory a step reads, itself or through a view, each once."""
        read = self.inside(item.values)[1] if item.kind == "loop" else item.values[0].inputs
        return list({base.order: base for base in map(self.base, read)}.values())

    def _store_maps(self) -> None:
        """Maps that others than loops of their shape read, and those that cost more than a trip to memory."""
        self.stored |= {order for order in self.results if self.kind[order] == "map"}
        for value in self.values:
            for read in value.inputs:
                if self.kind[read.order] == "map" and not self._in_one_loop(value, read):
                    self.stored.add(read.order)
        cost = dict.fromkeys(self.kind, 0)
        for value in self.values:
            if self.kind[value.order] in ("map", "reduction"):
                total = OF_A_HEAVY_ONE if value.function in HEAVY else 1
                total += sum(cost[v.order] for v in value.inputs if v.order not in self.stored)
                cost[value.order] = total
                if self.users[value.order] > 1 and total >= COSTLY or total > LONGEST:
                    self.stored.add(value.order)

    def _in_one_loop(self, user: Value, read: Value) -> bool:
        kind = self.kind[user.order]
        return kind == "reduction" or kind == "map" and user.shape == read.shape

    def _schedule(self) -> None:
        latest: dict[tuple, int] = {}
        for value in self.values:
            kind = self.kind[value.order]
            if kind in ("outside", "view"):
                self.at[value.order] = -1 if kind == "outside" else self.at[self.base(value).order]
            elif kind in ("map", "reduction"):
                if value.order in self.stored:
                    self._place_in_loop(value, latest)
            else:
                self.at[value.order] = len(self.items)
                self.items.append(Item(kind, [value]))

    def _place_in_loop(self, value: Value, latest: dict[tuple, int]) -> None:
        """Into the loop that makes the last of what it reads, the next one or the latest of this shape; else a new one.

        What a loop makes, a value in the same loop can read at the same place only.
        """
        shape, first, near = self._domain(value), 0, -1
        for read in self.inside([value])[1]:
            at = self.at[read.order]
            here = self.kind[read.order] == "map" and read.shape == shape
            first, near = max(first, at if here else at + 1), max(near, at)
        for index in (near, near + 1, latest.get(shape, -1)):
            if first <= index < len(self.items) and self._fits(value, self.items[index]):
                break
        else:
            index = len(self.items)
            self.items.append(Item("loop", [], shape))
        self.items[index].values.append(value)
        self.at[value.order] = latest[shape] = index

    def _domain(self, value: Value) -> tuple[int, ...]:
        """The shape that a loop runs over to compute the value."""
        return value.args[0].shape if self.kind[value.order] == "reduction" else value.shape

    def _fits(self, value: Value, item: Item) -> bool:
        if item.kind != "loop" or item.shape != self._domain(value):
            return False
        together = [*item.values, value]
        return len(self.inside(together)[1]) + len(together) <= WIDEST

    def _keep_in_registers(self) -> None:
        """A map that only its own loop reads needs no memory: the loop has the number at hand."""
        kept = {self.base(v).order for v in self.values if v.order in self.results}
        kept |= {v.order for item in self.items for v in self.reads(item)}
        spare = {order for order in self.stored - kept if self.kind[order] == "map"}
        self.stored -= spare
        for item in self.items:
            item.values = [v for v in item.values if v.order not in spare]
