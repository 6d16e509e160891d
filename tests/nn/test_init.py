"""Each initialiser has the variance of its formula. Bounds are five standard errors of 10^5 draws or more."""

import numpy as np
import pytest

from minigen import nn

M, N = 200, 600
VARIANCE = {"glorot": 2 / (M + N), "glorot_normal": 2 / (M + N), "he": 2 / M, "he_uniform": 2 / M,
            "orthogonal": 1 / max(M, N), "zeros": 0.0}


@pytest.mark.parametrize("name", nn.INITIALISERS)
def test_mean_is_0_and_variance_is_that_of_the_formula(name, rng):
    w = nn.INITIALISERS[name]((M, N), rng, dtype=np.float64)
    assert abs(w.mean()) <= 5 * np.sqrt(VARIANCE[name] / w.size)
    # Var(w^2) <= 2 Var(w)^2 for all of them (the Gaussian has the largest fourth moment here)
    assert abs((w * w).mean() - VARIANCE[name]) <= 5 * np.sqrt(2 / w.size) * VARIANCE[name]


@pytest.mark.parametrize("name", ["glorot", "he_uniform"])
def test_the_uniform_ones_fill_their_interval_and_stay_inside(name, rng):
    w, bound = nn.INITIALISERS[name]((M, N), rng, dtype=np.float64), np.sqrt(3 * VARIANCE[name])
    assert 0.999 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize("name", ["glorot_normal", "he"])
def test_the_normal_ones_have_gaussian_tails(name, rng):
    w = nn.INITIALISERS[name]((M, N), rng, dtype=np.float64) / np.sqrt(VARIANCE[name])
    kurtosis = (w**4).mean()
    assert abs(kurtosis - 3) < 5 * np.sqrt(96 / w.size)


@pytest.mark.parametrize("shape", [(30, 30), (20, 50), (50, 20), (6, 3, 3, 3)])
def test_orthogonal_is_orthogonal(shape, rng):
    w = nn.orthogonal(shape, rng, dtype=np.float64).reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_uniform_on_the_group(rng):
    # under the uniform measure tr Q has mean 0 and variance 1; without the sign correction its mean is not 0
    traces = np.array([np.trace(nn.orthogonal((4, 4), rng, dtype=np.float64)) for _ in range(4000)])
    assert abs(traces.mean()) < 5 / np.sqrt(4000) and abs(traces.var() - 1) < 5 * np.sqrt(3 / 4000)


@pytest.mark.parametrize("name", nn.INITIALISERS)
def test_one_seed_gives_the_same_weights_in_both_precisions(name):
    single, double = (nn.INITIALISERS[name]((5, 7), np.random.default_rng(3), dtype=t) for t in (np.float32, float))
    assert single.dtype == np.float32 and double.dtype == np.float64 and single.flags.c_contiguous
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_a_convolution_counts_the_taps_of_one_group_in_its_fans(rng):
    w = nn.Conv2d(64, 128, 3, rng=rng, init="he", groups=2).w.data
    assert abs(w.var() / (2 / (32 * 9)) - 1) < 5 * np.sqrt(2 / w.size)
    w = nn.ConvTranspose2d(64, 128, 3, rng=rng, init="glorot", groups=2).w.data
    assert abs(w.var() / (2 / (32 * 9 + 64 * 9)) - 1) < 5 * np.sqrt(2 / w.size)


@pytest.mark.parametrize("call, message", [
    (lambda rng: nn.glorot_uniform((2, 3, 4), rng), "expected (in, out), or fans="),
    (lambda rng: nn.he_normal((2, 3), rng, fans=(0, 3)), "fan_in is 0"),
    (lambda rng: nn.orthogonal((3,), rng), "expected at least two axes"),
    (lambda rng: nn.Linear(2, 3, rng=rng, init="xavier"), "Linear: init is 'xavier'; expected one of glorot,"),
])
def test_what_makes_no_sense_is_refused(call, message, rng):
    with pytest.raises(ValueError) as error:
        call(rng)
    assert message in str(error.value)
