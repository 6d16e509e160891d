"""How an answer is judged: five comparisons and one escape hatch.

`judge(call, inputs, expected)` runs in the parent. `call(*arguments)` asks the student's function in the child
and returns plain data; `expected` is the check's reference. A violated property raises `Mismatch`, whose
`violated` may be told to anyone and whose `detail` holds numbers of the reference, for public checks only.
"""
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from minigen.checks.densities import check_density, check_sampler
from minigen.checks.domains import Box, Domain, Interval
from minigen.checks.oracles import numeric_jacobian, numeric_log_det
from minigen.checks.result import CheckError

from .wire import Seed

Call = Callable[..., Any]


class Mismatch(Exception):
    """A property does not hold: `violated` without, `detail` with numbers of the reference."""

    def __init__(self, violated: str, detail: str = ""):
        super().__init__(violated)
        self.violated = violated
        self.detail = detail


class Comparison(Protocol):
    """What a check needs of a comparison."""

    needs_expected: bool

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Return if the property holds, raise Mismatch if not."""


def _kind(array: np.ndarray) -> str:
    return {"f": "real", "i": "integer", "u": "integer", "b": "truth"}.get(array.dtype.kind, str(array.dtype))


def _tell(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=6, threshold=8, edgeitems=3)


def agree(got: Any, want: Any, rtol: float, atol: float, what: str = "the value") -> None:
    """|got - want| <= atol + rtol |want| everywhere, after dtype kind and shape; raises Mismatch.

    Tuples and lists are compared entry by entry, dicts key by key.
    """
    if isinstance(want, tuple | list):
        if not isinstance(got, tuple | list) or len(got) != len(want):
            came = f"{len(got)} values" if isinstance(got, tuple | list) else type(got).__name__
            raise Mismatch(f"{what} should be {len(want)} values, but is {came}")
        for number, (g, w) in enumerate(zip(got, want), 1):
            agree(g, w, rtol, atol, f"{what} number {number}" if what == "the value" else f"{what}[{number - 1}]")
        return
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(got) != set(want):
            came = sorted(got) if isinstance(got, dict) else type(got).__name__
            raise Mismatch(f"{what} should be a dict with the keys {sorted(want)}, but is {came}")
        for key in want:
            agree(got[key], want[key], rtol, atol, f"the value at {key!r}")
        return
    if want is None or isinstance(want, str):
        if got != want:
            raise Mismatch(f"{what} is wrong", f"{got!r:.80} came, {want!r} expected")
        return
    got, want = numbers(got, what), np.asarray(want)
    if _kind(got) != _kind(want):
        raise Mismatch(f"{what} holds {_kind(got)} numbers; {_kind(want)} numbers are needed")
    if got.shape != want.shape:
        raise Mismatch(f"{what} has shape {got.shape}; shape {want.shape} is needed")
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(float) - want.astype(float))
        good = (got == want) | (error <= atol + rtol * np.abs(want.astype(float))) | (np.isnan(got) & np.isnan(want))
    if good.all():
        return
    if np.isnan(got).any() and not np.isnan(want).any():
        raise Mismatch(f"{what} holds NaN in {int(np.isnan(got).sum())} of {got.size} places")
    where = np.unravel_index(np.argmax(np.where(good, -1.0, np.nan_to_num(error, nan=np.inf))), got.shape)
    place = f" at {list(map(int, where))}" if got.ndim else ""
    raise Mismatch(f"{what} is wrong in {int((~good).sum())} of {got.size} places",
                   f"largest error{place}: {_tell(got[where])} came, {_tell(want[where])} expected")


def numbers(value: Any, what: str = "the value") -> np.ndarray:
    """The value as an array of numbers; Mismatch if it is something else."""
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value)
    raise Mismatch(f"{what} is {type(value).__name__}; a number or an array is needed")


def shaped(array: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    """Real numbers of this shape, none of them NaN; raises Mismatch."""
    if array.shape != shape:
        raise Mismatch(f"{what} has shape {array.shape}; shape {shape} is needed")
    if array.dtype.kind != "f":
        raise Mismatch(f"{what} holds {_kind(array)} numbers; real numbers are needed")
    if np.isnan(array).any():
        raise Mismatch(f"{what} holds NaN")


def _pair(value: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Mismatch(f"{what} should return two values, (result, log-determinant)")
    return numbers(value[0], "the result"), numbers(value[1], "the log-determinant")


def differences(f: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """df/dx of a scalar f by finite differences; shape of x."""
    x = np.asarray(x, dtype=float)
    return numeric_jacobian(lambda rows: np.array([[f(row)] for row in rows]), x[None]).reshape(x.shape)


@dataclass(frozen=True)
class Value:
    """function(*inputs) = expected(*inputs) within rtol and atol; dtype kind and shape are compared first."""

    rtol: float = 1e-9
    atol: float = 1e-12
    needs_expected = True

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Compare one call with the reference."""
        agree(call(*inputs), expected(*inputs), self.rtol, self.atol)


@dataclass(frozen=True)
class Gradient:
    """function(*inputs) = d expected(*inputs) / d inputs[wrt], by differences of the scalar `expected`."""

    wrt: int = 0
    rtol: float = 1e-7
    atol: float = 1e-8
    needs_expected = True

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Compare one call with finite differences of the reference."""
        def moved(x: np.ndarray) -> float:
            return expected(*inputs[: self.wrt], x, *inputs[self.wrt + 1 :])

        agree(call(*inputs), differences(moved, inputs[self.wrt]), self.rtol, self.atol, "the gradient")


@dataclass(frozen=True)
class Bijection:
    """z, log_det = function(x, *rest) with log_det = log|det dz/dx|, and x, -log_det = inverse(z, *rest).

    x: (batch, d), log_det: (batch,). The Jacobian is taken by differences of the student's own function, in the
    parent. `inverse` names the student's inverse; None where the exercise has no inverse.
    """

    inverse: str | None = None
    rtol: float = 1e-6
    atol: float = 1e-7
    needs_expected = False

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Log-determinant against the numeric Jacobian, then the way back."""
        x, *rest = inputs
        batch, d = x.shape
        z, log_det = _pair(call(*inputs), "the function")
        shaped(z, x.shape, "the result")
        shaped(log_det, (batch,), "the log-determinant")

        def move(moved: np.ndarray) -> np.ndarray:
            z, _ = _pair(call(moved, *rest), "the function")
            shaped(z, moved.shape, "the result")
            return z

        truth = numeric_log_det(move, x)
        agree(log_det, truth, self.rtol, self.atol, "the log-determinant, held against your own map,")
        if self.inverse:
            back, log_det_back = _pair(call(z, *rest, function=self.inverse), self.inverse)
            agree(back, x, self.rtol, self.atol, f"{self.inverse}(function(x))")
            agree(log_det_back, -truth, self.rtol, self.atol, f"the log-determinant of {self.inverse}")


@dataclass(frozen=True)
class Density:
    """integral of exp function(x, *inputs) dx = 1 over a domain of `minigen.checks.domains`.

    The function takes events x of shape (n, *event_shape) and returns log-densities (n,) in nats.
    """

    domain: Domain
    tol: float = 1e-6
    needs_expected = False

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Total mass by `minigen.checks`: quadrature, or enumeration of a discrete domain."""
        def log_prob(x: np.ndarray) -> np.ndarray:
            log_p = numbers(call(x, *inputs), "the log-density")
            shaped(log_p, (len(x),), "the log-density")
            return log_p

        with _as_mismatch("the total mass is not 1"):
            check_density(log_prob, self.domain, tol=self.tol)


@dataclass(frozen=True)
class Sampler:
    """samples = function(*inputs) follow the density exp expected(x, *inputs) on a domain of `minigen.checks.domains`.

    One of the inputs is a `Seed`, another usually the number of samples (a few thousand), of shape (n, *event_shape).
    A right sampler fails with probability `false_alarm` per draw (chi-square on cells of the domain).
    """

    domain: Domain
    false_alarm: float = 1e-6
    needs_expected = True

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Chi-square by `minigen.checks`; another seed must give other samples."""
        samples = numbers(call(*inputs), "the samples")
        other = numbers(call(*(Seed(v + 1) if isinstance(v, Seed) else v for v in inputs)), "the samples")
        if type(self.domain) in (Interval, Box) and np.intersect1d(samples, other).size:
            raise Mismatch("two seeds gave some of the same samples: draw them from the generator that is passed in")
        with _as_mismatch("the samples do not follow the distribution"):
            check_sampler(samples, lambda x: expected(x, *inputs), self.domain, alpha=self.false_alarm)


@contextmanager
def _as_mismatch(violated: str) -> Iterator[None]:
    """The error of a check as a Mismatch, its numbers in the detail."""
    try:
        yield
    except CheckError as error:
        raise Mismatch(violated, error.result.detail) from None


@dataclass(frozen=True)
class Property:
    """expected(answer, *inputs) is None where the answer is right, else one sentence on what is wrong.

    For properties without a single right value. The sentence is told to students of hidden checks too.
    """

    needs_expected = True

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Ask the reference about one answer."""
        wrong = expected(call(*inputs), *inputs)
        if wrong:
            raise Mismatch(wrong)
