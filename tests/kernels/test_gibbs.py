"""Chains of an RBM: bits of the twins, the enumerated distribution, and wrong chains that it tells from right ones.

Every statistical test has a chance of 1e-6 to reject a right sampler; the seeds are fixed.
"""

import inspect
import itertools

import numba
import numpy as np
import pytest
from scipy import stats

from minigen.kernels import gibbs as kernels
from minigen.kernels import random
from minigen.kernels import reference_gibbs as twins

JIT = not numba.config.DISABLE_JIT
f32, u32, u64 = np.float32, np.uint32, np.uint64
FALSE_ALARM = 1e-6


def rbm(D, H, scale=1.0, seed=0):
    """W, its transpose, b, c"""
    rng = np.random.default_rng([seed, D, H])
    W = (scale * rng.standard_normal((D, H))).astype(f32)
    return W, np.ascontiguousarray(W.T), *(rng.standard_normal(n).astype(f32) for n in (D, H))


def started(chains, D, H, seed=1):
    rng = np.random.default_rng([seed, chains, D, H])
    return rng.integers(0, 2, (chains, D)).astype(f32), rng.integers(0, 2, (chains, H)).astype(f32)


@pytest.mark.parametrize("chains, D, H", [(1, 1, 1), (1, 7, 5), (3, 5, 7), (2, 100, 1), (1, 1, 33), (1, 190, 61)])
def test_kernel_and_twin_give_the_same_bits(chains, D, H):
    for counter in (0, 2**32 - 3):
        results = []
        for room in (kernels, twins):
            v, h = started(chains, D, H)
            room.sweeps(u32(3), u64(counter), *rbm(D, H, 0.3), v, h, 4)
            results.append((v.tobytes(), h.tobytes()))
        assert results[0] == results[1]


@pytest.mark.parametrize("active", range(10))
def test_sums_of_rows_are_those_of_the_product(active):
    W, x = np.random.default_rng(0).standard_normal((9, 21)).astype(f32), np.zeros((2, 9), f32)
    x[0, :active], x[1, 9 - active:] = 1, 1
    found, twin = (np.full((2, 21), np.nan, f32) for _ in range(2))
    kernels.add_active_rows(x, W, found)
    twins.add_active_rows(x, W, twin)
    assert found.tobytes() == twin.tobytes()
    assert np.allclose(found, x.astype(float) @ W, rtol=0, atol=9 * np.abs(W).max() * 2.0**-23)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 33), (1, 2051), (0, 4)])
def test_flips_add_the_bias_and_draw(shape):
    rng = np.random.default_rng(sum(shape))
    z, b = (20 * rng.standard_normal(shape)).astype(f32), rng.standard_normal(shape[1]).astype(f32)
    z.reshape(-1)[:4] = np.array([np.nan, np.inf, -np.inf, 200], f32)[:z.size]
    results = []
    with np.errstate(all="ignore"):  # interpreted, NumPy warns of what a kernel does in silence
        random.sigmoid_bernoulli(u32(5), u64(9), (drawn := z + b).reshape(-1))
        for room in (kernels, twins):
            results.append(z.copy())
            room.flip(u32(5), u64(9), results[-1], b)
    assert results[0].tobytes() == results[1].tobytes() == drawn.tobytes()


def test_sweeps_in_two_calls_are_the_sweeps_of_one():
    model, whole, cut = rbm(5, 7), started(3, 5, 7), started(3, 5, 7)
    kernels.sweeps(u32(3), u64(9), *model, *whole, 5)
    kernels.sweeps(u32(3), u64(9), *model, *cut, 2)
    kernels.sweeps(u32(3), u64(9 + 2 * (11 + 8)), *model, *cut, 3)
    assert all(np.array_equal(a, b) for a, b in zip(whole, cut))


def surprise(sweeps, n=5, chains=100_000, D=4, H=3):
    """The chance that chains begun in the enumerated p(v, h) fit it as badly as these do after n sweeps"""
    W, WT, b, c = rbm(D, H)
    states = np.array(list(itertools.product((0, 1), repeat=D + H)))
    v, h = states[:, :D], states[:, D:]
    p = np.exp(((v @ W) * h).sum(1) + v @ b + h @ c)
    p /= p.sum()
    start = np.random.default_rng(2).choice(len(p), chains, p=p)
    v, h = v[start].astype(f32), h[start].astype(f32)
    sweeps(u32(7), u64(2**40), W, WT, b, c, v, h, n)
    number = np.hstack([v, h]).astype(int) @ (1 << np.arange(D + H)[::-1])
    assert (p * chains).min() > 5
    return stats.chisquare(np.bincount(number, minlength=len(p)), p * chains).pvalue


def test_the_enumerated_distribution_stays_where_it_is():
    room, chains, sizes = (kernels, 100_000, (3, 4)) if JIT else (twins, 20_000, (4,))
    for D in sizes:
        assert surprise(room.sweeps, chains=chains, D=D) > FALSE_ALARM


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
def test_chains_from_zero_reach_the_enumerated_distribution():
    def from_zero(key, counter, W, WT, b, c, v, h, n):
        v[...] = 0
        kernels.sweeps(key, counter, W, WT, b, c, v, h, n)

    assert surprise(from_zero, 50) > FALSE_ALARM
    assert surprise(from_zero, 1) < FALSE_ALARM, "one sweep is too few"


def half(key, counter, x, W, bias):
    z = x @ W
    twins.flip(key, counter, z, bias)
    return z


def both_layers_at_once(key, counter, W, WT, b, c, v, h, n):
    for i in range(n):
        v[:], h[:] = half(key, counter + u64(2**32 * i), h, WT, b), half(key, counter + u64(2**32 * i + 2**31), v, W, c)


def same_numbers_for_both_layers(key, counter, W, WT, b, c, v, h, n):
    for i in range(n):
        h[:] = half(key, counter + u64(2**32 * i), v, W, c)
        v[:] = half(key, counter + u64(2**32 * i), h, WT, b)


def same_numbers_for_every_sweep(key, counter, W, WT, b, c, v, h, n):
    for _ in range(n):
        kernels.sweeps(key, counter, W, WT, b, c, v, h, 1)


def another_chains_hidden_units(key, counter, W, WT, b, c, v, h, n):
    kernels.sweeps(key, counter, W, WT, b, c, v, h, n)
    h[:] = np.roll(h, 1, 0)


def visible_biases_forgotten(key, counter, W, WT, b, c, v, h, n):
    kernels.sweeps(key, counter, W, WT, np.zeros_like(b), c, v, h, n)


def one_bias_a_tenth_too_large(key, counter, W, WT, b, c, v, h, n):
    kernels.sweeps(key, counter, W, WT, b, c + np.array([0.1, 0, 0], f32), v, h, n)


def one_weight_missing_on_the_way_back(key, counter, W, WT, b, c, v, h, n):
    WT = WT.copy()
    WT[0, 0] = 0
    kernels.sweeps(key, counter, W, WT, b, c, v, h, n)


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
@pytest.mark.parametrize("wrong", [both_layers_at_once, same_numbers_for_both_layers, same_numbers_for_every_sweep,
                                   another_chains_hidden_units, visible_biases_forgotten, one_bias_a_tenth_too_large,
                                   one_weight_missing_on_the_way_back])
def test_wrong_chains_leave_the_enumerated_distribution(wrong):
    assert surprise(wrong, D=3, H=3) < FALSE_ALARM


@pytest.mark.parametrize("name", ["add_active_rows", "flip", "sweeps"])
def test_the_twin_has_the_same_signature(name):
    kernel = getattr(kernels, name)
    assert (list(inspect.signature(getattr(kernel, "py_func", kernel)).parameters)
            == list(inspect.signature(getattr(twins, name)).parameters))


def test_strangers_are_counted():
    x = np.array([[0, 1, 0.5], [np.nan, 1, np.inf]], np.float32)
    assert kernels.strangers(x) == twins.strangers(x) == 3
    assert kernels.strangers(np.eye(3, dtype=np.float32)) == 0
