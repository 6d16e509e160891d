"""Distributions made of others: independent events put together, and mixtures."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, Shape, common_dtype
from .discrete import Categorical


class Independent(Distribution):
    """p(x) = prod_i p_i(x_i): the last `axes` batch axes of a distribution become part of the event and are summed.

    `Independent(Logistic(np.zeros(d)), 1)` has event_shape (d,). Raises ValueError where there are fewer batch axes.
    """

    def __init__(self, base: Distribution, axes: int = 1):
        if not 1 <= axes <= len(base.batch_shape):
            raise ValueError(f"Independent: axes is {axes}; expected 1 to {len(base.batch_shape)} for {base!r}")
        self.base, self.axes = base, axes
        self.event_ndim = base.event_ndim + axes
        cut = len(base.batch_shape) - axes
        self.batch_shape, self.event_shape = base.batch_shape[:cut], base.batch_shape[cut:] + base.event_shape

    @property
    def dtype(self) -> np.dtype:
        """That of the base."""
        return self.base.dtype

    def _summed(self, x: Array) -> Array:
        return ad.sum(x, axis=tuple(range(-self.axes, 0)))

    def log_prob(self, x: Any) -> Array:
        """sum_i log p_i(x_i); shape x.shape without the event axes."""
        return self._summed(self.base.log_prob(self._event(x)))

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x ~ p, every part by itself."""
        return self.base.sample(rng, shape)

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x ~ p, differentiable where the base's rsample is."""
        return self.base.rsample(rng, shape)

    def entropy(self) -> Array:
        """sum_i H(p_i) nats."""
        return self._summed(self.base.entropy())

    @property
    def mean(self) -> Array:
        """The means of the parts."""
        return self.base.mean

    @property
    def variance(self) -> Array:
        """The variances of the parts."""
        return self.base.variance

    def _select(self, batch: tuple, index: tuple) -> Self:
        cut = len(self.base.batch_shape) - self.axes
        return Independent(self.base._select(batch + self.base.batch_shape[cut:], index), self.axes)

    def __repr__(self) -> str:
        return f"Independent({self.base!r}, axes={self.axes})"


class Mixture(Distribution):
    """p(x) = sum_k pi_k p_k(x), pi = softmax(logits): one component makes the *whole* event.

    logits: (..., K); components: a distribution whose last batch axis is K. Where the event is a vector its
    log-probability is summed over the event before the log-sum-exp over k; a log-sum-exp per coordinate would be the
    density of another model, in which every coordinate picks its own component. S2:251.
    """

    event_axes = {"logits": 1}

    def __init__(self, logits: Any, components: Distribution):
        self.components, self.event_ndim = components, components.event_ndim
        self._take(logits=logits)

    def _settle(self) -> None:
        shape, parts = np.shape(ad.value(self.logits)), self.components.batch_shape
        if not shape or not parts or shape[-1] != parts[-1] or not shape[-1]:
            raise ValueError(f"Mixture: logits has shape {shape}, components have batch_shape {parts}; expected "
                             "the same K >= 1 as the last axis of both")
        try:
            self.batch_shape = np.broadcast_shapes(shape[:-1], parts[:-1])
        except ValueError:
            raise ValueError(f"Mixture: logits has shape {shape}, components have batch_shape {parts}; expected "
                             "shapes that broadcast") from None
        self.event_shape = self.components.event_shape

    @property
    def dtype(self) -> np.dtype:
        """The common float dtype of logits and components."""
        return common_dtype(self.logits, np.empty(0, self.components.dtype))

    def log_joint(self, x: Any) -> Array:
        """log pi_k + log p_k(x) for every k: (..., K)."""
        x = ad.expand_dims(self._event(x), -1 - self.event_ndim)
        return ad.log_softmax(self.logits, axis=-1) + self.components.log_prob(x)

    def log_prob(self, x: Any) -> Array:
        """log sum_k pi_k p_k(x)."""
        return ad.logsumexp(self.log_joint(x), axis=-1)

    def log_responsibilities(self, x: Any) -> Array:
        """log p(k | x) = log pi_k + log p_k(x) - log p(x): (..., K); NaN-free only inside the support."""
        return ad.log_softmax(self.log_joint(x), axis=-1)

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """k ~ pi, then x ~ p_k; only the chosen components are drawn from."""
        logits = ad.value(self.logits)
        batch = self.batch_shape
        k = Categorical(np.broadcast_to(logits, (*batch, logits.shape[-1]))).sample(rng, shape)
        chosen = self.components._select((*batch, logits.shape[-1]), (*np.ix_(*map(np.arange, batch)), k))
        return chosen.sample(rng).astype(self.dtype, copy=False)

    @property
    def mean(self) -> Array:
        """sum_k pi_k E_k x."""
        return self._weighted(self.components.mean)

    @property
    def variance(self) -> Array:
        """sum_k pi_k (Var_k x + (E_k x - E x)^2)."""
        means, overall = self.components.mean, ad.expand_dims(self.mean, -1 - self.event_ndim)
        return self._weighted(self.components.variance + ad.square(means - overall))

    def _weighted(self, x: Array) -> Array:
        weights = ad.softmax(self.logits, axis=-1)
        weights = ad.reshape(weights, (*weights.shape, *(1,) * self.event_ndim))
        return self._per_event(ad.sum(weights * x, axis=-1 - self.event_ndim))

    def _select(self, batch: tuple, index: tuple) -> Self:
        logits = ad.value(self.logits)
        K = logits.shape[-1]
        return Mixture(np.broadcast_to(logits, (*batch, K))[index], self.components._select((*batch, K), index))

    def __repr__(self) -> str:
        return f"Mixture(K={self.logits.shape[-1]}, {self.components!r})"
