"""The layers of a deep Boltzmann machine for many rows at once, refreshed in place by products and a kernel.

A layer is independent of all but its neighbours, so the odd layers are refreshed together given the even ones, then the
even layers given the odd ones. Means give mean field, coin flips give block Gibbs sampling.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .sampling import flip, fused_kernels, stream


class Rows:
    """values[l]: (n, sizes[l]), the state or the mean of every unit of layer l in n copies of a machine.

    machine: has `W`, `b` and `sizes` of a `DBM`. Layer 0 holds the visible units.
    """

    def __init__(self, machine: Any, n: int):
        self.machine, self.n = machine, n
        dtype = machine.W[0].dtype
        self.values = [np.zeros((n, size), dtype) for size in machine.sizes]
        self._logits = [np.empty_like(v) for v in self.values]
        self._above = [np.empty_like(v) for v in self.values]
        self._drive: np.ndarray | None = None
        self._squash = fused_kernels(*self.values).bias_sigmoid

    def take(self, states: list[np.ndarray]) -> Rows:
        """Write the states of the layers into `values`; the rows themselves."""
        for mine, given in zip(self.values, states):
            mine[...] = given
        return self

    def odd(self) -> range:
        """The hidden layers 1, 3, ..., independent of each other given the rest."""
        return range(1, len(self.values), 2)

    def even(self, first: int = 0) -> range:
        """The layers 0, 2, ... from `first` on."""
        return range(first, len(self.values), 2)

    def means(self, layer: int, below: float = 1.0) -> None:
        """values_l <- sigmoid(below W_l' values_(l-1) + W_(l+1) values_(l+1) + b_l)"""
        z = self._input(layer, below)
        self._squash(z, self.machine.b[layer].data)
        self.values[layer][...] = z

    def flip(self, layer: int, rng: np.random.Generator) -> None:
        """values_l ~ p(h_l | h_(l-1), h_(l+1))."""
        self.values[layer][...] = flip(self._input(layer, 1.0), rng, self.machine.b[layer].data)

    def sweep(self, rng: np.random.Generator, k: int = 1) -> None:
        """k times: odd layers given even ones, then even layers given odd ones. One block Gibbs sweep each."""
        rng = stream(rng)
        for _ in range(k):
            for layer in (*self.odd(), *self.even()):
                self.flip(layer, rng)

    def rise(self) -> None:
        """The first guess of the hidden means, bottom up; doubled input stands for the layer above that is not there.

        Salakhutdinov and Hinton 2009, section 3.2: all but the top layer, whose input is all below. From here on the
        data are held: their input to layer 1 is computed once.
        """
        top = len(self.values) - 1
        self._drive = np.dot(self.values[0], self.machine.W[0].data, out=self._drive)
        for layer in range(2, top + 1):
            self.values[layer][...] = 0
        for layer in range(1, top + 1):
            self.means(layer, 2.0 if layer < top else 1.0)

    def settle(self, steps: int) -> None:
        """So many mean-field sweeps of the hidden layers, values[0] being the data: coordinate ascent of the bound."""
        for _ in range(steps):
            for layer in (*self.odd(), *self.even(2)):
                self.means(layer)

    def _input(self, layer: int, below: float) -> np.ndarray:
        """below W_l' values_(l-1) + W_(l+1) values_(l+1), without the bias, in a buffer of the rows."""
        W, z = self.machine.W, self._logits[layer]
        if layer:
            if layer == 1 and self._drive is not None:
                z[...] = self._drive
            else:
                np.dot(self.values[layer - 1], W[layer - 1].data, out=z)
            if below != 1.0:
                z *= z.dtype.type(below)
        if layer < len(W):
            np.dot(self.values[layer + 1], W[layer].data.T, out=self._above[layer] if layer else z)
            if layer:
                z += self._above[layer]
        return z
