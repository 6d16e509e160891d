"""The size of a gradient, and what to do when it is too large."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from minigen.autodiff import Tensor


def grad_norm(parameters: Iterable[Tensor]) -> float:
    """sqrt(sum_p ||g_p||^2) over the gradients of all parameters; nan or inf when one of them is not finite."""
    return norm_of([p.grad.reshape(-1) for p in parameters if p.grad is not None])


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """g <- g min(1, max_norm / ||g||), ||g|| the norm over all parameters together, which it returns as it was.

    Pascanu et al. 2013, algorithm 1. Raises ValueError when max_norm is not positive, FloatingPointError when the
    norm is not finite: no factor makes such a gradient right.
    """
    parameters = list(parameters)
    limit = positive(max_norm, "max_norm", "clip_grad_norm")
    norm = grad_norm(parameters)
    if not math.isfinite(norm):
        raise FloatingPointError(f"clip_grad_norm: the norm of the gradient is {norm}; expected a finite number")
    if norm > limit:
        for p in parameters:
            if p.grad is not None:
                p.grad *= limit / norm
    return norm


def clip_grad_value(parameters: Iterable[Tensor], limit: float) -> None:
    """g_i <- min(max(g_i, -limit), limit). Raises ValueError when limit is not positive."""
    positive(limit, "limit", "clip_grad_value")
    for p in parameters:
        if p.grad is not None:
            np.clip(p.grad, -limit, limit, out=p.grad)


def norm_of(gradients: list[np.ndarray]) -> float:
    """The Euclidean norm of one-dimensional arrays taken as one vector."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = sum(float(np.dot(g, g)) for g in gradients)
    if not math.isfinite(total):  # the squares of a large but finite float32 overflow
        doubles = [g.astype(np.float64) for g in gradients]
        total = sum(float(np.dot(g, g)) for g in doubles)
    return math.sqrt(total)


def positive(number: float, argument: str, who: str) -> float:
    """`number` as a float; ValueError naming function and argument unless it is a positive, finite number."""
    try:
        found = float(number)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 < found < math.inf:
        raise ValueError(f"{who}: {argument} is {number!r}; expected a positive number")
    return found


def fraction(number: float, argument: str, who: str) -> float:
    """`number` as a float; ValueError naming function and argument unless it lies in [0, 1)."""
    try:
        found = float(number)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < 1:
        raise ValueError(f"{who}: {argument} is {number!r}; expected a number in [0, 1)")
    return found
