"""log Z in Gray code order against sums over both sides, closed forms, the other side, and softplus by softplus."""

import inspect
import itertools
import math

import numba
import numpy as np
import pytest

from minigen.kernels import gray
from minigen.kernels import reference_gray as twin

JIT = not numba.config.DISABLE_JIT
UNITS = 20 if JIT else 9  # interpreted loops are slow


def drawn(D, H, scale=1.0, seed=0):
    rng = np.random.default_rng([seed, D, H])
    return scale * rng.normal(size=(D, H)), rng.normal(size=D) - 1, rng.normal(size=H)


def by_twin(W, b, c):
    return twin.log_sum(W, b, c, 0, 1 << max(c.size - 7, 0))


def check(found, exact, tol=1e-12):
    assert abs(found - exact) <= tol * max(1.0, abs(exact)), f"{found} for {exact}: off by {found - exact:.1e}"


@pytest.mark.parametrize("D, H", [(1, 1), (3, 2), (2, 5), (7, 4)])
def test_equals_the_sum_over_both_sides(D, H):
    W, b, c = drawn(D, H)
    sides = itertools.product(itertools.product((0, 1), repeat=D), itertools.product((0, 1), repeat=H))
    Z = math.fsum(math.exp(np.dot(np.dot(v, W), h) + np.dot(b, v) + np.dot(c, h)) for v, h in sides)
    check(gray.log_partition(W, b, c), math.log(Z), 1e-14)


@pytest.mark.parametrize("scale", [0.3, 1, 5])
@pytest.mark.parametrize("D, H", [(1, 9), (8, 7), (9, 8), (50, 10), (784, 9)])
def test_equals_softplus_by_softplus(D, H, scale):
    W, b, c = drawn(D, H, scale)
    check(gray.log_partition(W, b, c), by_twin(W, b, c), 1e-13)


@pytest.mark.parametrize("scale", [0.3, 2])
def test_a_million_states_equal_the_sum_over_the_other_side(scale):
    W, b, c = drawn(11, UNITS, scale)
    check(gray.log_partition(W, b, c), by_twin(W.T, c, b), 1e-13)


@pytest.mark.parametrize("scale", [0.1, 1, 4])
def test_a_million_states_equal_the_closed_form_of_units_with_one_partner_each(scale):
    """Z = prod_j [prod_i (1 + e^{b_i}) + e^{c_j} prod_i (1 + e^{b_i + W_ij})] over the visible units i of j"""
    rng, owner = np.random.default_rng(1), np.arange(10 * UNITS) % UNITS
    w, b, c = scale * rng.normal(size=owner.size), rng.normal(size=owner.size), 3 * rng.normal(size=UNITS)
    off, on = (np.bincount(owner, np.logaddexp(0, t)) for t in (b, b + w))
    check(gray.log_partition(w[:, None] * (owner[:, None] == np.arange(UNITS)), b, c), np.logaddexp(off, c + on).sum(),
          1e-13)


def test_any_floating_type_and_any_order_of_memory():
    W, b, c = (np.float32(x) for x in drawn(9, 8))
    check(gray.log_partition(np.asfortranarray(W), b, c), by_twin(*(x.astype(float) for x in (W, b, c))))


@pytest.mark.parametrize("shift", [-1e6, -700, -50, 50, 700, 1e6])
def test_hidden_biases_of_any_size(shift):
    W, b, c = drawn(5, 8)
    for at in (0, 7, slice(None)):
        moved = c.copy()
        moved[at] += shift
        check(gray.log_partition(W, b, moved), by_twin(W, b, moved))


@pytest.mark.parametrize("size", [60, 90, 300, 1e4, 1e300])
@pytest.mark.parametrize("H", [3, 9])
def test_weights_and_visible_biases_of_any_size(size, H):
    for sign in (1, -1):
        W, b, c = drawn(20, H)
        W[3] = sign * size / H
        check(gray.log_partition(W, b, c), by_twin(W, b, c))
        b[5] = sign * size
        b[3] = -sign * size
        check(gray.log_partition(W, b, c), by_twin(W, b, c))


@pytest.mark.parametrize("size", [10, 25, 60, 150])
def test_large_weights_of_both_signs(size):
    W, b, c = drawn(24, 9)
    W += size * (-1) ** np.arange(9)  # little in all, but much for the states that choose
    check(gray.log_partition(W, b, c), by_twin(W, b, c))


def test_large_units_are_spread_so_that_the_fast_way_can_be_gone(monkeypatch):
    W, b, c = drawn(64, 8, 0.01)
    W[8:16] += 250 / 8  # a neighbourhood of large ones: 250 each, eight of them 2000
    exact = by_twin(W, b, c)
    monkeypatch.setattr(gray.reference_gray, "log_sum", None)
    check(gray.log_partition(W, b, c), exact)


@pytest.mark.parametrize("first, last", [(0, 8), (3, 4), (5, 8), (1, 7)])
def test_ranges_of_blocks_equal_the_twin(first, last):
    W, b, c = drawn(16, 10)
    check(gray.log_sum(W, b, c, first, last), twin.log_sum(W, b, c, first, last), 1e-13)


def test_blocks_are_all_states_once():
    """With W = 0 and b = -inf a range is a sum of exp(c'h): powers of 2 tell every state apart."""
    c = np.log(2.0) * 2.0 ** np.arange(-3, 7)
    for room in (gray, twin):
        parts = [room.log_sum(np.zeros((8, 10)), np.full(8, -np.inf), c, k, k + 1) for k in range(8)]
        assert len({round(part, 6) for part in parts}) == 8
        check(np.logaddexp.reduce(parts), np.logaddexp(0, c).sum())


def test_the_caller_hears_how_far_it_is_and_can_stop(monkeypatch):
    monkeypatch.setattr(gray, "PIECE", 3)
    W, b, c, heard = *drawn(4, 10), []
    check(gray.log_partition(W, b, c, lambda *news: heard.append(news)), by_twin(W, b, c))
    assert heard == [(384, 1024), (768, 1024), (1024, 1024)]

    def stop(done, states):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gray.log_partition(W, b, c, stop)


def test_errors_say_what_came():
    W, b, c = drawn(4, 3)
    with pytest.raises(ValueError, match=r"shapes \(3, 4\), \(4,\), \(3,\); expected \(D, H\)"):
        gray.log_partition(W.T, b, c)
    for i, name in enumerate("Wbc"):
        for bad in (np.nan, np.inf, -np.inf):
            parameters = [W.copy(), b.copy(), c.copy()]
            parameters[i].flat[1] = bad
            with pytest.raises(ValueError, match=f"{name} has entries that are not finite"):
                gray.log_partition(*parameters)


def test_the_twin_has_the_same_signature():
    assert inspect.signature(gray.log_sum) == inspect.signature(twin.log_sum)
