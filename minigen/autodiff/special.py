"""Rules of special functions: the error function and what lies under the gamma function.

Forward values are built from rational approximations, recurrences and asymptotic series on plain arrays. `erf`,
`erfc` and `gelu` work in the precision of x; `lgamma`, `digamma` and `polygamma` in float64, and answer in that of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import factorial, log, pi, sqrt
from typing import Any

import numpy as np

from .elementwise import exp, shielded
from .reductions import floating
from .rules import primitive

# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969); as in his CALERF.
_SMALL = ((1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
           3.20937758913846947e3),
          (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3))
_MIDDLE = ((2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
            2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
            1.23033935479799725e3),
           (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
            3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3))
_FAR = ((1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
         1.60837851487422766e-2, 6.58749161529837803e-4),
        (1.0, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2,
         2.33520497626869185e-3))
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
              854513 / 138, -236364091 / 2730)  # B_2, B_4, ..., B_24


def _horner(coefficients: Sequence[float], t: Any) -> Any:
    """The polynomial in t, highest power first."""
    y = coefficients[0] * t + coefficients[1]
    for c in coefficients[2:]:
        y *= t
        y += c
    return y


def _ratio(coefficients: tuple[tuple, tuple], t: np.ndarray) -> np.ndarray:
    return _horner(coefficients[0], t) / _horner(coefficients[1], t)


def _erfc_tail(y: np.ndarray) -> np.ndarray:
    """erfc(y) for y > 0.46875, relative to its size: exp(-y^2) is split so that the square loses no digits."""
    y = np.minimum(y, 30)  # 0 in float64 from 26.6 on
    middle = y <= 4
    out = np.empty_like(y)
    out[middle] = _ratio(_MIDDLE, y[middle])
    far = y[~middle]
    t = 1 / (far * far)
    out[~middle] = (1 / sqrt(pi) - t * _ratio(_FAR, t)) / far
    coarse = np.trunc(y * 16) / 16
    return out * np.exp(-coarse * coarse) * np.exp((coarse - y) * (coarse + y))


def _erf_or_erfc(x: np.ndarray, complement: bool) -> np.ndarray:
    x = floating(x)
    small = np.abs(x) <= 0.46875
    out = np.empty_like(x)
    near, rest = x[small], x[~small]
    erf_near = near * _ratio(_SMALL, near * near)
    tail = _erfc_tail(np.abs(rest))
    if complement:
        out[small], out[~small] = 1 - erf_near, np.where(rest < 0, 2 - tail, tail)
    else:
        out[small], out[~small] = erf_near, np.copysign(1 - tail, rest)
    return out


def _erf(x: np.ndarray) -> np.ndarray:
    """erf(x) = 2/sqrt(pi) int_0^x exp(-t^2) dt, elementwise, to 1e-15 relative (float32: 4e-7)."""
    return _erf_or_erfc(x, False)


def _erfc(x: np.ndarray) -> np.ndarray:
    """erfc(x) = 1 - erf(x), elementwise, to 2e-15 relative (float32: 1e-6) until it underflows, at x = 26 (9)."""
    return _erf_or_erfc(x, True)


def _gelu(x: np.ndarray) -> np.ndarray:
    """x Phi(x), Phi the distribution function of N(0, 1); the exact form, relative to its size for x < 0 too.

    Hendrycks and Gimpel 2016, eq. 2.
    """
    return 0.5 * x * _erfc(x * -sqrt(0.5))


def _gelu_vjp(g: Any, y: Any, x: Any) -> Any:
    """d x Phi(x) = (Phi(x) + x phi(x)) dx"""
    return g * (0.5 * erfc(x * -sqrt(0.5)) + x * exp(-0.5 * x * x) * (1 / sqrt(2 * pi)))


erf = primitive("erf", _erf, lambda g, y, x: g * (2 / sqrt(pi)) * exp(-x * x))
erfc = primitive("erfc", _erfc, lambda g, y, x: g * (-2 / sqrt(pi)) * exp(-x * x))
gelu = primitive("gelu", _gelu, _gelu_vjp)


def _hurwitz(s: int, x: Any) -> Any:
    """zeta(s, x) = sum_{j>=0} (x + j)^-s for s > 1, x > 0: ten terms, the rest by Euler-Maclaurin."""
    total = sum((x + j) ** -s for j in range(10))
    x = x + 10.0
    total = total + x ** (1 - s) / (s - 1) + 0.5 * x ** -s
    term = s * x ** (-s - 1)  # s (s+1) ... (s+2k-2) x^(-s-2k+1)
    for k, b in enumerate(_BERNOULLI, start=1):
        total = total + b / factorial(2 * k) * term
        term = term * ((s + 2 * k - 1) * (s + 2 * k)) / (x * x)
    return total


# lgamma(2 + w) = (1 - gamma) w + sum_{k>=2} (-1)^k (zeta(k) - 1) w^k / k, and zeta(k) - 1 = zeta(k, 2)
_AT_TWO = [*((-1) ** k * _hurwitz(k, 2.0) / k for k in range(28, 1, -1)), 1 - float(np.euler_gamma), 0.0]
_STIRLING = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:8], start=1)][::-1]
_DIGAMMA = [-b / (2 * k) for k, b in enumerate(_BERNOULLI[:8], start=1)][::-1]


def _lgamma_near(x: np.ndarray) -> np.ndarray:
    """lgamma for 0 < x < 8.5: the series at 2, then x down or up to the nearest integer; exact zeros at 1 and 2."""
    n = np.rint(x)
    w = x - n
    y = _horner(_AT_TWO, w)
    product = np.ones_like(x)
    for j in range(1, 7):
        product *= np.where(n >= j + 2, x - j, 1)
    y += np.log(product)
    y -= np.where(n <= 1, np.log1p(w), 0)
    return y - np.log(np.where(n == 0, x, 1))


def _lgamma_far(x: np.ndarray) -> np.ndarray:
    """lgamma for x >= 8.5: Stirling's series."""
    return (x - 0.5) * (np.log(x) - 1) + (0.5 * log(2 * pi) - 0.5) + _horner(_STIRLING, 1 / (x * x)) / x


def _lgamma(x: np.ndarray) -> np.ndarray:
    """log|Gamma(x)|, elementwise; error below 1e-15 |y| for x > 0, 4e-15 max(1, |y|) for x < 0; inf at 0, -1, -2, ...

    Its gradient, digamma, is nan there.
    """
    x = floating(x)
    z = x.astype(np.float64).ravel()
    positive = np.where(z > 0, z, 1 - z)
    near = positive < 8.5
    y = np.empty_like(z)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y[near] = _lgamma_near(positive[near])
        y[~near] = _lgamma_far(positive[~near])
        reflected = z <= 0
        r = z[reflected]
        y[reflected] = np.log(pi / np.abs(np.sin(pi * (r - np.rint(r))))) - y[reflected]
        return y.reshape(x.shape).astype(x.dtype)


@cache
def _cotangent(n: int) -> np.ndarray:
    """The polynomial Q with d^n/dx^n cot(pi x) = pi^n Q(cot(pi x)): Q_0 = c, Q_{n+1} = -(1 + c^2) Q_n'."""
    return np.array([1, 0]) if n == 0 else np.polymul([-1, 0, -1], np.polyder(_cotangent(n - 1)))


def _digamma_positive(x: np.ndarray) -> np.ndarray:
    """digamma for x > 0: ten steps of psi(x) = psi(x + 1) - 1/x below 10, then the asymptotic series."""
    low = x < 10
    steps = sum(1 / (x[low] + j) for j in range(10))
    x = np.where(low, x + 10, x)
    t = 1 / (x * x)
    y = np.log(x) - 0.5 / x + t * _horner(_DIGAMMA, t)
    y[low] -= steps
    return y


def _polygamma(n: int, x: np.ndarray) -> np.ndarray:
    """psi^(n)(x) = d^(n+1)/dx^(n+1) log Gamma(x), elementwise; n: an int >= 0, else ValueError.

    Error below 4e-15 max(1, |y|) for x > 0 and n <= 5; for x < 0 below 4e-14 max(1, |y|) to n = 3, 1e-12 to n = 5.
    At the poles 0, -1, -2, ...: inf for odd n, nan for even n, where the two sides differ in sign.
    """
    if not isinstance(n, int | np.integer) or n < 0:
        raise ValueError(f"polygamma: n is {n!r}; expected an int >= 0")
    x = floating(x)
    z = x.astype(np.float64).ravel()
    positive = np.where(z > 0, z, 1 - z)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y = _digamma_positive(positive) if n == 0 else (-1) ** (n + 1) * factorial(n) * _hurwitz(n + 1, positive)
        reflected = z <= 0
        r = z[reflected] - np.rint(z[reflected])
        slope = pi ** (n + 1) * np.polyval(_cotangent(n), np.cos(pi * r) / np.sin(pi * r))
        y[reflected] = np.where(r == 0, np.inf if n % 2 else np.nan, (-1) ** n * y[reflected] - slope)
        return y.reshape(x.shape).astype(x.dtype)


polygamma = primitive("polygamma", _polygamma, None, lambda g, y, n, x: shielded(g, g * polygamma(n + 1, x)))
lgamma = primitive("lgamma", _lgamma, lambda g, y, x: shielded(g, g * polygamma(0, x)))


def digamma(x: Any) -> Any:
    """psi(x) = d/dx log Gamma(x): `polygamma(0, x)`."""
    return polygamma(0, x)
