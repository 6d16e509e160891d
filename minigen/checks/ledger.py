"""The ledger: what was claimed, both sides, the error, the tolerance, the verdict; one row per executed equation.

`claim` and `erratum` write to the current ledger, print one aligned line and never raise because a row fails:
a failed row stays in the table, `Ledger.verify` raises for all of them, and `minigen check` exits 1.
What does raise at once is a row that could not fail (`VacuousError`) or that is not well formed (`ValueError`).
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from minigen.checks.required import CLAIMS, missing_ids
from minigen.checks.statement import plain

SCHEMA = "minigen-ledger/1"


class VacuousError(ValueError):
    """A claim that no wrong formula could fail."""


class LedgerError(AssertionError):
    """Rows of a ledger failed, or required rows are missing."""


@dataclass(frozen=True)
class Row:
    """One executed equation.

    kind: "equal", "at_most", "at_least", "z_score", "erratum", or "run" for a lecture that stopped.
    lhs and rhs are the sides at their worst entry. `error` and `tolerance` have one unit: for a z-score both are
    counted in standard errors. For an erratum `statement` is the printed form and `correction` the right one,
    lhs is the value of the right form, rhs the truth, and `printed` the value of the printed form, or a word on
    how it failed.
    """

    id: str
    kind: str
    statement: str
    source: str
    lhs: float | None
    rhs: float | None
    error: float
    tolerance: float
    holds: bool
    lecture: int | None = None
    correction: str = ""
    printed: float | str | None = None
    printed_error: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """holds or FAILS."""
        return "holds" if self.holds else "FAILS"

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The row as shown text: id, statement, left side, right side, error, verdict."""
        slip = self.kind == "erratum"
        statement = "printed: " * slip + plain(self.statement)
        left = _number(self.printed if slip else self.lhs)
        return (self.id, statement, left, _number(self.rhs), self._shown_error(), self.verdict)

    def _shown_error(self) -> str:
        if self.kind == "erratum":
            return f"{_order(self.printed_error)} / {_order(self.error)}"
        if self.kind == "z_score":
            return f"{self.error:.1f} sd"
        return _order(self.error)

    def _ipython_display_(self) -> None:
        """Nothing: a notebook cell that ends in a claim has printed its line already."""

    def __str__(self) -> str:
        name, statement, left, right, error, verdict = self.cells()
        # A long statement pushes its line out, so that nothing of the mathematics is lost.
        line = f"{name:<30} {statement:<52} {left:>13} {right:>13}   {error:<13} {verdict}"
        return line if self.holds or not self.note else f"{line}: {self.note}"


@dataclass
class LectureRun:
    """How one lecture ran: file stem, wall seconds, and the sentence of its failure (empty when it finished)."""

    lecture: int
    name: str
    seconds: float
    error: str = ""


@dataclass(eq=False)  # two empty ledgers are still two
class Ledger:
    """Rows in the order in which they were claimed; `with Ledger(11) as ledger:` makes it the current one.

    lecture: number written into each row. replace: a second row with the same id takes the place of the first
    (a reader who runs a cell again) instead of being refused. echo: print each row; stream: where to, standard
    output if None.
    """

    lecture: int | None = None
    replace: bool = False
    echo: bool = True
    stream: TextIO | None = None
    rows: list[Row] = field(default_factory=list)
    runs: list[LectureRun] = field(default_factory=list)

    def __enter__(self) -> "Ledger":
        _open.append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        _open.remove(self)

    def record(self, row: Row) -> Row:
        """Adds a row and prints its line; ValueError for an id that this lecture has used already."""
        same = [i for i, old in enumerate(self.rows) if (old.lecture, old.id) == (row.lecture, row.id)]
        if same and not self.replace:
            raise ValueError(f"{row.id}: this id is in the ledger already; ids are unique inside a lecture")
        if same:
            self.rows[same[0]] = row
        else:
            self.rows.append(row)
        if self.echo:
            print(row, file=self.stream)
        return row

    def extend(self, other: "Ledger") -> None:
        """Takes over the rows and runs of another ledger."""
        self.rows += other.rows
        self.runs += other.runs

    @property
    def failures(self) -> list[Row]:
        """Rows that do not hold."""
        return [row for row in self.rows if not row.holds]

    @property
    def lectures(self) -> list[int]:
        """Numbers of the lectures that wrote here or were run."""
        numbers = {row.lecture for row in self.rows} | {run.lecture for run in self.runs}
        return sorted(numbers - {None})

    def missing(self, lectures: Iterable[int] | None = None) -> list[tuple[int, str]]:
        """(lecture, id) of required rows that are not here; of the given lectures, or of those in the ledger."""
        wanted = self.lectures if lectures is None else sorted(lectures)
        present = {n: {row.id for row in self.rows if row.lecture == n} for n in wanted}
        return [(n, id) for n in wanted if n in CLAIMS for id in missing_ids(n, present[n])]

    @property
    def passed(self) -> bool:
        """Whether every row holds and, for each lecture here, nothing required is missing."""
        return not self.failures and not self.missing()

    def verify(self) -> None:
        """Raises LedgerError that lists the rows that fail and the required ids that are missing."""
        if self.passed:
            return
        lines = [str(row) for row in self.failures]
        lines += [f"lecture {n:02d} must execute {id}, and did not" for n, id in self.missing()]
        raise LedgerError(f"{len(lines)} of {len(self.rows)} rows fail or are missing:\n" + "\n".join(lines))

    def as_dict(self) -> dict[str, Any]:
        """Plain data under `SCHEMA`; non-finite numbers as "nan", "inf", "-inf", so that the JSON is strict."""
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "lectures": [_strict(asdict(run)) for run in self.runs],
            "missing": [{"lecture": n, "id": id} for n, id in self.missing()],
            "rows": [_strict(asdict(row)) for row in self.rows],
        }

    def write_json(self, path: str | Path) -> None:
        """Writes the ledger as JSON, atomically: the file is the old one or the whole new one."""
        path = Path(path)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def read_json(cls, path: str | Path) -> "Ledger":
        """The ledger of a file that `write_json` wrote; ValueError for another schema."""
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data.get("schema") != SCHEMA:
            raise ValueError(f"{path}: schema {data.get('schema')!r}; expected {SCHEMA!r}")
        rows = [Row(**_loose(row, Row)) for row in data["rows"]]
        return cls(rows=rows, runs=[LectureRun(**run) for run in data["lectures"]])


_open: list[Ledger] = [Ledger(replace=True)]  # the first one serves notebooks, where cells are run again


def current_ledger() -> Ledger:
    """The ledger that `claim` and `erratum` write to now."""
    return _open[-1]


def _number(x: float | str | None) -> str:
    if x is None or isinstance(x, str):
        return x or ""
    if abs(x) < 1e-13:  # what rounding leaves of zero differs between machines
        return "0"
    if abs(x) < 1e9 and abs(x - round(x)) < 1e-12 * abs(x):
        return str(round(x))
    return f"{x:.6f}" if 1e-2 <= abs(x) < 1e5 else f"{x:.4g}"


def _order(error: float | None) -> str:
    """An error rounded up to a power of ten: the digits below it differ between machines."""
    if error is None or not np.isfinite(error):
        return "-" if error is None else str(error)
    return "0" if error == 0 else f"1e{max(-15, int(np.ceil(np.log10(error)))):+03d}"


def _strict(row: dict[str, Any]) -> dict[str, Any]:
    bad = {k: str(v) for k, v in row.items() if isinstance(v, float) and not np.isfinite(v)}
    return row | bad


def _loose(row: dict[str, Any], kind: type) -> dict[str, Any]:
    numeric = {f.name for f in fields(kind)} & {"lhs", "rhs", "error", "tolerance", "printed_error"}
    return row | {k: float(row[k]) for k in numeric if isinstance(row[k], str)}
