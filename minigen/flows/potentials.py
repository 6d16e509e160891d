"""The four 2-D energies on which planar flows were first shown: unnormalised densities exp(-U(z)).

Rezende and Mohamed 2015, table 1 (with U_2 to U_4 held in by a weak Gaussian wall, without which they have no mass).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import FlowModel

WALL = 4.0  # beyond |z_1| = 4 the wall rises as ((|z_1| - 4) / 0.4)^2 / 2


def free_energy(model: FlowModel, energy: Callable[[Any], Any], n: int, rng: np.random.Generator) -> Any:
    """E_q[log q(z) + U(z)] = KL(q || exp(-U) / Z) - log Z from n samples z ~ q, a scalar in nats with its gradient.

    At least -log Z, with equality where q is the normalised exp(-U). S2:40; Rezende and Mohamed 2015, eq. 15.
    """
    z, log_q = model.rsample(n, rng)
    return ad.mean(log_q + energy(z))


def ring(z: Any) -> Any:
    """U_1: two arcs of the circle of radius 2. z: (batch, 2); result (batch,), as of the others."""
    radius = ad.sqrt(ad.sum(z * z, axis=-1) + 1e-12)
    return 0.5 * ad.square((radius - 2) / 0.4) + _either(ad.square((z[:, 0] - 2) / 0.6), ad.square((z[:, 0] + 2) / 0.6))


def wave(z: Any) -> Any:
    """U_2: a sine wave."""
    return 0.5 * ad.square((z[:, 1] - _wave(z)) / 0.4) + _wall(z)


def fork(z: Any) -> Any:
    """U_3: a sine wave that splits in two around z_1 = 1."""
    dip = 3 * ad.exp(-0.5 * ad.square((z[:, 0] - 1) / 0.6))
    return _either(ad.square((z[:, 1] - _wave(z)) / 0.35), ad.square((z[:, 1] - _wave(z) + dip) / 0.35)) + _wall(z)


def step(z: Any) -> Any:
    """U_4: a sine wave that splits in two and stays so."""
    rise = 3 * ad.sigmoid((z[:, 0] - 1) / 0.3)
    return _either(ad.square((z[:, 1] - _wave(z)) / 0.4), ad.square((z[:, 1] - _wave(z) + rise) / 0.35)) + _wall(z)


def _wave(z: Any) -> Any:
    return ad.sin(2 * math.pi * z[:, 0] / 4)


def _wall(z: Any) -> Any:
    return 0.5 * ad.square(ad.relu(ad.abs(z[:, 0]) - WALL) / 0.4)


def _either(a: Any, b: Any) -> Any:
    """-log(exp(-a / 2) + exp(-b / 2))"""
    return -ad.logsumexp(ad.stack([-0.5 * a, -0.5 * b]), axis=0)


POTENTIALS: dict[str, Callable[[Any], Any]] = {"ring": ring, "wave": wave, "fork": fork, "step": step}
