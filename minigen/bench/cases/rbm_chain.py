"""One Gibbs chain of an RBM 784-500: 20 sweeps h ~ p(h|v), v ~ p(v|h)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..case import Case, targets

D, H, SWEEPS = 784, 500, 20
f32 = np.float32


def model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W, b, c of which a third of the units are active."""
    W = 0.05 * np.random.default_rng(0).standard_normal((D, H))
    return W.astype(f32), np.full(D, -1, f32), np.full(H, -1, f32)


def minigen() -> Callable[[], np.ndarray]:
    """Ours: active rows added up."""
    from minigen.kernels import gibbs
    from minigen.kernels.stream import Stream

    (W, b, c), rng = model(), Stream(np.random.default_rng(0))
    WT, v, h = np.ascontiguousarray(W.T), np.zeros((1, D), f32), np.zeros((1, H), f32)

    def step() -> np.ndarray:
        gibbs.sweeps(*rng.take(SWEEPS * (D + H) // 2), W, WT, b, c, v, h, SWEEPS)
        return v[0]

    return step


def numpy() -> Callable[[], np.ndarray]:
    """NumPy: products of a matrix and a vector."""
    (W, b, c), rng, v = model(), np.random.Generator(np.random.SFC64(0)), np.zeros(D, f32)

    def step() -> np.ndarray:
        nonlocal v
        for _ in range(SWEEPS):
            h = (rng.random(H, dtype=f32) < 1 / (1 + np.exp(-(v @ W + c)))).astype(f32)
            v = (rng.random(D, dtype=f32) < 1 / (1 + np.exp(-(W @ h + b)))).astype(f32)
        return v

    return step


def torch() -> Callable[[], np.ndarray]:
    """torch: the same."""
    import torch

    W, b, c = map(torch.from_numpy, model())
    v = torch.zeros(D)

    @torch.no_grad()
    def step() -> np.ndarray:
        nonlocal v
        for _ in range(SWEEPS):
            h = torch.bernoulli(torch.sigmoid(torch.addmv(c, W.t(), v)))
            v = torch.bernoulli(torch.sigmoid(torch.addmv(b, W, h)))
        return v.numpy()

    return step


CASE = Case("rbm-chain", "RBM 784-500, one chain, 20 sweeps", __name__, races={"minigen": ("numpy", "torch")},
            targets=targets("minigen", A={"numpy": 0.5}, B={"numpy": 0.5}))
