"""Discrete distributions, by logits: probabilities are never formed where their logarithm is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, shielded, supported


class Bernoulli(Distribution):
    """p(x) = sigmoid(l)^x (1 - sigmoid(l))^(1 - x), x in {0, 1}, element by element.

    logits: l = log p(1) - log p(0), batch_shape. log p(x) = x l - softplus(l) for any size of l. Images whose pixels
    are one event: `Independent(Bernoulli(logits), 1)`, or the fused `ad.bernoulli_logits(logits, x)`.
    """

    event_axes = {"logits": 0}

    def __init__(self, logits: Any):
        self._take(logits=logits)

    def log_prob(self, x: Any) -> Array:
        """x l - softplus(l); -inf where x is neither 0 nor 1."""
        x, logits = self._with(x)
        numbers = ad.value(x)
        outside = ~((numbers == 0) | (numbers == 1) | np.isnan(numbers))
        return supported(outside, shielded(outside, x, 0.0) * logits - ad.softplus(logits))

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """1 with probability sigmoid(logits), else 0, in the dtype of the parameters."""
        u = rng.random(self._shape(shape))
        return np.asarray(u < ad.sigmoid(ad.value(self.logits))).astype(self.dtype)

    def entropy(self) -> Array:
        """softplus(l) - l sigmoid(l) nats."""
        logits, = self._own()
        return ad.softplus(logits) - logits * ad.sigmoid(logits)

    @property
    def mean(self) -> Array:
        """sigmoid(l)."""
        return ad.sigmoid(self._own()[0])

    @property
    def variance(self) -> Array:
        """sigmoid(l) sigmoid(-l)."""
        logits, = self._own()
        return ad.sigmoid(logits) * ad.sigmoid(-logits)


class Categorical(Distribution):
    """p(k) = exp(l_k) / sum_j exp(l_j), k in {0, ..., K - 1}.

    logits: (..., K), unnormalised log-probabilities; the last axis is the K outcomes, the rest is batch_shape.
    """

    event_axes = {"logits": 1}

    def __init__(self, logits: Any):
        self._take(logits=logits)
        shape = np.shape(ad.value(self.logits))
        if not shape or not shape[-1]:
            raise ValueError(f"Categorical: logits has shape {shape}; expected (..., K) with K >= 1")

    @property
    def log_probs(self) -> Array:
        """log p(k) for all k: (..., K)."""
        return ad.log_softmax(self.logits, axis=-1)

    def log_prob(self, x: Any) -> Array:
        """log_softmax(logits)[x]; -inf where x is not an integer from 0 to K - 1. The gradient is to the logits."""
        x = ad.value(self._with(x)[0])
        outcomes = self.logits.shape[-1]
        outside = ~((x >= 0) & (x < outcomes) & (x == np.floor(x)))
        k = np.where(outside, 0, x).astype(np.intp)
        shape = np.broadcast_shapes(k.shape, self.batch_shape)
        table = self.log_probs
        at = np.ix_(*map(np.arange, self.batch_shape))
        return supported(np.broadcast_to(outside, shape), ad.getitem(table, (*at, k)))

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """k ~ p as int64, by the inverse of the cumulative distribution."""
        cdf = np.cumsum(ad.softmax(ad.value(self.logits).astype(np.float64), axis=-1), axis=-1)
        cdf /= cdf[..., -1:]  # ends in exactly 1, so no u in [0, 1) lies past it
        u = rng.random(self._shape(shape))
        if cdf.ndim == 1:
            return np.asarray(np.searchsorted(cdf, u, side="right"))
        return (u[..., None] >= cdf).sum(axis=-1)

    def entropy(self) -> Array:
        """-sum_k p(k) log p(k) nats."""
        log_p = self.log_probs
        return -ad.sum(ad.exp(log_p) * log_p, axis=-1)
