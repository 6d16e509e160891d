"""Sweeps of the Ising model: bits of the twins, the enumerated distribution, and wrong sweeps that it tells from right.

Every statistical test has a chance of 1e-6 to reject a right sampler; the seeds are fixed.
"""

import inspect
import itertools

import numba
import numpy as np
import pytest
from scipy import stats

from minigen.kernels import ising as kernels
from minigen.kernels import reference_ising as twins

JIT = not numba.config.DISABLE_JIT
u32, u64 = np.uint32, np.uint64
SWEEPS = {"sequential": kernels.sequential_blocks, "checkerboard": kernels.checkerboard_blocks}
TORUS, FREE = [(2, 4, 6), (1, 6, 40), (3, 4, 4)], [(1, 1, 1), (2, 1, 2), (2, 3, 1), (3, 5, 7), (1, 7, 34), (2, 2, 2)]
FALSE_ALARM = 1e-6


def coins(shape, seed=0):
    return (2 * np.random.default_rng([seed, *shape]).integers(0, 2, shape) - 1).astype(np.int8)


@pytest.mark.parametrize("counter", [7, 2**32 - 3, 2**64 - 5])
@pytest.mark.parametrize("shape, periodic", [(s, True) for s in TORUS] + [(s, False) for s in TORUS + FREE])
@pytest.mark.parametrize("name", SWEEPS)
def test_kernel_and_twin_give_the_same_bits(name, shape, periodic, counter):
    for model in ((1.0, 0.1, 2.2), (-0.7, 0.0, 1.0), (0.3, -2.0, 5.0)):
        results = []
        for room in (kernels, twins):
            spins = coins(shape)
            with np.errstate(over="ignore"):  # interpreted, NumPy warns where a counter wraps
                getattr(room, name)(u32(5), u64(counter), spins, kernels.thresholds(*model), periodic, 3)
            results.append(spins)
        assert np.array_equal(*results) and set(np.unique(results[0])) <= {-1, 1}


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_in_two_calls_are_the_sweeps_of_one(name, periodic):
    up, whole, cut, shape = kernels.thresholds(1, 0.2, 2), coins((2, 4, 6)), coins((2, 4, 6)), (2, 4, 6)
    getattr(kernels, name)(u32(5), u64(9), whole, up, periodic, 5)
    getattr(kernels, name)(u32(5), u64(9), cut, up, periodic, 2)
    getattr(kernels, name)(u32(5), u64(9 + SWEEPS[name](*shape, 2)), cut, up, periodic, 3)
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("model", [(1.0, 0.0, 2.27), (-0.8, 0.5, 1.0), (0.4, -0.3, 0.7)])
def test_thresholds_are_the_conditional_probabilities(model):
    J, h, T = model
    weights = [np.exp((J * np.arange(-4, 5) + h) * s / T) for s in (-1, 1)]
    p = weights[1] / (weights[0] + weights[1])
    up = kernels.thresholds(*model)
    assert up.dtype == np.int32 and ((0 <= up / 2**24 - p) & (up / 2**24 - p < 2.0**-24)).all()


def test_thresholds_at_the_ends():
    assert np.array_equal(kernels.thresholds(1, 0, 1e-6), [0, 0, 0, 0, 2**23, *[2**24] * 4])
    assert np.array_equal(kernels.thresholds(0, 1e9, 1), [2**24] * 9)


@pytest.mark.parametrize("room", [kernels, twins])
@pytest.mark.parametrize("name", SWEEPS)
def test_a_draw_that_equals_its_threshold_does_not_come_up(room, name):
    draw = int(twins.draws(5, 9, 1, 1)[0, 0])
    for up, spin in ((draw, -1), (draw + 1, 1), (0, -1), (2**24, 1)):
        spins = np.ones((1, 1, 1), np.int8)
        getattr(room, name)(u32(5), u64(9), spins, np.full(9, up, np.int32), False, 1)
        assert spins.item() == spin


def weights_of(rows, columns, periodic, coupling, field, temperature):
    """(states, probabilities) of all 2^(rows columns) grids, every bond taken once from the list of bonds"""
    states = np.array(list(itertools.product((-1, 1), repeat=rows * columns)), np.int8).reshape(-1, rows, columns)
    energy = -field * states.sum((1, 2), dtype=float)
    for i, j in np.ndindex(rows, columns):
        for a, b in ((i + 1, j), (i, j + 1)):
            if periodic or (a < rows and b < columns):
                energy -= coupling * states[:, i, j] * states[:, a % rows, b % columns]
    p = np.exp(-energy / temperature)
    return states, p / p.sum()


def surprise(sweep, shape, periodic, model, chains, sweeps):
    """The chance that chains begun in the enumerated distribution fit it as badly as these do after some sweeps"""
    states, p = weights_of(*shape, periodic, *model)
    spins = states[np.random.default_rng(3).choice(len(p), chains, p=p)]
    sweep(u32(11), u64(2**33), spins, kernels.thresholds(*model), periodic, sweeps)
    number = (spins.reshape(chains, -1) > 0) @ (1 << np.arange(shape[0] * shape[1])[::-1])
    few = p * chains < 5
    found = np.bincount(number, minlength=len(p))
    found, expected = np.append(found[~few], found[few].sum()), chains * np.append(p[~few], p[few].sum())
    return stats.chisquare(found[expected > 0], expected[expected > 0]).pvalue


GRIDS = [((2, 3), False, (0.5, 0.2, 1.0)), ((3, 3), False, (-0.6, 0.3, 1.2)), ((1, 5), False, (0.8, -0.1, 1.0))]
TORI = {"sequential": [((3, 3), True, (0.3, 0.1, 1.0)), ((3, 4), True, (-0.2, 0.2, 1.0))],
        "checkerboard": [((4, 4), True, (0.15, 0.3, 1.0))]}


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
@pytest.mark.parametrize("sweeps", [1, 7])
@pytest.mark.parametrize("name", SWEEPS)
def test_the_enumerated_distribution_stays_where_it_is(name, sweeps):
    for grid in GRIDS + TORI[name]:
        assert surprise(getattr(kernels, name), *grid, 100_000, sweeps) > FALSE_ALARM


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
@pytest.mark.parametrize("name", SWEEPS)
def test_chains_from_one_state_reach_the_enumerated_distribution(name):
    def from_all_up(key, counter, spins, *rest):
        spins[...] = 1
        getattr(kernels, name)(key, counter, spins, *rest)

    assert surprise(from_all_up, *GRIDS[0], 100_000, 40) > FALSE_ALARM
    assert surprise(from_all_up, *GRIDS[0], 100_000, 1) < FALSE_ALARM, "one sweep is too few"


def both_colours_at_once(key, counter, spins, up, periodic, sweeps):
    w = twins.draws(key, counter, sweeps * len(spins), spins[0].size).reshape(sweeps, *spins.shape)
    for draw in w:
        spins[...] = np.where(draw < up[twins.neighbour_sum(spins, periodic) + 4], 1, -1)


def same_words_for_every_sweep(key, counter, spins, up, periodic, sweeps):
    for _ in range(sweeps):
        kernels.sequential(key, counter, spins, up, periodic, 1)


def same_words_for_both_colours(key, counter, spins, up, periodic, sweeps):
    i, j = np.indices(spins.shape[1:])
    for draw in twins.draws(key, counter, sweeps * len(spins), spins[0].size).reshape(sweeps, *spins.shape):
        for q in (0, 1):
            pair = np.where(j % 2 == 0, draw, np.roll(draw, 1, 2))
            drawn = np.where(pair < up[twins.neighbour_sum(spins, periodic) + 4], 1, -1)
            spins[...] = np.where((i + j) % 2 == q, drawn, spins)


def field_the_wrong_way_round(key, counter, spins, up, periodic, sweeps):
    kernels.sequential(key, counter, spins, 2**24 - up[::-1], periodic, sweeps)


def factor_of_two_forgotten(key, counter, spins, up, periodic, sweeps):
    p = np.clip(up / 2**24, 1e-6, 1 - 1e-6)
    kernels.sequential(key, counter, spins, (2**24 / (1 + np.sqrt(1 / p - 1))).astype(np.int32), periodic, sweeps)


def closed_to_a_torus(key, counter, spins, up, periodic, sweeps):
    kernels.sequential(key, counter, spins, up, not periodic, sweeps)


def one_in_a_hundred_more(key, counter, spins, up, periodic, sweeps):
    kernels.sequential(key, counter, spins, np.minimum(up + 2**24 // 100, 2**24).astype(np.int32), periodic, sweeps)


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
@pytest.mark.parametrize("wrong", [both_colours_at_once, same_words_for_both_colours, same_words_for_every_sweep,
                                   field_the_wrong_way_round, factor_of_two_forgotten, closed_to_a_torus,
                                   one_in_a_hundred_more])
def test_wrong_sweeps_leave_the_enumerated_distribution(wrong):
    assert surprise(wrong, (3, 3), False, (-0.6, 0.3, 1.2), 100_000, 7) < FALSE_ALARM


@pytest.mark.parametrize("name", SWEEPS)
def test_the_twin_has_the_same_signature(name):
    kernel = getattr(kernels, name)
    assert (list(inspect.signature(getattr(kernel, "py_func", kernel)).parameters)
            == list(inspect.signature(getattr(twins, name)).parameters))
