"""Monitors against what they stand for: conditionals of the joint, differences of exact likelihoods, planted units."""

import warnings

import numpy as np
import pytest

from minigen.energy import monitors
from minigen.energy.monitors import HiddenUnitWarning

from .machines import random_rbm, some_rows

D, H = 5, 3


def pseudo_by_the_joint(rbm, v):
    """sum_i log p(v_i | rest) from the table of exp(-E), (h summed out) one state at a time."""
    def weight(v):
        return np.prod(1 + np.exp(rbm.c.data + v @ rbm.W.data)) * np.exp(rbm.b.data @ v)

    total = np.zeros(len(v))
    for n, row in enumerate(v):
        for i in range(D):
            other = row.copy()
            other[i] = 1 - row[i]
            total[n] += np.log(weight(row) / (weight(row) + weight(other)))
    return total


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, bool])
def test_pseudo_likelihood_is_a_sum_of_conditionals(dtype):
    rbm, v = random_rbm(), some_rows()
    np.testing.assert_allclose(monitors.pseudo_log_likelihood(rbm, v.astype(dtype)), pseudo_by_the_joint(rbm, v),
                               rtol=1e-12)


def test_one_flip_is_unbiased_and_noisy():
    rbm, v = random_rbm(), some_rows(1)
    drawn = monitors.pseudo_log_likelihood_one_flip(rbm, np.repeat(v, 20_000, 0), np.random.default_rng(2))
    error = drawn.std() / np.sqrt(len(drawn))
    assert len(np.unique(drawn.round(9))) == D
    assert abs(drawn.mean() - pseudo_by_the_joint(rbm, v)[0]) < 5 * error


def test_one_flip_is_what_scikit_learn_scores():
    from_sklearn = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    rbm, v = random_rbm(), some_rows(4)
    theirs = from_sklearn.BernoulliRBM(H, random_state=0)
    theirs.components_, theirs.intercept_visible_, theirs.intercept_hidden_ = rbm.W.data.T, rbm.b.data, rbm.c.data
    theirs._n_features_out = H
    theirs.random_state_ = np.random.RandomState(0)
    ours = np.array([monitors.pseudo_log_likelihood_one_flip(rbm, v, np.random.default_rng(s)) for s in range(60)])
    for _ in range(5):  # either draws its own unit; 60 draws of ours meet all five of them
        assert np.abs(ours - theirs.score_samples(v)).min(0).max() < 1e-7


def test_independent_units_have_one_likelihood_and_pseudo_likelihood():
    rbm, v = random_rbm(), some_rows()
    rbm.W.data[...] = 0
    np.testing.assert_allclose(monitors.pseudo_log_likelihood(rbm, v), rbm.log_likelihood(v).value, rtol=1e-12)


def test_reconstruction_error_is_that_of_two_mean_steps():
    rbm, v = random_rbm(), some_rows()
    h = 1 / (1 + np.exp(-(rbm.c.data + v @ rbm.W.data)))
    back = 1 / (1 + np.exp(-(rbm.b.data + h @ rbm.W.data.T)))
    np.testing.assert_allclose(monitors.reconstruction_error(rbm, v), ((v - back) ** 2).sum(1), rtol=1e-12)


def test_the_gap_of_free_energies_is_that_of_likelihoods():
    rbm, train, valid = random_rbm(), some_rows(20, 3), some_rows(15, 4)
    gap = rbm.log_likelihood(train).mean() - rbm.log_likelihood(valid).mean()
    assert monitors.free_energy_gap(rbm, train, valid) == pytest.approx(gap, abs=1e-12)


def planted():
    """Units: 0 alive, 1 always off, 2 always on, 3 without weights, 4 a threshold of the first pixel."""
    rbm = random_rbm(5, 0.0, h=5)
    rbm.W.data[0, 0], rbm.W.data[1, 1], rbm.W.data[2, 2], rbm.W.data[0, 4] = 1.0, 1.0, 1.0, 20.0
    rbm.c.data[...] = [0, -30, 30, 0, -10]
    return rbm


def test_dead_and_saturated_units_are_told_apart():
    found = monitors.hidden_units(planted(), some_rows())
    assert found.dead.tolist() == [1, 2, 3] and found.saturated.tolist() == [4]


def test_warnings_say_how_many_and_what_helps():
    with pytest.warns(HiddenUnitWarning) as caught:
        monitors.warn_hidden_units(planted(), some_rows())
    dead, saturated = (str(w.message) for w in caught)
    assert "3 of 5 hidden units are dead" in dead and "fewer units" in dead
    assert "1 of 5 hidden units are saturated" in saturated and "weight decay" in saturated
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert monitors.warn_hidden_units(random_rbm(), some_rows()).dead.size == 0


def test_log_z_is_exact_where_it_can_be_and_says_so_where_not():
    rbm, rng = random_rbm(6, 0.3), np.random.default_rng(7)
    exact, estimate = monitors.log_partition(rbm, rng), monitors.log_partition(rbm, rng, exact_up_to=2, betas=300)
    assert exact.value == rbm.log_z() and exact.estimate is None and estimate.estimate is not None
    low, high = estimate.estimate.interval
    assert low <= exact.value <= high and high - low < 0.1
    assert exact.log_likelihood(rbm, some_rows()).kind == "exact"
    assert estimate.log_likelihood(rbm, some_rows()).kind == "estimate"


def test_what_is_watched_are_the_numbers_above():
    rbm, train, valid = random_rbm(), some_rows(20, 3), some_rows(15, 4)
    seen = monitors.watch(rbm, train, valid, np.random.default_rng(8), monitors.LogZ(rbm.log_z()))
    assert seen == {
        "log_likelihood": rbm.log_likelihood(valid).mean(),
        "pseudo_log_likelihood": monitors.pseudo_log_likelihood_one_flip(rbm, valid, np.random.default_rng(8)).mean(),
        "reconstruction_error": monitors.reconstruction_error(rbm, valid).mean(),
        "free_energy_gap": monitors.free_energy_gap(rbm, train, valid),
    }


@pytest.mark.parametrize(("call", "words"), [
    (lambda rbm: monitors.pseudo_log_likelihood(rbm, some_rows() / 2), "expected zeros and ones"),
    (lambda rbm: monitors.pseudo_log_likelihood_one_flip(rbm, some_rows()[0], np.random.default_rng(0)), r"\(5,\)"),
    (lambda rbm: monitors.reconstruction_error(rbm, np.full((2, D), np.nan)), "nan"),
    (lambda rbm: monitors.free_energy_gap(rbm, some_rows(), np.zeros((0, D))), r"\(0, 5\)"),
    (lambda rbm: monitors.hidden_units(rbm, some_rows(1)), "1 rows"),
    (lambda rbm: monitors.hidden_units(rbm, some_rows(), 0.5), "margin 0.5"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(random_rbm())
