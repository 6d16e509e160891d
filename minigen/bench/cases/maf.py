"""Masked autoregressive flow, 784 dimensions, hidden layers 2 x 1024: 100 samples drawn, density of 1 000 rows.

All peers compute with the same weights, sorted and masked beforehand. In torch, sampling is what it is there: one full
pass for each dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.flows.autoregressive import MaskedAutoregressive
from minigen.kernels import masked, reference_masked

from ..case import Case, targets

D, HIDDEN, SAMPLES, ROWS = 784, (1024, 1024), 100, 1000
PARTS = 16  # a step of `sampling_naive_torch` runs one part in so many of the D passes


def net() -> masked.MaskedNet:
    """A flow away from the identity it starts as, prepared."""
    rng = np.random.default_rng(0)
    flow = MaskedAutoregressive(D, HIDDEN, rng=rng)
    last = flow.net.layers[-1]
    last.W.data[...] = rng.standard_normal(last.W.shape) * np.where(np.arange(2 * D) % 2, 0.05, 0.3) / 32
    last.b.data[...] = 0.1 * rng.standard_normal(2 * D)
    return flow.prepare()


def rows(n: int) -> np.ndarray:
    """Noise or data: (n, D)."""
    return np.random.default_rng(1).standard_normal((n, D)).astype(np.float32)


def sampling() -> Callable[[], Any]:
    """100 samples by degree."""
    record, z = net(), rows(SAMPLES)
    return lambda: masked.sample(record, z)


def sampling_dense_pass() -> Callable[[], Any]:
    """One dense density pass of as many rows, in NumPy."""
    record, x = net(), rows(SAMPLES)
    return lambda: reference_masked.density(record, x)


def sampling_density_pass() -> Callable[[], Any]:
    """One block-triangular density pass of as many rows."""
    record, x = net(), rows(SAMPLES)
    return lambda: masked.density(record, x)


def sampling_naive_torch() -> Callable[[], Any]:
    """D / PARTS of the D full passes."""
    import torch

    conditionals, z = torch_conditionals(torch), torch.from_numpy(rows(SAMPLES))

    def step() -> Any:
        x = torch.zeros_like(z)
        for _ in range(D // PARTS):
            mu, alpha = conditionals(x)
            x = z * torch.exp(alpha) + mu
        return x

    return step


def density() -> Callable[[], Any]:
    """z and log-det of 1 000 rows, block-triangular."""
    record, x = net(), rows(ROWS)
    return lambda: masked.density(record, x)


def density_dense() -> Callable[[], Any]:
    """The same, dense, in NumPy."""
    record, x = net(), rows(ROWS)
    return lambda: reference_masked.density(record, x)


def density_torch() -> Callable[[], Any]:
    """The same, dense, in torch."""
    import torch

    conditionals, x = torch_conditionals(torch), torch.from_numpy(rows(ROWS))

    def step() -> Any:
        mu, alpha = conditionals(x)
        return (x - mu) * torch.exp(-alpha), -alpha.sum(1)

    return step


def torch_conditionals(torch: Any) -> Callable[[Any], tuple[Any, Any]]:
    """x -> (mu, alpha) in torch, for good without gradients."""
    torch.set_grad_enabled(False)
    *hidden, (V, c) = [(torch.tensor(W), torch.tensor(b)) for W, b in net().layers]

    def conditionals(x: Any) -> tuple[Any, Any]:
        for W, b in hidden:
            x = torch.relu(torch.nn.functional.linear(x, W, b))
        y = torch.nn.functional.linear(x, V, c)
        return y[:, 0::2], y[:, 1::2]

    return conditionals


CASE = Case("maf", "MAF, 784 dimensions, hidden 2 x 1024: 100 samples, density of 1 000 rows", __name__,
            races={"sampling": ("sampling_naive_torch", "sampling_dense_pass", "sampling_density_pass"),
                   "density": ("density_torch", "density_dense")},
            targets=targets("sampling", A={"sampling_naive_torch": 1 / 500, "sampling_density_pass": 1.2},
                            B={"sampling_naive_torch": 1 / 900})
            + targets("density", A={"density_torch": 0.5}, B={"density_torch": 0.35}),
            passes={"sampling_naive_torch": PARTS})
