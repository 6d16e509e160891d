"""Each kernel against its NumPy twin, in both precisions, and what the machine made of it."""

import inspect
import platform
import re

import numba
import numpy as np
import pytest

from minigen.kernels import optimisers, reference
from minigen.kernels.jit import FAST_MATH

CASES = [
    ("sgd", 0, (0.1,)),
    ("momentum", 1, (0.1, 0.9, False)),
    ("momentum", 1, (0.1, 0.9, True)),
    ("rmsprop", 1, (0.01, 0.99, 1e-8)),
    ("adam", 2, (0.01, 0.9, 0.999, 1e-8, 1.0)),
    ("adam", 2, (0.01, 0.9, 0.999, 1e-8, 0.99)),
    ("adamax", 2, (0.01, 0.9, 0.999, 1e-8)),
    ("average", 0, (0.9,)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 7, 1001])
@pytest.mark.parametrize("name, moments, numbers", CASES)
def test_kernel_equals_its_twin_up_to_a_few_roundings(name, moments, numbers, size, dtype):
    rng = np.random.default_rng(size)
    p, g = rng.normal(size=size).astype(dtype), rng.normal(size=size).astype(dtype)
    state = [rng.uniform(1, 2, size).astype(dtype) for _ in range(moments)]  # not near 0, where sqrt(v) divides
    ours, theirs = ([a.copy() for a in (p, g, *state)] for _ in range(2))
    for _ in range(3):
        getattr(optimisers, name)(*ours, *numbers)
        getattr(reference, name)(*theirs, *numbers)
    for a, b in zip(ours, theirs):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    assert np.array_equal(ours[1], g), "a gradient is only read"


@pytest.mark.parametrize("name, moments, numbers", CASES)
def test_nan_comes_out_where_nan_went_in(name, moments, numbers):
    p, g, *state = (np.ones(20, np.float32) for _ in range(2 + moments))
    g[13] = np.nan
    getattr(optimisers, name)(p, g, *state, *numbers)
    assert np.array_equal(np.isnan(p), np.isnan(g))


def test_every_kernel_has_a_twin_of_the_same_signature():
    names = [name for name, f in vars(optimisers).items() if hasattr(f, "py_func")] or list({c[0] for c in CASES})
    assert sorted(set(names)) == sorted({c[0] for c in CASES})
    for name in names:
        kernel = getattr(optimisers, name)
        ours = inspect.signature(getattr(kernel, "py_func", kernel))
        assert list(ours.parameters) == list(inspect.signature(getattr(reference, name)).parameters)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the names of the registers are those of x86")
@pytest.mark.parametrize("name, moments, numbers", CASES)
def test_the_loop_runs_on_vector_registers(name, moments, numbers):
    fresh = numba.njit(fastmath=FAST_MATH, error_model="numpy")(getattr(optimisers, name).py_func)
    fresh(*(np.ones(4, np.float32) for _ in range(2 + moments)), *numbers)
    (assembly,) = fresh.inspect_asm().values()
    assert re.search(r"v?(mul|fn?madd\d+)ps\s.*[xyz]mm", assembly), f"{name}: no packed arithmetic in the loop"
