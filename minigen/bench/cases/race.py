"""One training step in every engine: a model says its loss in each, and this class adds gradient, noise and Adam.

All start from the same parameters, see the same batches and draw their noise themselves, each with its own generator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigen import nn
from minigen.optim import Adam

from . import ours
from .steps import hips_step, jax_step, product_step, torch_step

Step = Callable[[], Any]
PEERS = ("floor", "torch", "torch_fused", "torch_compile", "jax", "hips")


class Race(ABC):
    """A model in float32 with minibatches x and, where it has any, standard normal noise of shape `noise`."""

    noise: tuple[int, ...] | None = None

    @abstractmethod
    def batches(self) -> Iterator[np.ndarray]:
        """Minibatches without end, the same ones every time."""

    @abstractmethod
    def ours(self, rng: np.random.Generator) -> tuple[nn.Module, ours.ModelLoss]:
        """The model in plain layers, and its loss of (x, rng)."""

    @abstractmethod
    def in_torch(self, arrays: list[np.ndarray]) -> tuple[list, Callable]:
        """The parameters, started at the arrays, and the loss of (x, noise)."""

    @abstractmethod
    def in_arrays(self, xp: Any) -> Callable:
        """The loss of (parameters, x, noise) in jax.numpy or autograd.numpy."""

    @abstractmethod
    def products(self) -> list[tuple[int, int, int, bool]]:
        """The linear layers of one step: rows, inputs, outputs, whether the input needs a gradient."""

    def start(self) -> list[np.ndarray]:
        """The parameters that every engine starts from."""
        return [p.numpy() for p in self.ours(np.random.default_rng(0))[0].parameters()]

    def eager(self) -> Step:
        """Ours on the tape."""
        return ours.taped(*self._ours())

    def replay(self) -> Step:
        """Ours recorded and replayed."""
        return ours.replayed(*self._ours())

    def floor(self) -> Step:
        """The matrix products alone."""
        return product_step(self.products())

    def torch(self) -> Step:
        """torch eager with its default Adam."""
        return torch_step(self)

    def torch_fused(self) -> Step:
        """torch eager with fused Adam."""
        return torch_step(self, fused=True)

    def torch_compile(self) -> Step:
        """torch with the loss compiled and fused Adam."""
        return torch_step(self, fused=True, compiled=True)

    def jax(self) -> Step:
        """jax, the whole step under jit, buffers donated."""
        return jax_step(self)

    def hips(self) -> Step:
        """HIPS autograd."""
        return hips_step(self)

    def _ours(self) -> tuple:
        nn.use_kernels()
        rng = np.random.default_rng(0)
        model, loss = self.ours(rng)
        from minigen.kernels.stream import Stream  # Numba, which the other peers do without

        return model, loss, Adam(model.parameters(), lr=1e-3), self.batches(), Stream(rng)
