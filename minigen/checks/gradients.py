"""check_gradient: against differences. check_unbiased: a Monte-Carlo estimator against the truth."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autodiff import value
from minigen.checks.oracles import evaluate, monte_carlo_mean
from minigen.checks.result import CheckResult, Report, fail
from minigen.checks.special import normal_threshold

_ALL_COORDINATES = 64
_DIRECTIONS = 32


def check_gradient(
    f: Callable,
    grad: Callable | Any,
    x: Any,
    *,
    tol: float = 1e-6,
    step: float = 1e-4,
    rng: np.random.Generator | None = None,
    reveal: bool = False,
    name: str = "check_gradient",
) -> CheckResult:
    """<grad f(x), v> = d/dt f(x + t v) by central differences at two step sizes.

    f: x -> a number. grad: x -> gradient of the shape of x, or that gradient. v: every coordinate of x up to 64 of
    them, else 32 random unit directions (rng needed). The two steps are extrapolated; where they disagree f has a
    kink or noise near x, and the check says so instead of judging. tol is relative to the largest directional
    derivative; what float64 rounding leaves of f / step is allowed on top.
    reveal: print the differences' value as well.
    Raises CheckError with the worst direction; ValueError where x is empty.
    """
    x = np.array(value(x), dtype=float)
    if x.size == 0:
        raise ValueError(f"{name}: x is empty, shape {x.shape}")
    given = np.asarray(value(grad(x.copy()) if callable(grad) else grad), dtype=float)
    if given.shape != x.shape:
        fail(name, np.nan, tol, f"the gradient has shape {given.shape} at a point of shape {x.shape}")
    if not np.isfinite(given).all():
        fail(name, np.nan, tol, f"{(~np.isfinite(given)).sum()} entries of the gradient are NaN or infinite")
    directions = _directions(x, rng, name)
    h = step * max(1.0, float(np.abs(x).max()))
    slopes, coarse, height = [], [], 0.0
    for v in directions:
        values = [float(evaluate(f, x + s * h * v)) for s in (1, -1, 0.5, -0.5)]
        coarse.append((values[0] - values[1]) / (2 * h))
        slopes.append((4 * (values[2] - values[3]) / h - coarse[-1]) / 3)
        height = max(height, *map(abs, values))
    slopes, coarse = np.array(slopes), np.array(coarse)
    if not np.isfinite(slopes).all():
        fail(name, np.nan, tol, "f is NaN or infinite within a step of x")
    size = np.abs(slopes).max()
    rounding = 1e-14 * height / h
    allowed = tol * size + rounding
    wobble = np.abs(slopes - coarse).max()
    if wobble > 1e-3 * size + 1e3 * rounding:
        fail(name, wobble, 1e-3 * size, f"differences with steps {h:.1e} and {h / 2:.1e} disagree by {wobble:.1e}: f "
             "has a kink or noise near x, choose another point")  # fmt: skip
    errors = np.abs(np.tensordot(directions, given, axes=x.ndim) - slopes)
    worst = int(np.argmax(errors))
    where = f"coordinate {np.unravel_index(worst, x.shape)}" if x.size <= _ALL_COORDINATES else f"direction {worst}"
    shown = f"; differences give {slopes[worst]:.8g}" if reveal else ""
    report = Report(name)
    report.compare(errors[worst], allowed, "gradient", f"along {where} the gradient is off by {errors[worst]:.1e}, "
                   f"while derivatives are of size {size:.1e} (allowed {allowed:.1e}): it is not the gradient of f"
                   f"{shown}")  # fmt: skip
    return report.result()


def _directions(x: np.ndarray, rng: np.random.Generator | None, name: str) -> np.ndarray:
    """Directions (m, *x.shape): the coordinates, or random unit ones."""
    if x.size <= _ALL_COORDINATES:
        return np.eye(x.size).reshape(-1, *x.shape)
    if rng is None:
        raise ValueError(f"{name}: x has {x.size} entries, more than {_ALL_COORDINATES}; give rng for directions")
    v = rng.normal(size=(_DIRECTIONS, x.size))
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).reshape(-1, *x.shape)


def check_unbiased(
    samples: Any,
    truth: Any,
    *,
    alpha: float = 1e-6,
    resolution: float = 0.1,
    reveal: bool = False,
    name: str = "check_unbiased",
) -> CheckResult:
    """E[samples] = truth, entry by entry, by z-score; an unbiased estimator fails with probability alpha.

    samples: (n, ...) independent draws, for example of a gradient estimator; truth: (...). The threshold is shared
    among the entries (Bonferroni). resolution: the bias that the check must be able to see, as a part of the
    largest |truth|: too few samples, or too much variance, would let a wrong estimator pass and raise instead.
    Entries without variance are compared exactly, to 1e-12. reveal: print the truth as well.
    """
    samples, truth = np.asarray(value(samples), dtype=float), np.asarray(value(truth), dtype=float)
    if samples.shape[1:] != truth.shape:
        raise ValueError(f"{name}: samples have shape {samples.shape}, truth {truth.shape}; expected (n, *truth)")
    if not np.isfinite(samples).all():
        fail(name, np.nan, 0, f"{(~np.isfinite(samples)).sum()} of {samples.size} sampled numbers are not finite")
    mean, error = map(np.atleast_1d, monte_carlo_mean(samples))
    truth = np.atleast_1d(truth)
    threshold = normal_threshold(alpha / truth.size)
    size = np.abs(truth).max()
    if size > 0 and threshold * error.max() > resolution * size:
        fail(name, threshold * error.max(), resolution * size, f"{len(samples)} samples show only a bias above "
             f"{threshold * error.max() / size:.0%} of the truth, asked for {resolution:.0%}; draw more")  # fmt: skip
    z = np.abs(mean - truth) / np.maximum(error, 1e-12 * (1 + np.abs(truth)) / threshold)
    worst = int(np.argmax(z))
    shown = f"; mean {mean.flat[worst]:.6g}, truth {truth.flat[worst]:.6g}" if reveal else ""
    report = Report(name)
    report.compare(z.flat[worst], threshold, "largest z-score", f"the mean of {len(samples)} samples is "
                   f"{z.flat[worst]:.1f} standard errors from the truth at entry {worst} (threshold {threshold:.2f}, "
                   f"false alarm at {alpha:g}): the estimator is biased{shown}")  # fmt: skip
    return report.result()
