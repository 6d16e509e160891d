"""Coin flips from logits: the half-step that all Gibbs chains here are made of."""

from __future__ import annotations

import numpy as np

from minigen import autodiff as ad
from minigen.nn import compiles


def stream(rng: np.random.Generator) -> np.random.Generator:
    """A counter-based stream keyed by 64 bits of rng, or rng itself where it is one: its coin flips are one kernel."""
    from minigen.kernels.stream import Stream  # here, because it costs Numba's import

    return rng if isinstance(rng, Stream) else Stream(rng)


def bernoulli(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 with probability sigmoid(logit), else 0, in the shape and precision of the logits.

    Single precision from a stream is drawn by a kernel; everything else is NumPy's long way round.
    """
    from minigen.kernels import stream as streams

    if isinstance(rng, streams.Stream) and logits.dtype == np.float32 and logits.flags.c_contiguous:
        drawn = np.empty_like(logits)
        streams.kernels.sigmoid_bernoulli(*rng.take((logits.size + 1) // 2), logits.reshape(-1), drawn.reshape(-1))
        return drawn
    return (rng.random(logits.shape, dtype=logits.dtype) < ad.sigmoid(logits)).astype(logits.dtype)


def coins(shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    """Fair coins: the states of units whose chain has not begun."""
    return (rng.random(shape) < 0.5).astype(dtype)


def sigmoid_softplus(logits: np.ndarray, p: np.ndarray) -> float:
    """p <- sigmoid(logits);  the sum of softplus(logits), for gradient and value of a free energy in one pass."""
    from minigen.kernels import fused

    if compiles() and logits.dtype == p.dtype == np.float32 and logits.flags.c_contiguous and p.flags.c_contiguous:
        return fused.sigmoid_softplus(logits, p)
    p[...] = ad.sigmoid(logits)
    return float(ad.softplus(logits).sum(dtype=np.float64))
