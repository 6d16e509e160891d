"""Annealed importance sampling: log Z of an RBM that is too large to enumerate, and its bound from the other side.

The distributions between base and model, hidden units summed out (Salakhutdinov and Murray 2008, eq. 14-18):

    f_beta(v) = exp((1 - beta) a'v + beta b'v) prod_j (1 + exp(beta (c_j + v'W_j))),  0 = beta_0 < ... < beta_K = 1.

The base, beta = 0, is D independent units of logits a beside H fair coins: its log Z is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.distributions.likelihood import Likelihood
from minigen.nn import compiles

from .rbm import RBM, require_plain
from .sampling import flip, log_odds, stream

Report = Callable[[int, int], None]
SPREAD = 3.0
"""Half the width of an interval, in standard errors: 99.7 % where the weights are well behaved."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """log Z in nats from importance weights w_i with E[w] = Z / Z_base.

    log_weights: (chains,); log_base: log Z_base. The mean of w is unbiased for Z, so its logarithm tends to be low.
    """

    log_weights: np.ndarray
    log_base: float

    @property
    def log_z(self) -> float:
        """log Z_base + log mean_i w_i"""
        return self.log_base + float(ad.logsumexp(self.log_weights)) - float(np.log(len(self.log_weights)))

    @property
    def standard_error(self) -> float:
        """std(w) / (sqrt(chains) mean(w)): the error of log Z to first order; infinite for one chain."""
        w = np.exp(self.log_weights - self.log_weights.max())
        return float(w.std(ddof=1) / w.mean() / np.sqrt(len(w))) if len(w) > 1 else np.inf

    @property
    def interval(self) -> tuple[float, float]:
        """log of (mean w ± 3 standard errors of it); from -inf where that reaches 0."""
        error = SPREAD * self.standard_error
        low = self.log_z + np.log1p(-error) if error < 1 else -np.inf
        return float(low), float(self.log_z + np.log1p(error))

    @property
    def effective_chains(self) -> float:
        """(sum w)^2 / sum w^2: how many chains carry the estimate; near 1 its interval says nothing."""
        return float(np.exp(2 * ad.logsumexp(self.log_weights) - ad.logsumexp(2 * self.log_weights)))

    def __str__(self) -> str:
        low, high = self.interval
        return (f"log Z = {self.log_z:.3f} nats, estimate (AIS, {len(self.log_weights)} chains, "
                f"{self.effective_chains:.0f} effective), 3 standard errors: {low:.3f} to {high:.3f}")


def schedule(steps: int = 14_500) -> np.ndarray:
    """0 = beta_0 < ... < beta_steps = 1: of 14 500 steps 500 up to 0.5, 4 000 up to 0.9, 10 000 up to 1.

    The spacing of Salakhutdinov and Murray 2008, section 5, in their proportions: the weights vary most near the end.
    """
    if steps < 1:
        raise ValueError(f"schedule: steps is {steps}; expected at least 1")
    return np.interp(np.arange(steps + 1) / steps, [0, 500 / 14_500, 4_500 / 14_500, 1], [0, 0.5, 0.9, 1])


base_logits = log_odds
"""The base-rate model: independent units with the frequencies of the data."""


def ais(rbm: RBM, rng: np.random.Generator, *, chains: int = 100, betas: np.ndarray | int = 14_500,
        base: np.ndarray | None = None, report: Report = lambda done, steps: None) -> Estimate:
    """log Z by chains that begin at the base and are annealed: log w = sum_k log f_k(v_{k-1}) - log f_{k-1}(v_{k-1}).

    betas: a schedule from 0 to 1, or its number of steps; base: logits a (D,) of the base, as `base_logits` gives them,
    0 by default; report(steps done, all steps) is called after every step. Neal 2001; Salakhutdinov and Murray 2008.
    """
    path, betas = _Path(rbm, base), _schedule(betas)
    if chains < 1:
        raise ValueError(f"ais: chains is {chains}; expected at least 1")
    rng = stream(rng)
    v = flip(np.tile(path.a, (chains, 1)), rng)
    return Estimate(path.anneal(v, itertools.pairwise(betas), rng, lambda done: report(done, len(betas) - 1)),
                    path.log_base)


def reverse_ais(rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, betas: np.ndarray | int = 14_500,
                base: np.ndarray | None = None, report: Report = lambda done, steps: None) -> np.ndarray:
    """log p^(v) (n,): unbiased in p^ for the probability with which annealed chains end in v. v: (n, D).

    log p^ = log p_0(v_0) + sum_k log f_k(v_k) - log f_k(v_{k-1}), chains from v_K = v down to v_0. For data it is low
    on average, as a logarithm of an unbiased estimate and as annealing is not perfect: RAISE, Burda et al. 2015. For
    exact samples of the model, -F(v) - log p^(v) is on average above log Z: with `ais`, which is below on average, it
    holds log Z between two sides. Grosse et al. 2015.
    """
    rbm.check(v)
    path, betas = _Path(rbm, base), _schedule(betas)
    downwards = itertools.pairwise((1.0, *betas[::-1]))  # the first sweep is the model's own
    weights = path.anneal(v.astype(np.float32), downwards, stream(rng), lambda done: report(done, len(betas)))
    return weights - rbm.free_energies(v) - path.log_base


def estimated_likelihood(rbm: RBM, v: np.ndarray, estimate: Estimate) -> Likelihood:
    """log p(v) = -F(v) - log Z with the log Z of AIS, whose error all data share."""
    return Likelihood(-rbm.free_energies(v) - estimate.log_z, "estimate",
                      f"AIS, {len(estimate.log_weights)} chains", shared_error=estimate.standard_error)


class _Path:
    """The distributions f_beta between the base and one RBM, in single precision; weights in double."""

    def __init__(self, rbm: RBM, base: np.ndarray | None):
        require_plain(rbm, "ais")
        a = np.zeros(rbm.b.size) if base is None else np.asarray(base, np.float64)
        if a.shape != rbm.b.shape or not np.isfinite(a).all():
            raise ValueError(f"ais: base has shape {a.shape}; expected finite logits of shape {rbm.b.shape}")
        self.log_base = float(ad.softplus(a).sum() + rbm.c.size * np.log(2))
        self.a, self.W, self.b, self.c = (x.astype(np.float32) for x in (a, rbm.W.data, rbm.b.data, rbm.c.data))

    def anneal(self, v: np.ndarray, pairs: Iterable[tuple[float, float]], rng: Any,
               report: Callable[[int], None]) -> np.ndarray:
        """sum over the pairs of log f_beta(v) - log f_last(v), each v then moved by one sweep of f_beta: (chains,).

        A sweep leaves f_beta as it is and is its own reversal, so chains may go up or down.
        """
        from minigen.kernels import annealing, reference_annealing  # here, because it costs Numba's import

        steps = annealing if compiles() else reference_annealing
        v, log_w, score = v.copy(), np.zeros(len(v)), v @ (self.b - self.a).astype(np.float64)
        h = np.empty((len(v), self.c.size), np.float32)
        up, down = np.empty_like(h), np.empty_like(v)
        for done, (last, beta) in enumerate(pairs, 1):
            np.dot(v, self.W, out=up)
            steps.hidden_step(*rng.take((h.size + 1) // 2), up, self.c, score, last, beta, log_w, h)
            np.dot(h, self.W.T, out=down)
            steps.visible_step(*rng.take((v.size + 1) // 2), down, self.a, self.b, beta, v, score)
            report(done)
        return log_w


def _schedule(betas: Any) -> np.ndarray:
    betas = schedule(int(betas)) if np.ndim(betas) == 0 else np.asarray(betas, np.float64)
    if betas.ndim != 1 or betas.size < 2 or betas[0] != 0 or betas[-1] != 1 or not (np.diff(betas) > 0).all():
        raise ValueError("ais: betas must rise from 0 to 1; got " + np.array2string(betas, threshold=6, precision=3))
    return betas
