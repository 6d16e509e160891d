"""x[key] for every kind of key, and its adjoint, against NumPy's own indexing and np.add.at."""

import numpy as np
import pytest

from minigen import autodiff as ad

SHAPE = (4, 5, 3)
X = np.random.default_rng(0).normal(size=SHAPE)
ROWS = np.array([True, False, True, True])

KEYS = {
    "int": 0,
    "negative int": -1,
    "numpy int": np.int64(2),
    "slice": slice(1, 3),
    "backwards": slice(None, None, -1),
    "two slices": (slice(1, 3), slice(None, None, -2)),
    "newaxis": None,
    "ellipsis": (Ellipsis, 0),
    "ellipsis and newaxis": (0, Ellipsis, None, 1),
    "nothing": (),
    "to a scalar": (1, 2, 0),
    "empty slice": slice(2, 2),
    "list": [2, 0, 3, -2, 0],
    "empty list": [],
    "tuple in a tuple": ((0, 0, 1),),
    "array of two axes": np.array([[0, -4], [3, 3]]),
    "array of no axis": np.array(1),
    "second axis": (slice(None), [4, 0, 3, 0, -1]),
    "last axis, a permutation": (slice(None), slice(None), np.array([2, 0, 1])),
    "ellipsis, then array": (Ellipsis, [2, 0, 2]),
    "ellipsis, then int": (Ellipsis, [1, 0], 1),
    "cut slice, then array": (slice(1, 3), [0, 0, 4]),
    "two arrays": ([0, 0, 1], [1, 1, 4]),
    "two arrays apart": ([0, 0, 1], slice(None), [1, 1, 2]),
    "arrays that broadcast": ([[0], [1]], [1, 1, 3]),
    "int and array": (0, [1, 1, 2]),
    "newaxis and array": (None, [1, 1]),
    "mask": X > 0,
    "mask of the first axis": ROWS,
    "mask of the second axis": (slice(None), X[0, :, 0] > 0),
    "mask as list": ([True, False, True, False], 0),
    "mask and array": (ROWS, [0, 0, 1]),
    "empty mask": X > 100,
}


def arrays(key):
    """The key as NumPy wants it."""
    return tuple(np.array(k) if isinstance(k, tuple) else k for k in key) if isinstance(key, tuple) else key


def added(shape, key, g):
    """The adjoint of reading at key, number by number."""
    out = np.zeros(shape)
    np.add.at(out, key, g)
    return out


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_getitem_and_its_adjoint(key):
    y, pullback = ad.vjp(lambda x: x[key], X)
    assert np.array_equal(y, X[arrays(key)])
    g = np.random.default_rng(1).normal(size=y.shape)
    assert np.allclose(pullback(g)[0], added(SHAPE, arrays(key), g), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_second_order(key):
    """The Hessian of sum w x[key]^2 times v is 2 w v[key], added back at key."""
    w = np.random.default_rng(1).normal(size=X[arrays(key)].shape)
    v = np.random.default_rng(2).normal(size=SHAPE)
    ours = ad.hvp(lambda x: ad.sum(w * x[key] ** 2))(X, v)
    assert np.allclose(ours, added(SHAPE, arrays(key), 2 * w * v[arrays(key)]), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_index_add(key):
    read = X[arrays(key)]
    add = np.random.default_rng(1).normal(size=read.shape)
    y, pullback = ad.vjp(lambda x, a: ad.index_add(x, key, a), X, add)
    assert np.allclose(y, X + added(SHAPE, arrays(key), add), rtol=1e-14, atol=1e-14)
    g = np.random.default_rng(2).normal(size=SHAPE)
    assert all(np.array_equal(a, b) for a, b in zip(pullback(g), (g, g[arrays(key)])))
    assert np.allclose(ad.index_add(X, key, 1.5), X + added(SHAPE, arrays(key), 1.5))
    one = ad.grad(lambda a: ad.sum(ad.index_add(X, key, a) * g))(np.ones((1,) * read.ndim))
    assert np.allclose(one, g[arrays(key)].sum()), "a value that is broadcast collects the cotangents"


def test_tensors_as_keys():
    rows, mask = ad.Tensor(np.array([0, 0, 2])), ad.Tensor(ROWS)
    for key, plain in ((rows, rows.data), ((slice(None), rows), (slice(None), rows.data)), (mask, ROWS)):
        x = ad.Tensor(X, requires_grad=True)
        y = x[key]
        y.sum().backward()
        assert np.array_equal(y.data, X[plain]) and np.array_equal(x.grad, added(SHAPE, plain, 1.0))


def test_float32_stays_float32():
    x = ad.Tensor(X, requires_grad=True, dtype=np.float32)
    for key in ([0, 0, 1], ([0, 0], [1, 1]), slice(1, 3), X > 0):
        y = ad.index_add(x, key, 1.0)
        y[key].sum().backward()
        assert y.dtype == x.grad.dtype == np.float32


def test_arrays_in_a_key_cannot_change_while_the_tape_holds_them():
    x, rows = ad.Tensor(X, requires_grad=True), np.array([0, 0, 1])
    y = x[:, rows].sum()
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 2
    y.backward()
    rows[0] = 2
    assert np.array_equal(x.grad, added(SHAPE, (slice(None), [0, 0, 1]), 1.0))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_take_along_axis(axis):
    order = np.argsort(X, axis=axis)
    y, pullback = ad.vjp(lambda x: ad.take_along_axis(x, order, axis), X)
    assert np.array_equal(y, np.sort(X, axis=axis))
    assert np.array_equal(np.take_along_axis(pullback(y)[0], order, axis), y)


def test_take_along_axis_repeats_broadcasts_and_refuses():
    indices = np.random.default_rng(0).integers(-5, 5, (1, 7, 3))
    y, pullback = ad.vjp(lambda x: ad.take_along_axis(x, indices, 1), X)
    assert np.array_equal(y, np.take_along_axis(X, np.broadcast_to(indices, (4, 7, 3)), 1))
    counts = np.stack([np.bincount(column % 5, minlength=5) for column in indices[0].T], axis=1)
    assert np.array_equal(pullback(np.ones(y.shape))[0], np.broadcast_to(counts, SHAPE))
    with pytest.raises(ValueError, match=r"take_along_axis: indices has shape \(2,\); expected 3 axes"):
        ad.take_along_axis(X, [0, 1], 1)
    with pytest.raises(np.exceptions.AxisError):
        ad.take_along_axis(X, indices, 3)


@pytest.mark.parametrize("size", [(0, 3), (3, 0)])
def test_axes_of_length_zero(size):
    x = np.zeros(size)
    y, pullback = ad.vjp(lambda x: x[:, np.zeros(0, int)], x)
    assert y.shape == (size[0], 0) and pullback(y)[0].shape == size
    y, pullback = ad.vjp(lambda x: x[np.zeros((2, 0), int)], x)
    assert y.shape == (2, 0, size[1]) and pullback(y)[0].shape == size


def test_an_index_out_of_range_is_an_error():
    for key in (4, [0, 4], (slice(None), np.array([-6]))):
        with pytest.raises(IndexError, match="out of bounds"):
            ad.Tensor(X)[key]
