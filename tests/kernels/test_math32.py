"""The float32 polynomials against float64, in ulp over their whole range, and the fused kernels against their twins."""

import inspect

import numba
import numpy as np
import pytest

from minigen.kernels import fused, math32, reference_fused
from minigen.kernels.jit import FAST_MATH, jit

f32 = np.float32
MANY = 2001 if numba.config.DISABLE_JIT else 400_001  # interpreted loops are slow
RANGE = np.concatenate([np.linspace(-86.9, 87.9, MANY), np.geomspace(1e-30, 80, MANY // 20),
                        -np.geomspace(1e-30, 80, MANY // 20)]).astype(f32)
TRUTH = {
    "exp32": (np.exp, 5), "tanh32": (np.tanh, 2), "sigmoid32": (lambda x: np.exp(-np.logaddexp(0, -x)), 6),
}


def over(function):
    """A loop over an array, as kernels use the functions."""
    @jit
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return loop


def applied(function, x):
    out = np.empty_like(x)
    with np.errstate(all="ignore"):  # interpreted, NumPy would warn where compiled code does not
        over(function)(x, out)
    return out


def ulps(got, truth):
    """Distance in units in the last place of the truth."""
    unit = np.spacing(np.maximum(np.abs(truth).astype(f32), np.finfo(f32).tiny)).astype(np.float64)
    return np.abs(got.astype(np.float64) - truth) / unit


@pytest.mark.parametrize("name", TRUTH)
def test_error_in_ulp_over_the_whole_range(name):
    truth, limit = TRUTH[name]
    x = RANGE[np.abs(RANGE) < 87] if name == "sigmoid32" else RANGE
    assert ulps(applied(getattr(math32, name), x), truth(x.astype(np.float64))).max() <= limit


BITS = np.arange(0, 2**32, 2_000_003 if numba.config.DISABLE_JIT else 4001, dtype=np.uint64).astype(np.uint32).view(f32)
"""Every sign and exponent: subnormal numbers, infinities and nan among them."""
WHOLE = {  # truth, limit in ulp where a result is normal, and below that limit the absolute error
    "exp32": (np.exp, 5, 1.65e-38), "tanh32": (np.tanh, 2, 0), "sigmoid32": (TRUTH["sigmoid32"][0], 6, 6.1e-39),
    "softplus32": (lambda x: np.logaddexp(0, x), 4, 2e-7),
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_exponent(name):
    truth, limit, absolute = WHOLE[name]
    got = applied(getattr(math32, name), BITS)
    with np.errstate(over="ignore", invalid="ignore"):  # some of the nan are signalling ones
        x = BITS.astype(np.float64)
        right = truth(x)
    assert np.array_equal(np.isnan(got), np.isnan(BITS))
    above = (x > 88) if name == "exp32" else x == np.inf if name == "softplus32" else np.zeros(len(x), bool)
    assert (got[above] == np.inf).all() and np.isfinite(got[~above & ~np.isnan(x)]).all()
    rest = ~above & ~np.isnan(x)
    error = np.abs(got[rest] - right[rest])
    assert ((ulps(got[rest], right[rest]) <= limit) | (error <= absolute)).all()
    if name != "softplus32":  # nothing but results below the smallest normal number, or just above it, may use that
        assert ulps(got[rest], right[rest])[np.abs(right[rest]) > 1.7e-38].max() <= limit


def test_subnormal_numbers_are_not_lost():
    x = np.array([1e-45, -1e-45, 1e-39, -1e-39, 1.17e-38, 0.0], f32)
    assert np.array_equal(applied(math32.tanh32, x), x)
    assert (applied(math32.exp32, x) == 1).all() and (applied(math32.sigmoid32, x) == 0.5).all()
    np.testing.assert_allclose(applied(math32.softplus32, x), np.log(2), rtol=1e-7)


def test_log_over_its_whole_domain():
    """2 ulp for every positive normal number, near 1 too, where log x is small."""
    x = np.concatenate([BITS[np.isfinite(BITS) & (BITS >= np.finfo(f32).tiny)], [np.finfo(f32).tiny, np.finfo(f32).max],
                        1 + np.geomspace(6e-8, 0.5, 500), 1 - np.geomspace(6e-8, 0.5, 500)]).astype(f32)
    assert ulps(applied(math32.log32, x), np.log(x.astype(np.float64))).max() <= 2


def test_the_ulp_measure_sees_a_wrong_constant():
    wrong = applied(math32.exp32, RANGE) * f32(1 + 2e-6)
    assert ulps(wrong, np.exp(RANGE.astype(np.float64))).max() > 10


def test_log_over_normal_numbers():
    x = np.geomspace(1.2e-38, 3e38, MANY).astype(f32)
    truth = np.log(x.astype(np.float64))
    assert ulps(applied(math32.log32, x), truth)[np.abs(truth) > 1e-6].max() <= 2


def test_softplus_is_right_to_its_stated_error():
    got, truth = applied(math32.softplus32, RANGE).astype(np.float64), np.logaddexp(0, RANGE.astype(np.float64))
    assert (np.abs(got - truth) <= np.maximum(2e-7, 4 * np.spacing(truth.astype(f32)))).all()


@pytest.mark.parametrize("name", ["exp32", "tanh32", "sigmoid32", "softplus32"])
def test_the_ends_of_the_line(name):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0], f32)
    with np.errstate(over="ignore", invalid="ignore"):
        truth = {"exp32": np.exp, "tanh32": np.tanh, "sigmoid32": lambda v: 1 / (1 + np.exp(-v)),
                 "softplus32": lambda v: np.logaddexp(0, v)}[name](x.astype(np.float64)).astype(f32)
    np.testing.assert_allclose(applied(getattr(math32, name), x), truth, rtol=1e-6)


def arguments(name, rng):
    """Arrays by the names of the kernel's parameters."""
    n, m = 7, 33
    made = {"z": rng.standard_normal((n, m)), "b": rng.standard_normal(m), "g": rng.standard_normal((n, m)),
            "y": np.tanh(rng.standard_normal((n, m))), "t": 5 * rng.standard_normal((n, m)),
            "x": (rng.random((n, m)) < 0.5), "d": np.zeros((n, m)), "p": np.zeros((n, m)),
            "db": np.zeros(m), "out": np.zeros(n), "rows": np.zeros((n, m)), "dc": np.ones(m), "weight": np.array(0.3)}
    if name == "bernoulli_cotangent":
        made["g"] = rng.standard_normal(n)
    if name == "rbm_phase":  # more hidden units than a logarithm is taken of
        made |= {"t": 5 * rng.standard_normal((n, 500)), "p": np.zeros((n, 500)), "dc": np.ones(500)}
    return [made[p].astype(f32)[()] for p in inspect.signature(getattr(reference_fused, name)).parameters]


TWINS = [name for name, f in vars(reference_fused).items() if inspect.isfunction(f)]


@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_equals_its_twin(name):
    ours, theirs = arguments(name, np.random.default_rng(0)), arguments(name, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        given = getattr(fused, name)(*ours)
    expected = getattr(reference_fused, name)(*theirs)
    assert given is expected or given == pytest.approx(expected, rel=1e-6)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=3e-6, atol=3e-6)


def test_every_kernel_has_a_twin():
    assert len(TWINS) >= 6
    assert all(hasattr(fused, name) for name in TWINS)


@pytest.mark.parametrize("name", ["bias_tanh", "bernoulli_logits"])
def test_a_nan_comes_out_where_one_went_in(name):
    made = arguments(name, np.random.default_rng(0))
    made[0][2, 3] = np.nan
    with np.errstate(all="ignore"):
        getattr(fused, name)(*made)
    assert np.isnan(made[0][2, 3] if name == "bias_tanh" else made[-1][2])


@pytest.mark.parametrize("logit, total", [(np.nan, np.nan), (np.inf, np.inf), (1e4, 5e6), (-1e4, 0)])
def test_a_phase_sums_free_energies_of_any_size(logit, total):
    x, t, _, rows, p, db, dc = arguments("rbm_phase", np.random.default_rng(0))
    t[...] = 0
    t[3] = logit
    with np.errstate(all="ignore"):
        found = fused.rbm_phase(x, t, f32(0.5), rows, p, db, dc)
    assert found == pytest.approx(6 * 500 * np.log(2) + total, nan_ok=True)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
def test_the_loops_are_vector_instructions():
    kernel = numba.njit(fastmath=FAST_MATH, error_model="numpy")(fused.bernoulli_cotangent.py_func)
    kernel(*arguments("bernoulli_cotangent", np.random.default_rng(0)))
    assembly = "".join(kernel.inspect_asm().values())
    assert any(register in assembly for register in ("ymm", "zmm", ".4s"))
