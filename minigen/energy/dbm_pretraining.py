"""Layer by layer towards a deep Boltzmann machine: RBMs whose input counts twice, then put on top of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.optim import Optimiser
from minigen.training import History

from .dbm import DBM
from .greedy import train_greedily
from .rbm import RBM


class CopiesRBM(RBM):
    """An RBM that has several tied copies of a side: p(h | v) = sigmoid(m v'W + c), p(v | h) = sigmoid(k W h + b).

    copies: (m, k), of the visible and of the hidden side. All copies of a side are in one state: F(v) = -m b'v
    - k sum_j softplus(m v'W_j + c_j). In a stack that is to become a DBM a layer will hear from two sides; while the
    layer above is missing, the one below counts for both, and the other way round: (2, 1) at the bottom of the stack,
    (1, 2) at its top, (2, 2) between. Salakhutdinov and Hinton 2009, section 3.1 and figure 2.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, copies: tuple[int, int], rng: np.random.Generator,
                 dtype: Any = np.float32):
        if min(copies) < 1:
            raise ValueError(f"CopiesRBM: copies is {copies}; expected two whole numbers of at least 1")
        super().__init__(n_visible, n_hidden, rng=rng, dtype=dtype)
        self.copies = copies
        self.config |= {"copies": list(copies)}

    def free_energy(self, v: Any) -> Any:
        """-m b'v - k sum_j softplus(m v'W_j + c_j): (...)."""
        m, k = self.copies
        return -m * (v @ self.b) - k * ad.sum(ad.softplus(m * (v @ self.W) + self.c), axis=-1)

    def to_hidden(self, v: np.ndarray) -> np.ndarray:
        """m v'W: (..., H), no gradient."""
        return self.copies[0] * super().to_hidden(v)

    def to_visible(self, h: np.ndarray) -> np.ndarray:
        """k W h: (..., D), no gradient."""
        return self.copies[1] * super().to_visible(h)

    def contrast(self, v: np.ndarray, logits: np.ndarray, fantasies: np.ndarray, fantasy_logits: np.ndarray,
                 into: dict[str, np.ndarray]) -> float:
        """mean F(v) - mean F(v'), its gradients in `into`: those of an RBM, times the copies that they speak of."""
        m, k = self.copies
        value = super().contrast(v, logits, fantasies, fantasy_logits, into)
        of_b = float(into["b"] @ self.b.data)
        for name, factor in (("W", m * k), ("b", m), ("c", k)):
            into[name] *= factor
        return m * of_b + k * (value - of_b)


def pretrain(dbm: DBM, data: np.ndarray, *, trainer: Callable[[RBM], Any], optimizer: Callable[[Any], Optimiser],
             epochs: int | Sequence[int], batch_size: int = 100, rng: np.random.Generator,
             progress: bool = False) -> list[History]:
    """Trains a stack of `CopiesRBM`s, each on what the one below it makes of the data, and writes it into `dbm`.

    The arguments are those of `train_greedily`. Each RBM gives half of what it says of a layer between two: the DBM's
    bias there is the mean of the two. Then p(h_1) of the stack is the geometric mean of what the two RBMs make of h_1.
    """
    dbm.check(data)
    top, pairs = len(dbm.W) - 1, enumerate(zip(dbm.sizes, dbm.sizes[1:]))
    stack = [CopiesRBM(n, m, copies=(2 if l < top else 1, 2 if l > 0 else 1), rng=rng, dtype=dbm.W[l].dtype)
             for l, (n, m) in pairs]
    histories = train_greedily(stack, data, trainer=trainer, optimizer=optimizer, epochs=epochs, batch_size=batch_size,
                               rng=rng, progress=progress)
    assemble(dbm, stack)
    return histories


def assemble(dbm: DBM, stack: Sequence[RBM]) -> None:
    """W_l <- the RBMs' weights; b_l <- their biases, the mean of both where two RBMs share a layer."""
    for W, rbm in zip(dbm.W, stack):
        W.data[...] = rbm.W.data
    shared = [(below.c.data + above.b.data) / 2 for below, above in zip(stack, stack[1:])]
    for b, array in zip(dbm.b, (stack[0].b.data, *shared, stack[-1].c.data)):
        b.data[...] = array
