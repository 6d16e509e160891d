"""Tail probabilities for the verdicts of statistical checks, without SciPy in the package."""

import math

_TINY = 1e-300


def upper_gamma(a: float, x: float) -> float:
    """Q(a, x) = int_x^inf t^(a-1) e^-t dt / Gamma(a), for a > 0 and x >= 0.

    A power series for the lower part where x < a + 1, a continued fraction (modified Lentz) for the upper part
    elsewhere: each converges fast on its side. Relative error below 1e-11 where Q > 1e-12.
    """
    if a <= 0 or x < 0 or math.isnan(x):
        raise ValueError(f"upper_gamma: a = {a}, x = {x}; expected a > 0 and x >= 0")
    if x == 0:
        return 1.0
    if math.isinf(x):
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return 1.0 - front * _lower_series(a, x)
    return front * _upper_fraction(a, x)


def _lower_series(a: float, x: float) -> float:
    """sum_n x^n / (a (a+1) ... (a+n))"""
    term = total = 1.0 / a
    n = a
    while abs(term) > 1e-17 * abs(total):
        n += 1.0
        term *= x / n
        total += term
    return total


def _upper_fraction(a: float, x: float) -> float:
    """1/(x+1-a- 1(1-a)/(x+3-a- 2(2-a)/(x+5-a- ...)))"""
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    value, i, factor = d, 0, 2.0
    while abs(factor - 1.0) > 1e-16 and i < 100_000:
        i += 1
        step = -i * (i - a)
        b += 2.0
        d = 1.0 / _nonzero(step * d + b)
        c = _nonzero(b + step / c)
        factor = d * c
        value *= factor
    return value


def _nonzero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def chi_square_tail(statistic: float, degrees: int) -> float:
    """P(X > statistic) for X chi-square with so many degrees of freedom."""
    return upper_gamma(degrees / 2, statistic / 2)


def normal_two_sided(z: float) -> float:
    """P(|Z| > |z|) for a standard normal Z."""
    return math.erfc(abs(z) / math.sqrt(2))


def normal_threshold(alpha: float) -> float:
    """The z with P(|Z| > z) = alpha, by bisection on a decreasing function."""
    if not 0 < alpha < 1:
        raise ValueError(f"normal_threshold: alpha = {alpha}; expected a probability in (0, 1)")
    low, high = 0.0, 40.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if normal_two_sided(middle) > alpha else (low, middle)
    return (low + high) / 2
