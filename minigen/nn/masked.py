"""MADE: a multilayer perceptron whose weights are masked so that output i sees only the inputs before i."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

from .checking import generator, known, numbers, whole
from .layers import Linear, activation_name
from .module import Module


class MADE(Module):
    """theta_i = theta_i(x_j: j before i in the order), i = 1..d, from one pass of an MLP with masked weights.

    x: (batch, d), theta: (batch, d, n_out), zero at first. An input has its place in the order, 1..d, as degree; a
    hidden unit of degree m sees units of degree <= m below it; the outputs of input i see units of degree < that of i.

    hidden: widths of the hidden layers, none or more. order: "natural", "reversed", or a permutation of 0..d-1 that
    lists the inputs from the first to the last. degrees of hidden units: "sequential", spread evenly over 1..d-1, or
    "random", drawn from `rng` between the least of the layer below and d-1. Order and degrees are saved with the
    parameters. A hidden layer of fewer than d - 1 units cannot have every degree: there is a warning.
    ValueError names a bad argument. Germain et al. 2015, sections 4.1 and 4.2.
    """

    def __init__(self, d: int, hidden: Sequence[int] = (64, 64), n_out: int = 1, *, rng: np.random.Generator,
                 order: Any = "natural", degrees: str = "sequential", activation: str | None = "relu",
                 dtype: Any = np.float32):
        self.d, self.n_out = whole(d, "d", "MADE"), whole(n_out, "n_out", "MADE")
        self.hidden = [whole(n, f"hidden[{i}]", "MADE") for i, n in enumerate(hidden)]
        self.activation = activation_name(activation, "MADE")
        rng = generator(rng, "MADE")
        known(degrees, ("sequential", "random"), "degrees", "MADE")
        sizes = [d, *self.hidden, d * n_out]
        # Before the integers below: a flow takes the precision of its first Tensor.
        self.layers = [Linear(n, m, rng=rng, init="glorot" if i < len(hidden) else "zeros", dtype=dtype)
                       for i, (n, m) in enumerate(zip(sizes, sizes[1:]))]
        self.order = Tensor(_order(order, self.d))
        self.degrees, least = [], 1
        for n in self.hidden:
            m = _spread(n, d) if degrees == "sequential" else rng.integers(min(least, d - 1), max(d, 1), n)
            self.degrees.append(Tensor(m))
            least = m.min()
        if (few := min(self.hidden, default=d)) < d - 1:
            warnings.warn(f"MADE: a hidden layer of {few} units cannot have each of the {d - 1} degrees 1..{d - 1}; "
                          "some outputs will not see all the inputs before them", stacklevel=2)
        self._masks: tuple = (None, ())

    def masks(self) -> tuple[np.ndarray, ...]:
        """M of each layer, (in, out), in the precision of the weights: 1 where a weight is kept."""
        tables = self.order.data, *(m.data for m in self.degrees)
        key = self.layers[0].W.dtype, *(table.tobytes() for table in tables)
        if self._masks[0] != key:
            place = np.empty(self.d, np.int64)
            place[self.order.data] = np.arange(1, self.d + 1)
            below = [place, *tables[1:]]
            above = [*tables[1:], np.repeat(place, self.n_out) - 1]
            self._masks = key, tuple((m[:, None] <= k).astype(key[0]) for m, k in zip(below, above))
        return self._masks[1]

    def forward(self, x: Any) -> Any:
        """theta(x): (batch, d, n_out)"""
        x = numbers(x, self.layers[0].W.dtype, self.title())
        if x.ndim != 2 or x.shape[1] != self.d:
            raise ValueError(f"{self.title()}: x has shape {x.shape}; expected (batch, {self.d})")
        *hidden, last = zip(self.layers, self.masks())
        for layer, mask in hidden:
            x = ad.masked_linear(x, layer.W, mask, layer.b, self.activation)
        layer, mask = last
        return ad.reshape(ad.masked_linear(x, layer.W, mask, layer.b), (x.shape[0], self.d, self.n_out))

    def title(self) -> str:
        """As `MADE(d=3, hidden=[8, 8])`."""
        return f"MADE(d={self.d}, hidden={self.hidden})"


def _order(order: Any, d: int) -> np.ndarray:
    if isinstance(order, str):
        known(order, ("natural", "reversed"), "order", "MADE")
        return np.arange(d) if order == "natural" else np.arange(d)[::-1].copy()
    found = np.asarray(order)
    if found.dtype.kind not in "iu" or not np.array_equal(np.sort(found.ravel()), np.arange(d)) or found.ndim != 1:
        raise ValueError(f"MADE: order is {order!r}; expected natural, reversed or a permutation of 0..{d - 1}")
    return found.astype(np.int64)


def _spread(n: int, d: int) -> np.ndarray:
    """n degrees spread evenly over 1..d-1 and rising to d-1, so that no input goes unseen; all 0 for d = 1."""
    return d - 1 - (n - 1 - np.arange(n)) * (d - 1) // n
