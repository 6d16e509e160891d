"""Philox 2x32-10 against its published vectors; every kernel and its NumPy twin give the same bits, whatever the cut.

Statistical tests of what is drawn are in `test_randomness.py`, the Generator made of the kernels in `test_stream.py`.
"""

import inspect
import math
import platform
import re
import time

import numba
import numpy as np
import pytest

from minigen.kernels import random as kernels
from minigen.kernels import reference_random as twins
from minigen.kernels.jit import jit_exact
from minigen.kernels.math32 import sigmoid32

f32, u32, u64 = np.float32, np.uint32, np.uint64
JIT = not numba.config.DISABLE_JIT
MANY = 300_001 if JIT else 301  # interpreted loops are slow

VECTORS = [  # rounds, counter words, key, result: Random123, tests/kat_vectors
    (7, (0x00000000, 0x00000000), 0x00000000, (0x257A3673, 0xCD26BE2A)),
    (7, (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0xAB302C4D, 0x3DC9D239)),
    (7, (0x243F6A88, 0x85A308D3), 0x13198A2E, (0xBEDBBE6B, 0xE4C770B3)),
    (10, (0x00000000, 0x00000000), 0x00000000, (0xFF1DAE59, 0x6CD10DF2)),
    (10, (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
    (10, (0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
]
PLAIN = {"words": u32, "uniforms": f32, "uniforms64": float, "normals": f32, "normals64": float}
FUSED = ("bernoulli", "sigmoid_bernoulli")


def drawn(room, name, key, counter, n):
    """n numbers of a kernel that only draws."""
    out = np.full(n, 77, PLAIN[name])
    with np.errstate(over="ignore"):  # interpreted, NumPy warns where a counter wraps
        getattr(room, name)(u32(key), u64(counter), out)
    return out


@pytest.mark.parametrize("rounds, counter, key, result", VECTORS)
def test_the_published_vectors(rounds, counter, key, result):
    c = counter[0] | counter[1] << 32
    assert tuple(twins.blocks(key, c, 1, rounds)[0]) == result
    if rounds == 10:
        for room in (kernels, twins):
            assert tuple(drawn(room, "words", key, c, 2)) == result


@pytest.mark.parametrize("rounds", [6, 8, 9, 11])
def test_another_number_of_rounds_misses_every_vector(rounds):
    for _, counter, key, result in VECTORS:
        got = twins.blocks(key, counter[0] | counter[1] << 32, 1, rounds)[0]
        assert (got != result).all()


@pytest.mark.parametrize("counter", [0, 2**32 - 3, 2**64 - 3, 0x85A308D3_243F6A88])
@pytest.mark.parametrize("name", PLAIN)
def test_kernel_and_twin_give_the_same_bits(name, counter):
    for n in (0, 2, 8, MANY - 1) if name == "words" else (0, 1, 2, 7, MANY):
        assert drawn(kernels, name, 0x13198A2E, counter, n).tobytes() == drawn(twins, name, 0x13198A2E, counter,
                                                                               n).tobytes()


@pytest.mark.parametrize("n", [0, 1, 2, 9, 2050, 2051])
def test_draws_of_kernel_and_twin_have_the_same_bits(n):
    t, p = (scale * np.random.default_rng(n).standard_normal(n).astype(f32) for scale in (20, 1))
    for x in (t, p):
        x[:8] = np.array([np.nan, np.inf, -np.inf, 200, -200, 88, -87, 0], f32)[:n]
    results = []
    for room in (kernels, twins):
        lit, fired = t.copy(), np.full(n, 7, f32)
        with np.errstate(all="ignore"):
            room.sigmoid_bernoulli(u32(5), u64(9), lit)
            room.bernoulli(u32(5), u64(9), p, fired)
        assert np.array_equal(np.isnan(lit), np.isnan(t)) and np.array_equal(np.isnan(fired), np.isnan(p))
        results.append((lit.tobytes(), fired.tobytes()))
    assert results[0] == results[1]


def thresholds(t):
    """How many of the 2^24 uniforms light a unit of logit t, over 2^24: by bisection, as fewer do for larger u."""
    def loop(u, t, out):
        for i in range(t.size):
            out[i] = kernels.lights(u[i], t[i])

    lights, low, high = jit_exact(loop), np.zeros(t.size, int), np.full(t.size, 2**24)
    while (high > low).any():
        middle, out = (low + high) // 2, np.empty_like(t)
        with np.errstate(all="ignore"):
            lights((middle / 2**24).astype(f32), t, out)
        low, high = np.where(out == 1, middle + 1, low), np.where(out == 1, high, middle)
    return low / 2**24


def test_a_unit_lights_with_the_probability_of_its_logit():
    t = np.linspace(-20, 20, 4001 if JIT else 41).astype(f32)
    p = 1 / (1 + np.exp(-t.astype(float)))
    assert np.abs(thresholds(t) - p).max() < 1.1e-7
    assert np.abs(thresholds(t * f32(1.00001)) - p).max() > 1e-6, "the measure sees a logit one hundred-thousandth off"


def test_units_that_must_or_must_not_light():
    t = np.array([0, 18, 90, 1e30, np.inf, -89, -1e30, -np.inf], f32)
    assert np.array_equal(thresholds(t), [0.5, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("name", PLAIN)
def test_a_draw_in_pieces_is_the_draw_at_once(name):
    whole, step = drawn(kernels, name, 3, 2**32 - 5, 60), 1 if name.endswith("64") else 2
    for cuts in ([20], [2, 4, 58], [30, 32]):
        pieces = [drawn(kernels, name, 3, 2**32 - 5 + a // step, b - a) for a, b in zip([0, *cuts], [*cuts, 60])]
        assert np.concatenate(pieces).tobytes() == whole.tobytes()


def test_where_each_number_comes_from():
    w = twins.blocks(3, 2**64 - 4, 10).astype(u64)  # the counter wraps
    assert np.array_equal(w[4:], twins.blocks(3, 0, 6))
    u = drawn(kernels, "uniforms", 3, 2**64 - 4, 19)
    assert all(u[i] == int(w[i // 2, i % 2] >> u64(8)) / 2**24 for i in range(19))
    v = drawn(kernels, "uniforms64", 3, 2**64 - 4, 10)
    assert all(v[i] == (int(w[i, 0] >> u64(5)) * 2**26 + int(w[i, 1] >> u64(6))) / 2**53 for i in range(10))


def over_words(function, *words, dtype):
    """Two results of an inlined function of words, over arrays."""
    @jit_exact
    def loop(w, out):
        for i in range(out.shape[0]):
            out[i, 0], out[i, 1] = function(w[i, 0], w[i, 1])

    w = np.stack(words, axis=-1).astype(u32)
    out = np.empty((len(w), 2), dtype)
    loop(w, out)
    return out


def boxed(u, v):
    """Box and Muller in extended precision, v in turns."""
    radius, angle = np.sqrt(-2 * np.log(np.longdouble(u))), 8 * np.arctan(np.longdouble(1)) * v
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def test_the_error_of_normal_numbers():
    """float32: 6e-7 absolute, and 3 ulp of the radius; float64: 2e-15 absolute; for given uniform numbers."""
    w = twins.blocks(8, 0, MANY // 2 * 2)
    z = drawn(kernels, "normals", 8, 0, 2 * len(w)).reshape(-1, 2)
    u = (w[:, 0].astype(f32) * f32(2.0**-32) + f32(2.0**-33)).astype(np.longdouble)
    truth = boxed(u, w[:, 1] / np.longdouble(2**32))
    assert np.abs(z - truth).max() < 6e-7
    radius = np.hypot(truth[:, 0], truth[:, 1])[:, None]
    assert (np.abs(z - truth) <= 3 * np.spacing(radius.astype(f32))).all()
    z = drawn(kernels, "normals64", 8, 0, len(w)).reshape(-1, 2)
    w = w.reshape(-1, 4).astype(np.longdouble)
    u = np.floor(w[:, 0] / 32) / 2**27 + np.floor(w[:, 1] / 64) / 2**53 + np.longdouble(2)**-54
    u = u.astype(float).astype(np.longdouble)
    truth = boxed(u, w[:, 2] / 2**32 + np.floor(w[:, 3] / 2) / np.longdouble(2)**63)
    assert np.abs(z - truth).max() < 2e-15


def test_normal_numbers_from_the_words_at_the_ends():
    ends = np.array([0, 1, 2**29 - 1, 2**29, 2**30, 2**31 - 1, 2**31, 2**31 + 2**29, 2**32 - 2**29, 2**32 - 1], u64)
    a, b = (x.reshape(-1) for x in np.meshgrid(ends, ends))
    z = over_words(kernels.normal_pair, a, b, dtype=f32)
    truth = boxed((a.astype(f32) * f32(2.0**-32) + f32(2.0**-33)), b / np.longdouble(2**32))
    assert np.abs(z - truth).max() < 6e-7
    assert 0.998 * kernels.LARGEST_NORMAL < np.abs(z).max() <= kernels.LARGEST_NORMAL
    assert math.isclose(np.abs(z).max(), math.sqrt(66 * math.log(2)), rel_tol=1e-6)

    @jit_exact
    def loop(out):
        out[0], out[1] = kernels.normal_pair64(u32(0), u32(0), u32(0), u32(0))

    out = np.empty(2)
    loop(out)
    assert math.isclose(out[0], math.sqrt(108 * math.log(2)), rel_tol=1e-15) and out[0] <= kernels.LARGEST_NORMAL64


@pytest.mark.parametrize("room", [kernels, twins])
def test_a_probability_that_equals_its_uniform_does_not_fire(room):
    u = drawn(room, "uniforms", 4, 0, 1000)
    for p, fires in ((u, False), (np.nextafter(u, f32(2)), True), (np.zeros_like(u), False), (np.ones_like(u), True)):
        out = np.empty_like(u)
        room.bernoulli(u32(4), u64(0), p, out)
        assert (out == fires).all()


def test_every_kernel_has_a_twin_of_the_same_signature():
    for name in (*PLAIN, *FUSED):
        kernel = getattr(kernels, name)
        assert (list(inspect.signature(getattr(kernel, "py_func", kernel)).parameters)
                == list(inspect.signature(getattr(twins, name)).parameters))


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the names of the registers are those of x86")
@pytest.mark.parametrize("name", ["uniform_pairs", "normal_pairs", "bernoulli", "sigmoid_bernoulli"])
def test_the_loops_run_on_vector_registers_and_round_every_step(name):
    fresh, row = numba.njit(error_model="numpy")(getattr(kernels, name).py_func), np.empty(4, f32)
    fresh(u32(0), u64(0), *((row, row.copy()) if name == "bernoulli" else (row,)))
    (assembly,) = fresh.inspect_asm().values()
    for operation in ("pmuludq", "mulps"):
        assert re.search(rf"v?{operation}\s.*[xyz]mm", assembly), f"no {operation} on vectors"
    assert not re.search(r"vfn?m(add|sub)", assembly), "two operations rounded as one: other bits on another machine"
    assert not re.search(r"call.*\b(logf?|sinf?|cosf?|expf?)\b", assembly)


@pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
def test_fused_kernels_cost_what_their_parts_cost():
    """Vector code that is there but not entered shows in no listing, only on the clock: then 3 to 4 times the parts."""
    @jit_exact
    def sigmoids(x, out):
        for i in range(x.size):
            out[i] = sigmoid32(x[i])

    key, counter, z, out = u32(1), u64(2), np.linspace(-4, 4, 50_000, dtype=f32), np.empty(50_000, f32)
    calls = {
        "uniforms": lambda: kernels.uniforms(key, counter, out),
        "sigmoids": lambda: sigmoids(z, out),
        "bernoulli": lambda: kernels.bernoulli(key, counter, z, out),
        "sigmoid_bernoulli": lambda: kernels.sigmoid_bernoulli(key, counter, z),
    }
    best = dict.fromkeys(calls, math.inf)
    for _ in range(40):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    parts = best["uniforms"] + best["sigmoids"]
    assert best["bernoulli"] < 2 * best["uniforms"]
    assert best["sigmoid_bernoulli"] < 1.5 * parts
