"""The ratios as a figure: one panel per case, a bar per pair and BLAS setting that starts at equal time."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from minigen import plots

from .harness import Race
from .tables import label, number
from .verdicts import Verdict, verdicts

COLOURS = {"A": "#7fb3d5", "B": "#1b6ca8"}
NAMES = {"A": "setting A: NumPy held to AVX2", "B": "setting B: NumPy as installed"}
ROW, BAR = 0.36, 0.36  # inches per pair; height of a bar, in rows


def ratios(races: list[Race]) -> Figure:
    """Bars from 1 to the median ratio, which is written at the right; whiskers over its quartiles, ticks at targets."""
    panels = {title: bars for title, bars in _panels(races).items() if bars}
    heights = [len(_pairs(bars)) + 1 for bars in panels.values()]
    drawn = Figure(figsize=(9, ROW * sum(heights) + 0.5 * len(panels) + 1.6), layout="constrained")
    drawn.suptitle(f"Time of minigen over the time of other engines, medians of paired turns, "
                   f"threads: {races[0].threads}", fontsize=11)
    grid = drawn.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, bars) in zip(grid, panels.items()):
        _panel(axes, title, bars)
    grid[-1].set_xlabel("ratio of times (no unit, logarithmic): left of 1 minigen is faster, right of 1 slower")
    settings = sorted({verdict.setting for bars in panels.values() for _, verdict in bars})
    drawn.legend(handles=[*(Patch(color=COLOURS[s], label=NAMES[s]) for s in settings),
                          Line2D([], [], color="black", linewidth=1, label="quartiles over the rounds", marker="|"),
                          Line2D([], [], color=plots.COLOURS["model"], marker="|", markersize=12, markeredgewidth=2.5,
                                 linestyle="", label="target: at most this")],
                 loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return drawn


def _panels(races: list[Race]) -> dict[str, list[tuple[str, Verdict]]]:
    """Title of the case -> (name of the pair, verdict) of everything measured, settings together."""
    panels: dict[str, list[tuple[str, Verdict]]] = {}
    for race in races:
        panels.setdefault(race.case.title, []).extend(
            (f"{label(race, v.ours)} / {label(race, v.peer)}", v) for v in verdicts(race) if v.ratio is not None)
    return panels


def _pairs(bars: list[tuple[str, Verdict]]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in bars))


def _panel(axes, title: str, bars: list[tuple[str, Verdict]]) -> None:
    pairs = _pairs(bars)
    settings = sorted({v.setting for _, v in bars})
    for name, v in bars:
        y = pairs.index(name) + BAR * (settings.index(v.setting) - (len(settings) - 1) / 2)
        middle, low, high = v.ratio
        axes.barh(y, middle - 1, BAR, left=1, color=COLOURS[v.setting])
        axes.plot([low, high], [y, y], color="black", linewidth=1, marker="|", markersize=4)
        if v.at_most is not None:
            axes.plot([v.at_most], [y], marker="|", markersize=11, markeredgewidth=2.5, color=plots.COLOURS["model"])
        axes.annotate(number(middle), (1, y), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=7, annotation_clip=False)
    axes.axvline(1, color=plots.COLOURS["reference"], linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.06)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_yticks(range(len(pairs)), pairs, fontsize=8)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_title(title, fontsize=9, loc="left")
    axes.grid(axis="x", linewidth=0.3)
