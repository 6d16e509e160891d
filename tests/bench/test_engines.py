"""The race is fair: all engines compute the same loss and gradient, train alike, and draw new noise in every step."""

import itertools

import numpy as np
import pytest

from minigen.bench.cases import steps
from minigen.bench.cases.realnvp_race import RealNVPRace
from minigen.bench.cases.vae_race import VAERace

SMALL = {
    "vae": VAERace(hidden=(6,), latent=3, activation="relu", batch=5),
    "iwae": VAERace(hidden=(7, 6), latent=2, activation="tanh", batch=4, samples=3),
    "realnvp": RealNVPRace(couplings=2, width=5, batch=8),
}
ENGINES = {"torch": "torch", "jax": "jax", "hips": "autograd"}


@pytest.fixture(params=SMALL)
def small(request):
    return SMALL[request.param]


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip(ENGINES[request.param], reason=f"{ENGINES[request.param]} is not installed")
    return request.param


def problem(race):
    """Parameters away from their start, data and noise: (arrays, x, eps)."""
    rng = np.random.default_rng(3)
    arrays = [a + 0.1 * rng.standard_normal(a.shape, dtype=np.float32) for a in race.start()]
    eps = None if race.noise is None else np.random.default_rng(7).standard_normal(race.noise, dtype=np.float32)
    return arrays, next(race.batches()), eps


def ours(race, arrays, x):
    """Loss and gradient of ours; the generator draws the noise of `problem`."""
    model, loss_of = race.ours(np.random.default_rng(0))
    for p, a in zip(model.parameters(), arrays, strict=True):
        p.data = a.copy()
    loss = loss_of(x, np.random.default_rng(7))
    loss.total.backward()
    return loss.total.item(), [p.grad for p in model.parameters()]


def theirs(engine, race, arrays, x, eps):
    """The same of another engine, its matrices turned as ours are."""
    if engine == "torch":
        import torch

        parameters, loss_of = race.in_torch(arrays)
        loss = loss_of(torch.from_numpy(x), None if eps is None else torch.from_numpy(eps))
        loss.backward()
        return loss.item(), [p.grad.numpy().T for p in parameters]
    if engine == "jax":
        import jax
        import jax.numpy as jnp

        loss, gradient = jax.jit(jax.value_and_grad(race.in_arrays(jnp)))(arrays, x, eps)
    else:
        import autograd
        import autograd.numpy as anp

        loss, gradient = autograd.value_and_grad(race.in_arrays(anp))(arrays, x, eps)
    return float(loss), [np.asarray(g) for g in gradient]


def test_every_engine_computes_the_same_loss_and_gradient(small, engine):
    arrays, x, eps = problem(small)
    (a, ours_gradient), (b, gradient) = ours(small, arrays, x), theirs(engine, small, arrays, x, eps)
    assert b == pytest.approx(a, rel=1e-4)
    for g, h in zip(ours_gradient, gradient, strict=True):
        np.testing.assert_allclose(h, g, rtol=1e-3, atol=1e-4 * np.abs(g).max())


@pytest.mark.parametrize("peer", ["torch", "torch_fused", "jax", "hips"])
def test_every_engine_trains_alike(peer):
    """The flow has no noise, so the losses of six steps tell the optimisers apart too."""
    pytest.importorskip(ENGINES.get(peer.split("_")[0], "torch"))
    race = SMALL["realnvp"]
    step, other = race.eager(), getattr(race, peer)()
    assert [other() for _ in range(6)] == pytest.approx([step() for _ in range(6)], rel=1e-4)


def test_replay_trains_as_the_tape_does(small):
    tape, replay = small.eager(), small.replay()
    assert [replay() for _ in range(6)] == pytest.approx([tape() for _ in range(6)], rel=1e-5)


class OneBatch(VAERace):
    """The same minibatch in every step."""

    def batches(self):
        return itertools.repeat(next(super().batches()))


def test_the_noise_is_new_in_every_step(engine, monkeypatch):
    monkeypatch.setattr(steps, "LR", 0.0)  # nothing is learned: what differs between steps is the noise
    step = getattr(OneBatch(hidden=(4,), latent=3, activation="relu", batch=4), engine)()
    assert len({step() for _ in range(4)}) == 4
