"""Pictures of a compiled program: its steps with the values that pass between them, and its memory over time.

Imported by those who draw only, as matplotlib takes a third of a second.
"""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from minigen.plots import COLOURS, SERIES

from .graph import Value
from .program import Program
from .show import does

KINDS = {"product": SERIES[0], "loop": SERIES[2], "draw": SERIES[3], "call": SERIES[4], "check": SERIES[1]}
LINE, BOX, LANE = 68, 4.4, 0.058  # letters in a line of a box; its width in inches; distance of lanes in such widths


def draw(program: Program, ax: Any = None) -> Figure:
    """Steps from top to bottom; at the right every value from the step that makes it to those that read it.

    A box has the colour of its kind. At its left stands what it reads from outside. A line that leaves a box above
    its middle comes from a lane (dots: what is read), one below its middle begins a lane, which is there for as long
    as the value is needed; lanes that run out at the bottom are results.
    """
    items, ends = program.plan.items, _spans(program)
    lanes = _lanes(ends)
    wide = 1 + LANE * (2 + max(lanes.values(), default=0))
    if ax is None:
        figure = Figure(figsize=(BOX * (wide + 0.2), 0.36 * (len(items) + 1) + 0.5), layout="constrained")
        ax = figure.subplots()
    for index, item in enumerate(items):
        colour = KINDS[item.kind]
        ax.add_patch(Rectangle((0, index - 0.38), 1, 0.76, facecolor=colour, alpha=0.16, edgecolor="none"))
        ax.add_patch(Rectangle((0, index - 0.38), 0.012, 0.76, color=colour, linewidth=0))
        words = textwrap.wrap(f"{index}  {item.kind} {does(program, item)}", LINE, max_lines=2, placeholder=" ...")
        ax.text(0.025, index, "\n".join(words), va="center", size=7.5, linespacing=0.95)
        outside = sorted(v.order for v in program.reads(item) if v.function is None)
        if outside:
            ax.text(-0.045, index, " ".join(f"%{order}" for order in outside), size=7, ha="right", va="center",
                    color=COLOURS["reference"])
            ax.annotate("", (0, index), (-0.04, index), arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 0.8})
    for order, (value, makers, readers, last) in ends.items():
        _lane(ax, value, makers, readers, last, 1 + LANE * (1 + lanes[order]), KINDS[items[makers[0]].kind])
    ax.set(xlim=(-0.2, wide), ylim=(len(items) + 0.3, -0.7))
    ax.set_title("steps of the program (left: from outside; right: values made, and who reads them)", fontsize=10)
    ax.set_axis_off()
    return ax.figure


def draw_memory(program: Program) -> Figure:
    """Which value lies where in the common block, and during which steps: beside it, a place of its own for each."""
    block = sorted(program.block, key=lambda place: place[2])
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    apart, end = [], 0
    for value, _, first, last in block:
        apart.append((value, end, first, last))
        end += value.array.nbytes
    unit, size = ("kB", 1e3) if end < 1e6 else ("MB", 1e6)
    for axes, places, title in ((left, apart, f"a place for every value: {end / size:.1f} {unit}"),
                                (right, block, f"places used again: {program.bytes_held / size:.1f} {unit}")):
        for value, begin, first, last in places:
            nbytes = value.array.nbytes
            colour = KINDS[program.plan.items[first].kind]
            axes.add_patch(Rectangle((first, begin / size), last + 1 - first, nbytes / size, facecolor=colour,
                                     alpha=0.55, edgecolor="white", linewidth=0.8))
            if nbytes > 0.04 * end:
                axes.text((first + last + 1) / 2, (begin + nbytes / 2) / size, f"%{value.order}", size=7.5,
                          ha="center", va="center")
        axes.axhline(program.bytes_live / size, color="black", linestyle="--", linewidth=1)
        axes.set(xlim=(0, len(program.plan.items) or 1), ylim=(0, 1.03 * end / size or 1), xlabel="step")
        axes.set_title(title, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel(f"memory ({unit})")
    left.text(0.2, (program.bytes_live + 0.012 * end) / size, "most in use at one time", size=8)
    kinds = {program.plan.items[first].kind for _, _, first, _ in block}
    left.legend(handles=[Patch(color=KINDS[kind], alpha=0.55, label=kind) for kind in KINDS if kind in kinds],
                title="made by a", title_fontsize=8, fontsize=8, frameon=False, loc="upper left")
    return figure


def _spans(program: Program) -> dict[int, tuple[Value, list[int], list[int], int]]:
    """order -> (value, steps that write it, later steps that read it, the last row of its lane)."""
    found: dict[int, tuple[Value, list[int], list[int]]] = {}
    lasting = {program.plan.base(v).order for v in program.values if v.order in program.plan.results}
    for index, item in enumerate(program.plan.items):
        for value in program.reads(item):
            if value.order in found and index not in found[value.order][1]:
                found[value.order][2].append(index)
        for value in program.writes(item):
            found.setdefault(value.order, (value, [], []))[1].append(index)
    end = len(program.plan.items)
    return {order: (value, makers, readers, end if order in lasting else max(makers + readers))
            for order, (value, makers, readers) in found.items()}


def _lanes(spans: dict[int, tuple[Value, list[int], list[int], int]]) -> dict[int, int]:
    """A lane for each value: the nearest one that is free from its first step to its last."""
    taken: list[int] = []
    lanes = {}
    for order, (_, makers, _, last) in sorted(spans.items(), key=lambda span: span[1][1][0]):
        lane = next((k for k, end in enumerate(taken) if end < makers[0]), len(taken))
        taken[lane:lane + 1] = [last]
        lanes[order] = lane
    return lanes


def _lane(ax: Any, value: Value, makers: list[int], readers: list[int], last: int, x: float, colour: str) -> None:
    for row in makers:
        ax.plot([1, x], [row + 0.16, row + 0.16], color=colour, lw=1)
    bottom = last if readers and last == readers[-1] else last + 0.16
    ax.plot([x, x], [makers[0] + 0.16, bottom - 0.16], color=colour, lw=1)
    for row in readers:
        ax.annotate("", (1, row - 0.16), (x, row - 0.16),
                    arrowprops={"arrowstyle": "->", "color": "0.6", "lw": 0.8, "shrinkA": 0, "shrinkB": 0})
        ax.plot(x, row - 0.16, "o", ms=3, color=colour)
    ax.text(x + 0.006, makers[0] + 0.2, f"%{value.order}", size=6.5, color=colour, va="top")
    if last > max(makers + readers):
        ax.plot(x, bottom - 0.16, "v", ms=4, color=colour)
