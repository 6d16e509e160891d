"""A continuous density on discrete data: uniform noise fills the bins, and the bound says what it is a bound of."""

from __future__ import annotations

import numpy as np

from minigen import nn
from minigen.autodiff.recordable import whole
from minigen.data.transforms import spread
from minigen.distributions.likelihood import Likelihood
from minigen.nn.checking import generator
from minigen.nn.checking import whole as whole_number
from minigen.training import Loss

from .base import FlowModel


class Dequantised(nn.Module):
    """log P(x) >= E_u log p((x + u) / levels) - D log levels,  u ~ U[0, 1)^D.

    x: (batch, D) whole numbers 0 .. levels - 1; p: a flow on [0, 1)^D. P(x) is the mass that p puts on the cube of
    side 1 / levels at x / levels; Jensen's inequality makes the average of log p a bound of it. S3:83-90.
    """

    def __init__(self, model: FlowModel, levels: int):
        self.model, self.levels, self.d = model, whole_number(levels, "levels", "Dequantised", least=2), model.d

    def fit_to(self, x: np.ndarray, rng: np.random.Generator) -> None:
        """Let the flow start from the data (see `Compose.fit_to`)."""
        self.model.flow.fit_to(self._noisy(x, rng))

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Loss:
        """-bound with one draw of u, mean over the batch, in nats of the discrete data."""
        density = self.model.loss(self._noisy(x, rng), rng).total
        return Loss(density + self.d * float(np.log(self.levels)), {})

    def log_likelihood(self, x: np.ndarray, rng: np.random.Generator, n_samples: int = 10) -> Likelihood:
        """The bound of each datum, averaged over n_samples draws of u."""
        draws = np.stack([self.model.log_likelihood(self._noisy(x, rng)).value
                          for _ in range(whole_number(n_samples, "n_samples", "Dequantised"))])
        draws -= self.d * np.log(self.levels)
        error = draws.std(0, ddof=1) / np.sqrt(n_samples) if n_samples > 1 else None
        return Likelihood(draws.mean(0), "bound", f"uniform dequantisation, {n_samples} draws", error)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """floor(levels y), y ~ p, held to 0 .. levels - 1: (n, D)."""
        y = self.model.sample(n, rng)
        return np.clip(np.floor(self.levels * y), 0, self.levels - 1)

    def _noisy(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        u = generator(rng, "Dequantised").random(x.shape, dtype=self.model.flow.dtype)
        return whole(lambda x, u, _: spread(x, u, self.levels), x, u)
