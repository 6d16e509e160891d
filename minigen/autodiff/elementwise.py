"""Rules of elementwise operations: each line can be held against a table of derivatives.

Choices at a kink: |x|, relu, leaky_relu, elu and sign take the derivative 0 (abs, sign), or that of the left side
(the others) at 0; maximum and minimum split a tie equally; clip passes the cotangent on the closed interval.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from .rules import primitive
from .tensor import Placeholder, value


def shielded(g: Any, cotangent: Any) -> Any:
    """The cotangent, but 0 where g is 0: a branch that `where` cut off must not answer 0 * inf = nan."""
    numbers = value(cotangent)
    if isinstance(numbers, Placeholder):  # a recorded program cannot look at the numbers first
        zero = value(g) == 0
        return where(zero, 0.0, cotangent) if isinstance(zero, Placeholder) or zero.any() else cotangent
    numbers = numbers.ravel(order="K")
    if isfinite(numbers.dot(numbers)):  # one fast pass; squares that overflow only cost the slow one
        return cotangent
    return where(value(g) == 0, 0.0, cotangent)


where = primitive("where", lambda condition, a, b: np.where(condition, a, b), None,
                  lambda g, y, c, a, b: where(value(c), g, 0.0),
                  lambda g, y, c, a, b: where(value(c), 0.0, g))

add = primitive("add", np.add, lambda g, y, a, b: g,
                               lambda g, y, a, b: g)
subtract = primitive("subtract", np.subtract, lambda g, y, a, b: g,
                                              lambda g, y, a, b: -g)
multiply = primitive("multiply", np.multiply, lambda g, y, a, b: shielded(g, g * b),
                                              lambda g, y, a, b: shielded(g, g * a))
divide = primitive("divide", np.divide, lambda g, y, a, b: shielded(g, g / b),
                                        lambda g, y, a, b: shielded(g, -g * y / b))
negative = primitive("negative", np.negative, lambda g, y, x: -g)


def _power_base_vjp(g: Any, y: Any, x: Any, p: Any) -> Any:
    """d x^p = p x^(p-1) dx"""
    if isinstance(p, int | float):
        if p in (0, 1, 2):  # the factor x^(p-1) written out: its own derivative at x = 0 must not be 0 * inf
            return (g * 0, g, g * 2 * x)[int(p)]
        return shielded(g, g * (p * x ** (p - 1)))
    flat = (value(p) == 0) & (value(x) == 0)  # there 0 * x^-1 is meant to be 0
    return shielded(g, g * (p * x ** where(flat, 1.0, p - 1)))


def _power_exponent_vjp(g: Any, y: Any, x: Any, p: Any) -> Any:
    """d x^p = x^p log(x) dp, taken as 0 for x <= 0, where x^p is real at isolated p only"""
    positive = value(x) > 0
    return g * where(positive, y, 0.0) * log(where(positive, x, 1.0))


power = primitive("power", lambda x, p: x ** p, _power_base_vjp, _power_exponent_vjp)
square = primitive("square", np.square, lambda g, y, x: g * 2 * x)
sqrt = primitive("sqrt", np.sqrt, lambda g, y, x: shielded(g, g * 0.5 / y))
abs = primitive("abs", np.abs, lambda g, y, x: g * np.sign(value(x)))
sign = primitive("sign", np.sign, lambda g, y, x: g * 0)

exp = primitive("exp", np.exp, lambda g, y, x: shielded(g, g * y))
log = primitive("log", np.log, lambda g, y, x: shielded(g, g / x))
log1p = primitive("log1p", np.log1p, lambda g, y, x: shielded(g, g / (1 + x)))
expm1 = primitive("expm1", np.expm1, lambda g, y, x: shielded(g, g * (y + 1)))

sin = primitive("sin", np.sin, lambda g, y, x: g * cos(x))
cos = primitive("cos", np.cos, lambda g, y, x: -g * sin(x))
arctan = primitive("arctan", np.arctan, lambda g, y, x: g / (1 + x * x))
sinh = primitive("sinh", np.sinh, lambda g, y, x: shielded(g, g * cosh(x)))
cosh = primitive("cosh", np.cosh, lambda g, y, x: shielded(g, g * sinh(x)))
tanh = primitive("tanh", np.tanh, lambda g, y, x: g * (1 - y * y))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow for any x."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), without overflow for any x."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


sigmoid = primitive("sigmoid", _sigmoid, lambda g, y, x: g * y * (1 - y))
softplus = primitive("softplus", _softplus, lambda g, y, x: g * sigmoid(x))
silu = primitive("silu", lambda x: x * _sigmoid(x),
                 lambda g, y, x: g * (sigmoid(x) + y * (1 - sigmoid(x))))
relu = primitive("relu", lambda x: np.maximum(x, 0), lambda g, y, x: g * (value(x) > 0))
leaky_relu = primitive("leaky_relu", lambda x, slope=0.01: np.where(x > 0, x, x * slope),
                       lambda g, y, x, slope=0.01: where(value(x) > 0, g, g * slope))
elu = primitive("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
                lambda g, y, x: where(value(x) > 0, g, g * exp(minimum(x, 0.0))))


def _share(g: Any, a: Any, b: Any, wins: np.ufunc) -> Any:
    """g where a wins, g/2 where they tie, 0 where b wins."""
    a, b = value(a), value(b)
    return g * (wins(a, b) + np.equal(a, b) * g.dtype.type(0.5))


maximum = primitive("maximum", np.maximum, lambda g, y, a, b: _share(g, a, b, np.greater),
                                           lambda g, y, a, b: _share(g, b, a, np.greater))
minimum = primitive("minimum", np.minimum, lambda g, y, a, b: _share(g, a, b, np.less),
                                           lambda g, y, a, b: _share(g, b, a, np.less))


def _clip(x: np.ndarray, low: Any = None, high: Any = None) -> np.ndarray:
    """x limited to [low, high]; None leaves a side open."""
    return np.clip(x, low, high)


def _inside(x: Any, low: Any, high: Any) -> np.ndarray:
    x = value(x)
    return (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))


clip = primitive("clip", _clip, lambda g, y, x, low=None, high=None: g * _inside(x, low, high))
