"""The toys: each is drawn from the density that the first line of its docstring states."""

import numpy as np
import pytest

from minigen import data
from minigen.data import TOYS

N = 40_000

# E|x|^2 by hand: the mean square of the skeleton, plus 2 sigma^2 of its noise.
MEAN_SQUARE = {
    "two-moons": 1 + (1 / 4 + 1 / 16) - 2 * (1 / 4) * (2 / np.pi) + 2 * 0.1**2,
    "eight-gaussians": 2**2 + 2 * 0.2**2,
    "pinwheel": 4 * (1 + 0.3**2 + 0.1**2),
    "two-spirals": 9 / 2 + 2 * 0.1**2,
    "checkerboard": 2 * 4**2 / 12,
    "rings": 0.6**2 * (1 + 4 + 9 + 16) / 4 + 2 * 0.08**2,
}
TURNS = {"two-moons": 2, "eight-gaussians": 8, "pinwheel": 5, "two-spirals": 2, "checkerboard": 2, "rings": 8}


def draw(name):
    """The points of a toy as complex numbers x1 + i x2."""
    x = TOYS[name](N, np.random.default_rng(7))
    return x[:, 0] + 1j * x[:, 1]


def z_score(samples, expected):
    return abs(samples.mean() - expected) / (samples.std() / np.sqrt(len(samples)))


def folded(angle, order=1):
    """The angle modulo a turn of 2 pi/order, within half of it on either side of 0."""
    turn = 2 * np.pi / order
    return angle - turn * np.round(angle / turn)


def evenly(counts):
    """Chi-square of counts that should be equal, within 5 standard deviations of its mean: one false alarm in 500."""
    expected, free = counts.sum() / len(counts), len(counts) - 1
    return ((counts - expected) ** 2 / expected).sum() - free < 5 * np.sqrt(2 * free)


@pytest.mark.parametrize("name", TOYS)
def test_is_a_toy(name):
    x = TOYS[name](N, np.random.default_rng(0))
    assert x.shape == (N, 2) and x.dtype == np.float64
    np.testing.assert_array_equal(x, TOYS[name](N, np.random.default_rng(0)))
    assert not np.array_equal(x, TOYS[name](N, np.random.default_rng(1)))
    assert z_score((x**2).sum(1), MEAN_SQUARE[name]) < 4
    assert np.abs(x).max() < 5 and np.quantile(np.abs(x), 0.99) < 3.2
    assert getattr(data, name.replace("-", "_")) is TOYS[name]


@pytest.mark.parametrize("name", TOYS)
def test_looks_the_same_after_its_turn(name):
    """E z^k = 0 for all k below the order of the symmetry; k = 1 says that it is centred."""
    z = draw(name)
    assert all(z_score(z**k, 0) < 4 for k in range(1, TURNS[name]))


@pytest.mark.parametrize("name", TOYS)
def test_draws_are_independent(name):
    z = draw(name)
    assert z_score(z[1:] * z[:-1].conj(), 0) < 4  # a cycle through the components would show here
    assert z_score(np.abs(z[1:]) * np.abs(z[:-1]), np.abs(z).mean() ** 2) < 4


def test_two_moons_lie_along_their_half_circles():
    z = draw("two-moons")
    arcs = np.stack((z, -z)) + 0.5 + 0.25j
    off = np.where(arcs.imag > 0, np.abs(np.abs(arcs) - 1), np.minimum(np.abs(arcs - 1), np.abs(arcs + 1))).min(0)
    assert np.quantile(off, 0.68) == pytest.approx(0.1, rel=0.1) and off.max() < 0.6


def test_eight_gaussians_are_eight_and_alike():
    z = draw("eight-gaussians")
    which = np.round(np.angle(z) / (np.pi / 4)).astype(int) % 8
    off = z - 2 * np.exp(1j * np.pi / 4 * which)
    assert evenly(np.bincount(which, minlength=8))
    assert off.real.std() == pytest.approx(0.2, rel=0.02) and off.imag.std() == pytest.approx(0.2, rel=0.02)


def test_pinwheel_arms_bend_with_the_radius():
    z = draw("pinwheel")
    a = np.abs(z) / 2 - 1  # up to b^2/2, which is small
    off = folded(np.angle(z) - np.exp(a) / 4, order=5)
    assert a.std() == pytest.approx(0.3, rel=0.03)
    assert (off * (1 + a)).std() == pytest.approx(0.1, rel=0.1)
    assert evenly(np.bincount(np.round((np.angle(z) - np.exp(a) / 4 - off) / (2 * np.pi / 5)).astype(int) % 5))


def test_two_spirals_wind_one_and_a_half_turns():
    z = draw("two-spirals")
    far = z[np.abs(z) > 0.5]
    assert folded(np.angle(far) - np.pi * np.abs(far), order=2).std() < 0.4  # a wrong winding: pi/sqrt(12) = 0.9
    assert np.quantile(np.abs(z) ** 2, [0.25, 0.5, 0.75]) == pytest.approx([2.25, 4.5, 6.75], abs=0.1)


def test_checkerboard_fills_the_black_cells_evenly():
    x = TOYS["checkerboard"](N, np.random.default_rng(7))
    cells = np.floor(x + 2).astype(int)
    assert cells.min() == 0 and cells.max() == 3 and (cells.sum(1) % 2 == 0).all()
    counts = np.bincount(cells @ [4, 1], minlength=16)
    assert (counts > 0).sum() == 8 and evenly(counts[counts > 0])
    inside = x + 2 - cells
    assert evenly(np.histogram2d(*inside.T, bins=10, range=((0, 1), (0, 1)))[0].ravel())


def test_rings_have_equal_weight():
    z = draw("rings")
    which = np.clip(np.round(np.abs(z) / 0.6).astype(int), 1, 4)
    assert evenly(np.bincount(which)[1:])
    assert (np.abs(z) - 0.6 * which).std() == pytest.approx(0.08, rel=0.03)
    assert evenly(np.histogram(np.angle(z), 20, (-np.pi, np.pi))[0])


@pytest.mark.parametrize("name", TOYS)
def test_bad_arguments_are_named(name):
    who = name.replace("-", "_")
    for n in (0, -3, 2.5, None, "7"):
        with pytest.raises(ValueError, match=f"{who}: n is {n!r}; expected a positive integer"):
            TOYS[name](n, np.random.default_rng(0))
    with pytest.raises(TypeError, match=f"{who}: rng is 0; expected a numpy.random.Generator"):
        TOYS[name](5, 0)
