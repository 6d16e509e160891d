"""Averages of the weights along the path of an optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from minigen.nn import Module
from minigen.nn.module import overwrite

from .base import _kernel
from .clipping import fraction


class EMA:
    """s <- d s + (1 - d) theta after every step, from s = theta; d is at most (1 + t) / (10 + t) in update t.

    The cap lets a young average forget where it began. For averages of iterates see Polyak and Juditsky 1992.
    Raises ValueError unless 0 <= decay < 1.
    """

    def __init__(self, model: Module, decay: float = 0.999):
        self.decay = fraction(decay, "decay", "EMA")
        self.model, self.updates = model, 0
        self._named = list(model.named_parameters())
        self._average = {name: p.numpy() for name, p in self._named}
        self._kernel = _kernel("average")

    def update(self) -> None:
        """Take the present parameters into the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, p in self._named:
            self._kernel(self._average[name].reshape(-1), p.data.reshape(-1), decay)

    @contextmanager
    def swapped_in(self) -> Iterator[Module]:
        """Inside the block the model has the averaged parameters; afterwards its own again."""
        own = [p.numpy() for _, p in self._named]
        try:
            for name, p in self._named:
                overwrite(p, self._average[name], name)
            yield self.model
        finally:
            for (name, p), array in zip(self._named, own):
                overwrite(p, array, name)

    def state_dict(self) -> dict[str, np.ndarray]:
        """{"updates": count, "average.NAME": average of the parameter NAME}: copies."""
        averages = {f"average.{name}": a.copy() for name, a in self._average.items()}
        return {"updates": np.array(self.updates)} | averages

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError, before anything is written, for what does not fit."""
        expected = {"updates": ()} | {f"average.{name}": a.shape for name, a in self._average.items()}
        if {name: np.shape(a) for name, a in state.items()} != expected:
            raise ValueError(f"EMA: the state holds {sorted(state)}; expected {sorted(expected)}, shaped as the model")
        self.updates = int(state["updates"])
        for name, array in self._average.items():
            array[...] = state[f"average.{name}"]
