"""The order of the tour, with progress, and the files that it leaves."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console

from minigen import plots
from minigen.checks import run_ledger
from minigen.checks.ledger import Ledger

from .report import page
from .stops import STOPS, Stop


def run(out: Path = Path("report"), *, seed: int = 0) -> int:
    """Train, execute, write `out`/report.html with its figures and ledger.json; exit code 1 where a claim fails.

    A report that is there already is replaced only when the new one is whole. Raises ValueError when `out` is a file or
    a folder that holds something else, OSError when it cannot be written.
    """
    out = Path(out)
    _refuse(out)
    console, start = Console(), time.perf_counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        stops = []
        for name, stop in STOPS.items():
            console.print(f"[bold]{name}")
            stops.append(stop(draft / "models", seed))
        console.print("[bold]ledger")
        ledger = run_ledger(jobs=2)
        _write(draft, stops, ledger, seed, time.perf_counter() - start)
        draft.chmod(0o755)
        _replace(draft, out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    held = sum(row.holds for row in ledger.rows)
    console.print(f"{held} of {len(ledger.rows)} claims and errata hold, {len(ledger.missing())} are missing; "
                  f"{time.perf_counter() - start:.0f} s")
    console.print(f"Open {out / 'report.html'}")
    return 0 if ledger.passed else 1


def _write(folder: Path, stops: list[Stop], ledger: Ledger, seed: int, seconds: float) -> None:
    figures = folder / "figures"
    figures.mkdir()
    number, shown = 0, []
    for stop in stops:
        names = []
        for figure, caption in stop.figures:
            number += 1
            path = figures / f"{number:02d}.png"
            plots.save(figure, path)
            names.append((path, caption))
        shown.append((stop, names))
    (folder / "report.html").write_text(page(shown, ledger, seed, seconds), encoding="utf-8")
    ledger.write_json(folder / "ledger.json")
    table = [{"model": stop.title, "data": stop.data, "nats": likelihood.mean(), "kind": likelihood.kind,
              "method": likelihood.method, "standard_error": likelihood.mean_standard_error(),
              "bits_per_dimension": float(likelihood.bits_per_dimension(stop.dimensions))}
             for stop in stops for likelihood in stop.likelihoods]
    (folder / "likelihoods.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _refuse(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / "report.html").exists():
        raise ValueError(f"tour: {out} holds files but no report; nothing was changed, name another folder with --out")
    if out.exists() and not out.is_dir():
        raise ValueError(f"tour: {out} is a file; expected a folder that exists or can be made")


def _replace(draft: Path, out: Path) -> None:
    """Put the new report in the place of the old one, which is whole until then."""
    old = draft.with_name(draft.name + "-old")
    if out.exists():
        out.rename(old)
    draft.rename(out)
    shutil.rmtree(old, ignore_errors=True)
