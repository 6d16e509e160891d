"""The logistic distribution on a grid of integer levels, and its mixture: the pixel likelihood of PixelCNN++."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, shielded, supported
from .combine import Mixture


class DiscretisedLogistic(Distribution):
    """P(x) = F(x + 1/2) - F(x - 1/2), F(t) = sigmoid((t - mu) / scale), x in {0, ..., levels - 1}.

    The lowest level takes all of the mass below it, the highest all above, so the masses add up to exactly 1. mu and
    scale > 0 are in units of levels and broadcast to batch_shape. With a = (x + 1/2 - mu) / scale and
    b = a - 1 / scale, F(a) - F(b) = sigmoid(a) sigmoid(-b) (1 - exp(-1 / scale)): no difference of two numbers near 1
    is formed and no special case is needed. Salimans et al. 2017, eq. 2.
    """

    event_axes = {"mu": 0, "scale": 0}
    positive = ("scale",)

    def __init__(self, mu: Any, scale: Any, levels: int = 256):
        if not isinstance(levels, int | np.integer) or levels < 2:
            raise ValueError(f"{self._name}: levels is {levels!r}; expected an integer >= 2")
        self.levels = int(levels)
        self._take(mu=mu, scale=scale)

    def log_prob(self, x: Any) -> Array:
        """log P(x) in nats; -inf where x is not a level."""
        x, mu, scale = self._with(x)
        x, top = ad.value(x), self.levels - 1
        outside = ~((x >= 0) & (x <= top) & (x == np.floor(x)))
        x = shielded(outside, x, 0.0)
        below = ad.softplus((mu - x - 0.5) / scale)  # -log F(x + 1/2)
        above = ad.softplus((x - 0.5 - mu) / scale)  # -log(1 - F(x - 1/2))
        width = ad.log(-ad.expm1(-1 / scale))
        log_p = ad.where(x == 0, -below, ad.where(x == top, -above, width - below - above))
        return supported(outside, log_p)

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """A logistic draw, rounded to the nearest level."""
        e = rng.logistic(size=self._shape(shape))
        x = ad.value(self.mu) + ad.value(self.scale) * e
        return np.asarray(np.clip(np.floor(x + 0.5), 0, self.levels - 1), dtype=self.dtype)


class DiscretisedLogisticMixture(Mixture):
    """P(x) = sum_k pi_k (F_k(x + 1/2) - F_k(x - 1/2)) per pixel, x in {0, ..., levels - 1}.

    logits, mu, scale: (..., K), one mixture per pixel of the batch_shape; mu and scale in units of levels. The pixels
    of an image are independent given the parameters: sum, or `Independent(mixture, axes)`.
    """

    def __init__(self, logits: Any, mu: Any, scale: Any, levels: int = 256):
        super().__init__(logits, DiscretisedLogistic(mu, scale, levels))
