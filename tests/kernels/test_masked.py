"""Masked nets: the kernels against D plain passes made from the definition of the masks, and what must be rejected."""

import inspect
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.kernels import masked, masked_activations, masked_density, masked_sampling, reference_masked
from minigen.kernels.masked_activations import CODES

MODULES = {m.__name__.rpartition(".")[2]: m for m in (masked, masked_density, masked_sampling)}
ORDERS = {"natural": lambda d, rng: np.arange(d), "reversed": lambda d, rng: np.arange(d)[::-1],
          "permuted": lambda d, rng: rng.permutation(d)}


def raw_net(d, hidden, *, order="permuted", activation="relu", dtype=np.float64, seed=0):
    """(weights, biases, degrees, order, activation): any degrees within 0..d-1, weights before they are masked."""
    rng = np.random.default_rng([seed, d, *hidden])
    sizes = [d, *hidden, 2 * d]
    weights = [rng.normal(size=(n, m)) / np.sqrt(n) for n, m in zip(sizes, sizes[1:])]
    weights[-1][:, 1::2] *= 0.3
    biases = [0.3 * rng.normal(size=m) for m in sizes[1:]]
    degrees = [rng.integers(0, d, m) for m in hidden]
    return ([W.astype(dtype) for W in weights], [b.astype(dtype) for b in biases], degrees, ORDERS[order](d, rng),
            activation)


def conditionals(raw, x):
    """(mu, alpha) from the definition: every weight times its mask, as `below <= unit` and `below < output` say."""
    weights, biases, degrees, order, activation = raw
    inputs = np.argsort(order) + 1
    h, below = x, inputs
    for W, b, m in zip(weights, biases, degrees):
        h = reference_masked.FUNCTIONS[activation](h @ (W * (below[:, None] <= m)) + b)
        below = m
    y = h @ (weights[-1] * (below[:, None] < np.repeat(inputs, 2))) + biases[-1]
    return y[:, 0::2], y[:, 1::2]


def by_passes(raw, z):
    """x and log-det by d passes from x = 0."""
    x = np.zeros_like(z)
    for _ in range(z.shape[1]):
        mu, alpha = conditionals(raw, x)
        x = z * np.exp(alpha) + mu
    return x, alpha.sum(1)


def check_close(found, exact, tol):
    """Largest difference within tol of the largest value (at least 1)."""
    assert found.shape == exact.shape and found.dtype == exact.dtype
    error = np.abs(found - exact).max() / max(1, np.abs(exact).max())
    assert error <= tol, f"off by {error:.1e} of the largest value"


def check_net(raw, n, tol=1e-12, kernels=masked, seed=1):
    """Samples are those of d passes, the density is that of one, and each undoes the other."""
    z = np.random.default_rng(seed).normal(size=(n, len(raw[3]))).astype(raw[0][0].dtype)
    net = kernels.prepare(*raw)
    x, log_det = kernels.sample(net, z)
    exact, exact_log_det = by_passes(raw, z)
    check_close(x, exact, tol)
    check_close(log_det, exact_log_det, tol)
    mu, alpha = conditionals(raw, x)
    found, log_det = kernels.density(net, x)
    check_close(found, (x - mu) * np.exp(-alpha), tol)
    check_close(log_det, -alpha.sum(1), tol)
    check_close(found, z, 10 * tol)


BATCHES = [1, 2, 9, 10, 15, 16, 17, 100]
DEPTHS = [(), (19,), (90, 7), (20, 61, 33)]


@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
@pytest.mark.parametrize("n", BATCHES)
def test_equals_the_plain_passes(n, hidden):
    for order in ORDERS:
        check_net(raw_net(67, hidden, order=order), n)  # several pieces of the order in both directions


@pytest.mark.parametrize("d, hidden, n", [(1, (), 3), (1, (4,), 20), (2, (5, 3), 40), (3, (200,), 5), (130, (1, 1), 16),
                                          (40, (30, 30), 1000), (6, (10, 10), 10_000)])
def test_equals_the_plain_passes_at_the_edges(d, hidden, n):
    check_net(raw_net(d, hidden), n)


@pytest.mark.parametrize("activation", CODES)
@pytest.mark.parametrize("n", [3, 33])
def test_every_activation(activation, n):
    check_net(raw_net(9, (14, 11), activation=activation), n)
    check_net(raw_net(9, (14, 11), activation=activation, dtype=np.float32), n, tol=1e-6)


@pytest.mark.parametrize("n", [4, 100])
def test_float32_samples_are_those_of_plain_passes_to_a_millionth(n):
    raw = raw_net(150, (256, 200), dtype=np.float32)
    z = np.random.default_rng(0).normal(size=(n, 150)).astype(np.float32)
    net = masked.prepare(*raw)
    x = masked.sample(net, z)[0]
    check_close(x, by_passes(raw, z)[0], 1e-6)
    assert np.abs(masked.density(net, x)[0] - z).max() <= 1e-5


def test_the_dense_twins_are_the_plain_passes():
    dense = SimpleNamespace(prepare=masked.prepare, sample=reference_masked.sample, density=reference_masked.density)
    for hidden in DEPTHS:
        check_net(raw_net(13, hidden, activation="tanh"), 4, kernels=dense)


def test_threads_do_not_share_their_room():
    net = masked.prepare(*raw_net(60, (80, 80)))
    noise = [np.random.default_rng(seed).normal(size=(40, 60)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda z: [masked.sample(net, z)[0] for _ in range(10)], noise))
    for z, many in zip(noise, found):
        assert all(np.array_equal(x, masked.sample(net, z)[0]) for x in many)


def test_no_output_sees_what_comes_after_it():
    raw = raw_net(50, (70, 40))
    net, order = masked.prepare(*raw), raw[3]
    x = np.random.default_rng(0).normal(size=(20, 50))
    z = masked.density(net, x)[0]
    seen = np.zeros((50, 50), bool)
    for i, j in enumerate(order):
        moved = x.copy()
        moved[:, j] += 1.0
        changed = (masked.density(net, moved)[0] != z).any(axis=0)[order]
        assert not changed[:i].any(), "not one bit of an earlier output changes"
        seen[:, i] = changed
    assert seen[np.tri(50, dtype=bool)].mean() > 0.9, "the rest does depend"


def test_the_record_keeps_the_weights_it_was_made_from():
    raw = raw_net(5, (8,))
    net = masked.prepare(*raw)
    z = np.random.default_rng(0).normal(size=(4, 5))
    before = masked.sample(net, z)[0]
    for array in (*raw[0], *raw[1], *raw[2], raw[3]):
        array[...] = 0
    assert np.array_equal(masked.sample(net, z)[0], before)
    with pytest.raises(ValueError, match="read-only"):
        net.W[0] = 1


@pytest.mark.parametrize("n", [3, 40])
def test_a_row_that_is_nan_stays_alone(n):
    net = masked.prepare(*raw_net(20, (30,), dtype=np.float32))
    x = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
    x[1, net.order[0]] = np.nan
    for f in (masked.density, masked.sample):
        y, log_det = f(net, x)
        assert np.isnan(y).any(axis=1).nonzero()[0].tolist() == np.isnan(log_det).nonzero()[0].tolist() == [1]


def test_no_rows_and_other_layouts():
    net = masked.prepare(*raw_net(20, (30,)))
    x = np.random.default_rng(0).normal(size=(18, 20))
    for f in (masked.density, masked.sample):
        assert [part.shape for part in f(net, x[:0])] == [(0, 20), (0,)]
        for other in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
            assert np.array_equal(f(net, other)[0], f(net, x)[0])


def bad(**changes):
    parts = dict(zip(("weights", "biases", "degrees", "order", "activation"), raw_net(4, (6,))))
    parts |= changes
    return lambda: masked.prepare(**parts)


GOOD = raw_net(4, (6,))
ERRORS = {
    "order": (bad(order=[0, 1, 1, 3]), "order is .*expected a permutation of 0..3"),
    "activation": (bad(activation="cosine"), "activation is 'cosine'; expected None or one of relu"),
    "degree": (bad(degrees=[np.full(6, 4)]), r"degrees\[0\] is .*within 0..3"),
    "degrees that are no integers": (bad(degrees=[np.ones(6)]), r"degrees\[0\]"),
    "shape": (bad(biases=GOOD[1][:1]), "expected"),
    "two precisions": (bad(biases=[b.astype(np.float32) for b in GOOD[1]]), "float32, float64; expected all"),
    "width": (lambda: masked.sample(masked.prepare(*GOOD), np.ones((3, 5))),
              r"z has shape \(3, 5\); expected \(batch, 4\)"),
    "no batch": (lambda: masked.density(masked.prepare(*GOOD), np.ones(4)), r"x has shape \(4,\)"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_name_the_argument(error):
    call, told = ERRORS[error]
    with pytest.raises(ValueError, match=told):
        call()


# ---------------------------------------------------------------------------------------------------------- twins


def arrays(dtype, *shapes):
    rng = np.random.default_rng(0)
    return [np.ascontiguousarray(rng.normal(size=shape), dtype) for shape in shapes]


TWINS = {
    "bias_activate": lambda t: (*arrays(t, (5, 33), 5), CODES["tanh"]),
    "standardise": lambda t: (*arrays(t, (10, 33), 10, (5, 33), (5, 33), 33),),
    "add_combination": lambda t: (*arrays(t, (20, 33)), 2, *arrays(t, 40), 9, 6, 11),
    "draw_affine": lambda t: (*arrays(t, (7, 33), (7, 33)), 1, 4, *arrays(t, 33)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TWINS)
def test_kernel_equals_its_twin_up_to_a_few_roundings(name, dtype):
    kernel = getattr(masked_density, name, None) or getattr(masked_sampling, name)
    ours, theirs = TWINS[name](dtype), TWINS[name](dtype)
    kernel(*ours)
    getattr(reference_masked, name)(*theirs)
    tol = 40 * np.finfo(dtype).eps
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", ["sample_block", "sample_rows"])
def test_sampling_kernel_equals_its_twin(name):
    net = masked.prepare(*raw_net(23, (31, 12)))
    results = []
    for module in (masked_sampling, reference_masked):
        S, Z, log_det = arrays(np.float64, (net.rows[-1], 18), (23, 18), 18)
        tables = net.first, net.rows, net.at, CODES["relu"]
        if name == "sample_rows":
            S, Z = np.ascontiguousarray(S.T), np.ascontiguousarray(Z.T)
            module.sample_rows(S, Z, log_det, net.W, net.b, *tables)
        else:
            module.sample_block(S, Z, log_det, net.W, *tables, 5, 19)
        results.append((S, log_det))
    for a, b in zip(*results):
        check_close(a, b, 1e-12)


@pytest.mark.parametrize("dtype, tol", [(np.float32, 4e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("activation", [name for name in CODES if name])
def test_activations_are_those_of_layers(activation, dtype, tol):
    y = np.concatenate([np.linspace(-20, 20, 4001), [0, -80, 80, 1e-6, -1e-6]]).astype(dtype)
    exact = ad.value(ad.linear(y[:, None], np.eye(1, dtype=dtype), None, activation))[:, 0].copy()
    masked_activations.activate(y, CODES[activation])
    assert np.all(np.abs(y - exact) <= tol * (1 + np.abs(exact)))
    one = np.array([np.nan], dtype)
    masked_activations.activate(one, CODES[activation])
    assert np.isnan(one[0])


def test_every_kernel_has_a_twin_of_the_same_signature():
    names = {"activate", "dot", "sample_block", "sample_rows", *TWINS}
    modules = masked_activations, masked_density, masked_sampling
    for module in modules:
        own = {n for n, f in vars(module).items() if hasattr(f, "py_func") and f.__module__ == module.__name__}
        assert own <= names, "a kernel that no test knows"
    for name in names:
        kernel = next(getattr(module, name) for module in modules if hasattr(module, name))
        ours = inspect.signature(getattr(kernel, "py_func", kernel))
        assert list(ours.parameters) == list(inspect.signature(getattr(reference_masked, name)).parameters)


def test_runs_interpreted():
    code = ("import numpy as np\nfrom test_masked import check_net, raw_net\nfor n in (2, 17):\n"
            "    check_net(raw_net(18, (7, 9), activation='tanh'), n)\n    "
            "check_net(raw_net(18, (7, 9), activation='tanh', dtype=np.float32), n, 1e-6)")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, check=True)


# ---------------------------------------------------------------------------------------------------------- slips


def interpreted(name="", old="", new=""):
    """The modules read from their sources, uncompiled, cutting into small pieces, with one change in one of them."""
    found = {}
    for module in ("masked_density", "masked_sampling", "masked"):
        text = Path(MODULES[module].__file__).read_text().replace("from .jit import jit\n", "jit = lambda f: f\n")
        text = text.replace("UNITS = 64 ", "UNITS = 8 ").replace("LEAST = 16 ", "LEAST = 4 ")
        if module == name:
            assert old in text
            text = text.replace(old, new)
        space = {"__name__": f"minigen.kernels.{module}", "__package__": "minigen.kernels"}
        exec(compile(text, module, "exec", dont_inherit=True), space)
        for other in found.values():  # what it imported, in the form read here
            space |= {key: f for key, f in other.items() if key in space and callable(f) and key[0] != "_"}
        found[module] = space
    return SimpleNamespace(**{key: found["masked"][key] for key in ("prepare", "sample", "density")})


SLIPS = {
    "strict masks between hidden layers": ("masked", "steps[l] + (l > 0)", "steps[l]"),
    "an input sees itself": ("masked", "steps[l] + (l > 0)", "steps[l] + 1"),
    "degree off by one": ("masked", "np.searchsorted(steps[-1], first[0])",
                          "np.searchsorted(steps[-1], first[0], 'right')"),
    "masks forgotten": ("masked", "row[seen:] = 0", "pass"),
    "block boundary skipped": ("masked", "if j0 < j1 and k0 < k1:", "if j0 < j1 and 0 < k0 < k1:"),
    "block of later steps begins too late": ("masked", "net.first[l, [middle, d1]]", "net.first[l, [middle + 1, d1]]"),
    "product replaces what earlier blocks gave": ("masked", "np.add(H, np.matmul(W, S[below], out=T[:len(H)]), out=H)",
                                                  "np.matmul(W, S[below], out=H)"),
    "a density block does not see itself": ("masked", "net.first[l - 1, d1]\n", "net.first[l - 1, d0]\n"),
    "outputs left in the natural order": ("masked", "(2 * order[:, None]", "(2 * np.arange(d)[:, None]"),
    "order applied in place of its inverse": ("masked", "x[:, net.order] = S[:net.d].T",
                                              "x[...] = S[:net.d].T[:, net.order]"),
    "noise in the natural order": ("masked", "Z[...] = z[:, net.order].T", "Z[...] = z.T"),
    "data in the natural order": ("masked", "S[:net.d] = x[:, net.order].T", "S[:net.d] = x.T"),
    "biases not sorted with their units": ("masked", "[b[s] for b, s", "[b for b, s"),
    "a unit finished one step early": ("masked_sampling", "d if l == 1 else d + 1]", "d]"),
    "units of the block's first steps not added": ("masked_sampling", "range(0, fours, 4)", "range(4, fours, 4)"),
    "last terms of a sum left out": ("masked_sampling", "range(fours, m)", "range(fours + 1, m)"),
    "no activation": ("masked_sampling", "if l < last:", "if l < last - 1:"),
    "activated outputs": ("masked_sampling", "if l < last:", "if l <= last:"),
    "sign of alpha in sampling": ("masked_sampling", "* exponential(S[j + 1, s])", "* exponential(-S[j + 1, s])"),
    "sign of alpha row by row": ("masked_sampling", "exponential(S[s, j + 1])", "exponential(-S[s, j + 1])"),
    "sign of the log-det of sampling": ("masked_sampling", "log_det[s] += S[j + 1, s]", "log_det[s] -= S[j + 1, s]"),
    "mu and alpha exchanged": ("masked_sampling", "S[j + 1, s]) + S[j, s]", "S[j, s]) + S[j + 1, s]"),
    "sign of alpha in the density": ("masked_density", "exponential(-alpha[s] - a)", "exponential(alpha[s] + a)"),
    "sign of the log-det of the density": ("masked_density", "log_det[s] -= ", "log_det[s] += "),
    "bias of alpha forgotten": ("masked_density", "log_det[s] -= alpha[s] + a", "log_det[s] -= alpha[s]"),
}


def check_small_cases(kernels):
    for hidden, n in itertools.product([(), (9, 14)], [3, 17]):
        check_net(raw_net(13, hidden), n, kernels=kernels)


def test_the_interpreted_kernels_are_right():
    check_small_cases(interpreted())


@pytest.mark.parametrize("slip", SLIPS)
def test_the_definition_rejects(slip):
    kernels = interpreted(*SLIPS[slip])
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        check_small_cases(kernels)
