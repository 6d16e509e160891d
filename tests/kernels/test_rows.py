"""Log-sum-exp and log-softmax by rows: kernels against NumPy and float64, at the edges, and in the engine's rules."""

import inspect
import platform
import re

import numba
import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn
from minigen.autodiff.rules import RULES
from minigen.kernels import reference_rows, rows
from minigen.kernels.jit import FAST_MATH

f32, INF, NAN = np.float32, np.inf, np.nan
TWINS = [name for name, f in vars(reference_rows).items() if inspect.isfunction(f)]
COMPILED = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")

EDGES = [  # a row, its logsumexp
    ([0, 1, 2], np.log(np.exp([0.0, 1, 2]).sum())),
    ([-INF, -INF, -INF], -INF), ([-INF, 0, -INF], 0), ([INF, 0, -INF], INF), ([INF, INF, INF], INF),
    ([NAN, 0, 1], NAN), ([-NAN, 0, 1], NAN), ([0, 1, NAN], NAN), ([NAN, INF, 0], NAN), ([-NAN, INF, 0], NAN),
    ([-NAN, -INF, -INF], NAN), ([-NAN, -NAN, -NAN], NAN),
    ([1e4, 1e4, 0], 1e4 + np.log(2)), ([-1e4, -1e4, -2e4], -1e4 + np.log(2)), ([3e38, 3e38, -INF], 3e38),
    ([-0.0, 0.0, -INF], np.log(2)), ([1e-45, 0, 0], np.log(3)), ([0, -1e5, -1e5], 0),
]


def run(room, name, *arrays):
    """The result of a kernel or of its twin, which stands in its last argument."""
    with np.errstate(all="ignore"):  # interpreted, and in NumPy, where compiled code does not warn
        getattr(room, name)(*arrays)
    return arrays[-1]


def arguments(name, n, m):
    rng = np.random.default_rng(n * 1000 + m)
    x = (4 * rng.standard_normal((n, m))).astype(f32)
    y = run(reference_rows, "logsumexp", x, np.empty(n, f32))
    return {"logsumexp": (x, np.empty(n, f32)), "log_softmax": (x, np.empty_like(x)),
            "logsumexp_cotangent": (rng.standard_normal(n).astype(f32), y, x, np.empty_like(x)),
            "log_softmax_cotangent": (rng.standard_normal((n, m)).astype(f32), x - y[:, None], np.empty_like(x))}[name]


@pytest.mark.parametrize("shape", [(7, 33), (1, 1), (3, 0), (0, 4), (5, 300)])
@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_equals_its_twin_to_a_few_roundings(name, shape):
    ours, theirs = arguments(name, *shape), arguments(name, *shape)
    np.testing.assert_allclose(run(rows, name, *ours), run(reference_rows, name, *theirs), rtol=3e-6, atol=3e-6)
    for a, b in zip(ours[:-1], theirs[:-1]):
        assert a.tobytes() == b.tobytes(), "arguments are only read"


def test_every_kernel_has_a_twin_of_the_same_signature():
    assert sorted(TWINS) == ["log_softmax", "log_softmax_cotangent", "logsumexp", "logsumexp_cotangent"]
    for name in TWINS:
        kernel = getattr(rows, name)
        assert (list(inspect.signature(getattr(kernel, "py_func", kernel)).parameters)
                == list(inspect.signature(getattr(reference_rows, name)).parameters))


@pytest.mark.parametrize("room", [rows, reference_rows])
@pytest.mark.parametrize("row, truth", EDGES)
def test_the_edges(room, row, truth):
    x = np.array([[0, 0, 0], row, [1, 2, 3]], f32)  # neighbours, which must not notice
    y = run(room, "logsumexp", x, np.empty(3, f32))
    np.testing.assert_allclose(y, [np.log(3), truth, np.log(np.exp([1.0, 2, 3]).sum())], rtol=4e-7)
    got = run(room, "log_softmax", x, np.empty_like(x))[1]
    t = x[1].astype(float) - (x[1].max() if np.isfinite(truth) else np.nan)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(got, t - np.log(np.exp(t).sum()), rtol=4e-7)


@pytest.mark.parametrize("room", [rows, reference_rows])
def test_cotangents_at_the_edges(room):
    x = np.array([[-INF, -INF], [-INF, 0], [1e4, 0], [NAN, 0], [INF, 0]], f32)
    y = np.array([-INF, 0, 1e4, NAN, INF], f32)
    d = run(room, "logsumexp_cotangent", np.full(5, 2, f32), y, x, np.empty_like(x))
    np.testing.assert_array_equal(d, [[0, 0], [0, 2], [2, 0], [NAN, NAN], [NAN, 0]])


def test_errors_against_float64():
    """4 ulp of the larger of 1 and |y| in rows of up to 1000 (100 where nothing is compiled: one sum, not many)"""
    rng = np.random.default_rng(0)
    for m, scale in ((2, 1), (10, 30), (100 if numba.config.DISABLE_JIT else 1000, 10), (50, 1000)):
        x = (scale * rng.standard_normal((50, m))).astype(f32)
        truth = np.logaddexp.reduce(x.astype(np.float64), axis=1)
        got = run(rows, "logsumexp", x, np.empty(50, f32))
        assert (np.abs(got - truth) <= 4 * np.spacing(np.maximum(1, np.abs(truth)).astype(f32))).all()
        got = run(rows, "log_softmax", x, np.empty_like(x))
        truth = x - truth[:, None]
        assert (np.abs(got - truth) <= 4 * np.spacing(np.maximum(1, np.abs(truth)).astype(f32))).all()


@COMPILED
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the names of the registers are those of x86")
@pytest.mark.parametrize("name", TWINS)
def test_the_loops_run_on_vector_registers(name):
    fresh = numba.njit(fastmath=FAST_MATH, error_model="numpy")(getattr(rows, name).py_func)
    fresh(*arguments(name, 2, 5))
    (assembly,) = fresh.inspect_asm().values()
    assert re.search(r"v?(mul|fn?madd\d+)ps\s.*[xyz]mm\d+, %[xyz]mm", assembly)
    if not name.endswith("cotangent"):
        assert re.search(r"v?pmaxsd\s.*[xyz]mm", assembly), "the largest of a row is not found by vector instructions"


@pytest.fixture
def served(monkeypatch):
    """The names of the kernels that ran, in the engine with kernels."""
    table, names = {}, []
    monkeypatch.setattr("minigen.autodiff.fast.FAST", table)
    nn.use_kernels()
    for name in TWINS if table else ():
        table[name] = lambda *arrays, name=name, kernel=table[name]: (names.append(name), kernel(*arrays))[1]
    return names


def gradient(f, x):
    x = ad.Tensor(x, requires_grad=True)
    weights = np.cos(np.arange(f(x).size)).reshape(f(x).shape).astype(x.dtype)
    ad.sum(f(x) * weights).backward()
    return x.grad


CASES = [
    (lambda x: ad.logsumexp(x, axis=-1), (5, 7), "logsumexp"),
    (lambda x: ad.logsumexp(x, axis=2), (2, 3, 4), "logsumexp"),
    (lambda x: ad.logsumexp(x, axis=(1,), keepdims=True), (5, 7), "logsumexp"),
    (lambda x: ad.logsumexp(x), (6,), "logsumexp"),
    (lambda x: ad.log_softmax(x), (5, 7), "log_softmax"),
    (lambda x: ad.log_softmax(x, axis=2), (2, 3, 4), "log_softmax"),
]


@COMPILED
@pytest.mark.parametrize("f, shape, name", CASES)
def test_rules_are_served_and_agree_with_float64(served, f, shape, name):
    x = 3 * np.random.default_rng(0).standard_normal(shape).astype(f32)
    y, d = f(x), gradient(f, x)
    assert set(served) == {name, f"{name}_cotangent"} and y.dtype == d.dtype == f32
    assert y.shape == f(x.astype(float)).shape and d.shape == shape
    np.testing.assert_allclose(y, f(x.astype(float)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(d, gradient(f, x.astype(float)), rtol=2e-6, atol=2e-6)


@COMPILED
@pytest.mark.parametrize("f, x", [
    (lambda x: ad.logsumexp(x, axis=0), np.ones((3, 4), f32)),
    (lambda x: ad.log_softmax(x, axis=0), np.ones((3, 4), f32)),
    (lambda x: ad.logsumexp(x), np.ones((3, 4), f32)),
    (lambda x: ad.logsumexp(x, axis=(0, 1)), np.ones((3, 4), f32)),
    (lambda x: ad.logsumexp(x, axis=1), np.ones((3, 4))),
])
def test_what_does_not_suit_a_kernel_goes_through_numpy(served, f, x):
    gradient(f, x)
    assert not served


@COMPILED
@pytest.mark.parametrize("f", [ad.logsumexp, ad.log_softmax])
def test_gradients_of_gradients_under_kernels(served, f):
    x = np.random.default_rng(0).standard_normal(4).astype(f32)

    def square(x):
        return ad.sum(f(x, axis=-1) ** 2)

    np.testing.assert_allclose(ad.hessian(square)(x), ad.hessian(square)(x.astype(float)), rtol=1e-5, atol=1e-5)
    assert f.__name__ in served


@COMPILED
def test_an_array_that_is_not_contiguous_goes_through_numpy(served):
    ad.log_softmax(np.ones((4, 3), f32).T, axis=1)
    assert not served


@COMPILED
@pytest.mark.parametrize("f", [ad.logsumexp, ad.log_softmax])
def test_a_cotangent_of_another_kind_goes_through_numpy(served, f):
    x = np.ones((3, 4), f32)
    y = f(x, axis=1)
    served.clear()
    for g in (np.ones(y.shape), ad.Tensor(np.ones(y.shape, f32))):
        RULES[f.__name__].vjps[0](g, y, x, axis=1)
    assert not served


def test_an_axis_that_is_not_there_is_refused_with_kernels_too(served):
    for f in (ad.logsumexp, ad.log_softmax):
        with pytest.raises(np.exceptions.AxisError):
            f(np.ones((2, 3), f32), axis=3)


@pytest.mark.parametrize("dtype", [f32, float])
def test_a_nan_spoils_the_gradient_of_its_whole_row(served, dtype):
    x = np.array([[0, np.nan], [0, 0]], dtype)
    np.testing.assert_array_equal(gradient(lambda x: ad.logsumexp(x, axis=1), x)[0], [NAN, NAN])
