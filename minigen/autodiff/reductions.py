"""Rules of reductions over axes. `axis` is None (all), an int or a tuple; `keepdims` as in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .elementwise import exp, where
from .fast import fast
from .rules import primitive
from .shapes import broadcast_to, concatenate, flip, reshape, transpose
from .tensor import value

Axis = int | tuple[int, ...] | None


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes meant, as a tuple of numbers from 0 to ndim - 1."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int | np.integer) else axis))


def floating(x: Any) -> np.ndarray:
    """x as an array of floats: float32 and float64 stay what they are, integers become float64."""
    x = value(x)
    return x if x.dtype.kind == "f" else x.astype(float)


def expand(y: Any, x: Any, axis: Axis) -> Any:
    """A reduced value with the axes put back as ones, so that it broadcasts against x."""
    axes = axes_of(axis, x.ndim)
    return reshape(y, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def count(x: Any, axis: Axis) -> int:
    """How many numbers are reduced to one."""
    return int(np.prod([x.shape[a] for a in axes_of(axis, x.ndim)], dtype=int))


def _sum_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d sum(x) = sum dx: the cotangent goes to every term"""
    return broadcast_to(expand(g, x, axis), x.shape)


def _mean_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d mean(x) = sum dx / n"""
    return broadcast_to(expand(g, x, axis) / count(x, axis), x.shape)


sum = primitive("sum", np.sum, _sum_vjp)
mean = primitive("mean", np.mean, _mean_vjp)


def _extreme_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d max(x) = dx at the maximum; ties share equally"""
    hit = value(x) == value(expand(y, x, axis))
    share = hit / hit.sum(axis=axes_of(axis, x.ndim), keepdims=True).astype(x.dtype)
    return expand(g, x, axis) * share


max = primitive("max", np.max, _extreme_vjp)
min = primitive("min", np.min, _extreme_vjp)


def _prod_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d prod(x) = sum_i (product of the others) dx_i; the products are built from both ends, so zeros are exact"""
    axes = axes_of(axis, x.ndim)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    order = (*rest, *axes)
    flat = reshape(transpose(x, order), (*(x.shape[i] for i in rest), count(x, axis)))
    others = _exclusive_cumprod(flat, reverse=False) * _exclusive_cumprod(flat, reverse=True)
    others = transpose(reshape(others, tuple(x.shape[i] for i in order)), tuple(np.argsort(order)))
    return expand(g, x, axis) * others


def _exclusive_cumprod(x: Any, reverse: bool) -> Any:
    """prod_{j<i} x_j (or j>i) along the last axis."""
    n = x.shape[-1]
    if n == 0:
        return x
    terms = [np.ones((*x.shape[:-1], 1), x.dtype)]
    for i in range(n - 1):
        j = n - 1 - i if reverse else i
        terms.append(terms[-1] * x[..., j:j + 1])
    return concatenate(terms[::-1] if reverse else terms, axis=-1)


prod = primitive("prod", np.prod, _prod_vjp)


def _var_vjp(g: Any, y: Any, x: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """d var(x) = sum 2 (x - mean) dx / (n - ddof)"""
    return expand(g, x, axis) * (x - mean(x, axis=axis, keepdims=True)) * (2 / (count(x, axis) - ddof))


def _var(x: np.ndarray, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> np.ndarray:
    """mean((x - mean(x))^2), the divisor n - ddof; raises ValueError where that is not positive."""
    if count(x, axis) <= ddof:
        raise ValueError(f"var: {count(x, axis)} numbers along axis {axis} with ddof {ddof}; expected more than ddof")
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


var = primitive("var", _var, _var_vjp)


def _cumsum_vjp(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    """d cumsum(x)_i = sum_{j<=i} dx_j: the cotangent is summed from the other end"""
    back = flip(cumsum(flip(g, axis or 0), axis or 0), axis or 0)
    return reshape(back, x.shape)


cumsum = primitive("cumsum", np.cumsum, _cumsum_vjp)


def _logsumexp(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> np.ndarray:
    """log sum exp(x), shifted by the maximum; -inf where every term is -inf."""
    x = floating(x)
    if _is_last(axis, x.ndim) and (kernel := fast("logsumexp", x)):
        y = np.empty(x.shape[:-1] + (1,) * keepdims, x.dtype)
        kernel(_rows(x), y.reshape(-1))
        return y
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype, copy=False)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis=axis)


def _logsumexp_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d logsumexp(x) = softmax(x) . dx; 0 where every term is -inf"""
    if _is_last(axis, x.ndim) and (kernel := fast("logsumexp_cotangent", y, x)) and _plain(g):
        d = np.empty_like(x)
        kernel(np.ascontiguousarray(g).reshape(-1), y.reshape(-1), _rows(x), _rows(d))
        return d
    y = expand(y, x, axis)
    return expand(g, x, axis) * exp(x - where(value(y) == -np.inf, 0.0, y))


def _is_last(axis: Axis, ndim: int) -> bool:
    return ndim > 0 and (axis in (-1, ndim - 1, (-1,), (ndim - 1,)) or (axis is None and ndim == 1))


def _plain(g: Any) -> bool:
    """Whether a cotangent is float32 and no Tensor, in any layout: a contiguous copy of it costs little."""
    return type(g) in (np.ndarray, np.float32) and g.dtype == np.float32


def _rows(x: np.ndarray) -> np.ndarray:
    """A contiguous array as a matrix of its last axis; a view."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


logsumexp = primitive("logsumexp", _logsumexp, _logsumexp_vjp)


def _log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """x - logsumexp(x), the maximum subtracted first: large numbers lose nothing of their differences."""
    x = floating(x)
    if _is_last(axis, x.ndim) and (kernel := fast("log_softmax", x)):
        y = np.empty_like(x)
        kernel(_rows(x), _rows(y))
        return y
    x = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(x) / sum exp(x)."""
    x = floating(x)
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=axis, keepdims=True)


def _softmax_vjp(g: Any, y: Any, x: Any, axis: int = -1) -> Any:
    """d softmax = y * (dx - y . dx)"""
    return y * (g - sum(g * y, axis=axis, keepdims=True))


def _log_softmax_vjp(g: Any, y: Any, x: Any, axis: int = -1) -> Any:
    """d log_softmax = dx - softmax . dx"""
    if _is_last(axis, x.ndim) and (kernel := fast("log_softmax_cotangent", y)) and _plain(g):
        d = np.empty_like(y)
        kernel(_rows(np.ascontiguousarray(g)), _rows(y), _rows(d))
        return d
    return g - exp(y) * sum(g, axis=axis, keepdims=True)


softmax = primitive("softmax", _softmax, _softmax_vjp)
log_softmax = primitive("log_softmax", _log_softmax, _log_softmax_vjp)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent over the axes along which an argument of `shape` was broadcast."""
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1))
    return reshape(sum(g, axis=axes), shape)
