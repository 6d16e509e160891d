"""Layers of images, (batch, channels, height, width): convolution and its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff import Tensor

from .checking import float_type, numbers, pair, whole
from .init import draw
from .layers import activation_name
from .module import Module

Pair = int | tuple[int, int]


class _Convolution(Module):
    """What both layers share: sizes, weights, bias, and f."""

    def __init__(self, c_in: int, c_out: int, kernel: Pair, *, rng: np.random.Generator, stride: Pair = 1,
                 padding: Pair = 0, dilation: Pair = 1, groups: int = 1, bias: bool = True,
                 activation: str | None = None, init: str = "glorot", dtype: Any = np.float32):
        who = type(self).__name__
        self.c_in, self.c_out = whole(c_in, "c_in", who), whole(c_out, "c_out", who)
        self.kernel, self.stride = pair(kernel, "kernel", who), pair(stride, "stride", who)
        self.padding, self.dilation = pair(padding, "padding", who, least=0), pair(dilation, "dilation", who)
        self.groups = whole(groups, "groups", who)
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{who}: groups is {groups}; expected a divisor of c_in = {c_in} and of c_out = {c_out}")
        self.activation = activation_name(activation, who)
        dtype = float_type(dtype, who)
        taps = self.kernel[0] * self.kernel[1]
        fans = (self.c_in // self.groups * taps, self.c_out // self.groups * taps)
        self.w = Tensor(draw(init, self._weight_shape(), rng, fans, dtype, who), requires_grad=True)
        self.b = Tensor(np.zeros((self.c_out, 1, 1), dtype), requires_grad=True) if bias else None

    def _weight_shape(self) -> tuple[int, int, int, int]:
        raise NotImplementedError

    def _image(self, x: Any) -> Any:
        x = numbers(x, self.w.dtype, type(self).__name__)
        if x.ndim != 4 or x.shape[1] != self.c_in:
            raise ValueError(f"{self.title()}: x has shape {x.shape}; expected (batch, {self.c_in}, height, width)")
        return x

    def title(self) -> str:
        """Conv2d(in -> out, kernel, stride)"""
        k, s = ("x".join(map(str, both)) for both in (self.kernel, self.stride))
        more = [f"stride {s}"] * (s != "1x1") + [self.activation] * (self.activation is not None)
        return f"{type(self).__name__}({self.c_in} -> {self.c_out}, {', '.join([k, *more])})"


class Conv2d(_Convolution):
    """y[n,o] = f(sum_c x[n,c] * w[o,c] + b[o]), * the cross-correlation; size (size + 2p - d(k-1) - 1) // s + 1.

    x: (batch, c_in, height, width); w: (c_out, c_in / groups, kh, kw), b: (c_out, 1, 1), starting at 0.
    kernel, stride, padding, dilation: a number or (height, width). Fans of the initialiser: channels of one group x
    kernel area.
    """

    def _weight_shape(self) -> tuple[int, int, int, int]:
        return (self.c_out, self.c_in // self.groups, *self.kernel)

    def forward(self, x: Any) -> Any:
        """f(x * w + b)"""
        return ad.conv2d(self._image(x), self.w, stride=self.stride, padding=self.padding, dilation=self.dilation,
                         groups=self.groups, b=self.b, activation=self.activation)


class ConvTranspose2d(_Convolution):
    """y = f(C'x + b), C the matrix of a Conv2d from y's shape to x's; size (size - 1) s - 2p + d(k-1) + 1 + op.

    x: (batch, c_in, height, width); w: (c_in, c_out / groups, kh, kw), b: (c_out, 1, 1), starting at 0.
    output_padding (op) picks one of the sizes that a stride > 1 maps to the same; it is smaller than the stride.
    """

    def __init__(self, c_in: int, c_out: int, kernel: Pair, *, rng: np.random.Generator, output_padding: Pair = 0,
                 **options: Any):
        super().__init__(c_in, c_out, kernel, rng=rng, **options)
        self.output_padding = pair(output_padding, "output_padding", "ConvTranspose2d", least=0)
        if any(op >= s for op, s in zip(self.output_padding, self.stride)):
            raise ValueError(f"ConvTranspose2d: output_padding is {output_padding}; expected less than stride "
                             f"{self.stride}")

    def _weight_shape(self) -> tuple[int, int, int, int]:
        return (self.c_in, self.c_out // self.groups, *self.kernel)

    def forward(self, x: Any) -> Any:
        """f(C'x + b)"""
        return ad.conv2d_transpose(self._image(x), self.w, stride=self.stride, padding=self.padding,
                                   output_padding=self.output_padding, dilation=self.dilation, groups=self.groups,
                                   b=self.b, activation=self.activation)
