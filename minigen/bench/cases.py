"""The steps that are timed: ours, and the bare matrix products of the same step (the floor that no engine can pass).

Every builder returns a function that runs one step: forward, backward, Adam, on the next minibatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from minigen import autodiff as ad
from minigen import data, nn, optim
from minigen.latent.vae import VAE

COUPLINGS = 8
PLANE = 256


def digits(batch: int) -> Iterator[np.ndarray]:
    """Binarised MNIST in float32, batch after batch without end."""
    images = data.load("mnist-small").train.reshape(-1, 784)
    x = (images > 127).astype(np.float32)
    while True:
        for start in range(0, len(x) - batch + 1, batch):
            yield x[start:start + batch]


def vae() -> Callable[[], float]:
    """VAE 784-400-20, Bernoulli decoder, batch 128."""
    nn.use_kernels()
    rng, batches = np.random.default_rng(0), digits(128)
    model = VAE(784, 20, hidden=(400,), activation="relu", rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def step() -> float:
        loss = model.loss(next(batches), rng)
        loss.total.backward()
        optimizer.step()
        return loss.total.item()

    return step


def mlp() -> Callable[[], float]:
    """Eight nets 2-64-64-2, the size of those in a 2-D RealNVP of eight couplings, one after the other, batch 256."""
    nn.use_kernels()
    rng = np.random.default_rng(0)
    nets = nn.Sequential(*(nn.MLP([2, 64, 64, 2], activation="tanh", rng=rng) for _ in range(COUPLINGS)))
    optimizer = optim.Adam(nets.parameters(), lr=1e-3)
    x = rng.standard_normal((100, PLANE, 2)).astype(np.float32)

    def step() -> float:
        batch = x[rng.integers(100)]
        loss = ad.mean(ad.sum(ad.square(nets(batch) - batch), axis=-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def products(sizes: list[tuple[int, int, int, bool]]) -> Callable[[], None]:
    """The matrix products of linear layers (rows, inputs, outputs, whether x needs a gradient), into fixed buffers."""
    rng, calls = np.random.default_rng(0), []

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    for rows, n, m, inner in sizes:
        x, W, y = draw(rows, n), draw(n, m), draw(rows, m)
        calls += [(x, W, draw(rows, m)), (x.T, y, draw(n, m))]
        if inner:
            calls.append((y, W.T, draw(rows, n)))

    def step() -> None:
        for a, b, out in calls:
            np.dot(a, b, out=out)

    return step


def vae_floor() -> Callable[[], None]:
    """The products of `vae`."""
    return products([(128, 784, 400, False), (128, 400, 40, True), (128, 20, 400, True), (128, 400, 784, True)])


def mlp_floor() -> Callable[[], None]:
    """The products of `mlp`."""
    net = [(PLANE, 2, 64, True), (PLANE, 64, 64, True), (PLANE, 64, 2, True)]
    return products(net * COUPLINGS)
