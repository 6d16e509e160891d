"""`minigen bench`: runs the races, prints tables, writes JSON and a figure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .case import Case
from .catalogue import CASES, FAMILIES
from .harness import SETTINGS, Race, compare
from .verdicts import verdicts

SELF_TIMED_ROUNDS = 5  # a case of fresh processes needs no more


def run(names: list[str] | None = None, *, json_path: Path | None = None, figure_path: Path | None = None,
        threads: int = 2, rounds: int = 15, settings: str = "AB", cases: Mapping[str, Case] = CASES) -> list[Race]:
    """Time each case beside its peers under each BLAS setting, print what came out, and write the files asked for.

    A missed target is printed, and no error. Raises ValueError for an unknown case, a setting that is not A or B, or
    numbers below 1; KeyboardInterrupt on Ctrl-C, after what was measured so far is printed and written.
    """
    from rich.console import Console

    from . import machine, tables

    names = [member for name in names or [] for member in FAMILIES.get(name, (name,))]
    chosen = _choose(names, threads, rounds, settings, cases)
    for path in (json_path, figure_path):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"bench: {path} cannot be written, its folder does not exist")
    console, races, found, interrupted = Console(), [], machine.describe(), False
    for line in machine.lines(found, threads):
        console.print(line, highlight=False)
    try:
        for k, (case, setting) in enumerate(chosen, 1):
            turns = min(rounds, SELF_TIMED_ROUNDS) if case.times_itself else rounds
            with _progress(console, f"{k} of {len(chosen)}: {case.name}, setting {setting}") as say:
                races.append(compare(case, threads=threads, rounds=turns, setting=setting, report=say))
            tables.show(console, races[-1])
            if races[-1].interrupted:
                raise KeyboardInterrupt
            _write(json_path, races, found, interrupted)
    except KeyboardInterrupt:
        interrupted = True
    print(f"\n{tables.summary(races)}")
    _write(json_path, races, found, interrupted)
    if figure_path is not None:
        _draw(console, races, figure_path)
    if interrupted:
        raise KeyboardInterrupt
    return races


def _write(path: Path | None, races: list[Race], found: dict, interrupted: bool) -> None:
    """Everything measured, as JSON: seconds of every round, ratios, targets, verdicts; never half a file."""
    if path is None:
        return
    record = {"format": "minigen.bench/1", "machine": found, "interrupted": interrupted,
              "results": [_record(race) for race in races]}
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def _record(race: Race) -> dict:
    peers = [{"peer": t.peer, "absent": t.absent} if t.absent else
             {"peer": t.peer, "seconds": t.spread().median, "quartiles": t.spread()[1:], "first": t.first,
              "rounds": t.seconds} for t in race.timings.values()]
    pairs = [{"ours": v.ours, "peer": v.peer, "ratio": v.ratio and v.ratio.median,
              "quartiles": v.ratio and v.ratio[1:], "at_most": v.at_most, "verdict": v.word} for v in verdicts(race)]
    return {"case": race.case.name, "title": race.case.title, "setting": race.setting, "threads": race.threads,
            "interrupted": race.interrupted, "peers": peers, "ratios": pairs}


def _choose(names: list[str] | None, threads: int, rounds: int, settings: str,
            cases: Mapping[str, Case]) -> list[tuple[Case, str]]:
    """(case, setting) of every race; ValueError names the argument that is wrong."""
    for name in names or []:
        if name not in cases:
            raise ValueError(f"bench: {name!r} is not a case; there are: {', '.join(cases)}")
    if not settings or any(setting not in SETTINGS for setting in settings):
        raise ValueError(f"bench: settings is {settings!r}; expected A, B or AB")
    if threads < 1 or rounds < 1:
        raise ValueError(f"bench: threads and rounds must be at least 1, got {threads} and {rounds}")
    picked = [cases[name] for name in dict.fromkeys(names or cases)]
    return [(case, setting) for case in picked for setting in _settings_of(case, settings)]


def _settings_of(case: Case, settings: str) -> str:
    """Each setting once; the last alone for fresh processes, whose seconds are not those of products."""
    once = "".join(dict.fromkeys(settings))
    return once[-1] if case.times_itself else once


@contextmanager
def _progress(console, title: str) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, in terminals."""
    with console.status(title) as status:
        yield lambda doing: status.update(f"{title}: {doing}")


def _draw(console, races: list[Race], path: Path) -> None:
    if not any(verdict.ratio for race in races for verdict in verdicts(race)):
        console.print("no ratio was measured: no figure")
        return
    from minigen import plots

    from .figure import ratios

    plots.save(ratios(races), path)
