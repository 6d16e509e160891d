"""The training step around a loss in the other engines, and the bare products. Each engine is imported where used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .race import Race

LR, B1, B2, EPS = 1e-3, 0.9, 0.999, 1e-8


def product_step(layers: list[tuple[int, int, int, bool]]) -> Callable[[], None]:
    """The products of linear layers into fixed buffers: x W, x' dy and, where x needs a gradient, dy W'."""
    rng, calls = np.random.default_rng(0), []

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    for rows, n, m, inner in layers:
        x, W, y = draw(rows, n), draw(n, m), draw(rows, m)
        calls += [(x, W, draw(rows, m)), (x.T, y, draw(n, m))]
        if inner:
            calls.append((y, W.T, draw(rows, n)))

    def step() -> None:
        for a, b, out in calls:
            np.dot(a, b, out=out)

    return step


def torch_step(race: Race, *, fused: bool = False, compiled: bool = False) -> Callable[[], float]:
    """torch: zero_grad, backward, Adam; the loss under torch.compile where asked."""
    import torch

    torch.manual_seed(0)
    parameters, loss_of = race.in_torch(race.start())
    optimizer = torch.optim.Adam(parameters, lr=LR, fused=fused)
    batches, noise = race.batches(), race.noise

    def drawn(x: torch.Tensor) -> torch.Tensor:
        return loss_of(x, None if noise is None else torch.randn(noise))

    objective = torch.compile(drawn) if compiled else drawn

    def step() -> float:
        loss = objective(torch.from_numpy(next(batches)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_load(module, arrays: list[np.ndarray]) -> list:
    """Write W (n, m) and b in turn into the layers of a torch module, which holds W transposed; its parameters."""
    import torch

    parameters = list(module.parameters())
    with torch.no_grad():
        for p, a in zip(parameters, arrays, strict=True):
            p.copy_(torch.from_numpy(a.T if a.ndim == 2 else a))
    return parameters


def torch_mlp(sizes: list[int], activation: str):
    """Linear layers with the activation between them."""
    from torch import nn

    between = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    layers = []
    for n, m in zip(sizes, sizes[1:]):
        layers += [nn.Linear(n, m), between()]
    return nn.Sequential(*layers[:-1])


def array_mlp(xp, sizes: list[int], activation: str) -> Callable:
    """The same on a list of parameters W, b, W, b, ... in jax.numpy or autograd.numpy."""
    act = xp.tanh if activation == "tanh" else lambda h: xp.maximum(h, 0)
    last = len(sizes) - 2

    def apply(P, h):
        for i in range(last + 1):
            h = xp.dot(h, P[2 * i]) + P[2 * i + 1]
            h = act(h) if i < last else h
        return h

    return apply


def jax_step(race: Race) -> Callable[[], float]:
    """jax: draw, loss, gradient and Adam in one compiled function that is given its old buffers to write into."""
    import jax
    import jax.numpy as jnp

    loss_of, noise = race.in_arrays(jnp), race.noise

    def update(P, M, V, t, key, x):
        key, sub = jax.random.split(key)
        eps = None if noise is None else jax.random.normal(sub, noise)
        loss, G = jax.value_and_grad(loss_of)(P, x, eps)
        t = t + 1
        M = [B1 * m + (1 - B1) * g for m, g in zip(M, G)]
        V = [B2 * v + (1 - B2) * g * g for v, g in zip(V, G)]
        rate, root = LR / (1 - B1**t), jnp.sqrt(1 - B2**t)
        P = [p - rate * m / (jnp.sqrt(v) / root + EPS) for p, m, v in zip(P, M, V)]
        return (P, M, V, t, key), loss

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    P = [jnp.asarray(a) for a in race.start()]
    state = (P, [jnp.zeros_like(p) for p in P], [jnp.zeros_like(p) for p in P], jnp.zeros(()), jax.random.PRNGKey(0))
    batches = race.batches()

    def step() -> float:
        nonlocal state
        state, loss = compiled(*state, next(batches))
        jax.block_until_ready(state)
        return float(loss)

    return step


def hips_step(race: Race) -> Callable[[], float]:
    """HIPS autograd with Adam in NumPy, in place."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    loss_and_gradient = value_and_grad(race.in_arrays(anp))
    P, rng, batches = race.start(), np.random.default_rng(0), race.batches()
    M, V, t = [np.zeros_like(p) for p in P], [np.zeros_like(p) for p in P], 0

    def step() -> float:
        nonlocal t
        t += 1
        eps = None if race.noise is None else rng.standard_normal(race.noise, dtype=np.float32)
        loss, G = loss_and_gradient(P, next(batches), eps)
        rate, root = LR / (1 - B1**t), np.float32(np.sqrt(1 - B2**t))
        for p, g, m, v in zip(P, G, M, V):
            m *= B1
            m += (1 - B1) * g
            v *= B2
            v += (1 - B2) * g * g
            p -= rate * m / (np.sqrt(v) / root + EPS)
        return float(loss)

    return step
