"""The energy of a deep Boltzmann machine in centred coordinates, and the way there and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn

from .dbm import DBM


class CentredDBM(nn.Module):
    """E = -sum_l (h_(l-1) - o_(l-1))' W_l (h_l - o_l) - sum_l b_l' (h_l - o_l), o being offsets of the layers.

    Made from a DBM, with its distribution: E is the plain energy plus a constant. What it can express is what a DBM
    can; gradient steps lead elsewhere, as a change of W leaves the mean input of a unit alone where o is the mean.
    offsets: one array (sizes[l],) a layer. Montavon and Mueller 2012, eq. 2.
    """

    def __init__(self, dbm: DBM, offsets: Sequence[np.ndarray]):
        expected = [(n,) for n in dbm.sizes]
        if [np.shape(o) for o in offsets] != expected:
            raise ValueError(f"CentredDBM: offsets have shapes {[np.shape(o) for o in offsets]}; expected {expected}")
        self.sizes = dbm.sizes
        self.offsets = [ad.Tensor(np.asarray(o, b.dtype)) for o, b in zip(offsets, dbm.b)]
        self.W = [ad.Tensor(w.data.copy(), requires_grad=True) for w in dbm.W]
        moved = shifted(_arrays(dbm.W), _arrays(dbm.b), _arrays(self.offsets), 1)
        self.b = [ad.Tensor(b, requires_grad=True) for b in moved]

    def energy(self, states: Sequence[Any]) -> Any:
        """E in centred coordinates: (n,), differentiable. states: as for `DBM.energy`."""
        return DBM.energy(self, [state - o.data for state, o in zip(states, self.offsets)])

    def plain(self) -> DBM:
        """The DBM without offsets that has the same distribution; parameters are copied."""
        made = DBM(self.sizes, rng=np.random.default_rng(0), dtype=self.W[0].dtype)
        biases = shifted(_arrays(self.W), _arrays(self.b), _arrays(self.offsets), -1)
        for tensor, array in zip((*made.W, *made.b), (*_arrays(self.W), *biases)):
            tensor.data[...] = array
        return made


def shifted(W: Sequence[np.ndarray], b: Sequence[np.ndarray], offsets: Sequence[np.ndarray],
            sign: int) -> list[np.ndarray]:
    """b_l + sign (W_l' o_(l-1) + W_(l+1) o_(l+1)): biases in centred coordinates (sign 1), and back again (-1).

    Gradients go back the same way: a step in (W, b) of centred coordinates is this step of the plain ones.
    """
    moved = [bias.copy() for bias in b]
    for l, w in enumerate(W):
        moved[l] += sign * (w @ offsets[l + 1])
        moved[l + 1] += sign * (offsets[l] @ w)
    return moved


def _arrays(tensors: Sequence[ad.Tensor]) -> list[np.ndarray]:
    return [tensor.data for tensor in tensors]
