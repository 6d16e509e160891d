"""Arrays of every kind and layout go in, results of every form come out: a replay answers what the function answers."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff.containers import leaves
from minigen.record import Program, record
from minigen.record.tracing import trace

R = np.random.default_rng(0)
A, B = R.normal(size=(4, 6)), R.normal(size=(4, 6))
BAD = A[:, :4].copy()
BAD[1, 2], BAD[0, 0], BAD[3, 3] = np.nan, np.inf, -np.inf
INDICES = np.array([2, 0])
interpreted = pytest.mark.usefixtures("interpreted_loops")


def check(function, *calls, tolerance=1e-13, programs=1):
    """Each call twice: the same nest, shapes, types and numbers, within tolerance of the largest finite number."""
    recorded = record(function)
    for args in [*calls, *calls]:
        with np.errstate(all="ignore"):
            expected, found = function(*args), recorded(*args)
        assert type(found) is type(expected) or not isinstance(found, list | tuple | dict)
        for a, b in zip(leaves(found), map(np.asarray, leaves(expected)), strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype
            finite = np.abs(b[np.isfinite(b)]).max(initial=0)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * finite)
    assert len(recorded.programs) == programs
    return recorded


def both(x):
    return np.exp(x).sum(0) + x.max(1).sum(), (x * 2 + 1).T


@interpreted
def test_a_new_shape_or_precision_records_anew():
    single = A.astype(np.float32)
    recorded = check(both, (A,), (A[:2],), (single,), (B,), tolerance=1e-6, programs=3)
    assert recorded.program(A) is recorded.program(B) is not recorded.program(single)


LAYOUTS = {
    "as it is": lambda x: x,
    "columns first": np.asfortranarray,
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "with gaps": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "a view": lambda x: np.concatenate([x, x])[4:],
    "unaligned": lambda x: np.frombuffer(b"1" + x.tobytes(), offset=1).reshape(x.shape),
}


@interpreted
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_arguments(layout):
    check(both, (LAYOUTS[layout](A),), (B,))
    check(both, (B,), (LAYOUTS[layout](A),))


@interpreted
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_constants(layout):
    k = LAYOUTS[layout](A)
    check(lambda x: (x * k + k.T.sum(), (x + k).sum(0), x @ k.T, (k * x).T, np.concatenate([k, x]), k, k[1:]),
          (A,), (B,))


@interpreted
def test_a_constant_that_is_stretched():
    k = np.broadcast_to(A[:, :1], A.shape)
    check(lambda x: (x * k, k, (k * k).sum(1), k.max(0) + x), (A,), (B,))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_rows():
    check(lambda x: (x * 2, x.sum(0), np.exp(x).mean(), x @ np.ones((6, 2)), np.exp(x).sum(1), x.T @ x), (A[:0],))
    check(lambda x: (np.exp(x) * 2).sum(1), (A[:, :0],))
    check(lambda x: (x + A[:0, ::2], (x * A[:0, ::2]).sum(0)), (A[:0, :3],))


@interpreted
@pytest.mark.parametrize("function, calls", [
    (lambda x, y: (x * y, np.exp(x) - y, x * A, x.sum(), x.max(keepdims=True)), [(2.0, 3.0), (1.0, 5.0)]),
    (lambda x: (x * 2, x.sum(), x.sum(0), x.max(1), np.exp(x)), [(A[:1, :1],), (B[:1, :1],)]),
    (lambda x, y: (x * y, (x * y).sum(0), (x + y).sum(-1, keepdims=True), x.sum(1)),
     [(A[:1], A[:, :1]), (B[:1], B[:, :1])]),
    (lambda x, y: ((x[:, None] * y[None]).sum((0, 2)), (x[:, None] - y[None]).max(1)), [(A, B), (B, A)]),
    (lambda x: (x[None, :, None] + x[:, None, :, None, None]).sum((0, 3)), [(A[:2, :2],), (B[:2, :2],)]),
], ids=["no axes", "one number", "axes of length 1", "stretched", "stretched in many axes"])
def test_shapes(function, calls):
    check(function, *(tuple(np.asarray(x) for x in call) for call in calls))


@interpreted
def test_the_same_array_twice_is_two_arguments():
    check(lambda x, y: (x * y, x - y, x + 1, y + 1), (A, A), (A, B), (B, A))


@interpreted
def test_types():
    check(lambda x: (x * 2, x.sum(), x / 2, x @ x.T, x.mean(0)), (np.arange(6).reshape(2, 3),),
          (np.eye(2, 3, dtype=int),))
    check(lambda x: (x & ~x, np.where(x, 1.0, 2.0), x.sum(), x.any(), x.all(0), x.mean()), (A > 0,), (B > 0,))
    check(lambda x: ((x > 0) * x, (x > 0) + (x < 1), (x > 0).sum(0), -(x > 0).astype(float), (x > 0) == (x < 0.5)),
          (A,), (B,))
    check(lambda x: (x / 255.0, x + 1, x.astype(np.float32)), (np.arange(6, dtype=np.uint8),))
    check(lambda x: (x * 2, abs(x), x.sum()), (A + 1j * B,), (B + 1j * A,))
    check(lambda x, y: (x * y, x + 1, y * np.float32(3), (x * y).sum(), x @ y.T, x * np.float64(2.1)),
          (A.astype(np.float32), B), (B.astype(np.float32), A))


@interpreted
def test_equal_numbers_of_two_kinds_are_two_operations():
    check(lambda x: (x * 2.0, x * np.float64(2), x * 2, 1 / (x * 0.0), 1 / (x * -0.0), x == 1, x == True),  # noqa: E712
          (A.astype(np.float32),), (B.astype(np.float32),))
    check(lambda x: (x * 2, x * 2.0, x + True, x + 1.0, x.sum(0), x.sum(-1), x[0]), (np.arange(6).reshape(2, 3),))


@interpreted
def test_numbers_that_are_none():
    check(lambda x: (x.max(), x.min(), x.sum(), x.max(0), x.min(1), np.maximum(x, 0), np.minimum(0, x), np.sign(x),
                     np.isnan(x), np.isfinite(x), np.where(np.isnan(x), 0, x), np.sqrt(x), x != x, x == x, x > 0,
                     np.sign(x * 0), 1 / (x * 0), -(x * 0), np.clip(x, -1, 1)), (BAD,), (BAD.T,), (A[:, :4],))
    check(lambda x: (np.exp(x), np.tanh(x), np.log(x), np.log1p(x), np.expm1(x), np.abs(x), x.max(0), x**2, x**0.5),
          (BAD.astype(np.float32),), (BAD.T.astype(np.float32),), tolerance=3e-7)


OPERATIONS = {
    "views": lambda x: (x[1], x[:, 1], x[1:3, ::2], x[..., None], x[-1, -2], x.T[1:].T, x.reshape(6, 4)[1:].T, x[::2]),
    "backwards": lambda x: (x[::-1], np.exp(x[::-1]) * x[:, ::-1], np.flip(x, 0)),
    "gathered": lambda x: (x[INDICES], x[:, [0, 1]], x[[0, 1], [1, 2]], np.take(x, INDICES, axis=1),
                           x[np.argsort(x[:, 0])]),
    "reshaped after a transpose": lambda x: ((x * 2).T + 1).reshape(4, 6) * (x + 1).T.reshape(-1)[:6],
    "seen in three shapes": lambda x: (lambda y: (y.ravel() * 2, y.T.ravel() * 3, y.T.reshape(2, 12)))(x + 1),
    "powers": lambda x: (x**2, x**3, np.abs(x) ** 0.5, 2**x, x**-1, x**0, x**1),
    "clipped": lambda x: (x.clip(-1, 1), np.clip(x, 0, None), np.clip(x, None, 0)),
    "means": lambda x: (x.mean(), x.mean(0), x.mean((0, 1)), x.mean(-1, keepdims=True), (x > 0).mean(), np.std(x, 0)),
    "reduced": lambda x: (np.add.reduce(x, 1), np.add.reduce(x), np.prod(x, axis=1), np.all(x > 0, axis=0),
                          np.any(x > 0), np.maximum.reduce(x, 0), np.sum(x, 0), x.sum((0, 1), keepdims=True),
                          np.add.reduce(x, axis=None)),
    "joined": lambda x: (np.concatenate([x, x * 2], 1), np.concatenate([x * 2, x], axis=-1), np.hstack([x, x[:, :1]]),
                         np.concatenate([x * 2, x * 3], axis=None), np.stack([x, x * 2]),
                         np.concatenate([x[:1], x[:1] + 1], 1)),
    "joined and joined again": lambda x: np.concatenate([np.concatenate([x * 2, x + 1]), x]).sum(0),
    "joined with itself and a constant": lambda x: (lambda y: np.concatenate([y, y, np.ones((1, 6)), y[:2]]))(x * 2),
    "joined in two precisions": lambda x: np.concatenate([x, x.astype(np.float32)]),
    "joined, and read in parts": lambda x: (lambda y: (y, y.T, y[:4] * 2, y.sum()))(np.concatenate([np.exp(x), x + 1])),
    "products": lambda x: (x @ x[0], x[0] @ x.T, x[0] @ x[1], np.dot(x, x[1]), x.dot(x.T), x.T @ x, (x.T @ x).T + 1),
    "products of stacks": lambda x: (lambda y: (y @ np.swapaxes(y, 1, 2), y @ x[:3], np.swapaxes(y, 1, 2) @ y,
                                                y @ x[:3, 0]))(x.reshape(2, 4, 3)),
    "dot of stacks": lambda x: (lambda y: (np.dot(y, y), np.dot(x[:2, :2], y)))(x[:2, :4].reshape(2, 2, 2)),
    "products side by side": lambda x: np.concatenate([x @ x.T, x], axis=1),
    "linear algebra": lambda x: (np.linalg.inv(x @ x.T), *np.linalg.slogdet(x @ x.T), np.linalg.norm(x, axis=1)),
    "whole functions": lambda x: (np.tril(x), np.outer(x[0], x[1]), np.cumsum(x, 0), np.sort(x, 0), np.median(x),
                                  np.pad(x, 1), np.roll(x, 1, 0), np.tile(x, 2), np.einsum("ij,kj->ik", x, x),
                                  *np.split(x, 2), *np.modf(x)),
    "joined, and one part waits for the other": lambda x: np.concatenate(
        [x * 2 + 1, (lambda K: np.tanh(x @ K @ K @ K @ K))(np.eye(6) + 0.1) * 3]) @ np.ones((6, 6)),
    "nearly nothing": lambda x: x * 1 + 0,
    "views by any function": lambda x: (np.einsum("ij->ji", x) * 2, np.einsum("ii->i", x[:4, :4]) + 1, np.atleast_3d(x),
                                        np.lib.stride_tricks.sliding_window_view(x, 2, axis=1) * 2 + 1,
                                        [y * 2 for y in np.split(x[:, ::2], 2)], np.real(x * 1j) + 1),
    "reshaped in the other order": lambda x: (np.reshape(x.T * 1, (3, 8), order="F"), np.reshape(x, -1, order="F"),
                                              np.reshape((x * 1).T, (3, 8))),
    "methods of ufuncs": lambda x: (np.add.accumulate(x, axis=1), np.multiply.outer(x[0], x[1]), x.prod(0),
                                    x.max(axis=-1, initial=-np.inf), x.min(0, initial=-0.5), np.divmod(x, 2)),
    "answers that lie backwards": lambda x: (lambda y: (y.reshape(-1) * 2, y.T.reshape(-1) + 1, y + x))(
        ad.recordable.whole(lambda x, scratch: (x * 2)[::-1, ::-1], x)),
    "a padded part read by others": lambda x: (lambda g: (g[:2].sum() + g, np.exp(x[:2] * 2) * 3))(
        ad.index_add(x, slice(2), np.exp(x[:2] * 2))),
}


@interpreted
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name):
    check(OPERATIONS[name], (A,), (B,))


@interpreted
@pytest.mark.parametrize("first, second", [
    (slice(3), slice(3, None)), (slice(3), slice(4, None)), (slice(4), slice(2, None)),
    (slice(None, None, 2), slice(1, 2)), (1, slice(2, None)), (slice(None), 0),
], ids=["beside each other", "a gap", "overlapping", "interleaved", "a row and rows", "all and one"])
def test_gradients_of_parts_are_put_together(first, second):
    check(ad.grad(lambda w: ad.sum(ad.exp(w[first])) + ad.sum(w[second] ** 2)), (A.T.copy(),), (B.T.copy(),))
    check(ad.grad(lambda w: ad.sum(ad.exp(w[:, first])) * ad.sum(w[:, second] ** 2)), (A,), (B,))


@interpreted
def test_gradients_of_single_numbers_and_stretched_parts():
    check(ad.grad(lambda w: ad.exp(w[2]) + w[3] ** 2 + ad.sum(w[..., :1] * 3)), (A[0].copy(),), (B[1].copy(),))
    check(lambda x: (ad.index_add(x, slice(1, 3), ad.sum(x * 2, axis=0)), ad.index_add(x, True, x * 2)), (A,), (B,))
    check(ad.grad(lambda x: ad.sum(ad.max_pool2d(x, 2) ** 2) + ad.sum(ad.avg_pool2d(x, 2) ** 3)),
          (A.reshape(1, 1, 4, 6),), (B.reshape(1, 1, 4, 6),))


@interpreted
def test_a_padded_part_that_is_itself_a_result():
    def halves(x):
        upper, lower = ad.grad(lambda w: ad.sum(w[:2] ** 2))(x), ad.grad(lambda w: ad.sum(w[2:] ** 3))(x)
        return upper + lower, upper

    check(halves, (A,), (B,))


@interpreted
def test_an_index_that_is_an_argument():
    check(lambda x, i: (x[i], x[i, 0], np.take(x, i, axis=0), np.take(x, i, axis=1)), (A, INDICES), (B, INDICES[::-1]))
    check(lambda x, i: x[i], (A, np.array(1)), (A, np.array(3)))
    check(lambda x, i: ad.grad(lambda w: ad.sum(w[i] ** 2))(x), (A, np.array([2, 0, 2])), (B, np.array([1, 3, 3])))


# ------------------------------------------------------------------------------------------------------ results


@interpreted
@pytest.mark.parametrize("function", [
    lambda x: {"a": x * 2, "b": [x + 1, (x - 1,)], "c": None},
    lambda x: x, lambda x: (x.T, x[1:], x.reshape(-1), x[::-1], x[:, ::2]),
    lambda x: (lambda y: (y, y, y.T, y[1]))(np.exp(x)),
    lambda x: (np.ones(3), 2.0, np.float32(3), A, A[::-1], x + 1), lambda x: (), lambda x: [x.sum(), x.sum()],
], ids=["nest", "argument", "views of the argument", "one given twice", "constants", "nothing", "a number twice"])
def test_forms_of_results(function):
    check(function, (A,), (B,))


@interpreted
def test_a_result_is_computed_where_it_is_wanted_and_its_views_are_of_that_place():
    def both_ways(x):
        y = x.T * 2  # NumPy keeps the order of the axes of x; the place has the usual one
        return y, y.T.reshape(-1) * 3, x * 2

    traced = trace(both_ways, (A,))
    places = [np.zeros((6, 4)), np.zeros((4, 6)), np.zeros((4, 6), np.float32)]
    y, _, z = traced.results
    program = Program(traced, [(y, places[0]), (z, places[1]), (z, places[2])])
    for x in (A, B):
        results = program.run([x], [])
        for found, expected in zip([*results, *places], [*both_ways(x), x.T * 2, x * 2, (x * 2).astype(np.float32)]):
            np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.shares_memory(program.array(z), places[1])
    traced, place = trace(lambda x: (y := x[:2] * 2, ad.index_add(x * 0, slice(2), y)), (A,)), np.zeros((2, 6))
    program = Program(traced, [(traced.results[0], place)])
    for x in (A, B):
        part, whole = program.run([x], [])
        assert np.array_equal(place, x[:2] * 2) and np.array_equal(whole, np.concatenate([place, 0 * x[:2]]))


@interpreted
def test_one_convolution_asked_for_twice_is_computed_once():
    images, kernel = A.reshape(1, 1, 4, 6), B[:3, :3].reshape(1, 1, 3, 3)
    recorded = check(lambda x, w: (ad.conv2d(x, w) + 1, ad.conv2d(x, w) * 2, ad.conv2d(x * 2, w)),
                     (images, kernel), (images * 2, kernel))
    assert [v.name for v in recorded.program(images, kernel).values].count("conv2d") == 2


@interpreted
def test_results_are_read_only_and_overwritten_by_the_next_call():
    recorded = record(lambda x, y: (x * 2, x, y[1:], A, x.sum()))
    first = recorded(A, B)
    for result in first:
        assert not result.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            result[...] = 0
    x = A.copy()
    before = [result.copy() for result in first]
    second = recorded(B, x)
    assert all(a is b for a, b in zip(first, second)) and not np.array_equal(first[0], before[0])
    assert not np.shares_memory(first[1], B) and A.flags.writeable
    x[...] = 0
    assert np.array_equal(second[2], A[1:])  # a result that is an argument is a copy of it


@interpreted
def test_a_result_survives_what_is_computed_after_it():
    def late(x):
        early = np.exp(x)
        for _ in range(6):
            x = np.tanh(x @ np.eye(6)) + x.sum(0)
        return early, x

    check(late, (A,), (B,))


# ---------------------------------------------------------------------------------------------------- arguments


@interpreted
def test_nests_are_told_apart():
    check(lambda d: d["x"] - d["y"], ({"x": A, "y": B},), ({"y": A, "x": B},), programs=2)
    check(lambda d: d[0] * (2 if isinstance(d, list) else 3), ([A],), ((A,),), programs=2)
    check(lambda x, y: x * 2 if y is None else y * 3, (A, None), (None, A), programs=2)
    check(lambda x, y: x[0] - y[0] + x[-1], ([A, B], [A]), ([A], [B, A]), programs=2)


@interpreted
def test_other_arguments_are_part_of_the_program():
    check(lambda x, n: x * n, (A, 2), (B, 3), (B, 2), programs=2)
    check(lambda x, n: x * (2 if n is True else 3), (A, True), (A, 1), programs=2)
    check(lambda x, n: x // n if isinstance(n, int) else x / n, (A, 2), (A, 2.0), programs=2)
    check(lambda x, n: x / (n or np.copysign(1, n)), (A, 0.0), (A, -0.0), programs=2)
    check(lambda x, n: x * n, (A, np.float64(2)), (A, np.float32(2)), programs=2)
    check(lambda x, name: x * 2 if name == "a" else x, (A, "a"), (A, "b"), programs=2)
    check(lambda x, dtype: x.astype(dtype), (A, np.float32), (A, np.float64), programs=2)


# ------------------------------------------------------------------------------------------------------ compiled


def test_long_sums_in_float32():
    """The error of a sum of n numbers in float32 grows as that of NumPy's, not as n."""
    x = R.random((3, 100_000), dtype=np.float32) + np.float32(0.1)
    recorded = record(lambda x: ((x * x).sum(), (x * x).sum(1), x.mean(1)))
    exact = x.astype(np.float64)
    for found, truth in zip(recorded(x), ((exact**2).sum(), (exact**2).sum(1), exact.mean(1))):
        assert np.abs(found - truth).max() <= 3e-6 * np.abs(truth).max()
    x = R.random((1025, 2), dtype=np.float32)
    np.testing.assert_allclose(record(lambda x: (x + 1).sum(0))(x), (x.astype(float) + 1).sum(0), rtol=1e-6)
    x = R.random(4_000_000, dtype=np.float32) + np.float32(0.1)
    np.testing.assert_allclose(record(lambda x: (x * x).sum())(x), (x.astype(float) ** 2).sum(), rtol=3e-6)
    for n in (1023, 1024, 1025, 2048, 2049):
        x = np.arange(n, dtype=np.float64)
        assert record(lambda x: (x + 0).sum())(x) == n * (n - 1) / 2 and record(lambda x: (x + 0).max())(x) == n - 1


def test_compiled_loops_with_every_kind_of_layout():
    k = LAYOUTS["backwards"](A)
    step = check(lambda x, y: (np.tanh(x * k + y.T.sum(1)[:6]).sum(0), (x + k).max(1),
                               np.concatenate([x * 2, y])[::2].T, x > y), (A, B), (np.asfortranarray(B), A))
    assert step.program(A, B).loops


def test_compiled_numbers_that_are_none():
    with np.errstate(all="ignore"):
        check(lambda x: (x.max(0), x.min(1), x.sum(), np.maximum(x, 0), np.sign(x), np.isnan(x), np.isfinite(x),
                         np.exp(x)), (BAD.astype(np.float32),), (BAD.T.astype(np.float32),), tolerance=3e-7)
