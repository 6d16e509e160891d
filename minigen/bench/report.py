"""`minigen bench`: runs the comparisons, prints a table, writes JSON."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from .harness import SETTINGS, Timing, compare

CASES = {
    "vae": "VAE 784-400-20, batch 128, float32, Adam",
    "mlp": "eight MLPs 2-64-64-2 in a row (the nets of a 2-D RealNVP), batch 256, float32, Adam",
}


def run(names: list[str] | None = None, *, json_path: Path | None = None, threads: int = 2, rounds: int = 15,
        settings: str = "AB") -> list[dict]:
    """Time each case beside its peers under each BLAS setting; returns one record per case and setting.

    Raises ValueError for an unknown case, a setting that is not A or B, or numbers below 1.
    """
    from rich.console import Console
    from rich.table import Table

    for name in names or []:
        if name not in CASES:
            raise ValueError(f"bench: {name!r} is not a case; there are: {', '.join(CASES)}")
    if not settings or any(setting not in SETTINGS for setting in settings):
        raise ValueError(f"bench: settings is {settings!r}; expected A, B or AB")
    if threads < 1 or rounds < 1:
        raise ValueError(f"bench: threads and rounds must be at least 1, got {threads} and {rounds}")
    console, records = Console(), []
    for name in names or CASES:
        for setting in settings:
            steps = {"minigen": f"minigen.bench.cases:{name}", "floor": f"minigen.bench.cases:{name}_floor",
                     "torch": f"minigen.bench.peers:{name}"}
            with console.status(f"{name}, setting {setting}"):
                timings = compare(steps, threads=threads, rounds=rounds, setting=setting)
            table = Table(title=f"{CASES[name]}; setting {setting}, {threads} threads", title_justify="left")
            for column in ("peer", "ms per step", "minigen / peer", "quartiles", "first step, s"):
                table.add_column(column, justify="left" if column == "peer" else "right")
            for timing in timings:
                table.add_row(timing.peer, *_cells(timings[0], timing))
            console.print(table)
            records.append(_record(name, setting, threads, timings))
    if json_path is not None:
        json_path.write_text(json.dumps({"machine": _machine(), "results": records}, indent=1))
    return records


def _cells(ours: Timing, peer: Timing) -> list[str]:
    if peer.absent or ours.absent:
        return [peer.absent or "-", "", "", ""]
    middle, low, high = ours.ratio(peer)
    return [f"{peer.median * 1e3:.3f}", f"{middle:.2f}", f"{low:.2f}-{high:.2f}", f"{peer.first:.2f}"]


def _record(case: str, setting: str, threads: int, timings: list[Timing]) -> dict:
    ours, rows = timings[0], []
    for peer in timings:
        row = {"peer": peer.peer, "absent": peer.absent}
        if not (peer.absent or ours.absent):
            middle, low, high = ours.ratio(peer)
            row |= {"ms": peer.median * 1e3, "ratio": middle, "quartiles": [low, high], "first_s": peer.first}
        rows.append(row)
    return {"case": case, "setting": setting, "threads": threads, "peers": rows}


def _machine() -> dict:
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(), "system": platform.system()}
