"""The Ising model against enumeration, transfer matrices, Kaufman's torus and Onsager's plane."""

import numba
import numpy as np
import pytest
from scipy.special import ellipk, logsumexp

from minigen.checks import Binary, CheckError, check_sampler
from minigen.energy.boltzmann import state_index
from minigen.energy.ising import CRITICAL_TEMPERATURE, Ising, onsager_energy, onsager_magnetisation

JIT = not numba.config.DISABLE_JIT
needs_speed = pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")

GRIDS = [(3, 4, True), (4, 4, True), (3, 4, False), (1, 6, False), (6, 1, False), (4, 2, False)]


def grid(rows, columns, periodic, **settings):
    return Ising(rows, columns, periodic=periodic, **{"coupling": 0.7, "field": 0.2, "temperature": 1.7} | settings)


def energy_by_loops(model, s):
    """Bonds to the right and down, one by one."""
    rows, columns = model.shape
    total = -model.field * int(s.sum())
    for i in range(rows):
        for j in range(columns):
            for a, b in ((i + 1, j), (i, j + 1)):
                if model.periodic or (a < rows and b < columns):
                    total -= model.coupling * int(s[i, j]) * int(s[a % rows, b % columns])
    return total


@pytest.mark.parametrize("shape", GRIDS)
def test_energy_bond_by_bond(shape):
    model = grid(*shape)
    s = model.hot(6, np.random.default_rng(0))
    truth = [energy_by_loops(model, one) for one in s]
    np.testing.assert_allclose(model.energy(s), truth, atol=1e-12)
    np.testing.assert_allclose(model.as_field().energy((s.reshape(6, -1) + 1) // 2), truth, atol=1e-12)


@pytest.mark.parametrize("coupling", [0.7, -0.9])
@pytest.mark.parametrize("shape", GRIDS)
def test_log_z_by_enumeration(shape, coupling):
    model = grid(*shape, coupling=coupling)
    assert model.log_z() == pytest.approx(model.as_field().log_z(), rel=1e-12)


def kaufman(rows, columns, K):
    """log Z of a torus without field: Kaufman 1949 (the first term of the second kind may be negative)."""
    def gamma(l):
        return np.arccosh(np.cosh(2 * K) ** 2 / np.sinh(2 * K) - np.cos(l * np.pi / columns))
    even = [gamma(2 * r) for r in range(columns)]
    even[0] = 2 * K + np.log(np.tanh(K))
    half = rows / 2 * np.array([[gamma(2 * r + 1) for r in range(columns)], even])
    terms, signs = [], []
    for x in half:
        terms += [np.log(2 * np.cosh(x)).sum(), np.log(np.abs(2 * np.sinh(x))).sum()]
        signs += [1, np.prod(np.sign(np.sinh(x)))]
    return rows * columns / 2 * np.log(2 * np.sinh(2 * K)) - np.log(2) + logsumexp(terms, b=signs)


@pytest.mark.parametrize("temperature", [1.5, 2.2, CRITICAL_TEMPERATURE + 0.01, 4.0])
def test_log_z_of_larger_tori_in_closed_form(temperature):
    for rows, columns in ((8, 8), (12, 7), (60, 6)):
        model = Ising(rows, columns, temperature=temperature)
        assert model.log_z() == pytest.approx(kaufman(rows, columns, 1 / temperature), rel=1e-11)


def test_a_chain_in_closed_form():
    """Open chain without field: Z = 2 (2 cosh K)^(n - 1); with a field and no bonds it is a product."""
    assert Ising(40, 1, temperature=1.3, periodic=False).log_z() == pytest.approx(
        np.log(2) + 39 * np.log(2 * np.cosh(1 / 1.3)), rel=1e-12)
    assert Ising(50, 8, coupling=0.0, field=0.6, temperature=2.0).log_z() == pytest.approx(
        400 * np.log(2 * np.cosh(0.3)), rel=1e-12)


@pytest.mark.parametrize("temperature", [1.2, 2.0, 2.26, 2.4, 5.0])
def test_onsager_energy_by_the_elliptic_integral_and_by_differences(temperature):
    K = 1 / temperature
    k = 2 * np.sinh(2 * K) / np.cosh(2 * K) ** 2
    assert onsager_energy(temperature) == pytest.approx(
        -1 / np.tanh(2 * K) * (1 + 2 / np.pi * (2 * np.tanh(2 * K) ** 2 - 1) * ellipk(k**2)), rel=1e-10)
    assert onsager_energy(3 * temperature, 3.0) == pytest.approx(3 * onsager_energy(temperature), rel=1e-12)
    if abs(temperature - CRITICAL_TEMPERATURE) > 0.2:  # a torus of 200 x 40 is as good as infinite away from T_c
        h = 1e-4
        slope = (kaufman(200, 40, K + h) - kaufman(200, 40, K - h)) / (2 * h) / 8000
        assert onsager_energy(temperature) == pytest.approx(-slope, abs=2e-3)


def test_the_critical_point():
    assert np.sinh(2 / CRITICAL_TEMPERATURE) == pytest.approx(1, rel=1e-14)
    assert onsager_energy(CRITICAL_TEMPERATURE) == pytest.approx(-np.sqrt(2), rel=1e-10)
    assert onsager_magnetisation(CRITICAL_TEMPERATURE + 1e-9) == 0 < onsager_magnetisation(CRITICAL_TEMPERATURE - 1e-9)
    assert onsager_magnetisation(1.0) == pytest.approx((1 - np.sinh(2.0) ** -4) ** 0.125, rel=1e-14)


SMALL = Ising(3, 3, periodic=False, field=0.3, temperature=1.6)
COLOURS = [[0, 2, 4, 6, 8], [1, 3, 5, 7]]
START = np.array([1, -1, -1, 1, 1, -1, 1, -1, 1], np.int8)


def row_test(draw, sweeps, blocks, n=60_000 if JIT else 1_500, model=SMALL):
    """Chains from one state against that row of kernel^sweeps; a right sampler fails with probability 1e-6."""
    kernel = model.as_field().kernel(blocks)
    row = np.linalg.matrix_power(kernel, sweeps)[state_index((START + 1) // 2)]
    s = draw(np.tile(START.reshape(3, 3), (n, 1, 1)))
    with np.errstate(divide="ignore"):
        log_row = np.log(row)
    return check_sampler((s.reshape(n, 9) + 1) // 2, lambda x: log_row[state_index(x)], Binary(9), alpha=1e-6)


@pytest.mark.parametrize("sweeps", [1, 2])
def test_chains_follow_the_kernel(sweeps):
    rng = np.random.default_rng(1)
    assert row_test(lambda s: SMALL.sequential(s, sweeps, rng), sweeps, None).passed
    assert row_test(lambda s: SMALL.checkerboard(s, sweeps, rng), sweeps, COLOURS).passed


def test_sequential_chains_on_a_torus_follow_the_kernel():
    torus = Ising(3, 3, field=-0.2, temperature=2.5)
    assert row_test(lambda s: torus.sequential(s, 1, np.random.default_rng(2)), 1, None, model=torus).passed


@needs_speed
@pytest.mark.parametrize("sampler", ["sequential", "checkerboard"])
def test_long_chains_follow_the_enumerated_distribution(sampler):
    model = Ising(2, 4, periodic=False, field=0.1, temperature=2.0)
    s = getattr(model, sampler)(model.hot(30_000, np.random.default_rng(3)), 40, np.random.default_rng(4))
    assert check_sampler((s.reshape(-1, 8) + 1) // 2, model.as_field().log_prob, Binary(8), alpha=1e-6).passed


def test_checkerboard_on_a_torus_has_the_energy_of_the_transfer_matrix():
    """Mean energy is -d log Z / d(1/T); 4.5 standard errors, a right sampler fails with probability 7e-6."""
    torus, h = Ising(4, 6, temperature=2.6), 1e-4
    by_beta = [Ising(4, 6, temperature=1 / (1 / 2.6 + step)).log_z() for step in (h, -h)]
    energy = torus.energy(torus.checkerboard(torus.hot(10_000, np.random.default_rng(5)), 40, np.random.default_rng(6)))
    assert abs(energy.mean() + (by_beta[0] - by_beta[1]) / (2 * h)) < 4.5 * energy.std() / np.sqrt(len(energy))


def both_colours_at_once(s, sweeps, rng):
    field, x = SMALL.as_field(), (s.reshape(len(s), 9) + 1) // 2
    for _ in range(sweeps):
        p = np.stack([field.conditional(x, i) for i in range(9)], axis=1)
        x = (rng.random(p.shape) < p).astype(int)
    return 2 * x.reshape(s.shape) - 1


def reused(s, seed):
    """Two sweeps with the same numbers."""
    return SMALL.checkerboard(SMALL.checkerboard(s, 1, np.random.default_rng(seed)), 1, np.random.default_rng(seed))


def other(**settings):
    return Ising(3, 3, **{"periodic": False, "field": 0.3, "temperature": 1.6} | settings)


BROKEN = {
    "wrong field": lambda s, rng: other(field=0.2).checkerboard(s, 2, rng),
    "field of the wrong sign": lambda s, rng: other(field=-0.3).checkerboard(s, 2, rng),
    "wrong temperature": lambda s, rng: other(temperature=1.75).checkerboard(s, 2, rng),
    "edges that wrap": lambda s, rng: other(periodic=True).sequential(s, 2, rng),
    "both colours at once": lambda s, rng: both_colours_at_once(s, 2, rng),
    "reused random numbers": lambda s, rng: reused(s, 7),
    "one sweep too few": lambda s, rng: SMALL.checkerboard(s, 1, rng),
    "one sweep too many": lambda s, rng: SMALL.checkerboard(s, 3, rng),
    "the order of reading": lambda s, rng: SMALL.sequential(s, 2, rng),
}


@needs_speed
@pytest.mark.parametrize("slip", BROKEN)
def test_the_kernel_rejects(slip):
    with pytest.raises(CheckError):
        row_test(lambda s: BROKEN[slip](s, np.random.default_rng(1)), 2, COLOURS)


def test_samplers_leave_their_argument_alone_and_are_seeded():
    model = Ising(8, 8, temperature=2.0)
    s = model.hot(3, np.random.default_rng(8))
    kept = s.copy()
    for sampler in (model.sequential, model.checkerboard):
        one, two = (sampler(s, 3, np.random.default_rng(9)) for _ in range(2))
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(s, kept)
        assert one.dtype == np.int8 and (one != s).any()
        np.testing.assert_array_equal(sampler(s, 0, np.random.default_rng(9)), s)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Ising(2, 4), "at least 3 where it is periodic"),
    (lambda: Ising(0, 4, periodic=False), "at least 1"),
    (lambda: Ising(4, 4, temperature=0), "temperature is 0"),
    (lambda: Ising(4, 4, temperature=np.nan), "temperature is nan"),
    (lambda: Ising(4, 4, field=np.inf), "field is inf"),
    (lambda: Ising(4, 11).log_z(), "at most 10 columns"),
    (lambda: Ising(3, 4).checkerboard(np.ones((1, 3, 4)), 1, np.random.default_rng(0)), "no two colours"),
    (lambda: Ising(4, 4).energy(np.ones((2, 4, 5))), r"\(2, 4, 5\); expected \(chains, 4, 4\)"),
    (lambda: Ising(4, 4).energy(np.ones((4, 4))), r"expected \(chains, 4, 4\)"),
    (lambda: Ising(4, 4).energy(np.ones((0, 4, 4))), r"\(0, 4, 4\)"),
    (lambda: Ising(4, 4).sequential(np.zeros((1, 4, 4)), 1, None), "value 0"),
    (lambda: Ising(4, 4).checkerboard(np.full((1, 4, 4), np.nan), 1, None), "value nan"),
    (lambda: Ising(4, 4).sequential(np.ones((1, 4, 4)), -1, np.random.default_rng(0)), "sweeps is -1"),
    (lambda: onsager_energy(0.0), "temperature is 0"),
    (lambda: onsager_magnetisation(1.0, -1.0), "coupling is -1"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
