"""The variational autoencoder with fully connected nets and binary pixels, in every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import data
from minigen.latent.vae import VAE
from minigen.training import Loss

from .race import Race
from .steps import array_mlp, torch_load, torch_mlp


def digits(batch: int) -> Iterator[np.ndarray]:
    """Binarised MNIST in float32, batch after batch without end: (batch, 784)."""
    images = data.load("mnist-small").train.reshape(-1, 784)
    x = (images > 127).astype(np.float32)
    while True:
        for start in range(0, len(x) - batch + 1, batch):
            yield x[start:start + batch]


@dataclass(frozen=True)
class VAERace(Race):
    """-1/B sum_b [1/K sum_k log p(x_b|z_bk) - KL(q(z|x_b) || p(z))], z_bk = mu(x_b) + sigma(x_b) eps_bk, K samples."""

    hidden: tuple[int, ...]
    latent: int
    activation: str
    batch: int
    samples: int = 1

    @property
    def noise(self) -> tuple[int, int]:
        """The shape of eps."""
        return self.batch * self.samples, self.latent

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Widths of encoder and decoder."""
        return [784, *self.hidden, 2 * self.latent], [self.latent, *reversed(self.hidden), 784]

    def batches(self) -> Iterator[np.ndarray]:
        """Digits."""
        return digits(self.batch)

    def ours(self, rng: np.random.Generator) -> tuple[VAE, Callable]:
        """The package's own VAE; its own loss where K is 1."""
        model = VAE(784, self.latent, hidden=self.hidden, activation=self.activation, rng=rng)
        if self.samples == 1:
            return model, model.loss

        def loss(x: np.ndarray, rng: np.random.Generator) -> Loss:
            mu, log_sigma = model.encode(x)
            eps = rng.standard_normal((len(x), self.samples, self.latent), dtype=mu.dtype)
            z = ad.expand_dims(mu, 1) + ad.expand_dims(ad.exp(log_sigma), 1) * eps
            logits = model.decoder(ad.reshape(z, (-1, self.latent)))
            log_conditional = ad.bernoulli_logits(ad.reshape(logits, (*z.shape[:2], -1)), x[:, None])
            return Loss(ad.mean(ad.gaussian_kl(mu, log_sigma)) - ad.mean(log_conditional), {})

        return model, loss

    def in_torch(self, arrays: list[np.ndarray]) -> tuple[list, Callable]:
        """Two Sequentials and binary_cross_entropy_with_logits."""
        import torch
        import torch.nn.functional as F

        encoder, decoder = (torch_mlp(sizes, self.activation) for sizes in self.sizes)
        parameters = torch_load(torch.nn.ModuleList([encoder, decoder]), arrays)
        K = self.samples

        def loss(x, eps):
            mu, log_sigma = encoder(x).chunk(2, 1)
            kl = torch.sum(0.5 * (mu.pow(2) + torch.exp(2 * log_sigma) - 1) - log_sigma)
            rows = x
            if K > 1:
                mu, log_sigma, rows = (a.repeat_interleave(K, 0) for a in (mu, log_sigma, x))
            logits = decoder(mu + torch.exp(log_sigma) * eps)
            return (F.binary_cross_entropy_with_logits(logits, rows, reduction="sum") / K + kl) / len(x)

        return parameters, loss

    def in_arrays(self, xp: Any) -> Callable:
        """On a list of parameters."""
        encoder, decoder = (array_mlp(xp, sizes, self.activation) for sizes in self.sizes)
        L, K = self.latent, self.samples
        split = 2 * (len(self.hidden) + 1)

        def loss(P, x, eps):
            out = encoder(P[:split], x)
            mu, log_sigma = out[:, :L], out[:, L:]
            kl = xp.sum(0.5 * (mu**2 + xp.exp(2 * log_sigma) - 1) - log_sigma)
            rows = x
            if K > 1:
                mu, log_sigma, rows = (xp.repeat(a, K, axis=0) for a in (mu, log_sigma, x))
            t = decoder(P[split:], mu + xp.exp(log_sigma) * eps)
            softplus = xp.maximum(t, 0) + xp.log1p(xp.exp(-xp.abs(t)))
            return (xp.sum(softplus - t * rows) / K + kl) / len(x)

        return loss

    def products(self) -> list[tuple[int, int, int, bool]]:
        """Encoder on B rows, decoder on B K rows."""
        encoder, decoder = self.sizes
        rows = self.batch * self.samples
        return [*((self.batch, n, m, i > 0) for i, (n, m) in enumerate(zip(encoder, encoder[1:]))),
                *((rows, n, m, True) for n, m in zip(decoder, decoder[1:]))]
