"""Runs lectures headless and gathers their ledgers: what `minigen check` does.

Each lecture is a script in a child process, in an empty temporary folder, with figures that go nowhere. A lecture
that stops, hangs or dies is a failed row of the ledger, never a crash of the run.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minigen.checks.ledger import LectureRun, Ledger, Row
from minigen.checks.required import CLAIMS
from minigen.checks.statement import plain
from minigen.resources import find_lecture, lecture_files

DEADLINE = 600.0  # seconds for one lecture; they are written to take under 60


def run_ledger(lectures: Iterable[str | int] | None = None, jobs: int = 1, deadline: float = DEADLINE) -> Ledger:
    """Runs lectures ("11", "11_vae", "vae" or 11; all if None) and gives one ledger with all their rows.

    With None, a lecture that `required` lists and that has no file is missing whole. jobs: child processes at a
    time. deadline: seconds until a lecture is stopped. `Ledger.passed` is the decision, `Ledger.missing()` what
    was not executed. Raises ValueError for an unknown lecture.
    """
    paths = lecture_files() if lectures is None else [find_lecture(str(name)) for name in lectures]
    return run_files(paths, whole=lectures is None, jobs=jobs, deadline=deadline)


def run_files(paths: Iterable[Path], *, whole: bool = False, jobs: int = 1, deadline: float = DEADLINE) -> Ledger:
    """One ledger of the lecture files `NN_topic.py`; `whole` also asks for required lectures that have no file."""
    paths = list(dict.fromkeys(map(Path, paths)))
    ledger = Ledger(echo=False)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for part in pool.map(lambda path: _run_child(path, deadline), paths):
            ledger.extend(part)
    if whole:
        found = {lecture_number(path) for path in paths}
        for lecture in sorted(set(CLAIMS) - found):
            ledger.extend(_stopped(lecture, f"{lecture:02d}", 0.0, "there is no file of this lecture"))
    return ledger


def lecture_number(path: Path) -> int:
    """11 for 11_vae.py; ValueError for a name without a number."""
    number = path.stem.split("_")[0]
    if not number.isdigit():
        raise ValueError(f"{path.name}: a lecture file is named NN_topic.py")
    return int(number)


def run_here(path: Path, out: Path) -> None:
    """Executes one lecture in this process, as a script, and writes its ledger; the child's side of `run_files`."""
    import runpy

    lecture, begin, error = lecture_number(path), time.perf_counter(), ""
    with Ledger(lecture) as ledger:
        try:
            runpy.run_path(str(path), run_name="__main__")
        except (Exception, SystemExit) as exception:
            error = f"{type(exception).__name__}: {exception}{_line_of(exception, path)}"
    seconds = time.perf_counter() - begin
    if error:
        ledger.extend(_stopped(lecture, path.stem, seconds, error))
    else:
        ledger.runs.append(LectureRun(lecture, path.stem, seconds))
    ledger.write_json(out)


def _run_child(path: Path, deadline: float) -> Ledger:
    lecture, begin = lecture_number(path), time.perf_counter()
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    # The lecture runs elsewhere, so this package is named even where it was found through the current folder.
    roots = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, roots))
    with tempfile.TemporaryDirectory(prefix="minigen-check-", ignore_cleanup_errors=True) as folder:
        out, work = Path(folder) / "ledger.json", Path(folder) / "work"
        work.mkdir()
        command = [sys.executable, "-m", "minigen.checks", str(path.resolve()), str(out)]
        try:
            child = subprocess.run(command, cwd=work, env=environment, timeout=deadline, capture_output=True,
                                   stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace")  # fmt: skip
            if out.is_file():
                return Ledger.read_json(out)
            last = (child.stderr.strip().splitlines() or ["no message"])[-1]
            error = f"the process ended with code {child.returncode} before its ledger was written: {last}"
        except subprocess.TimeoutExpired:
            error = f"stopped after {deadline:g} s"
    return _stopped(lecture, path.stem, time.perf_counter() - begin, error)


def _stopped(lecture: int, name: str, seconds: float, error: str) -> Ledger:
    """A ledger that says that a lecture did not reach its end."""
    row = Row(
        id=f"lecture-{lecture:02d}-runs",
        kind="run",
        statement=f"lecture {name} runs to its end",
        source="",
        lhs=None,
        rhs=None,
        error=float("inf"),
        tolerance=0.0,
        holds=False,
        lecture=lecture,
        note=error,
    )
    return Ledger(rows=[row], runs=[LectureRun(lecture, name, seconds, error)])


def _line_of(exception: BaseException, path: Path) -> str:
    """Where in the lecture an exception passed."""
    line, trace = None, exception.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" ({path.name}, line {line})" if line else ""


def print_table(ledger: Ledger) -> None:
    """The ledger as a table in the terminal: rows, what is missing, one line of summary."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    narrow = console.width < 120  # then the statement goes below its id
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("claim", no_wrap=not narrow, ratio=1 if narrow else None)
    if not narrow:
        table.add_column("statement", ratio=1)
    for heading in ("lhs", "rhs", "error"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in ledger.rows:
        name, statement, *numbers, verdict = row.cells()
        if row.correction:
            statement += f"\nright: {plain(row.correction)}"
        if not row.holds and row.note:
            statement += f"\n{row.note}"
        style = "green" if row.holds else "bold red"
        lecture = "" if row.lecture is None else f"{row.lecture:02d}"
        said = [f"{name}\n{statement}"] if narrow else [name, statement]
        table.add_row(lecture, *map(Text, said + numbers), Text(verdict, style=style))
    errata = sum(row.kind == "erratum" for row in ledger.rows)
    if errata:
        table.caption = "of an erratum: printed value, truth; error of the printed / of the right form"
    console.print(table)
    missing = ledger.missing()
    for lecture in sorted({lecture for lecture, _ in missing}):
        ids = ", ".join(id for number, id in missing if number == lecture)
        console.print(Text(f"lecture {lecture:02d} must execute and did not: {ids}", style="bold red"))
    seconds = ", ".join(f"{run.name} {run.seconds:.1f} s" for run in ledger.runs)
    console.print(Text(
        f"{len(ledger.rows) - len(ledger.failures)} of {len(ledger.rows)} rows hold, {errata} of them errata; "
        f"{len(missing)} required missing. {seconds}",
        style="green" if ledger.passed else "bold red",
    ))  # fmt: skip


def check_command(
    lectures: Iterable[str] | None = None, json_path: str | Path | None = None, jobs: int = 1
) -> int:
    """`minigen check [NN ...] [--json FILE]`: runs (all lectures if none), prints, writes JSON; the exit code.

    0: everything holds. 1: a row fails or a required one is missing. 2: an unknown lecture, or a file that cannot
    be written, said in one line on standard error.
    """
    from rich.console import Console

    if json_path is not None and (Path(json_path).is_dir() or not Path(json_path).parent.is_dir()):
        print(f"minigen check: cannot write {json_path}: not a file in an existing folder", file=sys.stderr)
        return 2
    try:
        with Console(stderr=True).status("running the lectures"):
            ledger = run_ledger(list(lectures or ()) or None, jobs=jobs)
    except (ValueError, FileNotFoundError) as error:
        print(f"minigen check: {error}", file=sys.stderr)
        return 2
    print_table(ledger)
    if json_path is not None:
        try:
            ledger.write_json(json_path)
        except OSError as error:
            print(f"minigen check: cannot write {json_path}: {error.strerror}", file=sys.stderr)
            return 2
    return 0 if ledger.passed else 1
