"""Annealed importance sampling: log Z of an RBM that is too large to enumerate, and its bound from the other side.

The distributions between base and model, hidden units summed out (Salakhutdinov and Murray 2008, eq. 14-18):

    f_beta(v) = exp((1 - beta) a'v + beta b'v) prod_j (1 + exp(beta (c_j + v'W_j))),  0 = beta_0 < ... < beta_K = 1.

The base, beta = 0, is D independent units of logits a beside H fair coins: its log Z is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.distributions.likelihood import Likelihood

from .rbm import RBM
from .sampling import bernoulli, stream

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


def base_logits(data: np.ndarray) -> np.ndarray:
    """a_i = log odds of unit i in the data, one count added to both sides: (D,). The base-rate model."""
    ones = np.asarray(data, np.float64).sum(0)
    return np.log((ones + 1) / (len(data) - ones + 1))


def ais(rbm: RBM, rng: np.random.Generator, *, chains: int = 100, betas: np.ndarray | int = 14_500,
        base: np.ndarray | None = None, report: Report = lambda done, steps: None) -> Estimate:
    """log Z by chains that begin at the base and are annealed: log w = sum_k log f_k(v_{k-1}) - log f_{k-1}(v_{k-1}).

    betas: a schedule from 0 to 1, or its number of steps; base: logits a (D,) of the base, as `base_logits` gives them,
    0 by default; report(steps done, all steps) is called after every step. Neal 2001; Salakhutdinov and Murray 2008.
    """
    path, betas, rng = _Path(rbm, base), _schedule(betas), stream(rng)
    if chains < 1:
        raise ValueError(f"ais: chains is {chains}; expected at least 1")
    v = path.begin(chains, rng)
    logits = rbm.hidden_logits(v)
    weights = np.zeros(chains)
    for k, (last, beta) in enumerate(zip(betas, betas[1:]), 1):
        weights += path.log_f(beta, v, logits) - path.log_f(last, v, logits)
        v, logits = path.sweep(beta, logits, rng)
        report(k, len(betas) - 1)
    return Estimate(weights, path.log_base)


def reverse_ais(rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, betas: np.ndarray | int = 14_500,
                base: np.ndarray | None = None, report: Report = lambda done, steps: None) -> np.ndarray:
    """log p^(v) (n,): unbiased in p^ for the probability with which annealed chains end in v. v: (n, D).

    log p^ = log p_0(v_0) + sum_k log f_k(v_k) - log f_k(v_{k-1}), chains from v_K = v down to v_0. For data it is low
    on average, as a logarithm of an unbiased estimate and as annealing is not perfect: RAISE, Burda et al. 2015. For
    exact samples of the model, -F(v) - log p^(v) is on average above log Z: with `ais`, which is below on average, it
    holds log Z between two sides. Grosse et al. 2015.
    """
    rbm.check(v)
    path, betas, rng = _Path(rbm, base), _schedule(betas), stream(rng)
    logits = rbm.hidden_logits(v)
    total = np.zeros(len(v))
    for k, beta in enumerate(betas[:0:-1], 1):
        total += path.log_f(beta, v, logits)
        v, logits = path.sweep(beta, logits, rng)
        total -= path.log_f(beta, v, logits)
        report(k, len(betas) - 1)
    return total + v @ path.a.astype(np.float64) - float(ad.softplus(path.a.astype(np.float64)).sum())


def estimated_likelihood(rbm: RBM, v: np.ndarray, estimate: Estimate) -> Likelihood:
    """log p(v) = -F(v) - log Z with the log Z of AIS, whose error all data share."""
    return Likelihood(-rbm.free_energies(v) - estimate.log_z, "estimate",
                      f"AIS, {len(estimate.log_weights)} chains", shared_error=estimate.standard_error)


class _Path:
    """The distributions f_beta between the base and one RBM."""

    def __init__(self, rbm: RBM, base: np.ndarray | None):
        self.rbm = rbm
        a = np.zeros(rbm.b.size) if base is None else np.asarray(base, np.float64)
        if a.shape != rbm.b.shape or not np.isfinite(a).all():
            raise ValueError(f"ais: base has shape {a.shape}; expected finite logits of shape {rbm.b.shape}")
        self.log_base = float(ad.softplus(a).sum() + rbm.c.size * np.log(2))
        self.a = a.astype(rbm.b.dtype)

    def begin(self, chains: int, rng: np.random.Generator) -> np.ndarray:
        """Exact draws from the base: (chains, D)."""
        return bernoulli(np.tile(self.a, (chains, 1)), rng)

    def log_f(self, beta: float, v: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """log f_beta(v): (chains,), in float64."""
        biases = (1 - beta) * self.a.astype(np.float64) + beta * self.rbm.b.data
        return v @ biases + ad.softplus(logits.dtype.type(beta) * logits).sum(-1, dtype=np.float64)

    def sweep(self, beta: float, logits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(v, its hidden logits) after one Gibbs sweep that leaves f_beta as it is, and is its own reversal."""
        beta = logits.dtype.type(beta)
        h = bernoulli(beta * logits, rng)
        v = bernoulli((1 - beta) * self.a + beta * self.rbm.visible_logits(h), rng)
        return v, self.rbm.hidden_logits(v)


def _schedule(betas: Any) -> np.ndarray:
    betas = schedule(int(betas)) if np.ndim(betas) == 0 else np.asarray(betas, np.float64)
    if betas.ndim != 1 or betas.size < 2 or betas[0] != 0 or betas[-1] != 1 or not (np.diff(betas) > 0).all():
        raise ValueError("ais: betas must rise from 0 to 1; got " + np.array2string(betas, threshold=6, precision=3))
    return betas
