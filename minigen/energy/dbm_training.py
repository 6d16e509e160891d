"""Training a deep Boltzmann machine: mean field for the data, persistent chains for the model."""

from __future__ import annotations

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.nn.checking import generator, whole
from minigen.training import Loss

from .dbm import DBM
from .dbm_centred import shifted
from .dbm_rows import Rows
from .sampling import coins, stream


class VariationalPCD(nn.Module):
    """gradient = E_q(h|v) dE/dtheta - E_p(v,h) dE/dtheta: q by mean field on the data, p by persistent chains.

    chains: how many, `gibbs` sweeps each in every update; mean_field: sweeps for q. The first term climbs the
    variational bound, so that q should fit the posterior. The second is the model's own: mean field there would make a
    bound of the wrong direction (S4:216). centre > 0: offsets of the layers follow the data's means with that rate, and
    a step is that of the energy in centred coordinates, mapped back to the model's plain parameters (`dbm_centred`).
    Salakhutdinov and Hinton 2009, algorithm 1; Montavon and Mueller 2012, section 3.
    """

    def __init__(self, model: DBM, *, chains: int = 100, gibbs: int = 5, mean_field: int = 10, centre: float = 0.0,
                 rng: np.random.Generator):
        rng, who = generator(rng, type(self).__name__), type(self).__name__
        if not 0 <= centre < 1:
            raise ValueError(f"{who}: centre is {centre}; expected a rate in [0, 1)")
        self.model, self.centre = model, float(centre)
        self.gibbs, self.mean_field = whole(gibbs, "gibbs", who), whole(mean_field, "mean_field", who)
        dtype, shapes = model.W[0].dtype, [(whole(chains, "chains", who), size) for size in model.sizes]
        self.chains = [ad.Tensor(coins(shape, dtype, rng)) for shape in shapes]
        self.offsets = [ad.Tensor(np.full(size, 0.5 if centre else 0.0, dtype)) for size in model.sizes]
        self.config = {"chains": chains, "gibbs": gibbs, "mean_field": mean_field, "centre": centre,
                       "model": type(model).__name__, **model.config}
        self._rows: dict[str, Rows] = {}

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """Visible biases, and the offsets of visible units where there are any, from the data."""
        self.model.fit_to(data, rng)
        if self.centre:
            self.offsets[0].data[...] = np.mean(data, axis=0)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """What the model dreams, from coin flips on: (n, D)."""
        return self.model.sample(n, rng)

    def data_phase(self, v: np.ndarray) -> Rows:
        """The data with the means of q(h | v) above them."""
        self.model.check(v)
        rows = self._room("data", len(v))
        rows.values[0][...] = v
        rows.rise()
        rows.settle(self.mean_field)
        return rows

    def model_phase(self, rng: np.random.Generator) -> Rows:
        """The chains, `gibbs` sweeps further than the trainer keeps them."""
        rows = self._room("model", len(self.chains[0].data)).take([chain.data for chain in self.chains])
        rows.sweep(stream(rng), self.gibbs)
        return rows

    def loss(self, v: np.ndarray, rng: np.random.Generator) -> Loss:
        """mean E(v, q's means) - mean E(chains), neither of them followed by the gradient. Its value is no likelihood.

        The chains stay where they are: it is `loss_and_gradients` that moves them.
        """
        data, fantasies = ([a.copy() for a in rows.values] for rows in (self.data_phase(v), self.model_phase(rng)))
        back = self.model.probabilities(0, data)
        contrast = ad.mean(self.model.energy(data)) - ad.mean(self.model.energy(fantasies))
        return Loss(contrast, {"reconstruction_error": ((v - back) ** 2).sum(-1).mean()})

    def loss_and_gradients(self, v: np.ndarray, rng: np.random.Generator, into: dict[str, np.ndarray]) -> dict:
        """{"loss": the same number}; gradients by products are written into {name of parameter: array}.

        Where the trainer is centred they are those of centred coordinates mapped back: the same loss, a better step.
        """
        data, fantasies = self.data_phase(v), self.model_phase(rng)
        for chain, state in zip(self.chains, fantasies.values):
            chain.data[...] = state
        offsets = [offset.data for offset in self.offsets]
        if self.centre:
            for offset, values in zip(offsets, data.values):
                offset += self.centre * (values.mean(0) - offset)
        joined = [np.concatenate([a, b]) for a, b in zip(data.values, fantasies.values)]
        if self.centre:
            for both, offset in zip(joined, offsets):
                both -= offset
        signs = np.repeat(np.array([-1 / data.n, 1 / fantasies.n], joined[0].dtype), [data.n, fantasies.n])
        slopes = [np.dot(below.T, above * signs[:, None], out=into[f"model.W.{l}"])
                  for l, (below, above) in enumerate(zip(joined, joined[1:]))]
        of_biases = [signs @ both for both in joined]
        W, b = [w.data for w in self.model.W], [b.data for b in self.model.b]
        value = sum(np.vdot(w, slope) for w, slope in zip(W, slopes))
        value += sum(np.vdot(c, slope) for c, slope in zip(shifted(W, b, offsets, 1) if self.centre else b, of_biases))
        for l, slope in enumerate(shifted(slopes, of_biases, offsets, -1) if self.centre else of_biases):
            into[f"model.b.{l}"][...] = slope
        return {"loss": float(value)}

    def _room(self, phase: str, n: int) -> Rows:
        """Buffers for n rows, made once."""
        if phase not in self._rows or self._rows[phase].n != n:
            self._rows[phase] = Rows(self.model, n)
        return self._rows[phase]
