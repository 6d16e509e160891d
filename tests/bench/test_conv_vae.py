"""The convolutional race is fair: every engine computes the same loss and gradient, and the floor has every product."""

import numpy as np
import pytest

from minigen.bench.cases import conv_vae

SMALL = conv_vae.ConvVAERace(hidden=(6,), latent=3, activation="relu", batch=3)


@pytest.fixture(scope="module")
def problem():
    """Parameters away from their start, data, noise, and our loss and gradient: (arrays, x, eps, loss, gradient)."""
    rng = np.random.default_rng(3)
    arrays = [a + 0.1 * rng.standard_normal(a.shape, dtype=np.float32) for a in SMALL.start()]
    x, eps = next(SMALL.batches()), np.random.default_rng(7).standard_normal(SMALL.noise, dtype=np.float32)
    model, loss_of = SMALL.ours(np.random.default_rng(0))
    for p, a in zip(model.parameters(), arrays, strict=True):
        p.data = a.copy()
    loss = loss_of(x, np.random.default_rng(7)).total
    loss.backward()
    return arrays, x, eps, loss.item(), [p.grad for p in model.parameters()]


def agrees(loss, gradient, ours, our_gradient):
    """Whether two losses and gradients are equal, up to 1e-4 of the largest number of each parameter's gradient."""
    return loss == pytest.approx(ours, rel=1e-4) and all(
        np.allclose(h.reshape(g.shape), g, rtol=1e-3, atol=1e-4 * np.abs(g).max())
        for g, h in zip(our_gradient, gradient, strict=True))


def test_torch_computes_the_same_loss_and_gradient(problem):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    arrays, x, eps, *ours = problem
    parameters, loss_of = SMALL.in_torch(arrays)
    loss = loss_of(torch.from_numpy(x), torch.from_numpy(eps))
    loss.backward()
    assert agrees(loss.item(), [p.grad.numpy().T if p.ndim == 2 else p.grad.numpy() for p in parameters], *ours)


def test_jax_computes_the_same_loss_and_gradient(problem):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    arrays, x, eps, *ours = problem
    loss, gradient = jax.jit(jax.value_and_grad(SMALL.in_arrays(jax.numpy)))(arrays, x, eps)
    assert agrees(float(loss), [np.asarray(g) for g in gradient], *ours)


def test_the_floor_has_every_product_of_the_step():
    """A convolution multiplies (positions, in kh kw) and (in kh kw, out); its transpose (positions, in), (in, ...)."""
    race, weights = conv_vae.RACE, [a.shape for a in conv_vae.RACE.start() if a.ndim in (2, 4)]
    matrices = [(int(np.prod(w[1:])), w[0]) if i < 2 else (w[0], int(np.prod(w[1:]))) for i, w in enumerate(weights)]
    assert [(n, m) for _, n, m, _ in race.products()] == matrices
    assert [rows for rows, *_ in race.products()] == [64 * 14**2, 64 * 7**2, 64, 64, 64, 64, 64 * 7**2, 64 * 14**2]
    assert [inner for *_, inner in race.products()] == [False] + [True] * 7
