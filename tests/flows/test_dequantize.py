"""A flow on discrete data: the constant is exact, the bound is a bound."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import quadrature_2d
from minigen.distributions import Independent, Uniform
from minigen.distributions.likelihood import bits_per_dimension
from minigen.flows import Affine, Compose, Dequantised, FlowModel, Logit, Planar, PLULinear

LEVELS = 3
STATES = np.array([[i, j] for i in range(LEVELS) for j in range(LEVELS)])


def uniform(levels, d, dtype=np.float64):
    """The identity with a uniform base: the uniform density on the cube."""
    return Dequantised(FlowModel(Affine(d, dtype=dtype), Independent(Uniform(np.zeros(d), np.ones(d)), 1)), levels)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_uniform_model_has_log2_levels_bits_per_dimension(levels):
    x = np.random.default_rng(0).integers(levels, size=(50, 6))
    found = uniform(levels, 6).log_likelihood(x, np.random.default_rng(1))
    assert np.allclose(bits_per_dimension(found.value, 6), np.log2(levels), rtol=1e-14)
    loss = uniform(levels, 6).loss(x, np.random.default_rng(2)).total
    assert np.isclose(loss.item(), 6 * np.log(levels), rtol=1e-14)


def skew_model():
    """A density on the square whose nine cells have unequal mass."""
    rng = np.random.default_rng(0)
    flow = Compose([Logit(2, 0.01), PLULinear(2, rng=rng), Planar(2, rng=rng)]).astype(np.float64)
    flow.flows[1].s.data[...] = (0.2, -0.3)
    flow.flows[2].u.data[...] = (1.0, 0.7)
    return Dequantised(FlowModel(flow), LEVELS)


def cell_masses(model):
    """P(x) of every state by quadrature over its cell."""
    def density(y):
        return np.exp(ad.value(model.model.log_prob(y)))
    h = 1 / LEVELS
    return np.array([quadrature_2d(density, (i * h, i * h + h), (j * h, j * h + h), n=64).value for i, j in STATES])


def test_it_is_a_lower_bound_of_the_mass_of_each_cell():
    model = skew_model()
    exact = np.log(cell_masses(model))
    found = model.log_likelihood(STATES, np.random.default_rng(1), 400)
    assert found.kind == "bound" and found.value.shape == (len(STATES),)
    assert np.all(found.value <= exact + 4.5 * found.standard_error)
    assert np.any(found.value < exact - 4.5 * found.standard_error), "with unequal density inside, the bound is strict"


def test_the_bound_is_the_mean_log_density_of_the_cell():
    model = skew_model()

    def log_density(y):
        return ad.value(model.model.log_prob(y))

    h = 1 / LEVELS
    exact = np.array([quadrature_2d(log_density, (i * h, i * h + h), (j * h, j * h + h), n=64).value / h**2
                      for i, j in STATES]) - 2 * np.log(LEVELS)
    found = model.log_likelihood(STATES, np.random.default_rng(2), 400)
    assert np.all(np.abs(found.value - exact) <= 4.5 * found.standard_error)
    losses = [model.loss(STATES, np.random.default_rng(seed)).total.item() for seed in range(200)]
    assert abs(np.mean(losses) + exact.mean()) <= 4.5 * np.std(losses) / np.sqrt(len(losses))


def test_samples_are_levels_with_the_masses_of_their_cells():
    model = skew_model()
    n = 20_000
    x = model.sample(n, np.random.default_rng(3))
    assert np.isin(x, np.arange(LEVELS)).all()
    middle = STATES.tolist().index([1, 1])  # the one cell into which nothing beyond the square is clipped
    p = cell_masses(model)[middle]
    assert abs(np.mean((x == [1, 1]).all(1)) - p) <= 4.5 * np.sqrt(p * (1 - p) / n)


def test_precision_and_start_follow_the_model():
    rng = np.random.default_rng(0)
    model = Dequantised(FlowModel(Compose([Logit(2, 0.05), Affine(2)])), 17)
    x = rng.integers(17, size=(500, 2))
    assert model.loss(x, rng).total.dtype == np.float32
    before = model.loss(x, rng).total.item()
    model.fit_to(x, rng)
    assert model.loss(x, rng).total.item() < before
    assert model.astype(np.float64).loss(x, rng).total.dtype == np.float64


def test_one_draw_has_no_error_and_bad_levels_are_told():
    model = uniform(4, 2)
    assert model.log_likelihood(np.array([[0, 3]]), np.random.default_rng(0), 1).standard_error is None
    with pytest.raises(ValueError, match="levels 0..3"):
        model.log_likelihood(np.array([[0, 4]]), np.random.default_rng(0))
