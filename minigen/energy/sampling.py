"""Coin flips from logits: the half-step that all Gibbs chains here are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.nn import compiles


def stream(rng: np.random.Generator) -> np.random.Generator:
    """A counter-based stream keyed by 64 bits of rng, or rng itself where it is one: its coin flips are one kernel."""
    from minigen.kernels.stream import Stream  # here, because it costs Numba's import

    return rng if isinstance(rng, Stream) else Stream(rng)


def flip(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same array, in which each logit t has become 1 with probability sigmoid(t), else 0."""
    if kernels := _kernels(logits, rng):
        kernels.sigmoid_bernoulli(*rng.take((logits.size + 1) // 2), logits.reshape(-1))
    else:
        logits[...] = draw(ad.sigmoid(logits), rng)
    return logits


def bernoulli(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability sigmoid(logit), else 0, in the shape and precision of the logits, which stay as they are."""
    return flip(logits.copy(), rng)


def draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability p, else 0, in the shape and precision of p."""
    if kernels := _kernels(p, rng):
        drawn = np.empty_like(p)
        kernels.bernoulli(*rng.take((p.size + 1) // 2), p.reshape(-1), drawn.reshape(-1))
        return drawn
    return (rng.random(p.shape, dtype=p.dtype) < p).astype(p.dtype)


def _kernels(numbers: np.ndarray, rng: np.random.Generator) -> Any:
    """The kernels that draw in one pass: single precision, from a stream. None where NumPy goes the long way round."""
    from minigen.kernels import stream as streams

    flat = numbers.dtype == np.float32 and numbers.flags.c_contiguous
    return streams.kernels if flat and isinstance(rng, streams.Stream) else None


def log_odds(data: np.ndarray) -> np.ndarray:
    """log of ones over zeros in each column, one count added to both: (D,) from (n, D). Means do as well as draws."""
    ones = np.asarray(data, np.float64).sum(0)
    return np.log((ones + 1) / (len(data) - ones + 1))


def coins(shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """Fair coins: the states of units whose chain has not begun."""
    return (rng.random(shape) < 0.5).astype(dtype)


def gibbs_kernels() -> Any:
    """The kernels of Gibbs sampling, or their twins where nothing is compiled."""
    from minigen.kernels import gibbs, reference_gibbs  # here, because they cost Numba's import

    return gibbs if compiles() else reference_gibbs


def stranger(v: np.ndarray) -> Any:
    """The first number of v that is neither 0 nor 1, or None."""
    kernel = gibbs_kernels().strangers if v.dtype == np.float32 and v.flags.c_contiguous else None
    if kernel is not None and kernel(v) == 0:
        return None
    strange = ~((v == 0) | (v == 1))
    return v[strange][0] if strange.any() else None


def fused_kernels(*arrays: np.ndarray) -> Any:
    """The fused kernels where all arrays are contiguous and in single precision, else their twins."""
    from minigen.kernels import fused, reference_fused  # here, because they cost Numba's import

    flat = all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)
    return fused if flat and compiles() else reference_fused
