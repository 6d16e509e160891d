"""Is a gradient right? One number, <g, J v>, by three routes that share as little as possible.

    vjp           <J'g, v>                                    the cotangent g is pulled back
    jvp           <g, J v>                                    the direction v is pushed forward
    differences   <g, f(x + h v) - f(x - h v)> / 2h           f alone, no rule at all

g and v are random. A cotangent of ones would be blind: sum(softmax(x)) is constant, so a softmax whose gradient is zero
passes, and sum(x.T) = sum(x), so a reshape in the place of a transpose passes. Second order is the same question asked
of the map (x, g) -> J(x)'g.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .containers import leaves, rebuild
from .shapes import concatenate, reshape
from .tensor import no_grad, value, wrap
from .transforms import jvp, vjp


class GradcheckError(AssertionError):
    """Two routes to one derivative disagree, or there is none at a kink; the message is the report."""


class _Kink(Exception):
    """Differences over h and over 2h disagree: no derivative to compare with."""


class _Tolerance(NamedTuple):
    step: float
    relative: float
    floor: float


def gradcheck(f: Callable, *args: Any, rng: np.random.Generator, order: int = 2, step: float = 1e-5,
              rtol: float = 1e-6, atol: float = 1e-9, move: float = 0.0, tries: int = 10) -> float:
    """<g, J v> by vjp, jvp and central differences for a random g and, argument by argument, a random v.

    args: arrays, numbers or nested dicts, lists and tuples of them; the floating-point ones are checked in float64, the
    others (ints, booleans, strings, None) are constants. f: gives an array or a container of arrays and is
    deterministic. order 1 checks the gradient, order 2 also the gradient of the gradient.
    Each coordinate steps by `step` * max(1, |x|), times a random factor in +-[1/2, 3/2]. Two routes a, b agree when
    |a - b| <= rtol max(|a|, |b|) + atol (1 + s), s being the size of the sums that differences are rounded in.
    Where differences over h and 2h, or those from the left and from the right, tell of a kink, another direction is
    drawn, and with `move` > 0 another point near by (x + move max(1, |x|) u); at most `tries` times.

    Returns the largest |a - b| / max(|a|, |b|, 1) seen. Raises GradcheckError with the argument, the order and both
    routes; ValueError when there is nothing to check.
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order is {order!r}; expected 1 or 2")
    names, points = [], []
    for name, x in _named_leaves(list(args)):
        if _is_checked(x):
            names.append(name)
            points.append(np.array(value(x), np.float64))
    if not points:
        raise ValueError("gradcheck: no argument is a floating-point number or array; there is nothing to check")
    tolerance = _Tolerance(step, rtol, atol)

    def of_points(*xs: Any) -> Any:
        return _flat(f(*_with_points(list(args), xs)))

    def of_points_and_cotangent(*xs_and_g: Any) -> Any:
        *xs, g = xs_and_g
        return _flat(vjp(of_points, *xs)[1](g))

    title = f"gradcheck of {getattr(f, '__name__', type(f).__name__)}, order"
    with no_grad():  # the transforms below record what they need; parameters that f captures are constants
        worst = _check(f"{title} 1", of_points, names, points, rng, tolerance, move, tries)
        if order == 2:
            g = _draw(rng, of_points(*points).shape)
            worst = max(worst, _check(f"{title} 2", of_points_and_cotangent, [*names, "the cotangent"], [*points, g],
                                      rng, tolerance, move, tries))
    return worst


def _check(title: str, f: Callable, names: list[str], points: list[np.ndarray], rng: np.random.Generator,
           tolerance: _Tolerance, move: float, tries: int) -> float:
    """Compare the routes; on a kink draw again."""
    at = points
    for _ in range(tries):
        try:
            return _compare(title, f, names, at, rng, tolerance)
        except _Kink as kink:
            told = kink
        at = [x + move * np.maximum(1, np.abs(x)) * _draw(rng, x.shape) for x in points]
    raise GradcheckError(f"{title}: a kink (or f is not computed in float64) at each of {tries} draws.\n{told}")


def _compare(title: str, f: Callable, names: list[str], points: list[np.ndarray], rng: np.random.Generator,
             tolerance: _Tolerance) -> float:
    """The three routes for one random cotangent and one random direction per argument."""
    y, pullback = vjp(f, *points)
    g = _draw(rng, y.shape)
    gradients = pullback(g)
    again = value(f(*map(wrap, points)))
    if not np.allclose(again, y, tolerance.relative, tolerance.floor, equal_nan=True):
        raise GradcheckError(f"{title}: recorded and not recorded, f gives two values at one point; it must not draw "
                             "random numbers")
    _must_be_finite(title, "f", [y])
    _must_be_finite(title, "the vjp", gradients)
    worst = 0.0
    for i, (name, x, gradient) in enumerate(zip(names, points, gradients)):
        v = _draw(rng, x.shape) * np.maximum(1, np.abs(x))
        tangents = tuple(v if j == i else np.zeros_like(p) for j, p in enumerate(points))
        noise = tolerance.floor * (1 + np.linalg.norm(g * y) + np.linalg.norm(gradient * v))
        routes = {
            "vjp": np.sum(gradient * v),
            "jvp": np.sum(g * jvp(f, tuple(points), tangents)[1]),
            "differences": _differences(title, name, f, points, i, v, g, y, tolerance, noise),
        }
        for a, b in (("vjp", "differences"), ("jvp", "differences"), ("vjp", "jvp")):
            largest = max(abs(routes[a]), abs(routes[b]))
            error, tolerated = abs(routes[a] - routes[b]), tolerance.relative * largest + noise
            worst = max(worst, error / max(largest, 1))
            if not error <= tolerated:
                lines = [f"  {route:<12} {number: .12g}" for route, number in routes.items()]
                raise GradcheckError("\n".join([f"{title}, {name} of shape {x.shape}: {a} and {b} disagree", *lines,
                                                f"  they differ by {error:.3g}; tolerated {tolerated:.3g}"]))
    return worst


def _differences(title: str, name: str, f: Callable, points: list[np.ndarray], i: int, v: np.ndarray, g: np.ndarray,
                 y: np.ndarray, tolerance: _Tolerance, noise: float) -> float:
    """<g, f(x + h v) - f(x - h v)> / 2h along argument i. Raises _Kink where no derivative exists."""

    def change(h: float) -> float:
        moved = points[i] + h * v
        at = value(f(*(wrap(moved if j == i else p) for j, p in enumerate(points))))
        _must_be_finite(title, "f", [at])
        return np.sum(g * (at - y)) / h

    h = tolerance.step
    right, left, right2, left2 = change(h), change(-h), change(2 * h), change(-2 * h)
    slope, slope2 = (right + left) / 2, (right2 + left2) / 2
    # Of a smooth f, the jump from left to right is proportional to h; of a kink at x, it is the same for every h.
    jump, jump2 = right - left, right2 - left2
    tolerated = tolerance.relative * max(abs(slope), abs(slope2)) + noise
    if abs(slope - slope2) > tolerated or abs(jump2 - 2 * jump) > tolerated:
        raise _Kink(f"  {name}: slope {slope:.9g} over h = {h:g}, {slope2:.9g} over 2h; from the right {right:.9g}, "
                    f"from the left {left:.9g}")
    return slope


def _draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random signs times uniform numbers in [1/2, 3/2]: never near 0, so no coordinate goes unseen."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)


def _must_be_finite(title: str, what: str, arrays: Any) -> None:
    if not all(np.isfinite(a).all() for a in arrays):
        raise GradcheckError(f"{title}: {what} is not finite at or beside the point")


def _flat(tree: Any) -> Any:
    """All numbers of a container in one row."""
    rows = [reshape(y, (-1,)) for y in leaves(tree)]
    return rows[0] if len(rows) == 1 else concatenate(rows)


def _is_checked(x: Any) -> bool:
    return isinstance(x, float) or getattr(x, "dtype", np.dtype(int)).kind == "f"


def _with_points(args: list, points: Any) -> list:
    """The arguments with their floating-point leaves replaced."""
    left = iter(points)
    return rebuild(args, [next(left) if _is_checked(x) else x for x in leaves(args)])


def _named_leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its place, such as `argument 0['layers'][1]`."""
    if isinstance(tree, dict | list | tuple):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _named_leaves(branch, f"{name}[{key!r}]" if name else f"argument {key}")
    elif tree is not None:
        yield name, tree
