"""Modules made of modules, and those without parameters."""

from __future__ import annotations

import math
from typing import Any

from minigen import autodiff as ad

from .checking import known, whole
from .layers import ACTIVATIONS
from .module import Module


class Sequential(Module):
    """y = f_L(... f_2(f_1(x)))"""

    def __init__(self, *modules: Module):
        self.modules = [_module(m, f"Sequential: argument {i}") for i, m in enumerate(modules)]

    def forward(self, x: Any) -> Any:
        """The last of ... of the first of x"""
        for module in self.modules:
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(self.modules)

    def __getitem__(self, i: int) -> Module:
        return self.modules[i]


class Residual(Module):
    """y = x + f(x), of the shape of x. He et al. 2016, eq. 1."""

    def __init__(self, module: Module):
        self.module = _module(module, "Residual: module")

    def forward(self, x: Any) -> Any:
        """x + f(x)"""
        y = self.module(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: {self.module.title()} makes {y.shape} of {x.shape}; expected equal shapes")
        return x + y


class Activation(Module):
    """y = f(x) elementwise, f by name."""

    def __init__(self, name: str):
        self.name = known(name, ACTIVATIONS, "name", "Activation")

    def forward(self, x: Any) -> Any:
        """f(x)"""
        return getattr(ad, self.name)(x)

    def title(self) -> str:
        """Activation(name)"""
        return f"Activation({self.name})"


class Reshape(Module):
    """y[n] = x[n] in another shape. x: (batch, ...), y: (batch, *shape); one entry of shape may be -1."""

    def __init__(self, *shape: int):
        self.shape = tuple(-1 if n == -1 else whole(n, f"shape[{i}]", "Reshape") for i, n in enumerate(shape))
        if self.shape.count(-1) > 1:
            raise ValueError(f"Reshape: shape is {shape}; expected -1 at most once")

    def forward(self, x: Any) -> Any:
        """x.reshape(batch, *shape)"""
        if x.ndim < 1:
            raise ValueError(f"{self.title()}: x has no axes; expected (batch, ...)")
        event, known_size = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n != -1)
        fits = event % known_size == 0 if -1 in self.shape else event == known_size
        if not fits:
            raise ValueError(f"{self.title()}: x has shape {x.shape}; expected (batch, ...) with {known_size} numbers"
                             f"{' or a multiple' if -1 in self.shape else ''} each")
        shape = tuple(event // known_size if n == -1 else n for n in self.shape)  # so that an empty batch works too
        return ad.reshape(x, (x.shape[0], *shape))

    def title(self) -> str:
        """Reshape(shape)"""
        return f"Reshape({', '.join(map(str, self.shape))})"


class Flatten(Reshape):
    """y[n] = all numbers of x[n] in a row. x: (batch, ...), y: (batch, size)."""

    def __init__(self):
        super().__init__(-1)

    def title(self) -> str:
        """Flatten"""
        return "Flatten"


def _module(thing: Any, what: str) -> Module:
    if not isinstance(thing, Module):
        raise TypeError(f"{what} is {thing!r}; expected a Module (for a function by name, Activation)")
    return thing
