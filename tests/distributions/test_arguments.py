"""Every door refuses what cannot be meant, in one sentence: class, argument, what came, what was expected."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import (
    Beta,
    Categorical,
    DiagonalNormal,
    Dirichlet,
    Gamma,
    MultivariateNormal,
    Normal,
    Pareto,
    StudentT,
    Uniform,
)


@pytest.mark.parametrize("make, words", [
    (lambda: Normal(0.0, -1.0), "Normal: sigma has the value -1.0; expected finite numbers > 0"),
    (lambda: Normal(0.0, [1.0, 0.0]), "Normal: sigma has the value 0.0; expected finite numbers > 0"),
    (lambda: Normal(np.nan), "Normal: mu has the value nan; expected finite numbers"),
    (lambda: Normal(0.0, np.inf), "Normal: sigma has the value inf"),
    (lambda: Normal([1.0, 2.0], [1.0, 2.0, 3.0]), r"Normal: parameters have shapes mu \(2,\), sigma \(3,\)"),
    (lambda: DiagonalNormal(0.0, 1.0), r"DiagonalNormal: mu and sigma are numbers; expected an array"),
    (lambda: DiagonalNormal(np.zeros((2, 3)), np.ones(2)), r"shapes mu \(2, 3\), sigma \(2,\)"),
    (lambda: Uniform(1.0, 1.0), "Uniform: low is not below high"),
    (lambda: StudentT(0.0), "StudentT: df has the value 0.0"),
    (lambda: Pareto(1.0, -2.0), "Pareto: scale has the value -2.0"),
    (lambda: Gamma(-1.0), "Gamma: alpha has the value -1.0"),
    (lambda: Beta(1.0, 0.0), "Beta: beta has the value 0.0"),
    (lambda: Dirichlet([1.0]), r"Dirichlet: alpha has event_shape \(1,\); expected \(..., K\) with K >= 2"),
    (lambda: Dirichlet([1.0, -1.0]), "Dirichlet: alpha has the value -1.0"),
    (lambda: Categorical(0.3), r"Categorical: logits has shape \(\); expected \(..., K\) with K >= 1"),
    (lambda: Categorical([0.0, -np.inf]), "Categorical: logits has the value -inf"),
    (lambda: MultivariateNormal(np.zeros(2)), "give scale_tril or covariance, one of the two"),
    (lambda: MultivariateNormal(np.zeros(2), np.eye(2), covariance=np.eye(2)), "one of the two"),
    (lambda: MultivariateNormal(np.zeros(3), np.eye(2)), r"mu has shape \(3,\)|shapes mu \(3,\)"),
    (lambda: MultivariateNormal(np.zeros(2), np.ones((2, 3))), r"scale_tril has shape \(2, 3\)"),
    (lambda: MultivariateNormal(np.zeros(2), np.ones((2, 2))), "not lower triangular with a positive diagonal"),
    (lambda: MultivariateNormal(np.zeros(2), -np.eye(2)), "not lower triangular with a positive diagonal"),
    (lambda: MultivariateNormal(np.zeros(2), covariance=[[1.0, 0.5], [0.2, 1.0]]), "covariance is not symmetric"),
    (lambda: MultivariateNormal(np.zeros(2), covariance=[[1.0, 2.0], [2.0, 1.0]]), "covariance has the eigenvalue -1"),
])
def test_parameters(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("make, words", [
    (lambda: Normal("a"), "Normal: mu holds <U1; expected numbers"),
    (lambda: Normal(None), "Normal: mu holds object; expected numbers"),
    (lambda: Normal(1j), "Normal: mu holds complex128"),
    (lambda: Normal(ad.Tensor([1, 2])), "Normal: mu is a Tensor of int64; expected float32 or float64"),
    (lambda: Normal().log_prob("a"), "Normal: x holds <U1; expected numbers"),
    (lambda: Normal().log_prob(None), "Normal: x holds object; expected numbers"),
])
def test_types(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize("make, words", [
    (lambda: DiagonalNormal(np.zeros(3)).log_prob(np.zeros((4, 2))), r"x has shape \(4, 2\); expected \(..., 3\)"),
    (lambda: DiagonalNormal(np.zeros(3)).log_prob(0.0), r"x has shape \(\); expected \(..., 3\)"),
    (lambda: DiagonalNormal(np.zeros(3)).log_prob(np.zeros((4, 1))), r"x has shape \(4, 1\)"),  # would broadcast
    (lambda: Normal(np.zeros(3)).log_prob(np.zeros(4)), r"Normal: x has shape \(4,\); expected \(..., 3\)"),
    (lambda: Normal().sample(np.random.default_rng(0), -1), r"Normal: shape is \(-1,\); expected sizes >= 0"),
])
def test_data(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_recorded_parameter_is_checked_for_shape_only():
    sigma = ad.Tensor([1.0, -1.0], requires_grad=True)
    assert Normal(0.0, sigma).batch_shape == (2,)
    with ad.no_grad(), pytest.raises(ValueError, match="sigma has the value -1.0"):
        Normal(0.0, sigma)
    with pytest.raises(ValueError, match="sigma has the value -1.0"):
        Normal(0.0, sigma.detach())
    with pytest.raises(ValueError, match=r"shapes mu \(3,\), sigma \(2,\)"):
        Normal(np.zeros(3), sigma)


def test_python_numbers_follow_what_they_meet():
    assert Normal(0, 1).log_prob(np.zeros(2, np.float32)).dtype == np.float32
    assert Normal(0, 1).log_prob([1, 2]).dtype == np.float64 == Normal(True, 2).dtype
    assert Normal(0, 1).log_prob(ad.Tensor([1, 2])).dtype == np.float64
    assert Normal(np.zeros(2, np.float32), 1).log_prob(0.5).dtype == np.float32
    assert Normal(np.zeros(2), 1).log_prob(np.zeros(2, np.float32)).dtype == np.float64


def test_empty_batches_and_reproducible_draws():
    p = DiagonalNormal(np.zeros(3))
    assert p.sample(np.random.default_rng(0), 0).shape == (0, 3) == p.sample(np.random.default_rng(0), (0,)).shape
    assert p.log_prob(np.zeros((0, 3))).shape == (0,)
    first, second = (Gamma([0.3, 2.0]).sample(np.random.default_rng(5), (3, 4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (3, 4, 2)
    assert repr(p) == "DiagonalNormal(mu, sigma; batch_shape=(), event_shape=(3,), float64)"
