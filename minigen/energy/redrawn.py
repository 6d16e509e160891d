"""Grey values as probabilities: each time that a row is seen, its pixels are drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import nn
from minigen.training import Loss

from .sampling import draw, stream


class Redrawn(nn.Module):
    """E_{v ~ Bernoulli(x)} of what `trainer` minimises, by one draw of v for every row that a step is given.

    x: (n, D) in [0, 1]. The distribution that is fitted is that of data drawn once, but no draw is learnt by heart.
    Burda et al. 2016, appendix D ("dynamic binarisation").
    """

    def __init__(self, trainer: Any):
        self.trainer = trainer
        self.config = {"redrawn": True, **trainer.config}

    @property
    def model(self) -> Any:
        """What is trained."""
        return self.trainer.model

    def fit_to(self, x: np.ndarray, rng: np.random.Generator) -> None:
        """Biases from the mean grey values."""
        self.trainer.fit_to(x, rng)

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Loss:
        """The trainer's loss of one draw."""
        return self.trainer.loss(self.drawn(x, rng), rng)

    def loss_and_gradients(self, x: np.ndarray, rng: np.random.Generator, into: dict[str, np.ndarray]) -> dict:
        """The trainer's, of one draw."""
        into = {name.removeprefix("trainer."): place for name, place in into.items()}
        return self.trainer.loss_and_gradients(self.drawn(x, rng), rng, into)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """What the model dreams: (n, D)."""
        return self.trainer.sample(n, rng)

    @staticmethod
    def drawn(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """v ~ Bernoulli(x). Raises ValueError for values outside [0, 1]."""
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError(f"Redrawn: x has values from {np.min(x)} to {np.max(x)}; expected probabilities in [0, 1]")
        return draw(x, stream(rng))
