"""Binarise, dequantise, minibatches and splits: what they compute, what fixes it, and what they refuse."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from minigen.data import binarise, dequantise, minibatches, train_valid_split

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


def rng(seed=0):
    return np.random.default_rng(seed)


class Extreme(np.random.Generator):
    """A generator whose every uniform is the same: the ends of [0, 1) on demand."""

    def __init__(self, u):
        super().__init__(np.random.PCG64(0))
        self.u = u

    def random(self, size, dtype):
        return np.full(size, self.u, dtype)


def below_one(dtype):
    return np.nextafter(dtype(1), dtype(0))


def test_static_binarisation_is_pixel_over_the_greatest_level_above_the_threshold():
    b = binarise(GREY, 256, threshold=0.5)
    np.testing.assert_array_equal(b, GREY >= 128)  # 127/255 < 0.5 < 128/255
    assert b.dtype == np.float32
    np.testing.assert_array_equal(binarise(np.arange(17), 17, threshold=0.5), np.arange(17) > 8)
    np.testing.assert_array_equal(binarise(np.array([0.0, 0.5, 0.51, 1.0]), threshold=0.5), [0, 0, 1, 1])
    np.testing.assert_array_equal(binarise(np.array([[True, False]]), threshold=0), [[1, 0]])
    assert binarise(GREY, 256, threshold=0.5, dtype=np.uint8).dtype == np.uint8


@pytest.mark.parametrize("scaled", [False, True])
def test_stochastic_binarisation_takes_the_pixel_as_probability(scaled):
    n, levels = 20_000, 17
    p = np.arange(levels) / (levels - 1)
    x = np.broadcast_to(p if scaled else np.arange(levels, dtype=np.uint8), (n, levels))
    b = binarise(x, None if scaled else levels, rng=rng(1))
    assert set(np.unique(b)) == {0, 1}
    inner = slice(1, -1)
    z = (b.mean(0, dtype=np.float64)[inner] - p[inner]) / np.sqrt(p[inner] * (1 - p[inner]) / n)
    assert np.abs(z).max() < 4  # 15 pixels: false alarm 1e-3; a slope of 16/17 is off by 8 and more
    assert b[:, 0].max() == 0 and b[:, -1].min() == 1
    assert not np.array_equal(b[: n // 2], b[n // 2 :])


def test_certain_pixels_stay_certain_at_the_ends_of_the_uniform():
    sure = np.array([[0, 255]], np.uint8)
    for u in (0.0, below_one(np.float32)):
        np.testing.assert_array_equal(binarise(sure, 256, rng=Extreme(u)), [[0, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dequantised_pixels_stay_in_their_bin_even_at_its_ends(dtype):
    for levels in (2, 3, 5, 17, 100, 255, 256):
        x = np.arange(levels)
        for u in (0.0, 0.5, below_one(dtype)):
            y = dequantise(x, levels, Extreme(u), dtype=dtype)
            assert y.dtype == dtype and (y >= 0).all() and (y < 1).all()
            assert [floor(levels * Fraction(float(each))) for each in y] == x.tolist()
            np.testing.assert_allclose(y * levels - x, u, atol=levels * 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64])
def test_dequantisation_noise_is_uniform_on_the_bin(kind):
    n, levels = 40_000, 17
    x = rng(2).integers(levels, size=n).astype(kind)
    u = np.sort(dequantise(x, levels, rng(3), dtype=np.float64) * levels - x)
    distance = np.abs(u - (np.arange(n) + 0.5) / n).max() + 0.5 / n
    assert distance * np.sqrt(n) < 1.95  # Kolmogorov-Smirnov at 1e-3
    assert list(np.floor(2 * dequantise(np.array([True, False]), 2, rng(0)))) == [1, 0]


@pytest.mark.parametrize("draw", [lambda g: binarise(GREY, 256, rng=g), lambda g: dequantise(GREY, 256, g)])
def test_the_generator_alone_decides(draw):
    before = GREY.copy()
    np.testing.assert_array_equal(draw(rng(5)), draw(rng(5)))
    assert not np.array_equal(draw(rng(5)), draw(rng(6)))
    np.testing.assert_array_equal(GREY, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binarise(GREY, 256), "exactly one of threshold .* and rng"),
        (lambda: binarise(GREY, 256, threshold=0.5, rng=rng()), "exactly one of threshold .* and rng"),
        (lambda: binarise(GREY, threshold=0.5), r"x holds integers \(uint8\); expected levels="),
        (lambda: binarise(GREY, 17, threshold=0.5), r"x lies in \[0, 255\]; expected grey levels 0..16"),
        (lambda: binarise(GREY / 100, threshold=0.5), r"x lies in \[0.0, 2.55\]; expected \[0, 1\]"),
        (lambda: binarise(GREY, 256, threshold=128), "threshold is 128; expected a number in"),
        (lambda: binarise(GREY, 256, threshold=np.nan), "threshold is nan"),
        (lambda: binarise(np.array([0.5, np.nan]), threshold=0.5), "x holds 1 NaN"),
        (lambda: binarise(np.array([0.5, np.inf]), threshold=0.5), "x lies in"),
        (lambda: binarise(np.empty((0, 4)), threshold=0.5), r"x has shape \(0, 4\); expected at least one"),
        (lambda: binarise(np.array(["a"]), threshold=0.5), "dtype <U1; expected real numbers"),
        (lambda: dequantise(GREY, 1, rng()), "levels is 1; expected at least 2"),
        (lambda: dequantise(GREY, 25.5, rng()), "levels is 25.5; expected a positive integer"),
        (lambda: dequantise(GREY, 255, rng()), r"x lies in \[0, 255\]; expected grey levels 0..254"),
        (lambda: dequantise(-GREY.astype(int), 256, rng()), r"x lies in \[-255, 0\]"),
        (lambda: dequantise(GREY / 255, 256, rng()), "x holds fractions"),
        (lambda: dequantise(np.array([np.nan]), 256, rng()), "x holds 1 NaN"),
        (lambda: dequantise([], 256, rng()), "at least one value"),
        (lambda: minibatches(np.empty((0, 3)), 2, rng()), "expected at least one row"),
        (lambda: minibatches(np.array(3.0), 2, rng()), "at least one array with rows"),
        (lambda: minibatches((), 2, rng()), "at least one array with rows"),
        (lambda: minibatches((GREY, GREY[:3]), 2, rng()), "expected equally many rows"),
        (lambda: minibatches(GREY, 0, rng()), "batch_size is 0; expected a positive integer"),
        (lambda: minibatches(GREY, -5, rng()), "batch_size is -5"),
        (lambda: minibatches(GREY, 2.0, rng()), "batch_size is 2.0"),
        (lambda: minibatches(GREY, True, rng()), "batch_size is True"),
        (lambda: minibatches(GREY, 17, rng(), drop_last=True), "batch_size 17 is more than the 16 rows"),
        (lambda: train_valid_split(rng=rng()), "at least one array"),
        (lambda: train_valid_split(GREY, GREY[:3], rng=rng()), "expected equally many rows"),
        (lambda: train_valid_split(GREY, fraction=0.01, rng=rng()), "fraction 0.01 of 16 rows leaves one side"),
        (lambda: train_valid_split(GREY, fraction=0.99, rng=rng()), "leaves one side empty"),
        (lambda: train_valid_split(GREY, fraction=-0.5, rng=rng()), "leaves one side empty"),
        (lambda: train_valid_split(GREY, fraction=np.nan, rng=rng()), "leaves one side empty"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda seed: binarise(GREY, 256, rng=seed),
        lambda seed: dequantise(GREY, 256, seed),
        lambda seed: minibatches(GREY, 2, seed),
        lambda seed: train_valid_split(GREY, rng=seed),
    ],
)
def test_a_seed_is_no_generator(call):
    with pytest.raises(TypeError, match="rng is 3; expected a numpy.random.Generator"):
        call(3)


@pytest.mark.parametrize(("size", "drop", "sizes"), [(4, False, [4, 4, 2]), (4, True, [4, 4]), (10, True, [10])])
def test_an_epoch_meets_every_row_once(size, drop, sizes):
    x = np.arange(20).reshape(10, 2)
    batches = list(minibatches(x, size, rng(0), drop_last=drop))
    assert [len(batch) for batch in batches] == sizes
    rows = np.concatenate(batches)
    met = np.sort(rows[:, 0])
    assert len(set(met)) == sum(sizes) and set(met) <= set(x[:, 0])
    np.testing.assert_array_equal(rows[:, 1], rows[:, 0] + 1)
    assert not np.array_equal(rows[:, 0], met)


def test_a_batch_larger_than_the_data_is_the_data():
    (batch,) = minibatches(np.arange(3), 100, rng(0))
    assert sorted(batch) == [0, 1, 2]


def test_epochs_differ_and_a_restored_generator_repeats_them():
    g = rng(0)
    first = np.concatenate(list(minibatches(np.arange(100), 7, g)))
    state = g.bit_generator.state
    second = np.concatenate(list(minibatches(np.arange(100), 7, g)))
    assert not np.array_equal(first, second)
    after = g.bit_generator.state
    g.bit_generator.state = state
    batches = minibatches(np.arange(100), 7, g)
    assert g.bit_generator.state == after  # all that is drawn is drawn when called
    g.random(1000)
    np.testing.assert_array_equal(np.concatenate(list(batches)), second)


def test_arrays_are_cut_alike():
    x, labels = np.arange(20.0).reshape(10, 2), np.arange(10)
    for batch, of_labels in minibatches((x, labels), 3, rng(0)):
        np.testing.assert_array_equal(batch[:, 0], 2 * of_labels)
    batch = next(minibatches(x, 3, rng(0)))
    batch[:] = -1
    assert x.min() == 0  # a batch is a copy
    train, valid, train_labels, valid_labels = train_valid_split(x, labels, fraction=0.3, rng=rng(1))
    assert (len(train), len(valid)) == (7, 3)
    np.testing.assert_array_equal(train[:, 0], 2 * train_labels)
    np.testing.assert_array_equal(valid[:, 0], 2 * valid_labels)
    assert sorted([*train_labels, *valid_labels]) == list(range(10))
    assert list(valid_labels) != [0, 1, 2]
