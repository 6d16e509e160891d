"""Ising model on a torus of 256 x 256 spins near its critical temperature: one sweep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..case import Case, targets

N, BETA = 256, 0.44


def spins() -> np.ndarray:
    """Coin flips: (N, N) of -1 and 1."""
    return (2 * np.random.default_rng(0).integers(0, 2, (N, N)) - 1).astype(np.int8)


def checkerboard() -> Callable[[], np.ndarray]:
    """Ours, colour by colour."""
    return _ours("checkerboard")


def sequential() -> Callable[[], np.ndarray]:
    """Ours, in the order of reading."""
    return _ours("sequential")


def _ours(name: str) -> Callable[[], np.ndarray]:
    from minigen.kernels import ising
    from minigen.kernels.stream import Stream

    s, up, rng = spins()[None], ising.thresholds(BETA, 0.0, 1.0), Stream(np.random.default_rng(0))
    sweep, blocks = getattr(ising, name), getattr(ising, f"{name}_blocks")(*s.shape, 1)

    def step() -> np.ndarray:
        sweep(*rng.take(blocks), s, up, True, 1)
        return s[0]

    return step


def numpy() -> Callable[[], np.ndarray]:
    """NumPy: neighbours by `roll`, all sites drawn, those of one colour kept."""
    s, rng = spins().astype(np.float32), np.random.Generator(np.random.SFC64(0))
    black = np.indices(s.shape).sum(0) % 2 == 0

    def step() -> np.ndarray:
        for colour in (black, ~black):
            n = np.roll(s, 1, 0) + np.roll(s, -1, 0) + np.roll(s, 1, 1) + np.roll(s, -1, 1)
            p = 1 / (1 + np.exp(np.float32(-2 * BETA) * n))
            drawn = np.where(rng.random(s.shape, dtype=np.float32) < p, np.float32(1), np.float32(-1))
            s[colour] = drawn[colour]
        return s

    return step


def torch() -> Callable[[], np.ndarray]:
    """torch: the same."""
    import torch

    torch.manual_seed(0)
    s = torch.from_numpy(spins().astype(np.float32))
    black = torch.from_numpy(np.indices(s.shape).sum(0) % 2 == 0)

    @torch.no_grad()
    def step() -> np.ndarray:
        nonlocal s
        for colour in (black, ~black):
            n = s.roll(1, 0) + s.roll(-1, 0) + s.roll(1, 1) + s.roll(-1, 1)
            s = torch.where(colour, 2 * torch.bernoulli(torch.sigmoid(2 * BETA * n)) - 1, s)
        return s.numpy()

    return step


CASE = Case("ising", "Ising model, 256 x 256 torus, one sweep", __name__,
            races={"checkerboard": ("numpy", "torch"), "sequential": ("numpy", "torch")},
            targets=targets("checkerboard", A={"numpy": 0.06}, B={"numpy": 0.06}))
