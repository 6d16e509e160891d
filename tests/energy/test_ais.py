"""AIS against exact log Z: unbiased by enumeration, within its interval, bounded from the other side."""

import itertools
from functools import partial

import numpy as np
import pytest

from minigen.energy import ais as room
from minigen.energy.ais import ais, base_logits, estimated_likelihood, reverse_ais, schedule
from minigen.energy.label_rbm import LabelRBM
from minigen.energy.parallel_tempering import ParallelTempering
from minigen.kernels import annealing

from . import machines
from .machines import states

D, H = 4, 3
random_rbm = partial(machines.random_rbm, d=D, h=H)


def tables(rbm, a, beta):
    """(f_beta of every v, matrix of one sweep), written out from the energy: both (2^D ...)."""
    v, h = states(rbm.b.size), states(rbm.c.size)
    W, b, c = rbm.W.data, rbm.b.data, rbm.c.data
    joint = np.exp(((1 - beta) * v @ a)[:, None] + beta * (v @ W @ h.T + (v @ b)[:, None] + h @ c))
    down, up = joint / joint.sum(0), joint / joint.sum(1, keepdims=True)
    return joint.sum(1), up @ down.T


BETAS = np.array([0, 0.3, 0.8, 1.0])
A = np.array([0.5, -1.0, 0.2, 0.0])


def moments(rbm):
    """(E[w], E[w^2]) of AIS with BETAS, summed over every path of states."""
    f0, _ = tables(rbm, A, 0)
    first, second = f0 / f0.sum(), f0 / f0.sum()
    for last, beta in itertools.pairwise(BETAS):
        ratio = tables(rbm, A, beta)[0] / tables(rbm, A, last)[0]
        sweep = tables(rbm, A, beta)[1]
        first, second = (first * ratio) @ sweep, (second * ratio**2) @ sweep
    return first.sum(), second.sum()


def test_weights_have_the_moments_of_the_enumerated_paths():
    """E[w] = Z / Z_base exactly; 40 000 chains agree with mean and variance of all paths within 5 standard errors."""
    rbm = random_rbm()
    mean, square = moments(rbm)
    log_base = np.log(tables(rbm, A, 0)[0].sum())
    assert np.log(mean) + log_base == pytest.approx(rbm.log_z(), rel=1e-12)
    n = 40_000
    found = ais(rbm, np.random.default_rng(1), chains=n, betas=BETAS, base=A)
    assert found.log_base == pytest.approx(log_base, rel=1e-12)
    w = np.exp(found.log_weights)
    assert abs(w.mean() - mean) < 5 * np.sqrt((square - mean**2) / n)
    assert w.var() == pytest.approx(square - mean**2, rel=0.1)


def test_a_model_without_weights_is_known_exactly():
    rbm = random_rbm()
    rbm.W.data[...], rbm.c.data[...] = 0, 0
    found = ais(rbm, np.random.default_rng(2), chains=5, betas=3, base=rbm.b.data)
    np.testing.assert_allclose(found.log_weights, 0, atol=1e-6)
    assert found.log_z == pytest.approx(rbm.log_z(), abs=1e-6) and found.standard_error < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(4))
def test_the_interval_holds_the_exact_log_z(dtype, seed):
    """3 standard errors, 8 intervals: a false alarm in about 50, with the seeds fixed here none."""
    rbm = random_rbm(seed, 0.7, dtype, d=30, h=12)
    found = ais(rbm, np.random.default_rng(seed), chains=200, betas=300)
    low, high = found.interval
    assert low < rbm.log_z() < high and high - low < 1
    assert found.effective_chains > 50


def test_both_sides_close_in_on_log_z():
    """Below on average forwards, above on average backwards from exact samples; closer with more steps."""
    rbm = random_rbm(5, d=12, h=6)
    truth, rng = rbm.log_z(), np.random.default_rng(6)
    p = np.exp(rbm.log_likelihood(states(12)).value)
    samples = states(12)[rng.choice(len(p), 400, p=p / p.sum())]
    widths = []
    for steps in (2, 20, 200):
        below = ais(rbm, rng, chains=400, betas=steps)
        below = below.log_base + below.log_weights
        above = -rbm.free_energies(samples) - reverse_ais(rbm, samples, rng, betas=steps)
        errors = np.hypot(below.std(), above.std()) / np.sqrt(400)
        assert below.mean() < truth + 4 * errors and above.mean() > truth - 4 * errors
        widths.append(above.mean() - below.mean())
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_reverse_weights_are_unbiased_for_where_chains_end():
    """E[p^(v)] = p_0 T_1 ... T_K (v), by 20 000 chains for every v, within 5 standard errors."""
    rbm, n = random_rbm(), 20_000
    f0, _ = tables(rbm, A, 0)
    ends = f0 / f0.sum()
    for beta in BETAS[1:]:
        ends = ends @ tables(rbm, A, beta)[1]
    for v, p in zip(states(D), ends):
        w = np.exp(reverse_ais(rbm, np.tile(v, (n, 1)), np.random.default_rng(7), betas=BETAS, base=A))
        assert abs(w.mean() - p) < 5 * w.std() / np.sqrt(n)


def previous_parameters(monkeypatch):
    """Sweeps of the distribution before: weights of one step, chains of another."""
    hidden, visible = annealing.hidden_step, annealing.visible_step

    def draws_before(key, counter, z, c, score, last, beta, log_w, h):
        hidden(key, counter, z, c, score, last, beta, log_w, h)
        hidden(key, counter, z, np.zeros_like(c), score, last, last, log_w, h)

    monkeypatch.setattr(annealing, "hidden_step", draws_before)
    monkeypatch.setattr(annealing, "visible_step", lambda key, counter, z, a, b, beta, v, score: visible(
        key, counter, z, a, b, BETAS[np.searchsorted(BETAS, beta) - 1], v, score))


def biases_forgotten(monkeypatch):
    """Weights without the visible biases."""
    visible = annealing.visible_step

    def without_score(key, counter, z, a, b, beta, v, score):
        visible(key, counter, z, a, b, beta, v, score)
        score[:] = 0

    monkeypatch.setattr(annealing, "visible_step", without_score)


def base_without_hidden_units(monkeypatch):
    class Wrong(room._Path):
        def __init__(self, rbm, base):
            super().__init__(rbm, base)
            self.log_base -= rbm.c.size * np.log(2)

    monkeypatch.setattr(room, "_Path", Wrong)


@pytest.mark.parametrize("slip", [previous_parameters, biases_forgotten, base_without_hidden_units])
def test_wrong_annealing_is_rejected(slip, monkeypatch):
    """Each misses Z or the variance of the weights by more than 5 standard errors."""
    rbm, n = random_rbm(), 40_000
    mean, square = moments(rbm)
    slip(monkeypatch)
    found = ais(rbm, np.random.default_rng(1), chains=n, betas=BETAS, base=A)
    w = np.exp(found.log_weights)
    off = abs(w.mean() - mean) > 5 * np.sqrt((square - mean**2) / n)
    assert off or abs(w.var() / (square - mean**2) - 1) > 0.1 or abs(found.log_base + np.log(mean) - rbm.log_z()) > 1


def test_the_likelihood_says_that_its_log_z_is_shared():
    rbm, v = random_rbm(1, d=20, h=8), (np.random.default_rng(3).random((50, 20)) < 0.5).astype(float)
    found = ais(rbm, np.random.default_rng(4), chains=100, betas=50)
    likelihood = estimated_likelihood(rbm, v, found)
    assert likelihood.kind == "estimate" and likelihood.mean_standard_error() == found.standard_error > 0
    assert likelihood.mean() == pytest.approx(rbm.log_likelihood(v).mean() + rbm.log_z() - found.log_z)


def test_machines_that_are_not_plain_are_refused():
    """A softmax of labels among the visible units is no row of coins."""
    rng = np.random.default_rng(0)
    labels = LabelRBM(4, 3, 2, rng=rng)
    for call in (lambda: ais(labels, rng), lambda: ParallelTempering(labels, rng=rng)):
        with pytest.raises(TypeError, match="LabelRBM; expected an RBM whose units are all binary"):
            call()


def test_schedule_and_base():
    betas = schedule()
    assert betas[0] == 0 and betas[-1] == 1 and (np.diff(betas) > 0).all()
    assert betas[500] == pytest.approx(0.5) and betas[4500] == pytest.approx(0.9) and len(betas) == 14_501
    data = np.array([[0, 1], [1, 1], [0, 1]])
    np.testing.assert_allclose(base_logits(data), np.log([2 / 3, 4 / 1]))


def test_progress_is_reported():
    seen = []
    ais(random_rbm(), np.random.default_rng(0), chains=2, betas=5, report=lambda *numbers: seen.append(numbers))
    assert seen == [(k, 5) for k in range(1, 6)]


@pytest.mark.parametrize(("call", "words"), [
    (lambda r, g: ais(r, g, chains=0), "chains is 0"),
    (lambda r, g: ais(r, g, betas=[0, 0.5]), "rise from 0 to 1"),
    (lambda r, g: ais(r, g, betas=[0, 0.5, 0.5, 1]), "rise from 0 to 1"),
    (lambda r, g: ais(r, g, betas=0), "steps is 0"),
    (lambda r, g: ais(r, g, base=np.zeros(5)), r"shape \(5,\); expected finite logits of shape \(4,\)"),
    (lambda r, g: reverse_ais(r, np.full((2, 4), 0.5), g), "expected zeros and ones"),
])
def test_bad_settings_are_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(random_rbm(), np.random.default_rng(0))
