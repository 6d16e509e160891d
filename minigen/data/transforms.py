"""From stored pixels to what models read: binarise, dequantise, split, minibatches.

Whatever is random draws from the generator handed in and from nothing else, so the state of that generator
before the call fixes the result.
"""

import functools
import operator
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


def binarise(
    x: ArrayLike,
    levels: int | None = None,
    *,
    threshold: float | None = None,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """b = 1[p > threshold], or b ~ Bernoulli(p) when a generator is handed in; p = x / (levels - 1).

    x: any shape; integers 0..levels-1 with their number of grey levels, or floats in [0, 1] without. Returns 0
    and 1 in `dtype`, same shape. The two are different data sets with different likelihoods (Salakhutdinov and
    Murray 2008 draw once and keep the draw; Burda et al. 2016 draw anew in every epoch): say which you used.
    ValueError unless exactly one of `threshold` (in [0, 1)) and `rng` is given, or for values out of range, NaN
    or nothing at all.
    """
    if (threshold is None) == (rng is None):
        raise ValueError("binarise: give exactly one of threshold (static) and rng (stochastic)")
    p = _probabilities(_filled(x, "binarise"), levels)
    if rng is not None:
        return (require_generator(rng, "binarise").random(p.shape, dtype=np.float32) < p).astype(dtype)
    if not 0 <= threshold < 1:
        raise ValueError(f"binarise: threshold is {threshold}; expected a number in [0, 1)")
    return (p > threshold).astype(dtype)


def dequantise(x: ArrayLike, levels: int, rng: np.random.Generator, *, dtype: DTypeLike = np.float32) -> np.ndarray:
    """y = (x + u) / levels, u ~ U[0, 1): uniform noise that spreads each grey level over its bin.

    x: integers 0..levels-1, any shape; y in [0, 1), same shape, `dtype` float32 or float64, and
    floor(levels y) = x in exact arithmetic. A density q of y bounds the discrete one for D pixels, in nats:
    E_u log q(y) - D log levels <= log P(x) (Theis et al. 2016, section 3.1). ValueError for values that are not
    such integers, NaN or nothing at all.
    """
    x = _grey(_filled(x, "dequantise"), levels, "dequantise")
    return spread(x, require_generator(rng, "dequantise").random(x.shape, dtype=np.dtype(dtype)), levels)


def spread(x: np.ndarray, u: np.ndarray, levels: int) -> np.ndarray:
    """(x + u) / levels, kept inside its bin: rounding can carry it across the edge, in float32 even up to 1.

    x, u: any one shape; the result has the precision of u. ValueError for x that are not integers 0..levels-1.
    """
    x = _grey(_filled(x, "dequantise"), levels, "dequantise")
    low, high = _bins(levels, u.dtype)
    return np.clip(((x + u) / levels).astype(u.dtype, copy=False), low[x], high[x])


def minibatches(
    x: np.ndarray | tuple[np.ndarray, ...],
    batch_size: int,
    rng: np.random.Generator,
    *,
    drop_last: bool = False,
) -> Iterator:
    """x[pi(0:B)], x[pi(B:2B)], ... for one random permutation pi of the rows: one epoch.

    x: an array, or a tuple of arrays with equally many rows, which are then cut alike into tuples. The
    permutation is drawn when called, and is all that is drawn. The last batch is smaller when B does not divide
    the rows; drop_last leaves it out. ValueError for no rows, unequal rows, B < 1, or when no batch is left.
    """
    size = positive_integer(batch_size, "batch_size", "minibatches")
    arrays = tuple(np.asarray(a) for a in x) if isinstance(x, tuple) else (np.asarray(x),)
    n = _rows(arrays, "minibatches")
    if drop_last and size > n:
        raise ValueError(f"minibatches: batch_size {size} is more than the {n} rows, and drop_last leaves none")
    order = require_generator(rng, "minibatches").permutation(n)
    starts = range(0, n - size + 1 if drop_last else n, size)
    batches = (tuple(a[order[start : start + size]] for a in arrays) for start in starts)
    return batches if isinstance(x, tuple) else (batch for (batch,) in batches)


def train_valid_split(*arrays: np.ndarray, fraction: float = 0.1, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(x[pi(m:n)], x[pi(0:m)]) for one random permutation pi, m = round(fraction n): train and validation rows.

    Returns (train, valid), for several arrays with equally many rows (train1, valid1, train2, valid2, ...), cut
    alike. ValueError for no rows, unequal rows, or a fraction that leaves one side empty.
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    n = _rows(arrays, "train_valid_split")
    m = round(n * fraction) if 0 < fraction < 1 else 0
    if not 0 < m < n:
        raise ValueError(f"train_valid_split: fraction {fraction} of {n} rows leaves one side empty")
    order = require_generator(rng, "train_valid_split").permutation(n)
    return tuple(part for a in arrays for part in (a[order[m:]], a[order[:m]]))


def positive_integer(value: int, argument: str, who: str) -> int:
    """`value` as an int >= 1; ValueError naming the function and the argument otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ValueError(f"{who}: {argument} is {value!r}; expected a positive integer")
    return number


def require_generator(rng: np.random.Generator, who: str) -> np.random.Generator:
    """`rng` itself; TypeError naming the function when it is no numpy.random.Generator (a seed, None ...)."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{who}: rng is {rng!r}; expected a numpy.random.Generator, as np.random.default_rng(0)")
    return rng


def _filled(x: ArrayLike, who: str) -> np.ndarray:
    x = np.asarray(x)
    if x.size == 0:
        raise ValueError(f"{who}: x has shape {x.shape}; expected at least one value")
    if x.dtype.kind not in "buif":
        raise ValueError(f"{who}: x has dtype {x.dtype}; expected real numbers")
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise ValueError(f"{who}: x holds {np.isnan(x).sum()} NaN")
    return x


def _grey(x: np.ndarray, levels: int, who: str) -> np.ndarray:
    levels = positive_integer(levels, "levels", who)
    if levels < 2:
        raise ValueError(f"{who}: levels is {levels}; expected at least 2")
    if x.min() < 0 or x.max() >= levels:
        raise ValueError(f"{who}: x lies in [{x.min()}, {x.max()}]; expected grey levels 0..{levels - 1}")
    if x.dtype.kind in "ui":
        return x
    grey = x.astype(np.intp)
    if (grey != x).any():
        raise ValueError(f"{who}: x holds fractions; expected grey levels 0..{levels - 1}")
    return grey


def _probabilities(x: np.ndarray, levels: int | None) -> np.ndarray:
    if levels is not None:
        return _grey(x, levels, "binarise") / np.float32(levels - 1)
    if x.dtype.kind in "ui":
        raise ValueError(f"binarise: x holds integers ({x.dtype}); expected levels=, their number of grey levels")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"binarise: x lies in [{x.min()}, {x.max()}]; expected [0, 1], or grey levels with levels=")
    return x


@functools.lru_cache
def _bins(levels: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest number of `dtype` in each bin [k/levels, (k+1)/levels)."""
    nearest = (np.arange(levels + 1) / levels).astype(dtype)
    short = np.array([Fraction(float(edge)) < Fraction(k, levels) for k, edge in enumerate(nearest)])
    low = np.where(short, np.nextafter(nearest, dtype.type(2)), nearest)
    return low[:-1], np.nextafter(low[1:], dtype.type(-1))


def _rows(arrays: tuple[np.ndarray, ...], who: str) -> int:
    shapes = [a.shape for a in arrays]
    if not arrays or any(not shape for shape in shapes):
        raise ValueError(f"{who}: shapes {shapes}; expected at least one array with rows")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"{who}: shapes {shapes}; expected equally many rows")
    if shapes[0][0] == 0:
        raise ValueError(f"{who}: shape {shapes[0]}; expected at least one row")
    return shapes[0][0]
