"""Encoder and decoder nets: fully connected, or convolutional for square images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import nn
from minigen.nn.checking import known

CHANNELS = (16, 32)  # of the two convolutions, each of which halves the side of the image


def build_encoder(n_in: int, n_out: int, *, hidden: Sequence[int], activation: str, net: str,
                  rng: np.random.Generator, dtype: Any) -> nn.Module:
    """(batch, n_in) -> (batch, n_out)."""
    if known(net, ("mlp", "conv"), "net", "VAE") == "mlp":
        return nn.MLP([n_in, *hidden, n_out], activation=activation, rng=rng, dtype=dtype)
    side, first, second = _side(n_in), *CHANNELS
    halving = dict(stride=2, padding=1, activation=activation, rng=rng, dtype=dtype)
    flat = second * (side // 4) ** 2
    return nn.Sequential(nn.Reshape(1, side, side), nn.Conv2d(1, first, 4, **halving),
                         nn.Conv2d(first, second, 4, **halving), nn.Flatten(),
                         nn.MLP([flat, *hidden, n_out], activation=activation, rng=rng, dtype=dtype))


def build_decoder(n_in: int, n_pixels: int, per_pixel: int, *, hidden: Sequence[int], activation: str, net: str,
                  rng: np.random.Generator, dtype: Any) -> nn.Module:
    """(batch, n_in) -> (batch, per_pixel * n_pixels), the encoder in mirror image."""
    if known(net, ("mlp", "conv"), "net", "VAE") == "mlp":
        return nn.MLP([n_in, *reversed(hidden), per_pixel * n_pixels], activation=activation, rng=rng, dtype=dtype)
    side, first, second = _side(n_pixels), *CHANNELS
    doubling = dict(stride=2, padding=1, rng=rng, dtype=dtype)
    small = side // 4
    return nn.Sequential(nn.MLP([n_in, *reversed(hidden), second * small**2], activation=activation,
                                final=activation, rng=rng, dtype=dtype),
                         nn.Reshape(second, small, small),
                         nn.ConvTranspose2d(second, first, 4, activation=activation, **doubling),
                         nn.ConvTranspose2d(first, per_pixel, 4, **doubling), nn.Flatten())


def _side(n: int) -> int:
    """The side of a square image of n pixels that two convolutions can halve."""
    side = int(round(n ** 0.5))
    if side * side != n or side % 4:
        raise ValueError(f"VAE: n_visible is {n}; a conv net needs square images whose side is a multiple of 4")
    return side
