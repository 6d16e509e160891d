"""Quadrature on intervals, half-lines, the line and boxes, with an error estimate from two resolutions.

A rule is a pair (points, weights) with sum_i w_i f(x_i) ~ int f. Finite intervals take composite Gauss-Legendre
rules (16 points a panel: a kink on a panel's edge costs nothing), the trapezoid rule, or tanh-sinh where the
function is singular at an end; infinite ones take a double-exponential substitution (Takahasi and Mori 1974),
which reaches out to 1e12 scales. Bounds decide which.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minigen.checks.oracles import evaluate, logsumexp

RULES = ("gauss", "trapezoid", "tanh-sinh")
_PANEL = 16
_REACH = 3.6  # sinh(pi/2 sinh 3.6) = 1.5e12
_NEAR = 5.0  # exp(pi/2 sinh -5) = 2e-51: a singularity like x^-0.9 at the finite end of a half-line still counts
_CLOSE = 3.05  # 1 - tanh(pi/2 sinh 3.05) = 1e-14: nearer points would round to the end itself, unless that is 0

Rule = tuple[np.ndarray, np.ndarray]


class Integral(NamedTuple):
    """Value of an integral and its error estimate: the difference of two resolutions."""

    value: Any
    error: Any


@lru_cache(maxsize=32)
def _gauss(n: int) -> Rule:
    return np.polynomial.legendre.leggauss(n)


def interval_rule(
    a: float, b: float, n: int, *, rule: str = "gauss", loc: float = 0.0, scale: float = 1.0
) -> Rule:
    """About n points and weights on (a, b); either end may be infinite.

    rule: one of RULES, for a finite interval. loc, scale: where an infinite interval keeps its mass.
    """
    if not a < b:
        raise ValueError(f"interval_rule: interval ({a}, {b}); expected a < b")
    if rule not in RULES:
        raise ValueError(f"interval_rule: rule {rule!r}; expected one of {', '.join(RULES)}")
    if np.isinf(a) and np.isinf(b):
        t, w = _even(-_REACH, _REACH, n)
        u = np.pi / 2 * np.sinh(t)
        return loc + scale * np.sinh(u), scale * w * np.cosh(u) * np.pi / 2 * np.cosh(t)
    if np.isinf(a) or np.isinf(b):
        t, w = _even(-_NEAR, _REACH, n)
        distance = scale * np.exp(np.pi / 2 * np.sinh(t))
        w = w * distance * np.pi / 2 * np.cosh(t)
        return (a + distance, w) if np.isinf(b) else (b - distance[::-1], w[::-1])
    if rule == "tanh-sinh":
        t, w = _even(-(_NEAR if a == 0 else _CLOSE), _NEAR if b == 0 else _CLOSE, n)
        u = np.pi / 2 * np.sinh(t)
        from_end = (b - a) / (1 + np.exp(2 * np.abs(u)))  # (b - a) (1 - tanh |u|) / 2 without cancellation
        x = np.where(u < 0, a + from_end, b - from_end)
        return x, (b - a) / 2 * w * np.pi / 2 * np.cosh(t) / np.cosh(u) ** 2
    if rule == "trapezoid":
        x = np.linspace(a, b, max(n, 2))
        w = np.full(len(x), (b - a) / (len(x) - 1))
        w[[0, -1]] /= 2
        return x, w
    node, weight = _gauss(_PANEL)
    edges = np.linspace(a, b, max(1, -(-n // _PANEL)) + 1)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + edges[1:, None]) / 2 + half * node
    return x.ravel(), (half * weight).ravel()


def _even(a: float, b: float, n: int) -> Rule:
    """Trapezoid rule for a function that has died away at both ends."""
    t = np.linspace(a, b, n)
    return t, np.full(n, (b - a) / (n - 1))


def product_rule(*rules: Rule) -> Rule:
    """The tensor product: points (n1 n2 ..., d), weights (n1 n2 ...,)."""
    points = np.stack(np.meshgrid(*(x for x, _ in rules), indexing="ij"), axis=-1)
    weights = rules[0][1]
    for _, w in rules[1:]:
        weights = np.multiply.outer(weights, w)
    return points.reshape(-1, len(rules)), weights.ravel()


def quadrature_1d(f: Callable, a: float, b: float, *, n: int = 400, **options: Any) -> Integral:
    """int_a^b f(x) dx. f maps points (n,) to (n,) or (n, ...), integrated over its first axis.

    options: rule, loc, scale as in `interval_rule`.
    """
    return _integrate(f, lambda n: interval_rule(a, b, n, **options), n)


def quadrature_2d(f: Callable, x: tuple, y: tuple, *, n: int = 160, **options: Any) -> Integral:
    """int int f over the box (x[0], x[1]) x (y[0], y[1]), n points an axis. f maps points (m, 2) to (m, ...)."""
    return _integrate(f, lambda n: product_rule(interval_rule(*x, n, **options), interval_rule(*y, n, **options)), n)


def log_quadrature_1d(log_f: Callable, a: float, b: float, *, n: int = 400, **options: Any) -> Integral:
    """log int_a^b exp log_f(x) dx without underflow; the error is that of the logarithm."""
    return _log_integrate(log_f, lambda n: interval_rule(a, b, n, **options), n)


def log_quadrature_2d(log_f: Callable, x: tuple, y: tuple, *, n: int = 160, **options: Any) -> Integral:
    """log of the integral of exp log_f over a box, as `quadrature_2d`."""
    return _log_integrate(
        log_f, lambda n: product_rule(interval_rule(*x, n, **options), interval_rule(*y, n, **options)), n
    )


def normal_expectation(f: Callable, mu: Any = 0.0, sigma: Any = 1.0, *, n: int = 64) -> Integral:
    """E f(z) for z ~ N(mu, sigma^2) by Gauss-Hermite: exact for polynomials of degree below n (the coarse rule).

    mu, sigma numbers: f maps (n,) to (n, ...). mu, sigma of length 2 (independent components), or sigma a lower
    triangular 2 x 2 matrix (covariance sigma sigma^T): f maps (n^2, 2) to (n^2, ...).
    """
    mu, sigma = np.asarray(mu, dtype=float), np.asarray(sigma, dtype=float)
    if mu.shape not in ((), (2,)) or sigma.ndim > 2:
        raise ValueError(f"normal_expectation: mu has shape {mu.shape}; expected a number or two of them")

    def rule(n: int) -> Rule:
        node, weight = np.polynomial.hermite_e.hermegauss(n)
        weight = weight / np.sqrt(2 * np.pi)
        if not mu.ndim:
            return mu + sigma * node, weight
        z, w = product_rule((node, weight), (node, weight))
        return mu + (z @ sigma.T if sigma.ndim == 2 else z * sigma), w

    return _integrate(f, rule, n)


def _integrate(f: Callable, rule: Callable[[int], Rule], n: int) -> Integral:
    fine, coarse = (np.tensordot(w, evaluate(f, x), axes=(0, 0)) for x, w in (rule(n), rule(n // 2)))
    return Integral(fine[()], np.abs(fine - coarse)[()])


def _log_integrate(log_f: Callable, rule: Callable[[int], Rule], n: int) -> Integral:
    values = []
    for x, w in (rule(n), rule(n // 2)):
        height = evaluate(log_f, x)
        with np.errstate(divide="ignore"):
            values.append(logsumexp(height + np.log(w).reshape(-1, *(1,) * (height.ndim - 1)), axis=0))
    fine, coarse = values
    return Integral(fine[()], np.abs(fine - coarse)[()])
