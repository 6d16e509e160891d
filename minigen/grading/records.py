"""The records that an exercise is made of: checks with a property and a reference, mutants with a misconception.

A check draws inputs from a seed in the parent process, sends them to the student's function in the child,
and compares what comes back with a reference that never leaves the parent. A mutant is a plausible wrong
version of one function: the checks must reject it, and a submission that behaves like it is told why.
"""
import ast
import hashlib
import hmac
import inspect
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .compare import Comparison, Value

Inputs = Callable[[np.random.Generator], tuple]


@dataclass(frozen=True)
class Check:
    """One property of one function of an exercise, and what it is worth.

    name        short and unique within the exercise
    function    the student's function under test
    states      the property in words or formula; told to the student when it is violated
    inputs      rng -> tuple of arguments: arrays, numbers, text, `Seed`, tuples, lists, dicts of them
    expected    the reference, an independent route; what it takes is said by the comparison (default: *inputs)
    compare     Value, Gradient, Bijection, Density, Sampler or Property
    points      earned when the property holds on every draw
    visibility  "public": run by students with the published seed; "hidden": run at grading only
    hint        where to look when it fails
    driver      name of a function in the exercise's drivers.py that stands between inputs and student
    draws       how many inputs are drawn
    """

    name: str
    function: str
    states: str
    inputs: Inputs
    expected: Callable[..., Any] | None = None
    compare: Comparison = field(default_factory=Value)
    points: float = 1.0
    visibility: Literal["public", "hidden"] = "public"
    hint: str = ""
    driver: str | None = None
    draws: int = 3

    def __post_init__(self) -> None:
        where = f"Check({self.name!r})"
        if self.visibility not in ("public", "hidden"):
            raise ValueError(f"{where}: visibility is {self.visibility!r}; expected 'public' or 'hidden'")
        if not self.points > 0:
            raise ValueError(f"{where}: points is {self.points!r}; expected a positive number")
        if self.draws < 1:
            raise ValueError(f"{where}: draws is {self.draws!r}; expected at least 1")
        if not self.hint:
            raise ValueError(f"{where}: hint is empty; expected one sentence")
        if self.compare.needs_expected and self.expected is None:
            raise ValueError(f"{where}: expected is missing; {type(self.compare).__name__} needs a reference")

    @property
    def public(self) -> bool:
        """Whether students see this check."""
        return self.visibility == "public"

    def draw(self, seed: int) -> list[tuple]:
        """The inputs of every draw: the same for the same seed, different between checks."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        drawn = [self.inputs(rng) for _ in range(self.draws)]
        if not all(isinstance(inputs, tuple) for inputs in drawn):
            raise TypeError(f"Check({self.name!r}): inputs(rng) gave {type(drawn[0]).__name__}; expected a tuple")
        return drawn


@dataclass(frozen=True)
class Mutant:
    """A plausible wrong version of one function, the most it may score, and the sentence that sets it right.

    at_most is a fraction of the points of that function's checks.
    """

    name: str
    function: str
    source: str
    feedback: str
    at_most: float


def mutant(function: str, *, feedback: str, at_most: float = 0.0) -> Callable[[Callable], Mutant]:
    """Decorator for mutants.py: the function below it replaces `function` of the solution as a whole.

    Its own name names the misconception. It runs inside the solution's module, with that module's imports.
    """
    if not 0.0 <= at_most < 1.0:
        raise ValueError(f"mutant({function!r}): at_most is {at_most!r}; expected a fraction in [0, 1)")
    if not feedback:
        raise ValueError(f"mutant({function!r}): feedback is empty; expected one sentence")

    def record(wrong: Callable) -> Mutant:
        source = textwrap.dedent(inspect.getsource(wrong))
        definition = ast.parse(source).body[0]
        body = "\n".join(source.splitlines()[definition.lineno - 1 :])
        renamed = body.replace(f"def {wrong.__name__}(", f"def {function}(", 1)
        return Mutant(wrong.__name__, function, renamed + "\n", feedback, at_most)

    return record


def local_seed(exercise: str) -> int:
    """The published seed: what students run on their own machine."""
    return int.from_bytes(hashlib.sha256(f"minigen exercise {exercise}".encode()).digest()[:8], "big")


def grading_seed(secret: bytes, exercise: str, student: str) -> int:
    """HMAC(secret, exercise, student): unknown to students, the same whenever the grade is computed again."""
    if not secret:
        raise ValueError("grading_seed: secret is empty; expected bytes that students do not know")
    message = f"{len(exercise)}:{exercise}{len(student)}:{student}".encode()
    return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:16], "big")
