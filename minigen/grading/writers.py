"""Results for people: one submission, and the state of the exercises, as tables in a terminal."""
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .folder import Exercise
from .results import Result
from .verify import ExerciseReport, Report

_STYLES = {"passed": "green", "failed": "red", "error": "red", "late": "red", "died": "red", "not run": "yellow",
           "not done": "yellow"}


def write_list(exercises: Iterable[Exercise], console: Console | None = None) -> None:
    """What there is to do: a row per exercise."""
    table = Table(title="exercises", title_justify="left")
    for heading in ("number", "topic", "title", "functions", "points"):
        table.add_column(heading, justify="right" if heading == "points" else "left")
    for e in exercises:
        table.add_row(f"{e.number:02d}", e.name, escape(e.title), ", ".join(e.functions), f"{e.points():g}")
    (console or Console()).print(table)


def write_result(result: Result, console: Console | None = None) -> None:
    """One submission: a row per check, the messages of those that did not pass, feedback, sum, isolation."""
    console = console or Console()
    table = Table(title=f"{result.exercise}: {escape(result.submission)}", title_justify="left")
    for heading in ("function", "check", "", "points"):
        table.add_column(heading, justify="right" if heading == "points" else "left")
    for row in result.checks:
        status = f"[{_STYLES[row.status]}]{row.status}[/]"
        table.add_row(row.function, row.name, status, f"{row.points:g} / {row.out_of:g}")
    console.print(table)
    if result.problem:
        console.print(escape(result.problem), style="red", highlight=False)
    for row in result.checks:
        if not row.passed and not result.problem:
            console.print(escape(row.message()), highlight=False, soft_wrap=True)
    for function, sentence in result.feedback:
        console.print(f"{function}: {escape(sentence)}", style="cyan", highlight=False, soft_wrap=True)
    later = f"; {result.withheld:g} more at grading" if result.withheld else ""
    layers = ", ".join(result.isolation) or "a process of its own only"
    how = f"{result.seed} seed, {result.seconds:.1f} s, isolation: {layers}"
    console.print(f"{result.points:g} of {result.out_of:g} points{later} ({how})", highlight=False, soft_wrap=True)


def write_report(report: Report, console: Console | None = None) -> None:
    """The exercises themselves: points and time, the kill matrix of each, and every problem found."""
    console = console or Console()
    summary = Table(title="exercises", title_justify="left")
    for heading in ("exercise", "public", "hidden", "stub", "solution", "mutants", "seconds"):
        summary.add_column(heading, justify="left" if heading == "exercise" else "right")
    for row in report.exercises:
        rejected = sum(k.rejected for k in row.kills)
        summary.add_row(row.exercise, f"{row.public:g}", f"{row.hidden:g}", f"{row.stub:g}",
                        f"{100 * row.solution:.0f} %", f"{rejected} of {len(row.kills)}", f"{row.seconds:.1f}")
    for row in report.exercises:
        console.print(_kill_matrix(row))
    console.print(summary)
    for row in report.exercises:
        for problem in row.problems:
            console.print(f"{row.exercise}: {escape(problem)}", style="red", highlight=False, soft_wrap=True)
    verdict = "all hold" if report.passed else f"{sum(len(r.problems) for r in report.exercises)} problems"
    console.print(f"{len(report.exercises)} exercises, {report.seconds:.1f} s: {verdict}", highlight=False)


def _kill_matrix(row: ExerciseReport) -> Table:
    """Mutants down, checks across: x where the check rejects the mutant, . where it lets it pass."""
    table = Table(title=f"{row.exercise}: which check rejects which mutant", title_justify="left")
    for heading in ("function", "mutant", "kept", *map(str, range(1, len(row.checks) + 1))):
        table.add_column(heading)
    for kill in row.kills:
        marks = ["x" if name in kill.killed_by else "." if name in kill.faced else "" for name in row.checks]
        kept = f"{100 * kill.kept:.0f} %" + ("" if kill.rejected else " survives")
        table.add_row(kill.function, kill.mutant, kept, *marks)
    table.caption = "\n".join(f"{i} {name}" for i, name in enumerate(row.checks, 1))
    table.caption_justify = "left"
    return table
