"""Schedules: functions of the step t = 0, 1, 2, ... that give the factor by which the learning rate is multiplied."""

from __future__ import annotations

import math
from collections.abc import Callable

from .clipping import positive

Schedule = Callable[[int], float]


def constant() -> Schedule:
    """1"""
    return lambda t: 1.0


def warmup(steps: int) -> Schedule:
    """min(1, (t + 1) / steps): linear from 1 / steps, reaching 1 in step number `steps`. Goyal et al. 2017, 2.2."""
    _count(steps, "warmup")
    return lambda t: min(1.0, (t + 1) / steps)


def cosine(steps: int, floor: float = 0.0) -> Schedule:
    """floor + (1 - floor) (1 + cos(pi t / steps)) / 2, and `floor` after that. Loshchilov and Hutter 2017, eq. 5."""
    _count(steps, "cosine")
    _floor(floor, "cosine")
    return lambda t: floor + (1 - floor) * (1 + math.cos(math.pi * min(t / steps, 1.0))) / 2


def warmup_cosine(warm: int, steps: int, floor: float = 0.0) -> Schedule:
    """`warmup(warm)` for `warm` steps, then `cosine(steps - warm, floor)`; `steps` counts both."""
    _count(steps, "warmup_cosine")
    if not 0 < warm < steps:
        raise ValueError(f"warmup_cosine: warm is {warm!r}; expected a number of steps between 0 and steps = {steps}")
    rise, fall = warmup(warm), cosine(steps - warm, floor)
    return lambda t: rise(t) if t < warm else fall(t - warm)


def step_decay(every: int, factor: float = 0.1) -> Schedule:
    """factor^floor(t / every)"""
    _count(every, "step_decay")
    positive(factor, "factor", "step_decay")
    return lambda t: factor ** (t // every)


def exponential_decay(half_life: float) -> Schedule:
    """2^(-t / half_life)"""
    positive(half_life, "half_life", "exponential_decay")
    return lambda t: 2.0 ** (-t / half_life)


def _count(steps: int, who: str) -> None:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{who}: the number of steps is {steps!r}; expected a whole number of at least 1")


def _floor(floor: float, who: str) -> None:
    if not 0 <= floor <= 1:
        raise ValueError(f"{who}: floor is {floor!r}; expected a number in [0, 1]")
