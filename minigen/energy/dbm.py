"""Deep Boltzmann machine: hidden layers in a row, every unit connected to the layers next to it, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood
from minigen.nn.checking import generator, whole

from .ais import Estimate
from .dbm_rows import Rows
from .rbm import RBM
from .sampling import coins, log_odds

MOST_ENUMERATED = 20
"""Hidden units of the smaller side that an exact likelihood sums over: 2^20 states for every datum."""
CHUNK = 1 << 12


class DBM(nn.Module):
    """p(v, h_1, ..., h_L) = exp(-E) / Z,  E = -sum_l h_(l-1)' W_l h_l - sum_l b_l' h_l  with h_0 = v, all in {0, 1}.

    sizes: (D, H_1, ..., H_L), L >= 2. W[l]: (sizes[l], sizes[l + 1]), W_(l+1) of the formula; b[l]: (sizes[l],).
    `states` are lists of arrays, one (n, sizes[l]) for each layer, v first. Likelihoods in nats. Everything that takes
    v raises ValueError unless v is (n, D) of zeros and ones. Salakhutdinov and Hinton 2009, eq. 1-9; S4:191-209.
    """

    def __init__(self, sizes: Sequence[int], *, rng: np.random.Generator, dtype: Any = np.float32):
        self.sizes = tuple(whole(n, f"sizes[{i}]", "DBM") for i, n in enumerate(sizes))
        if len(self.sizes) < 3:
            raise ValueError(f"DBM: sizes is {list(sizes)}; expected the visible layer and at least two hidden ones")
        rng = generator(rng, "DBM")
        self.config = {"sizes": list(self.sizes), "dtype": np.dtype(dtype).name}
        self.W = [ad.Tensor(0.01 * rng.standard_normal(shape), requires_grad=True, dtype=dtype)
                  for shape in zip(self.sizes, self.sizes[1:])]
        self.b = [ad.Tensor(np.zeros(n), requires_grad=True, dtype=dtype) for n in self.sizes]

    def title(self) -> str:
        """DBM(784 - 500 - 1000)"""
        return f"DBM({' - '.join(map(str, self.sizes))})"

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """b_0 <- log odds of each visible unit in the data."""
        self.b[0].data[...] = log_odds(data)

    # --------------------------------------------------------------------------------------- energy, conditionals

    def energy(self, states: Sequence[Any]) -> Any:
        """E(v, h_1, ..., h_L): (n,), differentiable. The printed energy of S4:193 lacks its sign and h_3."""
        total = 0.0
        for below, above, W in zip(states, states[1:], self.W):
            total = total - ad.sum(below @ W * above, axis=-1)
        for state, b in zip(states, self.b):
            total = total - state @ b
        return total

    def logits(self, layer: int, states: Sequence[np.ndarray]) -> np.ndarray:
        """W_l' h_(l-1) + W_(l+1) h_(l+1) + b_l: log odds of layer l given its neighbours (S4:196 has W_1 for W_2)."""
        z = np.broadcast_to(self.b[layer].data, states[layer - 1 if layer else 1].shape[:-1] + self.b[layer].shape)
        if layer:
            z = z + states[layer - 1] @ self.W[layer - 1].data
        return z + states[layer + 1] @ self.W[layer].data.T if layer < len(self.W) else z

    def probabilities(self, layer: int, states: Sequence[np.ndarray]) -> np.ndarray:
        """p(h_l = 1 | h_(l-1), h_(l+1)) = sigmoid of the logits. states[layer] itself is not read."""
        return ad.sigmoid(self.logits(layer, states))

    # ------------------------------------------------------------------------------------------------- mean field

    def mean_field(self, v: np.ndarray, steps: int = 30, start: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """[v, mu_1, ..., mu_L] after `steps` sweeps mu_l <- sigmoid(W_l' mu_(l-1) + W_(l+1) mu_(l+1) + b_l).

        Odd layers, then even ones: coordinate ascent of `variational`, which therefore never falls. start: hidden means
        to begin from, one array a layer; unless given, a pass bottom-up with doubled input.
        """
        rows = Rows(self, len(self.check(v)))
        rows.values[0][...] = v
        rows.rise()
        if start is not None:
            rows.take([v, *start])
        rows.settle(steps)
        return rows.values

    def variational(self, states: Sequence[np.ndarray]) -> np.ndarray:
        """E_q[-E(v, h)] + H(q) for the factorial q of these means: log p(v) + log Z - KL(q || p(h | v)). (n,)."""
        with ad.no_grad():
            total = -ad.value(self.energy([s.astype(np.float64) for s in states]))
        for mu in states[1:]:
            total += _entropy(mu.astype(np.float64)).sum(-1)
        return total

    def bound(self, v: np.ndarray, log_z: float | Estimate | None = None, steps: int = 30) -> Likelihood:
        """log p(v) >= E_q[-E] + H(q) - log Z, q by mean field.

        log_z: exact unless given, as a number or as what `ais(dbm.as_rbm(), ...)` gives, whose error all data share.
        """
        z, how, error = self.log_z() if log_z is None else log_z, "as given", 0.0
        if log_z is None:
            how = "by enumeration"
        elif isinstance(log_z, Estimate):
            z, how, error = log_z.log_z, f"by AIS, {len(log_z.log_weights)} chains", log_z.standard_error
        pieces = [self.variational(self.mean_field(v[i:i + CHUNK], steps)) for i in range(0, len(self.check(v)), CHUNK)]
        return Likelihood(np.concatenate(pieces) - z, "bound", f"mean field, {steps} sweeps, log Z {how}",
                          shared_error=error)

    # ------------------------------------------------------------------------------- exact, through the two sides

    def as_rbm(self) -> RBM:
        """The same machine as an RBM: even layers (v, h_2, ...) are its visible side, odd layers its hidden side.

        No unit is connected within a side, so log Z, AIS and block Gibbs of the RBM are those of the DBM. Parameters
        are copied; W has a block for every pair of layers next to each other, zeros elsewhere.
        """
        even, odd = self.sizes[::2], self.sizes[1::2]
        rbm = RBM(sum(even), sum(odd), rng=np.random.default_rng(0), dtype=self.W[0].dtype)
        rbm.b.data[...], rbm.c.data[...] = self.sides([b.data for b in self.b])
        rbm.W.data[...] = 0
        ends = [np.cumsum([0, *even]), np.cumsum([0, *odd])]
        for l, W in enumerate(self.W):
            e, o = (l + 1) // 2, l // 2  # W_l joins layers l and l + 1: one of them is even
            block = rbm.W.data[ends[0][e]:ends[0][e + 1], ends[1][o]:ends[1][o + 1]]
            block[...] = W.data.T if l % 2 else W.data
        return rbm

    def sides(self, states: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(even layers side by side, odd layers side by side): what `as_rbm` calls v and h."""
        return np.concatenate(states[::2], axis=-1), np.concatenate(states[1::2], axis=-1)

    def log_z(self) -> float:
        """log Z, exact: the smaller of the two sides is enumerated. ValueError above 25 units on both."""
        return self.as_rbm().log_z()

    def log_likelihood(self, v: np.ndarray, log_z: float | None = None) -> Likelihood:
        """log p(v) = log sum_h exp(-E(v, h)) - log Z, exact: one side of the hidden units enumerated.

        Raises ValueError above 20 units on both hidden sides.
        """
        z = self.log_z() if log_z is None else log_z
        D, rbm = self.sizes[0], self.as_rbm().astype(np.float64)
        A, top, c = rbm.W.data[:D], rbm.W.data[D:], rbm.c.data  # given v, what is left is an RBM with weights `top`
        if min(top.shape) > MOST_ENUMERATED:
            raise ValueError(f"DBM: the exact likelihood sums over the smaller side of the hidden units, which has "
                             f"{min(top.shape)} units; at most {MOST_ENUMERATED} are possible; use bound")
        total = np.full(len(self.check(v)), -np.inf)
        drive = v @ A + c
        if top.shape[1] <= top.shape[0]:
            for h in _states(top.shape[1]):
                total = np.logaddexp(total, ad.logsumexp(drive @ h.T + ad.softplus(h @ top.T + rbm.b.data[D:]).sum(-1),
                                                         axis=-1))
        else:
            for h in _states(top.shape[0], CHUNK // 64):
                terms = h @ rbm.b.data[D:] + ad.softplus(drive[:, None] + h @ top).sum(-1)
                total = np.logaddexp(total, ad.logsumexp(terms, axis=-1))
        return Likelihood(total + v @ rbm.b.data[:D] - z, "exact", "hidden units and log Z by enumeration")

    # --------------------------------------------------------------------------------------------------- sampling

    def gibbs(self, states: Sequence[np.ndarray], k: int, rng: np.random.Generator) -> list[np.ndarray]:
        """The states after k block Gibbs sweeps: odd layers given even ones, then even layers given odd ones."""
        if len(states) != len(self.sizes):
            raise ValueError(f"DBM: states has {len(states)} layers; expected {len(self.sizes)}, v first")
        rows = Rows(self, len(states[0])).take(states)
        rows.sweep(rng, k)
        return rows.values

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """v of n chains after `sweeps` sweeps from coin flips: near p(v) where the chain mixes. (n, D)."""
        return self.gibbs([coins((whole(n, "n", "DBM.sample"), size), self.W[0].dtype, rng) for size in self.sizes],
                          sweeps, rng)[0]

    def check(self, v: np.ndarray) -> np.ndarray:
        """v itself; ValueError unless it is (n, D) of zeros and ones with n >= 1."""
        if v.ndim != 2 or v.shape[1] != self.sizes[0] or not len(v):
            raise ValueError(f"{self.title()}: v has shape {v.shape}; expected (n, {self.sizes[0]}) with n >= 1")
        if not ((v == 0) | (v == 1)).all():
            raise ValueError(f"{self.title()}: v holds {v[(v != 0) & (v != 1)][0]}; expected zeros and ones")
        return v


def _entropy(mu: np.ndarray) -> np.ndarray:
    """-mu log mu - (1 - mu) log(1 - mu), 0 at the ends."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(mu > 0, mu * np.log(mu), 0.0) - np.where(mu < 1, (1 - mu) * np.log1p(-mu), 0.0)


def _states(n: int, chunk: int = CHUNK) -> Iterator[np.ndarray]:
    """All binary vectors of length n, in pieces (at most `chunk`, n)."""
    for start in range(0, 1 << n, chunk):
        yield (np.arange(start, min(start + chunk, 1 << n))[:, None] >> np.arange(n) & 1).astype(np.float64)
