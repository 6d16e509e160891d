"""What a check gives back, and what it raises."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check: its name, the statistic, what it may reach, the verdict, and a sentence."""

    name: str
    statistic: float
    tolerance: float
    passed: bool
    detail: str

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return f"{self.name} {verdict}: {self.detail}"


class CheckError(AssertionError):
    """A property is violated. The message says what was tried, what came out and which property; `.result` holds
    the record."""

    def __init__(self, result: CheckResult):
        super().__init__(f"{result.name}: {result.detail}")
        self.result = result


def passed(name: str, statistic: float, tolerance: float, detail: str) -> CheckResult:
    """The record of a check that holds."""
    return CheckResult(name, float(statistic), float(tolerance), True, detail)


def fail(name: str, statistic: float, tolerance: float, detail: str) -> None:
    """Raises CheckError with the record of a check that does not hold."""
    raise CheckError(CheckResult(name, float(statistic), float(tolerance), False, detail))


@dataclass
class Report:
    """Several comparisons under one name: the first that exceeds its tolerance raises, `result` sums up the rest."""

    name: str
    lines: list[tuple[float, float, str]] = field(default_factory=list)

    def compare(self, error: float, tolerance: float, what: str, sentence: str) -> None:
        """error <= tolerance, or CheckError with the sentence; NaN exceeds everything."""
        if not error <= tolerance:
            fail(self.name, error, tolerance, sentence)
        self.lines.append((float(error), tolerance, what))

    def result(self) -> CheckResult:
        """The record: its statistic is the error that came nearest to its tolerance."""
        error, tolerance, _ = max(self.lines, key=lambda line: line[0] / line[1])
        detail = "; ".join(f"{what} {error:.1e} (tolerance {tolerance:.0e})" for error, tolerance, what in self.lines)
        return passed(self.name, error, tolerance, detail)
