"""Exact oracles: enumeration, numeric Jacobians, sums of exponentials; and Monte Carlo with its standard error.

Quadrature lives next door in `quadrature.py`. Everything here is float64 and plain NumPy, so that it shares no
code with what it referees. Functions handed in may take and return arrays or Tensors.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigen.autodiff import no_grad, value

MOST_BITS = 25
_CHUNK_BITS = 14


class Estimate(NamedTuple):
    """A Monte-Carlo number and its standard error; arrays where the samples are."""

    value: Any
    standard_error: Any


def evaluate(f: Callable, *args: np.ndarray) -> np.ndarray:
    """f(*args) as a float64 array, with nothing recorded.

    Overflow is not warned of: far out in a tail it is how exp(-exp(x)) rightly becomes 0; where it is wrong, an
    infinity or a NaN comes back and is seen.
    """
    with no_grad(), np.errstate(over="ignore"):
        return np.asarray(value(f(*args)), dtype=float)


def binary_chunks(d: int, dtype: Any = np.float64) -> Iterator[np.ndarray]:
    """All 2^d binary vectors of length d in order of their binary number (first entry most significant), in
    pieces of at most 2^14 rows. ValueError above d = 25 (2^25 = 3.4e7 rows)."""
    if not 0 <= d <= MOST_BITS:
        raise ValueError(f"binary_chunks: d = {d} gives 2^{d} rows; expected 0 <= d <= {MOST_BITS}")
    shifts = np.arange(d - 1, -1, -1)
    for start in range(0, 2**d, 2**_CHUNK_BITS):
        numbers = np.arange(start, min(start + 2**_CHUNK_BITS, 2**d))
        yield (numbers[:, None] >> shifts & 1).astype(dtype)


def enumerate_binary(d: int, dtype: Any = np.float64) -> np.ndarray:
    """All 2^d binary vectors as one array (2^d, d), in the order of `binary_chunks`, for d <= 20."""
    if not 0 <= d <= 20:
        raise ValueError(f"enumerate_binary: d = {d} would hold 2^{d} rows at once; use binary_chunks above d = 20")
    return np.concatenate(list(binary_chunks(d, dtype)))


def logsumexp(x: Any, axis: int | None = None) -> Any:
    """log sum exp x along an axis (all axes if None); -inf for an empty or all -inf sum."""
    x = np.asarray(value(x), dtype=float)
    if x.size == 0:
        return np.sum(x, axis=axis) - np.inf
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(x - top), axis=axis))
    return total + np.squeeze(top, axis=axis)


def log_sum_binary(log_f: Callable, d: int) -> float:
    """log sum_{x in {0,1}^d} exp log_f(x), chunk by chunk; log_f maps (n, d) to (n,)."""
    return float(logsumexp([logsumexp(evaluate(log_f, x)) for x in binary_chunks(d)]))


def numeric_jacobian(f: Callable, x: Any, step: float = 1e-4) -> np.ndarray:
    """J[n, i, j] = d f_i(x_n) / d x_{n,j} by central differences at two steps, extrapolated (Richardson).

    x: (batch, ...); f maps a batch to a batch and treats its rows alone. Events are flattened: the result has
    shape (batch, size of an output event, size of an input event). Error about step^4 f^(5) + 1e-16 |f| / step.
    """
    x = np.array(value(x), dtype=float)
    flat = x.reshape(len(x), -1)
    columns = [_difference(f, x, flat, j, step * np.maximum(1.0, np.abs(flat[:, j]))) for j in range(flat.shape[1])]
    return np.stack(columns, axis=-1)


def _difference(f: Callable, x: np.ndarray, flat: np.ndarray, j: int, h: np.ndarray) -> np.ndarray:
    """(4 D(h/2) - D(h)) / 3 for the central difference D in column j, with a step per row."""

    def central(h: np.ndarray) -> np.ndarray:
        up, down = flat.copy(), flat.copy()
        up[:, j] += h
        down[:, j] -= h
        width = up[:, j] - down[:, j]  # the step that floating point really made
        rise = evaluate(f, up.reshape(x.shape)) - evaluate(f, down.reshape(x.shape))
        return rise.reshape(len(x), -1) / width[:, None]

    return (4.0 * central(h / 2) - central(h)) / 3.0


def numeric_log_det(f: Callable, x: Any, step: float = 1e-4) -> np.ndarray:
    """log|det J_f(x_n)| of the numeric Jacobian, shape (batch,); f keeps the size of an event."""
    return np.linalg.slogdet(numeric_jacobian(f, x, step))[1]


def monte_carlo_mean(samples: Any, axis: int = 0) -> Estimate:
    """Mean over an axis of independent samples, with s / sqrt(n) as standard error."""
    samples = np.asarray(value(samples), dtype=float)
    n = samples.shape[axis]
    if n < 2:
        raise ValueError(f"monte_carlo_mean: {n} samples along axis {axis}; a standard error takes at least 2")
    return Estimate(samples.mean(axis), samples.std(axis, ddof=1) / np.sqrt(n))


def log_mean_exp(log_weights: Any, axis: int = 0) -> Estimate:
    """log (1/K) sum_k exp log_w_k with its standard error by the delta method: se(mean w) / mean w.

    Unbiased for the mean weight; its log is biased low by about half the squared standard error.
    """
    log_weights = np.asarray(value(log_weights), dtype=float)
    n = log_weights.shape[axis]
    top = np.max(log_weights, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    mean, error = monte_carlo_mean(np.exp(log_weights - top), axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = error / mean
    return Estimate(logsumexp(log_weights, axis=axis) - np.log(n), relative)
