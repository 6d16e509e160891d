"""The results in words: a table of times and one of ratios per race, and a summary that a README can take over."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .harness import INTERRUPTED, Race, Spread
from .verdicts import Verdict, verdicts

LABELS = {"eager": "minigen, tape", "replay": "minigen, replayed", "floor": "floor: products alone",
          "torch": "torch eager", "torch_fused": "torch, fused Adam", "torch_compile": "torch.compile, fused Adam",
          "jax": "jax jit", "hips": "HIPS autograd"}
FRESH = {"autodiff": "minigen.autodiff", "cold": "minigen, empty cache", "warm": "minigen, filled cache",
         "cold_replay": "minigen, replayed, empty cache", "warm_replay": "minigen, replayed, filled cache"}


def label(race: Race, peer: str) -> str:
    """A peer as people read it; in a case of fresh processes it is a package, not a way of training."""
    return (FRESH if race.case.times_itself else LABELS).get(peer, peer.replace("_", " "))


def show(console: Console, race: Race) -> None:
    """Print the times of the peers that ran, the others with their reasons, and the ratios."""
    console.print()
    if any(not timing.absent for timing in race.timings.values()):
        console.print(_times(race), _ratios(race))
    else:
        console.print(f"{_title(race)}: nothing was measured", highlight=False)
    for timing in race.timings.values():
        if timing.absent and timing.absent != INTERRUPTED:
            console.print(f"absent: {label(race, timing.peer)}: {timing.absent}", highlight=False, markup=False)


def _title(race: Race) -> str:
    rounds = max((len(timing.seconds) for timing in race.timings.values()), default=0)
    return (f"{race.case.title}\nsetting {race.setting}, threads: {race.threads}, rounds: {rounds}"
            + (" (interrupted)" if race.interrupted else ""))


def _times(race: Race) -> Table:
    unit, factor = ("s", 1.0) if race.case.times_itself else ("ms per step", 1e3)
    table = Table("peer", title=_title(race), title_justify="left", title_style="bold")
    for column in (unit, "quartiles", "first step, s"):
        table.add_column(column, justify="right")
    for timing in race.timings.values():
        if timing.absent:
            continue
        middle, low, high = (factor * s for s in timing.spread())
        passes = race.case.passes.get(timing.peer)
        name = label(race, timing.peer) + (f" (x {passes})" if passes else "")
        table.add_row(name, f"{middle:.3f}", f"{low:.3f} - {high:.3f}", f"{timing.first:.2f}")
    return table


def _ratios(race: Race) -> Table:
    table = Table("time of", "over that of")
    for column in ("ratio", "quartiles", "at most", "target"):
        table.add_column(column, justify="right")
    for v in verdicts(race):
        if v.ratio is None and v.at_most is None:
            continue
        middle, low, high = map(number, v.ratio or (None, None, None))
        table.add_row(label(race, v.ours), label(race, v.peer), middle, f"{low} - {high}" if v.ratio else "",
                      number(v.at_most), v.word, style="red" if v.word == "missed" else None)
    return table


def number(x: float | None) -> str:
    """Three significant digits, 1/n for a small ratio, nothing for None."""
    if x is None:
        return ""
    return f"1/{1 / x:.0f}" if 0 < x < 0.02 else f"{x:.3g}"


def summary(races: list[Race]) -> str:
    """A Markdown table: the ratios of every pair that has a target; the times of a case that has none."""
    settings = sorted({race.setting for race in races})
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for race in races:
        for what, found in _pairs(race) if race.case.targets else _seconds(race):
            rows.setdefault((race.case.title, what), {})[race.setting] = found
    lines = [("case", "measured: median (quartiles)", *(f"setting {setting}" for setting in settings))]
    lines += [(*key, *(found.get(setting, "") for setting in settings)) for key, found in rows.items()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def _pairs(race: Race) -> list[tuple[str, str]]:
    """(`minigen, tape / torch eager`, `0.51 (0.27-0.52), at most 0.35: missed`) of the pairs that have a target."""
    asked = {(target.ours, target.peer) for target in race.case.targets}
    return [(f"{label(race, v.ours)} / {label(race, v.peer)}", _cell(v))
            for v in verdicts(race) if (v.ours, v.peer) in asked]


def _cell(v: Verdict) -> str:
    found = "absent" if v.ratio is None else f"{number(v.ratio.median)} ({number(v.ratio.low)}-{number(v.ratio.high)})"
    return found if v.at_most is None else f"{found}, at most {number(v.at_most)}: {v.word}"


def _seconds(race: Race) -> list[tuple[str, str]]:
    """(`torch`, `1.204 s (1.190-1.250)`) of every peer."""
    factor, unit = (1.0, "s") if race.case.times_itself else (1e3, "ms")

    def told(spread: Spread) -> str:
        middle, low, high = (factor * s for s in spread)
        return f"{middle:.3f} {unit} ({low:.3f}-{high:.3f})"

    return [(label(race, t.peer), "absent" if t.absent else told(t.spread())) for t in race.timings.values()]
