"""Are the exercises themselves right? Stub, solution, mutants and leaks, with the kill matrix as the proof."""
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import stubs
from .folder import Exercise, find_exercise, list_exercises
from .records import Mutant, grading_seed, local_seed
from .results import Result
from .runner import Limits
from .score import score_seeds

SEEDS = 3
"""The published seed and two grading seeds: a check must tell right from wrong on each."""

MUTANTS = range(3, 9)
"""How many mutants each function has."""


@dataclass(frozen=True)
class Kill:
    """One mutant: the largest fraction of its function's points it kept on any seed, and which checks reject it."""

    mutant: str
    function: str
    kept: float
    at_most: float
    killed_by: tuple[str, ...]
    faced: tuple[str, ...]
    told: bool

    @property
    def rejected(self) -> bool:
        """Whether it lost what it had to lose, on every seed."""
        return self.kept <= self.at_most + 1e-9


@dataclass(frozen=True)
class ExerciseReport:
    """One exercise: points, what the stub earns, the fraction the solution earns, kills, and what is wrong."""

    exercise: str
    public: float
    hidden: float
    checks: tuple[str, ...]
    stub: float
    solution: float
    kills: tuple[Kill, ...]
    problems: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Report:
    """All exercises that were asked for."""

    exercises: tuple[ExerciseReport, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether there is any exercise, and nothing wrong with one."""
        return bool(self.exercises) and not any(e.problems for e in self.exercises)

    @property
    def exit_code(self) -> int:
        """0 where nothing is wrong, else 1."""
        return 0 if self.passed else 1

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps({"format": "minigen.exercises/1", **asdict(self), "passed": self.passed}, indent=1)


def build_stubs(exercises: Iterable[str] | None = None, root: Path | None = None) -> list[Path]:
    """Write every exercise's stub from its solution; returns the files that changed."""
    changed = []
    for exercise in _chosen(exercises, root):
        text = stubs.strip(exercise.solution, exercise.name)
        if not exercise.stub_path.exists() or exercise.stub_path.read_text(encoding="utf-8") != text:
            exercise.stub_path.write_text(text, encoding="utf-8")
            changed.append(exercise.stub_path)
    return changed


def verify(exercises: Iterable[str] | None = None, root: Path | None = None, limits: Limits | None = None,
           seeds: int = SEEDS) -> Report:
    """Prove exercises right, all of them or those of these numbers or names.

    The stub is what the solution gives and earns 0, the solution earns all, every mutant is rejected and told why,
    no line of the solution is in the stub. seeds: how many draws of the checks' data each of them faces.
    """
    start = time.monotonic()
    rows = tuple(_verify(exercise, limits, seeds) for exercise in _chosen(exercises, root))
    return Report(rows, round(time.monotonic() - start, 2))


def _chosen(exercises: Iterable[str] | None, root: Path | None) -> list[Exercise]:
    return list_exercises(root) if exercises is None else [find_exercise(e, root) for e in exercises]


def _verify(exercise: Exercise, limits: Limits | None, count: int) -> ExerciseReport:
    start = time.monotonic()
    seeds = [local_seed(exercise.id), *(grading_seed(b"verify", exercise.id, str(n)) for n in range(1, count))]
    stub = stubs.strip(exercise.solution, exercise.name)

    def run(text: str) -> list[Result]:
        return score_seeds(exercise, text.encode(), seeds, limits=limits)

    texts = [stub, exercise.solution, *(exercise.with_mutant(m) for m in exercise.mutants)]
    [of_stub, *_], of_solution, *of_mutants = map(run, texts)
    kills = tuple(_kill(m, results) for m, results in zip(exercise.mutants, of_mutants))
    problems = [*_form(exercise, stub), *_stub_problems(of_stub), *_solution_problems(of_solution),
                *_kill_problems(kills)]
    earned = min(r.points / r.out_of for r in of_solution)
    return ExerciseReport(exercise.id, exercise.points("public"), exercise.points("hidden"),
                          tuple(c.name for c in exercise.checks), of_stub.points, earned, kills, tuple(problems),
                          round(time.monotonic() - start, 2))


def _form(exercise: Exercise, stub: str) -> list[str]:
    """What the files alone show."""
    found = [f"the stub shows a line of the solution: {line}" for line in stubs.leaked_lines(exercise.solution, stub)]
    if not exercise.stub_path.exists() or exercise.stub_path.read_text(encoding="utf-8") != stub:
        found.append(f"{exercise.stub_path.name} is not what solution.py gives; build the stubs again")
    if not (exercise.folder / f"test_{exercise.name}.py").is_file():
        found.append(f"test_{exercise.name}.py is missing")
    marked = stubs.marked_functions(exercise.solution)
    found += [f"{name} is for students to write, but no public check tests it" for name in marked
              if not any(c.public and c.function == name for c in exercise.checks)]
    found += [f"{name} is tested, but has no marked region" for name in exercise.functions if name not in marked]
    for name in exercise.functions:
        count = sum(m.function == name for m in exercise.mutants)
        if count not in MUTANTS:
            found.append(f"{name} has {count} mutants; {MUTANTS.start} to {MUTANTS.stop - 1} are needed")
    return found


def _stub_problems(result: Result) -> list[str]:
    return [f"the stub earns {c.points:g} on {c.name!r} ({c.status})"
            for c in result.checks if c.status != "not done"]


def _solution_problems(results: list[Result]) -> list[str]:
    return [f"the solution fails: {c.message()}" for r in results for c in r.checks if not c.passed]


def _kill(mutant: Mutant, results: list[Result]) -> Kill:
    faced = tuple(c.name for c in results[0].checks if c.function == mutant.function)
    shares = [earned / possible for earned, possible in (r.function_points(mutant.function) for r in results)]
    killed = tuple(n for n in faced if all(not c.passed for r in results for c in r.checks if c.name == n))
    told = all((mutant.function, mutant.feedback) in r.feedback for r in results)
    return Kill(mutant.name, mutant.function, max(shares), mutant.at_most, killed, faced, told)


def _kill_problems(kills: tuple[Kill, ...]) -> list[str]:
    found = [f"mutant {k.mutant} survives: it keeps {100 * k.kept:.0f} % of {k.function}, at most "
             f"{100 * k.at_most:.0f} % is allowed" for k in kills if not k.rejected]
    return found + [f"mutant {k.mutant} is rejected, but not told its sentence"
                    for k in kills if k.rejected and not k.told]
