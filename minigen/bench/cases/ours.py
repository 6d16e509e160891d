"""A training step of ours: on the tape, and recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from minigen.autodiff import Tensor
from minigen.optim import Adam
from minigen.training import Loss

from ..case import Absent

ModelLoss = Callable[[np.ndarray, np.random.Generator], Loss]


def taped(model_loss: ModelLoss, parameters: list[Tensor], optimizer: Adam, batches: Iterator[np.ndarray],
          rng: np.random.Generator) -> Callable[[], float]:
    """One step on the tape: loss of the next batch, its gradient, the optimiser."""

    def step() -> float:
        loss = model_loss(next(batches), rng)
        loss.total.backward()
        optimizer.step()
        return loss.total.item()

    return step


def replayed(model_loss: ModelLoss, parameters: list[Tensor], optimizer: Adam, batches: Iterator[np.ndarray],
             rng: np.random.Generator) -> Callable[[], float]:
    """The same step recorded once, then replayed."""
    raise Absent("not built yet")
