"""Stacks of RBMs, trained one after the other, each on what the one below it makes of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigen.nn.checking import known
from minigen.optim import Optimiser
from minigen.training import History, fit

from .rbm import RBM


def train_greedily(rbms: Sequence[Any], data: np.ndarray, *, trainer: Callable[[Any], Any],
                   optimizer: Callable[[Any], Optimiser], epochs: int | Sequence[int], batch_size: int = 100,
                   rng: np.random.Generator, start: str = "random", progress: bool = False) -> list[History]:
    """rbms[0] learns the data, rbms[1] states drawn from p(h_1 | v) of rbms[0], and so on: one `fit` each.

    trainer: RBM -> what `fit` gets, such as ContrastiveDivergence; optimizer: that -> its optimiser; epochs: for all
    or one number each. start: with "transpose" an RBM whose shape allows it begins as the one below upside down
    (`turn_over`). Raises ValueError for data that rbms[0] cannot have made. Hinton, Osindero and Teh 2006, section 4.
    """
    known(start, ("random", "transpose"), "start", "train_greedily")
    counts = [epochs] * len(rbms) if isinstance(epochs, int) else list(epochs)
    if len(counts) != len(rbms):
        raise ValueError(f"train_greedily: epochs is {epochs}; expected a number, or one for each of the {len(rbms)} "
                         "RBMs")
    histories = []
    for l, (rbm, count) in enumerate(zip(rbms, counts)):
        if l and start == "transpose" and rbm.W.shape == rbms[l - 1].W.shape[::-1]:
            turn_over(rbms[l - 1], rbm)
        else:
            rbm.fit_to(data, rng)
        wrapped = trainer(rbm)
        histories.append(fit(wrapped, data, optimizer=optimizer(wrapped), epochs=count, batch_size=batch_size, rng=rng,
                             progress=progress))
        data = rbm.sample_hidden(data, rng)
    return histories


def turn_over(below: RBM, above: RBM) -> None:
    """W_2 <- W_1', b_2 <- c_1, c_2 <- b_1: `above` begins as `below` upside down, and the stack says what below said.

    p(h_1) of the RBM above is then that of the RBM below, and so p(v) = sum p(v | h_1) p(h_1) is unchanged.
    """
    if above.W.shape != below.W.shape[::-1]:
        raise ValueError(f"turn_over: the upper RBM has W of shape {above.W.shape}; expected {below.W.shape[::-1]}")
    above.W.data[...], above.b.data[...], above.c.data[...] = below.W.data.T, below.c.data, below.b.data
