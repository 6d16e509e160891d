"""How an answer is judged: five comparisons and one escape hatch.

`judge(call, inputs, expected)` runs in the parent. `call(*arguments)` asks the student's function in the child
and returns plain data; `expected` is the check's reference. A violated property raises `Mismatch`, whose
`violated` may be told to anyone and whose `detail` holds numbers of the reference, for public checks only.
"""
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

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


OFFSETS = (-2, -1, 1, 2)
STENCIL = (1 / 12, -2 / 3, 2 / 3, -1 / 12)
"""df/dx = sum_k STENCIL[k] f(x + OFFSETS[k] h) / h + O(h^4)."""


def differences(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """df/dx of a scalar f by fourth-order central differences, step * max(1, |x_i|) per entry; shape of x."""
    x = np.asarray(x, dtype=float)
    gradient = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        h = step * max(1.0, abs(x[i]))
        total = 0.0
        for offset, weight in zip(OFFSETS, STENCIL):
            moved = x.copy()
            moved[i] += offset * h
            total += weight * float(f(moved))
        gradient[i] = total / h
    return gradient


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
        h = 1e-3 * np.maximum(1.0, np.abs(x))
        moves = np.array(OFFSETS)[:, None, None, None] * (np.eye(d)[:, None, :] * h[None])
        moved, _ = _pair(call((x + moves).reshape(-1, d), *rest), "the function")
        shaped(moved, (4 * d * batch, d), "the result")
        columns = np.einsum("o,ojbi->jbi", STENCIL, moved.reshape(4, d, batch, d)) / h.T[:, :, None]
        truth = np.linalg.slogdet(columns.transpose(1, 2, 0))[1]
        agree(log_det, truth, self.rtol, self.atol, "the log-determinant, held against your own map,")
        if self.inverse:
            back, log_det_back = _pair(call(z, *rest, function=self.inverse), self.inverse)
            agree(back, x, self.rtol, self.atol, f"{self.inverse}(function(x))")
            agree(log_det_back, -truth, self.rtol, self.atol, f"the log-determinant of {self.inverse}")


@dataclass(frozen=True)
class Density:
    """integral of exp function(x, *inputs) dx = 1 over the box lower..upper, in one or two dimensions.

    The function takes x of shape (n, d), or (n,) for scalar events, and returns log-densities (n,) in nats.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    points: int = 401
    tol: float = 1e-4
    scalar: bool = False
    needs_expected = False

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Total mass by the trapezoid rule on a grid."""
        axes = [np.linspace(a, b, self.points) for a, b in zip(self.lower, self.upper)]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        log_p = numbers(call(x[:, 0] if self.scalar else x, *inputs), "the log-density")
        shaped(log_p, (len(x),), "the log-density")
        mass = np.exp(log_p.astype(float)).reshape([self.points] * len(axes))
        for axis in reversed(axes):
            mass = np.trapezoid(mass, axis, axis=-1)
        if not abs(mass - 1) <= self.tol:
            raise Mismatch("the density does not integrate to 1", f"its integral is {float(mass):.6g}")


@dataclass(frozen=True)
class Sampler:
    """samples = function(*inputs) follow the distribution whose transform to uniforms is `expected`.

    One input is a `Seed`. expected(samples, *inputs) -> uniforms in [0, 1], shape (n, k): the distribution function,
    for vectors the conditional one of each entry given those before. sup|F_n - u| is held against the bound of
    Dvoretzky, Kiefer, Wolfowitz and Massart, so a right sampler fails with probability at most `false_alarm`.
    """

    false_alarm: float = 1e-6
    needs_expected = True

    def judge(self, call: Call, inputs: tuple, expected: Callable[..., Any] | None) -> None:
        """Empirical distribution function against the reference; another seed must give other samples."""
        samples = numbers(call(*inputs), "the samples")
        other = numbers(call(*(Seed(v + 1) if isinstance(v, Seed) else v for v in inputs)), "the samples")
        if samples.shape == other.shape and np.array_equal(np.sort(samples, axis=None), np.sort(other, axis=None)):
            raise Mismatch("the samples are the same for two seeds")
        if not np.isfinite(samples).all():
            raise Mismatch("the samples hold NaN or infinity")
        uniforms = np.sort(np.asarray(expected(samples, *inputs)).reshape(len(samples), -1), axis=0)
        n, k = uniforms.shape
        steps = np.arange(n + 1)[:, None] / n
        distance = max(np.max(steps[1:] - uniforms), np.max(uniforms - steps[:-1]))
        bound = math.sqrt(math.log(2 * k / self.false_alarm) / (2 * n))
        if not distance <= bound:
            raise Mismatch(f"the {n} samples do not follow the distribution",
                           f"largest gap of the distribution functions {distance:.4f}; "
                           f"a right sampler exceeds {bound:.4f} with probability below {self.false_alarm:g}")


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
