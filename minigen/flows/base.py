"""What a flow is: one map, its inverse, and log|det J| of whichever of the two was applied.

`forward` is f: data x -> noise z, `inverse` is g = f^-1: z -> x. Then p(x) = p(f(x)) |det J_f(x)| (S2:22), and both
directions report the determinant of the map *they* apply, so the two are of opposite sign at corresponding points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions import DiagonalNormal
from minigen.distributions.likelihood import Likelihood
from minigen.nn.checking import FLOATS, numbers, whole
from minigen.training import Loss


class Flow(nn.Module):
    """An invertible map of R^d. Subclasses write `forward` and `inverse`; rows of a batch do not meet.

    Arrays are computed with in the precision of the parameters; a Tensor is taken as it is. ValueError for another
    shape than (batch, d).
    """

    def __init__(self, d: int):
        self.d = whole(d, "d", type(self).__name__)

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log|det dz/dx|). x, z: (batch, d); log-det: (batch,)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log|det dx/dz|). z, x: (batch, d); log-det: (batch,)."""
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def title(self) -> str:
        """As `Planar(d=2)`."""
        return f"{type(self).__name__}(d={self.d})"

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, as the parameters are; float64 for a flow without any."""
        return self._own_dtype(np.float64)

    def _own_dtype(self, otherwise: Any) -> np.dtype:
        return next((tensor.dtype for _, tensor in self.named_tensors()), np.dtype(otherwise))

    def _read(self, x: Any, name: str) -> Any:
        """x in the precision of the parameters, or in its own where there are none, once its shape is right."""
        given = getattr(x, "dtype", None)
        x = numbers(x, self._own_dtype(given if given in FLOATS else np.float64), self.title())
        if x.ndim != 2 or x.shape[1] != self.d:
            raise ValueError(f"{self.title()}: {name} has shape {x.shape}; expected (batch, {self.d})")
        return x


class Compose(Flow):
    """f = f_K o ... o f_1:  log|det J_f(x)| = sum_k log|det J_{f_k}| at f_{k-1} o ... o f_1 (x).

    The k-th determinant is taken where the first k - 1 maps have brought x, not at x: S2:32 leaves that out.
    """

    def __init__(self, flows: Sequence[Flow]):
        if len({flow.d for flow in flows}) != 1:
            raise ValueError(f"Compose: flows have dimensions {[f.d for f in flows]}; expected one or more, all equal")
        super().__init__(flows[0].d)
        self.flows = list(flows)

    def forward(self, x: Any) -> tuple[Any, Any]:
        """f_1 first."""
        return _chain([flow.forward for flow in self.flows], x)

    def fit_to(self, x: np.ndarray) -> None:
        """Let every map that can be set from data (`Affine`) see x as it arrives there: a start, not a fit."""
        with ad.no_grad():
            for flow in self.flows:
                if hasattr(flow, "fit_to"):
                    flow.fit_to(x)
                x = ad.value(flow.forward(x)[0])

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """f_K^-1 first."""
        return _chain([flow.inverse for flow in reversed(self.flows)], z)


def _chain(maps: list, x: Any) -> tuple[Any, Any]:
    x, total = maps[0](x)
    for step in maps[1:]:
        x, log_det = step(x)
        total = total + log_det
    return x, total


class Inverse(Flow):
    """The flow that runs another one backwards: forward is its inverse, inverse its forward."""

    def __init__(self, flow: Flow):
        super().__init__(flow.d)
        self.flow = flow

    def forward(self, x: Any) -> tuple[Any, Any]:
        """The other's inverse."""
        return self.flow.inverse(x)

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """The other's forward."""
        return self.flow.forward(z)


class FlowModel(nn.Module):
    """log p(x) = log p(f(x)) + log|det J_f(x)|, exact; noise z ~ N(0, I) unless another base is given. S2:32-36.

    x: (batch, d); likelihoods in nats. base: a distribution of event shape (d,), which stays as it is.
    """

    def __init__(self, flow: Flow, base: Any = None):
        if base is not None and base.event_shape != (flow.d,):
            raise ValueError(f"FlowModel: base has event shape {base.event_shape}; expected ({flow.d},)")
        self.flow, self.d, self.given = flow, flow.d, base

    @property
    def base(self) -> Any:
        """The law of the noise."""
        if self.given is not None:
            return self.given
        return DiagonalNormal(np.zeros(self.d, self.flow.dtype), np.ones(self.d, self.flow.dtype))

    def log_prob(self, x: Any) -> Any:
        """log p(x), (batch,)."""
        z, log_det = self.flow.forward(x)
        return self.base.log_prob(z) + log_det

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Loss:
        """-log p(x), mean over the batch: the forward KL up to the entropy of the data."""
        return Loss(-ad.mean(self.log_prob(x)), {})

    def log_likelihood(self, x: np.ndarray) -> Likelihood:
        """log p(x) of each datum, exact."""
        with ad.no_grad():
            return Likelihood(ad.value(self.log_prob(x)).astype(np.float64), "exact", "change of variables")

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """x = g(z), z from the base: (n, d)."""
        with ad.no_grad():
            return ad.value(self.rsample(n, rng)[0])

    def rsample(self, n: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """(x, log p(x)) of n samples, with gradients: log p(g(z)) = log p(z) - log|det J_g(z)|. S2:40."""
        z = self.base.sample(rng, (whole(n, "n", "FlowModel"),))
        x, log_det = self.flow.inverse(z)
        return x, self.base.log_prob(z) - log_det
