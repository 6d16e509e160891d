"""A training step of ours: on the tape, and recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from minigen.nn import Module
from minigen.optim import Adam
from minigen.training import Loss
from minigen.training.replay import Replay

ModelLoss = Callable[[np.ndarray, np.random.Generator], Loss]


def taped(model: Module, model_loss: ModelLoss, optimizer: Adam, batches: Iterator[np.ndarray],
          rng: np.random.Generator) -> Callable[[], float]:
    """One step on the tape: loss of the next batch, its gradient, the optimiser."""

    def step() -> float:
        loss = model_loss(next(batches), rng)
        loss.total.backward()
        optimizer.step()
        return loss.total.item()

    return step


def replayed(model: Module, model_loss: ModelLoss, optimizer: Adam, batches: Iterator[np.ndarray],
             rng: np.random.Generator) -> Callable[[], float]:
    """The same step recorded once, then replayed, as `fit` does it."""
    replay = Replay(model_loss, optimizer, model)

    def step() -> float:
        values = replay(next(batches), rng)
        optimizer.step()
        return values["loss"]

    return step
