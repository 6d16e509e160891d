"""One submission under one exercise: draw, ask, compare, and name the misconception.

The child answers, the parent judges. A child that died or overran costs the check it was asked for; the function that
did it is not asked again, the others get a new child.
"""
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from . import wire
from .compare import Mismatch, agree
from .folder import Exercise, find_exercise
from .isolation import LAYERS
from .records import Check, Mutant, grading_seed, local_seed
from .results import CheckResult, Result
from .runner import OUTPUT_LIMIT, Child, Dead, GraderError, Limits, Raised

SUBMISSION_LIMIT = 1 << 20
"""Most bytes of a student's file."""

Ask = Callable[[str, tuple, str | None], Any]


def check(file: Path, exercise: Exercise | str | None = None, *, hidden: bool = False, secret: bytes | None = None,
          student: str = "", limits: Limits | None = None, layers: tuple[str, ...] = LAYERS) -> Result:
    """Score one student's file; its exercise is found by the file's name where none is given.

    Without `secret`: the published seed. With it: HMAC(secret, exercise, student). `hidden` adds the hidden checks.
    Raises FileNotFoundError or ValueError (unknown exercise, a file too large); never because of what the file holds.
    """
    file = Path(file)
    if not isinstance(exercise, Exercise):
        exercise = find_exercise(exercise or file.stem)
    if file.stat().st_size > SUBMISSION_LIMIT:
        raise ValueError(f"check: {file.name} has {file.stat().st_size} bytes; at most {SUBMISSION_LIMIT} are read")
    seed = local_seed(exercise.id) if secret is None else grading_seed(secret, exercise.id, student)
    result = score(exercise, file.read_bytes(), seed, hidden=hidden, limits=limits, layers=layers)
    return replace(result, submission=file.name, seed="published" if secret is None else "secret")


def score(exercise: Exercise, source: bytes, seed: int, *, hidden: bool = True, limits: Limits | None = None,
          layers: tuple[str, ...] = LAYERS) -> Result:
    """Run the checks of an exercise on a source text, with inputs drawn from `seed`."""
    return score_seeds(exercise, source, [seed], hidden=hidden, limits=limits, layers=layers)[0]


def score_seeds(exercise: Exercise, source: bytes, seeds: list[int], *, hidden: bool = True,
                limits: Limits | None = None, layers: tuple[str, ...] = LAYERS) -> list[Result]:
    """One result per seed, all of them from one child where it lives long enough; the limits hold for the whole."""
    asked = [c for c in exercise.checks if hidden or c.public]
    desk = _Desk(exercise, source, limits or Limits(), layers)
    try:
        return [_score(exercise, asked, seed, desk) for seed in seeds]
    finally:
        desk.close()


def _score(exercise: Exercise, asked: list[Check], seed: int, desk: "_Desk") -> Result:
    start = time.monotonic()
    rows, answers = [], {}
    for item in asked:
        began = time.monotonic()
        row, answers[item.name] = _run(item, seed, desk.ask, desk.gone)
        rows.append(replace(row, seconds=round(time.monotonic() - began, 4)))
    return Result(exercise.id, "", tuple(rows), exercise.points() - sum(c.points for c in asked),
                  _feedback(exercise, asked, rows, answers, seed), desk.problem, desk.isolation, "published",
                  round(time.monotonic() - start, 3), desk.output)


class _Desk:
    """Where the questions of one submission are asked: keeps a child alive, and what is known about the dead."""

    def __init__(self, exercise: Exercise, source: bytes, limits: Limits, layers: tuple[str, ...]):
        self.exercise, self.source, self.limits, self.layers = exercise, source, limits, layers
        self.deadline = time.monotonic() + limits.total
        self.gone: dict[str, str] = {}
        self.problem, self.isolation = "", ()
        self._printed = ""
        self.child: Child | None = None
        self.failure: Raised | Dead | None = None

    def ask(self, function: str, arguments: tuple, driver: str | None) -> Any:
        """The child's answer, from a new child where the last one died."""
        if time.monotonic() > self.deadline:
            raise Dead(f"the {self.limits.total:g} seconds of the whole submission are used up", late=True)
        if self.failure is None and self.child is None:
            self.child = Child(self.exercise, self.source, self.limits, self.layers, self.deadline)
            self.isolation = self.child.isolation
            if self.child.problem:
                self.failure = self.child.problem
                self.problem = f"the file could not be executed: {_sentence(self.failure)}"
                self.close()
        if self.failure is not None:
            raise self.failure
        try:
            return self.child.call(function, arguments, driver)
        except Dead as dead:
            self.gone[function] = str(dead)
            self.close()
            raise

    @property
    def output(self) -> str:
        """What all children printed, cut."""
        return (self._printed + (self.child.output if self.child else ""))[:OUTPUT_LIMIT]

    def close(self) -> None:
        """End the child, keep what it printed."""
        if self.child is not None:
            self.child.close()
            self._printed, self.child = self.output, None


def _run(item: Check, seed: int, ask: Ask, gone: dict[str, str]) -> tuple[CheckResult, list]:
    """One check on all its draws: the row, and every answer in order."""
    answers: list = []
    last: tuple = ()

    def call(*arguments: Any, function: str | None = None) -> Any:
        driver = None if function else item.driver
        nonlocal last
        last = (function or item.function, arguments)
        answer = ask(function or item.function, arguments, driver)
        answers.append(answer)
        return answer

    def lost(status: str, violated: str, detail: str = "", came: str = "") -> CheckResult:
        shown = dict(detail=detail, tried=_tried(*last, item), came=came) if item.public and last else {}
        return CheckResult(item.name, item.function, item.visibility, status, 0.0, item.points, item.states,
                           violated=violated, hint=item.hint, **shown)

    if item.function in gone:
        said = f"an earlier call of {item.function} did not come back: {gone[item.function]}"
        return lost("not run", said), answers
    for inputs in item.draw(seed):
        try:
            with np.errstate(all="ignore"):
                item.compare.judge(call, inputs, item.expected)
        except Mismatch as mismatch:
            return lost("failed", mismatch.violated, mismatch.detail, _show(answers[-1])), answers
        except Raised as raised:
            if raised.not_done:
                return lost("not done", f"not implemented yet{': ' + raised.text if item.public else ''}"), answers
            return lost("error", _sentence(raised, item.public)), answers
        except Dead as dead:
            return lost("late" if dead.late else "died", str(dead)), answers
        except GraderError:
            raise
        except Exception as error:  # an answer so odd that the reference itself stumbles over it
            said = f"the answer could not be compared ({type(error).__name__})"
            return lost("failed", said, str(error)[:200], _show(answers[-1]) if answers else ""), answers
    row = CheckResult(item.name, item.function, item.visibility, "passed", item.points, item.points, item.states)
    return row, answers


def _sentence(problem: Raised | Dead, full: bool = True) -> str:
    """What happened, in one line; without the exception's own text where that could carry a hidden input."""
    if isinstance(problem, Dead):
        return str(problem)
    line = f" in line {problem.line}" if problem.line else ""
    return f"{problem.kind}{line}{': ' + problem.text if full and problem.text else ''}"


def _tried(function: str, arguments: tuple, item: Check) -> str:
    through = f" (through {item.driver})" if item.driver else ""
    return f"{function}({', '.join(map(_show, arguments))}){through}"


def _show(value: Any) -> str:
    """A value in a few words: small things whole, large arrays by shape and corner."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=5, threshold=12, edgeitems=2, separator=", ")
        text = " ".join(text.split())
        return text if value.size <= 12 else f"{value.shape}: {text[:120]}"
    if isinstance(value, wire.Seed):
        return f"default_rng({int(value)})"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_show, value))})"
    return f"{value:.8g}" if type(value) is float else repr(value)[:120]


def _feedback(exercise: Exercise, asked: list[Check], rows: list[CheckResult], answers: dict[str, list],
              seed: int) -> tuple[tuple[str, str], ...]:
    """Sentences of the mutants whose answers equal the submission's on every check of a function that failed."""
    said = []
    for function in dict.fromkeys(r.function for r in rows if r.status == "failed"):
        mine = [c for c in asked if c.function == function]
        for mutant in [m for m in exercise.mutants if m.function == function]:
            ask = _ask_in_process(exercise, mutant)
            if all(_same(_run(c, seed, ask, {})[1], answers[c.name]) for c in mine):
                said.append((function, mutant.feedback))
    return tuple(said)


def _ask_in_process(exercise: Exercise, mutant: Mutant) -> Ask:
    """Ask a mutated solution; it is the exercise author's code, so this process may run it."""
    student, drivers = ModuleType(exercise.name), ModuleType("drivers")
    exec(compile(exercise.with_mutant(mutant), f"{mutant.name}.py", "exec"), vars(student))
    exec(compile(exercise.drivers, "drivers.py", "exec"), vars(drivers))

    def ask(function: str, arguments: tuple, driver: str | None) -> Any:
        plain = wire.decode(wire.encode(list(arguments)), seeds=True)
        try:
            chosen = getattr(drivers, driver) if driver else None
            value = chosen(student, *plain) if chosen else getattr(student, function)(*plain)
            return wire.decode(wire.encode(value))
        except Exception as error:
            raise Raised(type(error).__name__, str(error), None, False) from None

    return ask


def _same(left: list, right: list) -> bool:
    """Equal answers to rounding, at least one of them."""
    try:
        with np.errstate(all="ignore"):
            agree(left, right, rtol=1e-7, atol=1e-10)
        return bool(left)
    except Mismatch:
        return False
