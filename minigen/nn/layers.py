"""Layers of vectors: linear, multilayer perceptron, layer norm, embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

from .checking import float_type, generator, known, numbers, whole
from .init import draw
from .module import Module

ACTIVATIONS = ("relu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu", "gelu", "silu")
"""The names that layers take as `activation`; None is the identity."""


def activation_name(name: str | None, who: str, argument: str = "activation") -> str | None:
    """`name` itself; ValueError that lists the known ones when it is not None and not one of them."""
    return name if name is None else known(name, ACTIVATIONS, argument, who)


class Linear(Module):
    """y = f(x W + b).  x: (..., n_in), y: (..., n_out); parameters W: (n_in, n_out), b: (n_out,), starting at 0.

    activation: the name of f, None for the identity. init: the name of W's initialiser.
    """

    def __init__(self, n_in: int, n_out: int, *, rng: np.random.Generator, activation: str | None = None,
                 init: str = "glorot", bias: bool = True, dtype: Any = np.float32):
        self.n_in, self.n_out = whole(n_in, "n_in", "Linear"), whole(n_out, "n_out", "Linear")
        self.activation = activation_name(activation, "Linear")
        dtype = float_type(dtype, "Linear")
        W = draw(init, (self.n_in, self.n_out), rng, (self.n_in, self.n_out), dtype, "Linear")
        self.W = Tensor(W, requires_grad=True)
        self.b = Tensor(np.zeros(self.n_out, dtype), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Any:
        """f(x W + b)"""
        x = numbers(x, self.W.dtype, "Linear")
        if x.ndim < 1 or x.shape[-1] != self.n_in:
            raise ValueError(f"{self.title()}: x has shape {x.shape}; expected (..., {self.n_in})")
        return ad.linear(x, self.W, self.b, self.activation)

    def title(self) -> str:
        """Linear(in -> out, activation)"""
        return f"Linear({self.n_in} -> {self.n_out}{', ' + self.activation if self.activation else ''})"


class MLP(Module):
    """y = f_L(... f(f(x W_1 + b_1) W_2 + b_2) ... W_L + b_L).  x: (..., sizes[0]), y: (..., sizes[-1]).

    activation: the name of f, after every layer but the last; final: that of f_L.
    """

    def __init__(self, sizes: Sequence[int], *, rng: np.random.Generator, activation: str | None = "tanh",
                 final: str | None = None, init: str = "glorot", dtype: Any = np.float32):
        sizes = list(sizes)
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes is {sizes}; expected at least two, those of x and y")
        self.sizes = [whole(n, f"sizes[{i}]", "MLP") for i, n in enumerate(sizes)]
        self.activation = activation_name(activation, "MLP")
        self.final = activation_name(final, "MLP", "final")
        names = [activation] * (len(sizes) - 2) + [final]
        self.layers = [Linear(n, m, rng=rng, activation=f, init=init, dtype=dtype)
                       for n, m, f in zip(self.sizes, self.sizes[1:], names)]

    def forward(self, x: Any) -> Any:
        """The last layer of ... of the first of x"""
        for layer in self.layers:
            x = layer(x)
        return x

    def title(self) -> str:
        """MLP(in -> hidden -> out, activation)"""
        names = ", ".join(dict.fromkeys(f for f in (self.activation, self.final) if f))
        return f"MLP({' -> '.join(map(str, self.sizes))}{', ' + names if names else ''})"


class LayerNorm(Module):
    """y = gain (x - mean) / sqrt(var + eps) + bias over the last axis. x, y: (..., n). Ba et al. 2016, eq. 4."""

    def __init__(self, n: int, *, eps: float = 1e-5, dtype: Any = np.float32):
        self.n, self.eps = whole(n, "n", "LayerNorm"), float(eps)
        if not self.eps > 0:
            raise ValueError(f"LayerNorm: eps is {eps}; expected a positive number")
        dtype = float_type(dtype, "LayerNorm")
        self.gain = Tensor(np.ones(self.n, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(self.n, dtype), requires_grad=True)

    def forward(self, x: Any) -> Any:
        """gain (x - mean) / sqrt(var + eps) + bias"""
        x = numbers(x, self.gain.dtype, "LayerNorm")
        if x.ndim < 1 or x.shape[-1] != self.n:
            raise ValueError(f"{self.title()}: x has shape {x.shape}; expected (..., {self.n})")
        return ad.layer_norm(x, self.gain, self.bias, eps=self.eps)

    def title(self) -> str:
        """LayerNorm(n)"""
        return f"LayerNorm({self.n})"


class Embedding(Module):
    """y = W[i]: a row for each of n symbols. i: integers 0..n-1 of any shape, y: i.shape + (d,); W ~ N(0, 1)."""

    def __init__(self, n: int, d: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        self.n, self.d = whole(n, "n", "Embedding"), whole(d, "d", "Embedding")
        W = generator(rng, "Embedding").standard_normal((self.n, self.d))
        self.W = Tensor(W.astype(float_type(dtype, "Embedding")), requires_grad=True)

    def forward(self, i: Any) -> Any:
        """W[i]"""
        i = np.asarray(ad.value(i))
        if i.dtype.kind not in "iu":
            raise TypeError(f"{self.title()}: i has dtype {i.dtype}; expected integers")
        if i.size and not (0 <= i.min() and i.max() < self.n):
            raise ValueError(f"{self.title()}: i lies in [{i.min()}, {i.max()}]; expected 0..{self.n - 1}")
        return self.W[i]

    def title(self) -> str:
        """Embedding(n, d)"""
        return f"Embedding({self.n}, {self.d})"
