"""Coin flips from logits: the half-step that all Gibbs chains here are made of."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minigen import autodiff as ad
from minigen.nn import compiles


class Kernels(NamedTuple):
    """Modules of kernels, and their plain twins for what no kernel takes."""

    Stream: type[np.random.Generator]
    draws: Any
    gibbs: Any
    fused: Any
    plain: Any


@cache
def kernels() -> Kernels:
    """Imported on the first call, because that costs Numba's import; the twins where nothing is compiled."""
    from minigen.kernels import fused, gibbs, reference_fused, reference_gibbs
    from minigen.kernels.stream import Stream
    from minigen.kernels.stream import kernels as draws

    rooms = (gibbs, fused) if compiles() else (reference_gibbs, reference_fused)
    return Kernels(Stream, draws, *rooms, reference_fused)


def stream(rng: np.random.Generator) -> np.random.Generator:
    """A counter-based stream keyed by 64 bits of rng, or rng itself where it is one: its coin flips are one kernel."""
    return rng if isinstance(rng, kernels().Stream) else kernels().Stream(rng)


def flip(inputs: np.ndarray, rng: np.random.Generator, bias: np.ndarray | None = None) -> np.ndarray:
    """The same array, in which each input t has become 1 with probability sigmoid(t + bias), else 0.

    bias: (H,) for inputs of (..., H).
    """
    if not _in_one_pass(inputs, rng):
        inputs[...] = draw(ad.sigmoid(inputs if bias is None else inputs + bias), rng)
    elif bias is None:
        kernels().draws.sigmoid_bernoulli(*rng.take((inputs.size + 1) // 2), inputs.reshape(-1))
    else:
        kernels().gibbs.flip(*rng.take((inputs.size + 1) // 2), inputs.reshape(-1, bias.size), bias)
    return inputs


def bernoulli(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability sigmoid(logit), else 0, in the shape and precision of the logits, which stay as they are."""
    return flip(logits.copy(), rng)


def draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability p, else 0, in the shape and precision of p."""
    if not _in_one_pass(p, rng):
        return (rng.random(p.shape, dtype=p.dtype) < p).astype(p.dtype)
    drawn = np.empty_like(p)
    kernels().draws.bernoulli(*rng.take((p.size + 1) // 2), p.reshape(-1), drawn.reshape(-1))
    return drawn


def _in_one_pass(numbers: np.ndarray, rng: np.random.Generator) -> bool:
    """Whether a kernel draws; else NumPy goes the long way round."""
    return _fit_for_kernels(numbers) and isinstance(rng, kernels().Stream)


def _fit_for_kernels(numbers: np.ndarray) -> bool:
    return numbers.dtype == np.float32 and numbers.flags.c_contiguous


def log_odds(data: np.ndarray) -> np.ndarray:
    """log of ones over zeros in each column, one count added to both: (D,) from (n, D). Means do as well as draws."""
    ones = np.asarray(data, np.float64).sum(0)
    return np.log((ones + 1) / (len(data) - ones + 1))


def coins(shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """Fair coins: the states of units whose chain has not begun."""
    return (rng.random(shape) < 0.5).astype(dtype)


def stranger(v: np.ndarray) -> Any:
    """The first number of v that is neither 0 nor 1, or None."""
    if _fit_for_kernels(v) and kernels().gibbs.strangers(v) == 0:
        return None
    strange = ~((v == 0) | (v == 1))
    return v[strange][0] if strange.any() else None


def fused_kernels(*arrays: np.ndarray) -> Any:
    """The fused kernels where all arrays are contiguous and in single precision, else their twins."""
    return kernels().fused if all(map(_fit_for_kernels, arrays)) else kernels().plain
