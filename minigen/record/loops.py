"""Source code of the loops: one nest per item, every number loaded once, computed, stored where somebody needs it.

Arrays are handed over as flat pieces of memory; where a number lies in one is written into the index, with the
strides as constants, so that the compiler sees which loops run along memory. Lengths are arguments: another batch size
is the same source, and no new compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .graph import Value
from .operations import BOOL, HEAVY, MAPS, REDUCTIONS, operands, reduced_axes, working_type
from .plan import Item, Plan

FEW = 4
"""So many sums side by side are better taken one after the other."""
CHUNK = 1024
"""A long sum is taken in pieces: single precision loses a digit in a sum of some thousand numbers."""


@dataclass
class Access:
    """How a loop reaches the numbers of one array: a flat piece of memory, where it begins there, and its strides."""

    flat: np.ndarray
    begin: int
    strides: tuple[int, ...]


def access(array: np.ndarray, shape: tuple[int, ...], root: np.ndarray) -> Access:
    """The array as it broadcasts to the shape of the loops, within the array whose memory it looks into.

    Two views of one array are handed over as one piece of memory: the compiler need not ask whether they overlap.
    """
    view = np.broadcast_to(array, shape)
    strides = tuple(0 if n == 1 else s // array.itemsize for s, n in zip(view.strides, shape))
    dense = root.size * root.itemsize == sum((n - 1) * s for n, s in zip(root.shape, root.strides)) + root.itemsize
    if dense and root.dtype == array.dtype:
        flat, begin = as_strided(root, (root.size,), (root.itemsize,)), array.ctypes.data - root.ctypes.data
        return Access(flat, begin // array.itemsize, strides)
    span = 1 + sum(s * (n - 1) for s, n in zip(strides, shape)) if array.size else 0
    return Access(as_strided(array, (span,), (array.itemsize,)), 0, strides)


def nest(item: Item, plan: Plan, memory_of: Callable[[Value], tuple[np.ndarray, np.ndarray]],
         names: Callable[[np.ndarray], str], length_names: Callable[[int], str]) -> list[str]:
    """The lines of the loops that compute an item.

    memory_of: value -> its array, and the array whose memory that looks into. names: memory -> the name of an argument
    of the generated function; length_names: the same for the lengths of loops.
    """
    return _Writer(item, plan, memory_of, names, length_names).lines()


class _Writer:
    """Writes one nest of loops."""

    def __init__(self, item: Item, plan: Plan, memory_of: Callable, names: Callable, length_names: Callable):
        self.item, self.plan, self.names = item, plan, names
        self.made = {v.order: v for v in item.values}
        self.reductions = [v for v in item.values if plan.kind[v.order] == "reduction"]
        self.body = self._needed()
        shape = item.shape
        reached = [v for v in self.body if self._is_loaded(v)] + [v for v in item.values if v not in self.reductions]
        self.accesses = {v.order: access(memory_of(v)[0], shape, memory_of(v)[1]) for v in reached}
        self.roles = {}
        for v in self.reductions:
            axes = reduced_axes(v)
            kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
            array, root = memory_of(v)
            self.accesses[v.order] = access(array.reshape(kept), shape, root)
            self.roles[v.order] = [a in axes for a in range(len(shape))]
        lead = self.accesses[item.values[0].order].strides if item.values[0] not in self.reductions else None
        axes = sorted(range(len(shape)), key=lambda a: -lead[a]) if lead else self._reduced_last(shape)
        self.sizes, self.strides, self.roles = self._collapse(shape, axes)
        self.lengths = [length_names(n) for n in self.sizes]
        self.local = {v.order: i for i, v in enumerate(self.body)}  # equal loops of two layers are then one source

    def _is_loaded(self, v: Value) -> bool:
        return v.order not in self.made and (self.plan.kind[v.order] != "map" or v.order in self.plan.stored)

    def _needed(self) -> list[Value]:
        """What the body computes or loads, in an order in which it can."""
        found, stack = {}, list(self.item.values)
        while stack:
            v = stack.pop()
            if v.order not in found:
                found[v.order] = v
                if not self._is_loaded(v):
                    stack.extend(v.inputs())
        return [found[order] for order in sorted(found)]

    def _reduced_last(self, shape: tuple[int, ...]) -> Sequence[int]:
        """The order of axes in which few long sums, as those of two columns, are each summed up in a register."""
        roles = list(self.roles.values())
        if not shape or shape[-1] > FEW or roles[0][-1] or any(role != roles[0] for role in roles):
            return range(len(shape))
        return sorted(range(len(shape)), key=lambda a: roles[0][a])

    def _collapse(self, shape: tuple[int, ...], axes: Sequence[int]) -> tuple[list[int], dict, dict]:
        """Axes in the order of memory, those of length 1 dropped, neighbours along which every array runs on merged."""
        sizes: list[int] = []
        strides = {order: [] for order in self.accesses}
        roles = {order: [] for order in self.roles}
        for axis in axes:
            n = shape[axis]
            if n == 1:
                continue
            runs_on = bool(sizes) and all(
                strides[order][-1] == a.strides[axis] * n for order, a in self.accesses.items()) and all(
                roles[order][-1] == role[axis] for order, role in self.roles.items())
            if runs_on:
                sizes[-1] *= n
            else:
                sizes.append(n)
            for order, a in self.accesses.items():
                if runs_on:
                    strides[order][-1] = a.strides[axis]
                else:
                    strides[order].append(a.strides[axis])
            if not runs_on:
                for order, role in self.roles.items():
                    roles[order].append(role[axis])
        return sizes, strides, roles

    # -------------------------------------------------------------------------------------------------- writing

    def lines(self) -> list[str]:
        """The nest, indented by one step."""
        depth = len(self.sizes)
        inner = [v for v in self.reductions if depth and self.roles[v.order][-1]]
        other = [v for v in self.reductions if v not in inner]
        late = [v for v in other if self._is_stored(v.args[0])]  # summed in a loop of its own over what was stored
        out = []
        for v in self.reductions:
            if depth > 1 and any(self.roles[v.order][:-1]) or v in other:
                out += self._beginning(v)
        for k in range(depth - 1):
            out.append(f"{'    ' * (k + 1)}for i{k} in range({self.lengths[k]}):")
        pad = "    " * max(depth, 1)
        if inner and self.sizes[-1] > CHUNK:
            out += self._chunked(pad, inner, [v for v in other if v not in late])
        else:
            out += self._inner_loop(pad, inner, [v for v in other if v not in late], f"range({self._last()})")
            for v in inner:
                out += self._deliver(pad, v, outside=any(self.roles[v.order][:-1]))
        for v in late:
            out.append(f"{pad}for i{depth - 1} in range({self._last()}):")
            source = self._place(v.args[0])
            out.append(f"{pad}    {self._combined(v, self._place(v), source)}")
        return out

    def _last(self) -> str:
        return self.lengths[-1] if self.lengths else "1"

    def _is_stored(self, v: Value) -> bool:
        return v.order in self.made and v.order in self.accesses and bool(self.sizes)

    def _beginning(self, v: Value) -> list[str]:
        """Loops over the axes that are kept, which write what the reduction begins with"""
        kept = [k for k, reduced in enumerate(self.roles[v.order]) if not reduced]
        out = [f"{'    ' * (depth + 1)}for i{k} in range({self.lengths[k]}):" for depth, k in enumerate(kept)]
        return [*out, f"{'    ' * (len(kept) + 1)}{self._place(v)} = {self._start(v)}"]

    def _start(self, v: Value) -> str:
        return f"{_type(v.dtype)}({REDUCTIONS[v.function][1]})"

    def _chunked(self, pad: str, inner: list[Value], other: list[Value]) -> list[str]:
        last = len(self.sizes) - 1
        out = [f"{pad}s{self.local[v.order]} = {self._start(v)}" for v in inner]
        out.append(f"{pad}for chunk in range(0, {self._last()}, {CHUNK}):")
        out += self._inner_loop(pad + "    ", inner, other, f"range(chunk, min(chunk + {CHUNK}, {self._last()}))")
        for v in inner:
            whole, piece = f"s{self.local[v.order]}", f"a{self.local[v.order]}"
            out.append(f"{pad}    {whole} = {REDUCTIONS[v.function][0]}({whole}, {piece})")
        for v in inner:
            out.append(f"{pad}a{self.local[v.order]} = s{self.local[v.order]}")
            out += self._deliver(pad, v, outside=any(self.roles[v.order][:last]))
        return out

    def _inner_loop(self, pad: str, inner: list[Value], other: list[Value], span: str) -> list[str]:
        out = [f"{pad}a{self.local[v.order]} = {self._start(v)}" for v in inner]
        if self.sizes:
            out.append(f"{pad}for i{len(self.sizes) - 1} in {span}:")
            pad += "    "
        for v in self.body:
            if v.order in self.roles:
                continue
            if self._is_loaded(v):
                out.append(f"{pad}x{self.local[v.order]} = {self._place(v)}")
            else:
                out.append(f"{pad}x{self.local[v.order]} = {self._expression(v)}")
                if v.order in self.made:
                    out.append(f"{pad}{self._place(v)} = x{self.local[v.order]}")
        for v in inner:
            out.append(pad + self._combined(v, f"a{self.local[v.order]}", f"x{self.local[v.args[0].order]}"))
        for v in other:
            out.append(f"{pad}{self._combined(v, self._place(v), f'x{self.local[v.args[0].order]}')}")
        return out

    def _deliver(self, pad: str, v: Value, outside: bool) -> list[str]:
        place = self._place(v)
        found = f"a{self.local[v.order]}"
        return [pad + (self._combined(v, place, found) if outside else f"{place} = {found}")]

    def _combined(self, v: Value, place: str, new: str) -> str:
        return f"{place} = {REDUCTIONS[v.function][0]}({place}, {new})"

    def _place(self, v: Value) -> str:
        terms = [f"i{k}" if s == 1 else f"i{k} * {s}" for k, s in enumerate(self.strides[v.order]) if s]
        begin = self.accesses[v.order].begin
        if begin or not terms:
            terms.append(str(begin))
        return f"{self.names(self.accesses[v.order].flat)}[{' + '.join(terms)}]"

    def _expression(self, v: Value) -> str:
        work = working_type(v)
        parts = []
        for i, x in enumerate(operands(v)):
            wanted = BOOL if v.function is np.where and i == 0 else work
            parts.append(self._number(x, wanted))
        template = HEAVY.get(v.function) or MAPS[v.function]
        one = f"{_type(work)}(1)"
        return template.replace("one", one).replace("zero", f"{_type(work)}(0)").format(*parts)

    def _number(self, x: object, dtype: np.dtype) -> str:
        """An operand in the precision that the operation computes in."""
        if isinstance(x, Value):
            name = f"x{self.local[x.order]}"
            return name if x.dtype == dtype else f"{_type(dtype)}({name})"
        return f"{_type(dtype)}({float(x)!r})" if dtype != BOOL else repr(bool(x))


def _type(dtype: np.dtype) -> str:
    return {"float32": "f32", "float64": "f64", "bool": "bool"}[dtype.name]

