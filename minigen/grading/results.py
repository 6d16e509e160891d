"""What came of one submission, as plain records: the one thing that every writer reads."""
import json
from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["passed", "failed", "error", "not done", "late", "died", "not run"]


@dataclass(frozen=True)
class CheckResult:
    """One check: `points` earned of `out_of`, and what the student is told.

    tried, came and detail are empty for hidden checks: nothing of a hidden input or expectation is ever held here.
    """

    name: str
    function: str
    visibility: str
    status: Status
    points: float
    out_of: float
    states: str
    violated: str = ""
    detail: str = ""
    tried: str = ""
    came: str = ""
    hint: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the property held on every draw."""
        return self.status == "passed"

    def message(self) -> str:
        """The lines a student reads when the check did not pass: tried, came out, violated, hint."""
        if self.passed:
            return f"{self.function}: {self.name}: passed"
        head = f"{self.function}: {self.name} [{self.status}, {self.points:g} of {self.out_of:g} points]"
        if self.status == "not done":
            return f"{head}\n  {self.violated}"
        lines = [("property", self.states), ("tried", self.tried), ("came out", self.came),
                 ("violated", self.violated), ("", self.detail), ("hint", self.hint)]
        return "\n".join([head, *(f"  {label:9} {text}" for label, text in lines if text)])


@dataclass(frozen=True)
class Result:
    """One submission under one exercise.

    checks       in the order of the exercise, only those that were asked for
    withheld     points of checks that were not asked for (hidden ones, on a student's machine)
    feedback     (function, sentence) for every misconception that its answers match exactly
    problem      why the file as a whole could not be executed, else ""
    isolation    layers in force: "limits", "landlock", "seccomp", "audit"
    seed         "published" or "secret"
    output       what the submission printed, cut
    """

    exercise: str
    submission: str
    checks: tuple[CheckResult, ...]
    withheld: float
    feedback: tuple[tuple[str, str], ...]
    problem: str
    isolation: tuple[str, ...]
    seed: str
    seconds: float
    output: str = ""

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(c.points for c in self.checks)

    @property
    def out_of(self) -> float:
        """Points of the checks that were asked for."""
        return sum(c.out_of for c in self.checks)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(c.passed for c in self.checks)

    @property
    def exit_code(self) -> int:
        """0 where every check passed, else 1."""
        return 0 if self.passed else 1

    def feedback_for(self, function: str) -> list[str]:
        """The sentences about one function."""
        return [sentence for name, sentence in self.feedback if name == function]

    def function_points(self, function: str) -> tuple[float, float]:
        """(earned, possible) over the checks of one function."""
        mine = [c for c in self.checks if c.function == function]
        return sum(c.points for c in mine), sum(c.out_of for c in mine)

    def to_dict(self) -> dict:
        """Plain data, with the sums that readers of the JSON want."""
        return {"format": "minigen.result/1", **asdict(self), "points": self.points, "out_of": self.out_of}

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """Inverse of `to_json`."""
        data = json.loads(text)
        if data.pop("format", None) != "minigen.result/1":
            raise ValueError("Result.from_json: the text is not a minigen.result/1 record")
        del data["points"], data["out_of"]
        data["checks"] = tuple(CheckResult(**c) for c in data["checks"])
        data["feedback"] = tuple(map(tuple, data["feedback"]))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})
