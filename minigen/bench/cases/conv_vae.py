"""Convolutional VAE on 28x28 images, two convolutions and two transposed ones, batch 64, in every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.latent.networks import CHANNELS
from minigen.latent.vae import VAE

from ..case import Case, targets
from .steps import array_mlp, torch_load, torch_mlp
from .vae_race import VAERace

KERNEL, STRIDE, PADDING = 4, 2, 1
SIDES = (28, 14, 7)
FLAT = CHANNELS[1] * SIDES[2] ** 2


@dataclass(frozen=True)
class ConvVAERace(VAERace):
    """x -> conv 1-16-32 -> hidden -> (mu, log sigma), z -> hidden -> transposed conv 32-16-1 -> logits; one sample."""

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Widths of the linear layers in encoder and decoder."""
        return [FLAT, *self.hidden, 2 * self.latent], [self.latent, *reversed(self.hidden), FLAT]

    def ours(self, rng: np.random.Generator) -> tuple[VAE, Callable]:
        """The package's own VAE."""
        model = VAE(784, self.latent, hidden=self.hidden, activation=self.activation, net="conv", rng=rng)
        return model, model.loss

    def in_torch(self, arrays: list[np.ndarray]) -> tuple[list, Callable]:
        """Conv2d and ConvTranspose2d around the linear layers."""
        import torch
        import torch.nn.functional as F
        from torch import nn

        act = {"relu": nn.ReLU, "tanh": nn.Tanh}[self.activation]
        (first, second), how = CHANNELS, (KERNEL, STRIDE, PADDING)
        encoder = nn.Sequential(nn.Conv2d(1, first, *how), act(), nn.Conv2d(first, second, *how), act(), nn.Flatten(),
                                torch_mlp(self.sizes[0], self.activation))
        decoder = nn.Sequential(torch_mlp(self.sizes[1], self.activation), act(),
                                nn.Unflatten(1, (second, SIDES[2], SIDES[2])), nn.ConvTranspose2d(second, first, *how),
                                act(), nn.ConvTranspose2d(first, 1, *how), nn.Flatten())
        flat_biases = [a.reshape(-1) if a.ndim == 3 else a for a in arrays]
        parameters = torch_load(nn.ModuleList([encoder, decoder]), flat_biases)

        def loss(x, eps):
            mu, log_sigma = encoder(x.reshape(-1, 1, SIDES[0], SIDES[0])).chunk(2, 1)
            kl = torch.sum(0.5 * (mu.pow(2) + torch.exp(2 * log_sigma) - 1) - log_sigma)
            logits = decoder(mu + torch.exp(log_sigma) * eps)
            return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl) / len(x)

        return parameters, loss

    def in_arrays(self, xp: Any) -> Callable:
        """On a list of parameters, in jax.numpy: autograd.numpy has no convolution worth timing."""
        from jax import lax

        act = xp.tanh if self.activation == "tanh" else lambda h: xp.maximum(h, 0)
        inner = array_mlp(xp, self.sizes[0], self.activation), array_mlp(xp, self.sizes[1], self.activation)
        linear = 2 * (len(self.hidden) + 1)

        def conv(P, h):
            return lax.conv_general_dilated(h, P[0], (STRIDE, STRIDE), [(PADDING, PADDING)] * 2) + P[1]

        def conv_transpose(P, h):
            w, border = xp.swapaxes(P[0], 0, 1)[:, :, ::-1, ::-1], KERNEL - 1 - PADDING
            return lax.conv_general_dilated(h, w, (1, 1), [(border, border)] * 2, lhs_dilation=(STRIDE, STRIDE)) + P[1]

        def loss(P, x, eps):
            h = act(conv(P[2:4], act(conv(P[:2], x.reshape(-1, 1, SIDES[0], SIDES[0])))))
            out = inner[0](P[4:4 + linear], h.reshape(len(x), FLAT))
            mu, log_sigma = out[:, :self.latent], out[:, self.latent:]
            kl = xp.sum(0.5 * (mu**2 + xp.exp(2 * log_sigma) - 1) - log_sigma)
            h = act(inner[1](P[4 + linear:-4], mu + xp.exp(log_sigma) * eps))
            h = act(conv_transpose(P[-4:-2], h.reshape(len(x), CHANNELS[1], SIDES[2], SIDES[2])))
            t = conv_transpose(P[-2:], h).reshape(len(x), -1)
            softplus = xp.maximum(t, 0) + xp.log1p(xp.exp(-xp.abs(t)))
            return (xp.sum(softplus - t * x) + kl) / len(x)

        return loss

    def products(self) -> list[tuple[int, int, int, bool]]:
        """Patches of all positions times the kernel, and kernels of all positions; the linear layers between them."""
        (first, second), area = CHANNELS, KERNEL**2
        outer, inner = (self.batch * side**2 for side in SIDES[1:])
        return [(outer, area, first, False), (inner, first * area, second, True),
                *((self.batch, n, m, True) for sizes in self.sizes for n, m in zip(sizes, sizes[1:])),
                (inner, second, first * area, True), (outer, first, area, True)]


RACE = ConvVAERace(hidden=(256,), latent=20, activation="relu", batch=64)

eager, replay, floor = RACE.eager, RACE.replay, RACE.floor
torch, torch_fused, torch_compile, jax = RACE.torch, RACE.torch_fused, RACE.torch_compile, RACE.jax

PEERS = ("floor", "torch", "torch_fused", "torch_compile", "jax")
CASE = Case("conv-vae", "convolutional VAE 28x28, batch 64", __name__, races={"replay": PEERS, "eager": PEERS},
            targets=targets("replay", A={"torch": 1.0}) + targets("eager", A={"torch": 1.0}))
