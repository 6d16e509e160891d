"""The exact chain of a small RBM: against the joint written out, differences, NumPy's eigenvalues, and draws."""

from functools import partial

import numpy as np
import pytest

from minigen.energy import exact
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.rbm import RBM

from . import machines
from .machines import states

D, H = 4, 3
random_rbm = partial(machines.random_rbm, d=D, h=H)


def joint(rbm):
    """p(v, h) by the formula, one entry at a time: (2^D, 2^H)."""
    W, b, c = rbm.W.data, rbm.b.data, rbm.c.data
    table = np.array([[np.exp(v @ W @ h + b @ v + c @ h) for h in states(len(c))] for v in states(len(b))])
    return table / table.sum()


some_rows = states(D)[[0, 3, 3, 9, 14]]
shapes = pytest.mark.parametrize(("d", "h"), [(4, 3), (3, 4), (1, 2)])


@shapes
def test_the_sweep_is_two_conditionals_of_the_joint(d, h):
    rbm = random_rbm(1, d=d, h=h)
    p = joint(rbm)
    there, back = p / p.sum(1, keepdims=True), (p / p.sum(0)).T
    T = exact.sweep_matrix(rbm)
    np.testing.assert_allclose(T, there @ back, atol=1e-14)
    np.testing.assert_allclose(exact.state_probabilities(rbm), p.sum(1), atol=1e-14)
    flow = p.sum(1)[:, None] * T
    np.testing.assert_allclose(flow, flow.T, atol=1e-14)


@shapes
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_the_spectrum_is_that_of_the_sweep(d, h, scale):
    rbm = random_rbm(2, scale, d=d, h=h)
    values = np.sort(np.linalg.eigvals(exact.sweep_matrix(rbm)).real)[::-1][:min(1 << d, 1 << h)]
    np.testing.assert_allclose(exact.spectrum(rbm), values, atol=1e-9)
    assert exact.spectral_gap(rbm) == pytest.approx(1 - values[1], abs=1e-9)


@pytest.mark.parametrize(("scale", "distance"), [(0.3, 0.25), (1.0, 0.25), (2.0, 0.25), (3.0, 0.1), (2.0, 0.01)])
def test_mixing_time_is_found_by_trying_every_k(scale, distance):
    rbm = random_rbm(3, scale)
    p, T, power, k = joint(rbm).sum(1), exact.sweep_matrix(rbm), np.eye(1 << D), 0
    while 0.5 * np.abs(power - p).sum(1).max() > distance:
        power, k = power @ T, k + 1
    assert exact.mixing_time(rbm, distance) == k > 0


def test_a_chain_that_has_nothing_to_forget():
    one = random_rbm(0, 0.0, d=1, h=1)
    assert exact.mixing_time(one, 0.6) == 0 and exact.mixing_time(one) == 1


def test_a_chain_that_never_arrives():
    apart = random_rbm(0, 0.0, d=1, h=1)
    apart.W.data[...], apart.b.data[...], apart.c.data[...] = 400, -200, -200
    with pytest.raises(ValueError, match="sweeps do not come within 0.25"):
        exact.mixing_time(apart)


def flat(gradients):
    return np.concatenate([gradients[name].ravel() for name in "Wbc"])


def test_the_gradient_is_that_of_the_likelihood():
    rbm, slopes, h = random_rbm(4), [], 1e-5
    for p in rbm.parameters():
        for entry in np.ndindex(p.shape):
            kept, ends = p.data[entry], []
            for p.data[entry] in (kept + h, kept - h):
                ends.append(np.log([joint(rbm).sum(1)[int(v @ [8, 4, 2, 1])] for v in some_rows]).mean())
            p.data[entry] = kept
            slopes.append((ends[0] - ends[1]) / (2 * h))
    np.testing.assert_allclose(flat(exact.likelihood_gradient(rbm, some_rows)), slopes, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_cd_is_what_the_trainer_does_on_average(k):
    """40 000 copies of each datum: every entry within 5 standard errors; that of k + 1 is not, for k = 1."""
    rbm, many = random_rbm(5), np.repeat(some_rows, 40_000, axis=0)
    into = {name: np.empty(p.shape) for name, p in ContrastiveDivergence(rbm).named_parameters()}
    ContrastiveDivergence(rbm, k).loss_and_gradients(many, np.random.default_rng(6), into)
    drawn = -flat({name[-1]: g for name, g in into.items()})
    error = 5 * 0.5 / np.sqrt(len(many))
    assert np.abs(drawn - flat(exact.cd_gradient(rbm, some_rows, k))).max() < error
    if k == 1:
        assert np.abs(drawn - flat(exact.cd_gradient(rbm, some_rows, 2))).max() > error


def test_bias_is_the_difference_and_dies_with_the_second_eigenvalue():
    rbm = random_rbm(6)
    truth = flat(exact.likelihood_gradient(rbm, some_rows))
    biases = np.array([flat(exact.cd_bias(rbm, some_rows, k)) for k in range(1, 12)])
    for k, bias in enumerate(biases, 1):
        np.testing.assert_allclose(flat(exact.cd_gradient(rbm, some_rows, k)) - truth, bias, atol=1e-13)
    size = np.linalg.norm(biases, axis=1)
    assert size[-1] / size[-2] == pytest.approx(exact.spectrum(rbm)[1], rel=1e-3)


def test_single_precision_changes_nothing_but_the_parameters():
    rbm = random_rbm(7)
    single = RBM(D, H, rng=np.random.default_rng(0), dtype=np.float32)
    single.load_state_dict(rbm.state_dict())
    assert exact.sweep_matrix(single).dtype == exact.state_probabilities(single).dtype == np.float64
    assert exact.cd_bias(single, some_rows, 1)["W"].dtype == np.float64
    np.testing.assert_allclose(exact.sweep_matrix(single).sum(1), 1, atol=1e-14)
    np.testing.assert_allclose(exact.sweep_matrix(single), exact.sweep_matrix(rbm), atol=1e-6)


@pytest.mark.parametrize(("call", "words"), [
    (lambda rbm: exact.sweep_matrix(random_rbm(d=13, h=2)), "13 visible and 2 hidden units; at most 12"),
    (lambda rbm: exact.spectral_gap(random_rbm(d=2, h=13)), "2 visible and 13 hidden"),
    (lambda rbm: exact.mixing_time(rbm, 1.0), "distance is 1.0"),
    (lambda rbm: exact.cd_gradient(rbm, some_rows, 0), "k is 0"),
    (lambda rbm: exact.cd_gradient(rbm, some_rows + 0.5, 1), "0.5; expected zeros and ones"),
    (lambda rbm: exact.likelihood_gradient(rbm, some_rows[:, :3]), r"\(5, 3\)"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(random_rbm())
