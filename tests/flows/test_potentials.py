"""The four energies: their formulas, that they have a mass, and the bound that a fit goes down to."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import log_quadrature_2d, quadrature_2d
from minigen.flows import POTENTIALS, Affine, FlowModel, free_energy

BOX = (-9.0, 9.0)


def table_1(name, z):
    """The densities exp(-U) as the paper prints them, without the wall."""
    z1, z2 = z.T
    w1, w2 = np.sin(2 * np.pi * z1 / 4), 3 * np.exp(-0.5 * ((z1 - 1) / 0.6) ** 2)
    w3 = 3 / (1 + np.exp(-(z1 - 1) / 0.3))
    return {
        "ring": np.exp(-0.5 * ((np.hypot(z1, z2) - 2) / 0.4) ** 2)
        * (np.exp(-0.5 * ((z1 - 2) / 0.6) ** 2) + np.exp(-0.5 * ((z1 + 2) / 0.6) ** 2)),
        "wave": np.exp(-0.5 * ((z2 - w1) / 0.4) ** 2),
        "fork": np.exp(-0.5 * ((z2 - w1) / 0.35) ** 2) + np.exp(-0.5 * ((z2 - w1 + w2) / 0.35) ** 2),
        "step": np.exp(-0.5 * ((z2 - w1) / 0.4) ** 2) + np.exp(-0.5 * ((z2 - w1 + w3) / 0.35) ** 2),
    }[name]


@pytest.mark.parametrize("name", POTENTIALS)
def test_energies_are_those_of_the_paper_inside_the_wall(name):
    z = np.random.default_rng(0).uniform(-3.9, 3.9, (500, 2))
    with np.errstate(under="ignore"):
        assert np.allclose(np.exp(-POTENTIALS[name](z)), table_1(name, z), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("name", POTENTIALS)
def test_each_has_a_mass_and_a_gradient(name):
    U = POTENTIALS[name]
    inner, outer = (log_quadrature_2d(lambda z: -U(z), (-r, r), (-r, r), n=256).value for r in (7.0, 9.0))
    assert np.isclose(inner, outer, rtol=1e-5)
    z = np.random.default_rng(0).normal(size=(5, 2))
    assert ad.gradcheck(U, z, rng=np.random.default_rng(1)) < 1e-6
    assert np.isfinite(ad.grad(lambda z: ad.sum(U(z)))(np.zeros((1, 2)))).all()


@pytest.mark.parametrize("name", POTENTIALS)
def test_free_energy_is_the_kl_above_minus_log_z(name):
    U = POTENTIALS[name]
    log_z = log_quadrature_2d(lambda z: -U(z), BOX, BOX, n=256).value
    model = FlowModel(Affine(2, dtype=np.float64))
    draws = [ad.value(free_energy(model, U, 500, np.random.default_rng(seed))) for seed in range(40)]

    def gap(z):
        log_q = ad.value(model.log_prob(z))
        return np.exp(log_q) * (log_q + U(z) + log_z)

    kl = quadrature_2d(gap, BOX, BOX, n=256).value
    assert kl > 0.1 and abs(np.mean(draws) - (kl - log_z)) <= 4.5 * np.std(draws) / np.sqrt(len(draws))
