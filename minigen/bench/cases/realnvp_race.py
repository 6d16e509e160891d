"""RealNVP on two-dimensional data, in every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import data, nn
from minigen.training import Loss

from .race import Race
from .steps import array_mlp, torch_load, torch_mlp

LOG_2PI = float(np.log(2 * np.pi))
BATCHES = 100


@dataclass(frozen=True)
class RealNVPRace(Race):
    """x = (a, b);  b <- (b - m(a)) exp(-s(a)), s = tanh(.), then a and b change places.

    The loss is -log p(x), mean over the batch. Dinh et al. 2017, eq. 4-8.
    """

    couplings: int = 8
    width: int = 64
    batch: int = 256

    @property
    def sizes(self) -> list[int]:
        """Widths of one net: a -> (s, m)."""
        return [1, self.width, self.width, 2]

    def batches(self) -> Iterator[np.ndarray]:
        """Two moons, standardised."""
        x = data.two_moons(BATCHES * self.batch, np.random.default_rng(0))
        x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
        while True:
            for start in range(0, len(x), self.batch):
                yield x[start:start + self.batch]

    def ours(self, rng: np.random.Generator) -> tuple[nn.Module, Callable]:
        """Nets in a Sequential, of which the loss takes one after the other."""
        nets = nn.Sequential(*(nn.MLP(self.sizes, activation="relu", rng=rng) for _ in range(self.couplings)))

        def loss(x: np.ndarray, rng: np.random.Generator) -> Loss:
            a, b, log_det = x[:, :1], x[:, 1:], 0.0
            for net in nets.modules:
                out = net(a)
                s = ad.tanh(out[:, :1])
                b = (b - out[:, 1:]) * ad.exp(-s)
                log_det = log_det - s
                a, b = b, a
            return Loss(ad.mean(0.5 * (a * a + b * b) - log_det) + LOG_2PI, {})

        return nets, loss

    def in_torch(self, arrays: list[np.ndarray]) -> tuple[list, Callable]:
        """Nets in a ModuleList."""
        import torch

        nets = torch.nn.ModuleList([torch_mlp(self.sizes, "relu") for _ in range(self.couplings)])
        parameters = torch_load(nets, arrays)

        def loss(x, _):
            a, b, log_det = x[:, :1], x[:, 1:], 0.0
            for net in nets:
                s, m = net(a).chunk(2, 1)
                s = torch.tanh(s)
                b = (b - m) * torch.exp(-s)
                log_det = log_det - s
                a, b = b, a
            return torch.mean(0.5 * (a * a + b * b) - log_det) + LOG_2PI

        return parameters, loss

    def in_arrays(self, xp: Any) -> Callable:
        """On a list of parameters, six of each net."""
        net = array_mlp(xp, self.sizes, "relu")

        def loss(P, x, _):
            a, b, log_det = x[:, :1], x[:, 1:], 0.0
            for i in range(self.couplings):
                out = net(P[6 * i:6 * i + 6], a)
                s = xp.tanh(out[:, :1])
                b = (b - out[:, 1:]) * xp.exp(-s)
                log_det = log_det - s
                a, b = b, a
            return xp.mean(0.5 * (a * a + b * b) - log_det) + LOG_2PI

        return loss

    def products(self) -> list[tuple[int, int, int, bool]]:
        """The layers of every net; only the data itself needs no gradient."""
        return [(self.batch, n, m, i > 0 or layer > 0)
                for i in range(self.couplings) for layer, (n, m) in enumerate(zip(self.sizes, self.sizes[1:]))]
