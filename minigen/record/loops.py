"""Source code of the loops: one nest per item, every number loaded once, computed, stored where somebody needs it.

Arrays are handed over as flat pieces of memory; where a number lies in one is written into the index, with the
strides as constants, so that the compiler sees which loops run along memory. Lengths are arguments: another batch size
is the same source, and no new compilation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from .graph import Value
from .operations import BOOL, HEAVY, MAPS, REDUCTIONS, operands, reduced_axes, working_type
from .plan import Item, Plan

CHUNK = 1024
"""A long sum is taken in pieces: single precision loses a digit in a sum of some thousand numbers."""
TAB = "    "
TYPES = {"float32": "f32", "float64": "f64", "bool": "bool"}


def nest(item: Item, plan: Plan, memory: Callable[[Value], tuple[np.ndarray, np.ndarray]]) -> tuple[str, list]:
    """The source of a function `loops` that computes an item, and what to call it with.

    memory: value -> its array, and the array whose memory that looks into.
    """
    nest = _Nest(item, plan, memory)
    lines = nest.lines()
    head = f"def loops({', '.join([*nest.lengths.values(), *(name for name, _ in nest.flat.values())])}):"
    return "\n".join([head, *lines, ""]), [*nest.lengths, *(flat for _, flat in nest.flat.values())]


class _Nest:
    """A nest of loops over the axes of one shape; `strides[order]` of an array along them, 0 where it is stretched.

    A reduction is an array that is stretched along the axes that it sums over.
    """

    def __init__(self, item: Item, plan: Plan, memory: Callable):
        computed, self.read = plan.inside(item.values)
        self.reductions = [v for v in computed if plan.kind[v.order] == "reduction"]
        self.computed = [v for v in computed if v not in self.reductions]
        self.made = {v.order for v in item.values}
        self.local = {v.order: i for i, v in enumerate([*self.read, *computed])}  # equal loops are then equal texts
        self.flat: dict[tuple, tuple[str, np.ndarray]] = {}
        self.lengths: dict[int, str] = {}
        self.begins: dict[int, tuple[str, int]] = {}
        reached = [*self.read, *item.values]
        self._merge_axes(item.shape, reached, [self._reach(v, item.shape, *memory(v)) for v in reached])

    def _reach(self, v: Value, shape: tuple[int, ...], array: np.ndarray, root: np.ndarray) -> list[int]:
        """Strides of an array along the loops; two views of one array are given as one flat piece of memory."""
        if v in self.reductions:
            axes = reduced_axes(v)
            array = array.reshape([1 if a in axes else n for a, n in enumerate(shape)])
        low, high = byte_bounds(root)
        forwards = root[..., *(slice(None, None, -1 if s < 0 else 1) for s in root.strides)]
        flat = as_strided(forwards, (max(high - low, 0) // root.itemsize,), (root.itemsize,))
        name, _ = self.flat.setdefault((low, high, root.dtype), (f"m{len(self.flat)}", flat))
        self.begins[v.order] = name, (array.ctypes.data - low) // root.itemsize
        return [s // root.itemsize for s in np.broadcast_to(array, shape).strides]

    def _merge_axes(self, shape: tuple[int, ...], reached: list[Value], strides: list[list[int]]) -> None:
        """Axes from far to near in memory, those of length 1 dropped, neighbours along which all run on made one."""
        sizes, columns = [], []
        for n, column in sorted(zip(shape, zip(*strides)), key=lambda axis: -sum(axis[1])):
            if columns and all(before == s * n for before, s in zip(columns[-1], column)):
                sizes[-1], columns[-1] = sizes[-1] * n, column
            elif n != 1:
                sizes.append(n)
                columns.append(column)
        self.sizes, columns = sizes or [1], columns or [(0,) * len(reached)]
        self.strides = {v.order: along for v, along in zip(reached, zip(*columns))}

    def lines(self) -> list[str]:
        """The nest, indented by one step."""
        last = len(self.sizes) - 1
        inner = [v for v in self.reductions if self.strides[v.order][last] == 0]
        out = [line for v in self.reductions for line in self._beginning(v)]
        out += [f"{TAB * (k + 1)}for i{k} in range({self._length(k)}):" for k in range(last)]
        pad, span = TAB * (last + 1), self._length(last)
        if inner and self.sizes[last] > CHUNK:
            out.append(f"{pad}for chunk in range(0, {span}, {CHUNK}):")
            pad, span = pad + TAB, f"chunk, min(chunk + {CHUNK}, {span})"
        out += [f"{pad}a{self.local[v.order]} = {self._start(v)}" for v in inner]
        out.append(f"{pad}for i{last} in range({span}):")
        out += [f"{pad}{TAB}x{self.local[v.order]} = {self._place(v)}" for v in self.read]
        for v in self.computed:
            out.append(f"{pad}{TAB}x{self.local[v.order]} = {self._expression(v)}")
            if v.order in self.made:
                out.append(f"{pad}{TAB}{self._place(v)} = x{self.local[v.order]}")
        late = [v for v in self.reductions if v not in inner and v.args[0].order in self.made]
        for v in self.reductions:
            if v not in late:
                total = f"a{self.local[v.order]}" if v in inner else self._place(v)
                out.append(f"{pad}{TAB}{self._combined(v, total, f'x{self.local[v.args[0].order]}')}")
        for v in late:  # from what was stored, in a loop of its own that becomes vector instructions
            out.append(f"{pad}for i{last} in range({span}):")
            out.append(f"{pad}{TAB}{self._combined(v, self._place(v), self._place(v.args[0]))}")
        return out + [f"{pad}{self._combined(v, self._place(v), f'a{self.local[v.order]}')}" for v in inner]

    def _beginning(self, v: Value) -> list[str]:
        """Loops over the axes that are kept, which write what a reduction begins with"""
        kept = [k for k, stride in enumerate(self.strides[v.order]) if stride]
        out = [f"{TAB * (depth + 1)}for i{k} in range({self._length(k)}):" for depth, k in enumerate(kept)]
        return [*out, f"{TAB * (len(kept) + 1)}{self._place(v)} = {self._start(v)}"]

    def _start(self, v: Value) -> str:
        return f"{TYPES[v.dtype.name]}({REDUCTIONS[v.function][1]})"

    def _combined(self, v: Value, total: str, new: str) -> str:
        return f"{total} = {REDUCTIONS[v.function][0]}({total}, {new})"

    def _length(self, axis: int) -> str:
        return self.lengths.setdefault(self.sizes[axis], f"n{len(self.lengths)}")

    def _place(self, v: Value) -> str:
        name, begin = self.begins[v.order]
        terms = [f"i{k}" if s == 1 else f"i{k} * {s}" for k, s in enumerate(self.strides[v.order]) if s]
        return f"{name}[{' + '.join([*terms, str(begin)] if begin or not terms else terms)}]"

    def _expression(self, v: Value) -> str:
        work = working_type(v)
        types = [BOOL if v.function is np.where and i == 0 else work for i in range(3)]
        template = HEAVY.get(v.function) or MAPS[v.function]
        for word, number in (("one", 1), ("zero", 0)):
            template = template.replace(word, f"{TYPES[work.name]}({number})")
        return template.format(*map(self._number, operands(v), types))

    def _number(self, x: Any, dtype: np.dtype) -> str:
        """An operand in the precision that the operation computes in."""
        if not isinstance(x, Value):
            return f"{TYPES[dtype.name]}({float(x)!r})" if dtype != BOOL else repr(bool(x))
        name = f"x{self.local[x.order]}"
        return name if x.dtype == dtype else f"{TYPES[dtype.name]}({name})"
