"""The same steps in torch, eager, with its default Adam: what `cases.py` is timed beside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .cases import COUPLINGS, PLANE, digits


def vae() -> Callable[[], float]:
    """VAE 784-400-20, Bernoulli decoder, batch 128."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
    decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    batches = digits(128)

    def step() -> float:
        x = torch.from_numpy(next(batches))
        mu, log_sigma = encoder(x).chunk(2, 1)
        z = mu + torch.exp(log_sigma) * torch.randn_like(mu)
        reconstruction = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
        kl = torch.sum(0.5 * (mu.pow(2) + torch.exp(2 * log_sigma) - 1) - log_sigma)
        loss = (reconstruction + kl) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def mlp() -> Callable[[], float]:
    """Eight nets 2-64-64-2 one after the other, batch 256."""
    torch.manual_seed(0)
    layers = []
    for _ in range(COUPLINGS):
        layers += [nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)]
    nets, rng = nn.Sequential(*layers), np.random.default_rng(0)
    optimizer = torch.optim.Adam(nets.parameters(), lr=1e-3)
    x = torch.from_numpy(rng.standard_normal((100, PLANE, 2)).astype(np.float32))

    def step() -> float:
        batch = x[int(rng.integers(100))]
        loss = (nets(batch) - batch).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
