"""A compiled program in text, to be read: what is computed in which step, from where, and into which memory."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

import numpy as np

from .graph import Value
from .plan import Item
from .program import Program

WIDTH, UNBROKEN = 112, "\xa0"


def listing(program: Program) -> str:
    """The program as a table: a line for each step, above it what was removed, below it what the results are.

    A value is called %n, n being its place in the recording. Loops name NumPy's functions in the order in which every
    number goes through them; a step that reads a view of a value is said to read the value.
    """
    plan = program.plan
    arguments = {v.order for v in program.trace.inputs}
    outside = [v for v in program.values if v.function is None]
    rows = [("step", "kind", "does", "reads", "writes")]
    for index, item in enumerate(plan.items):
        rows.append((str(index), item.kind, does(program, item), _names(program.reads(item)),
                     _names(program.writes(item))))
    lines = [*summary(program), "",
             *_wrapped("arguments ", [_declared(v) for v in outside if v.order in arguments]),
             *_wrapped("other data", [_declared(v) for v in outside if v.order not in arguments]),
             "", *_table(rows), "",
             *_wrapped("results   ", [f"%{order}" for order in sorted(plan.results)])]
    if program.allocating:
        lines += _wrapped("new arrays", [f"{v.name} %{v.order} asks for memory in every run"
                                         for v in program.allocating])
    return "\n".join(line.rstrip() for line in lines)


def summary(program: Program) -> list[str]:
    """How many operations were recorded, removed and scheduled; how much memory they take."""
    recorded, kept = _operations(program.trace.values), _operations(program.values)
    apart = sum(v.array.nbytes for v, *_ in program.block)
    kinds = Counter(item.kind for item in program.plan.items)
    parts = [_count(n, "loop") + f" in {_count(len({s for s, _ in program.loops}), 'compiled function')}"
             if kind == "loop" else _count(n, kind) for kind, n in kinds.items()]
    repeated = program.trace.repeated
    return [f"{_count(recorded + repeated, 'operation')} recorded, {repeated} of them repeated and {recorded - kept} "
            f"dead: {kept} are left",
            f"{_count(len(program.plan.items), 'step')}: {', '.join(parts)}",
            f"{program.bytes_held} bytes of memory in one block, {program.bytes_live} in use at most at one time; "
            f"{apart} without reuse"]


def sources(program: Program) -> str:
    """The generated functions, above each the step that it computes. x7 is a number, m3 an array, n0 a length."""
    at = {id(item): index for index, item in enumerate(program.plan.items)}
    texts = []
    for source, item in program.loops:
        head = textwrap.wrap(f"step {at[id(item)]}: {does(program, item)}", WIDTH, initial_indent="# ",
                             subsequent_indent="#     ")
        texts.append("\n".join([*head, source.rstrip()]))
    return "\n\n".join(texts)


def does(program: Program, item: Item) -> str:
    """What a step does, in words of NumPy."""
    value = item.values[0]
    if item.kind == "loop":
        return f"{_shape(item.shape)}: {', '.join(map(_called, program.plan.inside(item.values)[0]))}"
    if item.kind == "product":
        return " @ ".join(_shape(v.shape) for v in value.inputs)
    return f"{_result(value)}: {_called(value).removeprefix('draw ')}"


def dot(program: Program) -> str:
    """The program in the DOT language of Graphviz: steps are boxes, what comes from outside ellipses, memory arrows."""
    vertices, arrows, makers = [], [], {}
    for v in program.values:
        if v.function is None:
            makers[v.order] = [f"v{v.order}"]
            vertices.append(f'  v{v.order} [label="{_declared(v)}", shape=ellipse];')
    for index, item in enumerate(program.plan.items):
        text = "\\n".join(textwrap.wrap(f"{index} {item.kind} {does(program, item)}", 40))
        vertices.append(f'  s{index} [label="{text}", shape=box];')
        writes = program.writes(item)
        for v in program.reads(item):
            arrows += [f'  {maker} -> s{index} [label="%{v.order}"];' for maker in makers.get(v.order, [])]
        for v in writes:
            makers.setdefault(v.order, []).append(f"s{index}")
    return "\n".join(["digraph program {", "  rankdir=TB;", *vertices, *arrows, "}"])


def _operations(values: list[Value]) -> int:
    return sum(v.function is not None for v in values)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


def _called(value: Value) -> str:
    if value.name == "cast":
        return f"astype {value.dtype}"
    axis = value.kwargs.get("axis")
    if isinstance(axis, tuple):
        axis = " ".join(map(str, axis))
    return value.name if axis is None else f"{value.name} axis {axis}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _result(value: Value) -> str:
    return _shape(value.shape) if isinstance(value.array, np.ndarray) else f"{len(value.array)} arrays"


def _declared(value: Value) -> str:
    """%n with precision and shape"""
    known = isinstance(value.array, np.ndarray)
    return f"%{value.order} {value.dtype} {_shape(value.shape)}" if known else f"%{value.order}"


def _names(values: list[Value]) -> str:
    return " ".join(f"%{order}" for order in sorted(v.order for v in values))


def _wrapped(head: str, parts: list[str]) -> list[str]:
    if not parts:
        return []
    whole = ", ".join(part.replace(" ", UNBROKEN) for part in parts)
    lines = textwrap.wrap(f"{head}  {whole}", WIDTH, subsequent_indent=" " * (len(head) + 2))
    return [line.replace(UNBROKEN, " ") for line in lines]


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns under each other, the wide one and the reads wrapped."""
    writes = min(max(len(row[4]) for row in rows), 14)
    reads = min(max(len(row[3]) for row in rows), 22)
    wide = WIDTH - 4 - 9 - reads - writes - 6
    for step, kind, words, read, write in rows:
        columns = [[step], [kind], textwrap.wrap(words, wide, subsequent_indent="  "), textwrap.wrap(read, reads),
                   textwrap.wrap(write, writes)]
        for k in range(max(map(len, columns))):
            a, b, c, d, e = (column[k] if k < len(column) else "" for column in columns)
            yield f"{a:>4}  {b:<7}  {c:<{wide}}  {d:<{reads}}  {e}"
