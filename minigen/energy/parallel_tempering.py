"""Parallel tempering: chains of all temperatures side by side, so that one that is cold can be anywhere soon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigen import autodiff as ad

from .contrastive_divergence import Contrast, Dream, positive
from .rbm import RBM, require_plain
from .sampling import coins, flip


class ParallelTempering(Contrast):
    """Chains of exp(-beta_r E) / Z_r, beta_0 = 1 > beta_1 > ...; neighbours exchange their states with probability

        min(1, exp((beta_r - beta_s) (E(x_r) - E(x_s)))),  s = r + 1,

    which leaves the product of all the distributions as it is; the fantasies are those of beta = 1. k sweeps and one
    round of exchanges an update, even pairs and odd pairs in turn within it. Desjardins et al. 2010; Cho et al. 2010.
    """

    def __init__(self, model: RBM, k: int = 1, *, chains: int = 100,
                 betas: Sequence[float] = tuple(np.linspace(1, 0, 11)), rng: np.random.Generator):
        require_plain(model, "ParallelTempering")
        betas = np.asarray(betas, np.float64)
        if betas.ndim != 1 or betas.size < 2 or betas[0] != 1 or not (np.diff(betas) < 0).all() or betas[-1] < 0:
            raise ValueError(f"ParallelTempering: betas is {betas.tolist()}; expected numbers that fall from 1 to 0 or "
                             "more")
        super().__init__(model, k=positive(k, "k", "ParallelTempering"),
                         chains=positive(chains, "chains", "ParallelTempering"), betas=betas.tolist())
        self.k, self.betas = k, betas
        self.chains = ad.Tensor(coins((betas.size, chains, model.c.size), model.c.dtype, rng))

    def dream(self, logits: np.ndarray, rng: np.random.Generator) -> Dream:
        """v' of the chains of beta = 1, k sweeps and a round of exchanges further."""
        h, beta = self.chains.data, self.betas.astype(self.chains.dtype)[:, None, None]
        for _ in range(self.k):
            v = flip(beta * self.model.visible_logits(h), rng)
            logits = self.model.hidden_logits(v)
            h = flip(beta * logits, rng)
        energy = -(logits * h).sum(-1, dtype=np.float64) - v @ self.model.b.data
        for first in (0, 1):
            self._exchange(first, energy, rng, v, h, logits)
        return Dream(v[0], logits[0], h)

    def go_on(self, dream: Dream, gradients: dict[str, np.ndarray]) -> None:
        """Keeps the states of all temperatures."""
        self.chains.data[...] = dream.states

    def _exchange(self, first: int, energy: np.ndarray, rng: np.random.Generator, *states: np.ndarray) -> None:
        """Let the pairs (first, first + 1), (first + 2, first + 3), ... of temperatures exchange states in place."""
        colder = np.arange(first, self.betas.size - 1, 2)
        gain = (self.betas[colder] - self.betas[colder + 1])[:, None] * (energy[colder] - energy[colder + 1])
        swap, chain = np.nonzero(np.log1p(-rng.random(gain.shape)) < gain)
        cold = colder[swap]
        for array in (energy, *states):
            array[cold, chain], array[cold + 1, chain] = array[cold + 1, chain], array[cold, chain].copy()
