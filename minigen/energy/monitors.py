"""What one watches while an RBM learns: what it is for (log p), what stands in for it, and units that have stopped.

Only `watch` with its log-likelihood says how good a model is. Reconstruction error and pseudo-likelihood are cheap and
can rise while log p falls: lecture 04 shows both doing it.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from minigen import autodiff as ad
from minigen.distributions.likelihood import Likelihood

from .ais import Estimate, ais, estimated_likelihood
from .rbm import LARGEST_SIDE, RBM


class HiddenUnitWarning(UserWarning):
    """Hidden units that say nothing about the data, or only yes and no."""


class HiddenUnits(NamedTuple):
    """Numbers of the hidden units that are dead and of those that are saturated; no unit is both."""

    dead: np.ndarray
    saturated: np.ndarray


def reconstruction_error(rbm: Any, v: np.ndarray) -> np.ndarray:
    """sum_i (v_i - v^_i)^2 with v^ = E[v | h = p(h | v)], no likelihood: 0 for a chain that never moves.

    v: (n, D); result (n,). Hinton 2010, section 5: "convenient, but a very poor measure".
    """
    rbm.check(v)
    back = rbm.visible_mean(rbm.hidden_probabilities(v))
    return np.square(v - back, dtype=np.float64).sum(-1)


def pseudo_log_likelihood(rbm: RBM, v: np.ndarray) -> np.ndarray:
    """sum_i log p(v_i | all other v) = sum_i log sigmoid(F(v with v_i flipped) - F(v)) in nats, exact: (n,).

    Needs no Z and is no log-likelihood. D free energies for every row: v is (n, D), time n D H. Besag 1975.
    """
    rbm.check(v)
    v = np.asarray(v, rbm.W.dtype)
    logits = rbm.hidden_logits(v)
    return sum(_log_conditional(rbm, v, logits, np.full(len(v), i)) for i in range(rbm.b.size))


def pseudo_log_likelihood_one_flip(rbm: RBM, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """D log p(v_i | all other v), one i drawn for every row: unbiased for `pseudo_log_likelihood`, and noisy. (n,).

    This is what scikit-learn's BernoulliRBM.score_samples returns.
    """
    rbm.check(v)
    v = np.asarray(v, rbm.W.dtype)
    return rbm.b.size * _log_conditional(rbm, v, rbm.hidden_logits(v), rng.integers(rbm.b.size, size=len(v)))


def free_energy_gap(model: Any, train: np.ndarray, valid: np.ndarray) -> float:
    """mean F(valid) - mean F(train) in nats: grows when the model over-fits, and needs no Z. Hinton 2010, section 6.

    log Z cancels, so this is the difference of the two mean log-likelihoods. Take as many training rows as are handy.
    """
    model.check(train)
    model.check(valid)
    return float(model.free_energies(valid).mean() - model.free_energies(train).mean())


def hidden_units(rbm: Any, v: np.ndarray, margin: float = 0.01) -> HiddenUnits:
    """Dead: p(h_j = 1 | v) moves by less than `margin` over the data. Saturated: it does, but is within `margin` of 0
    or 1 for every datum, so that the unit is as good as a threshold. v: (n, D), n >= 2."""
    rbm.check(v)
    if len(v) < 2 or not 0 < margin < 0.5:
        raise ValueError(f"hidden_units: {len(v)} rows and margin {margin}; expected at least 2 rows and a margin in "
                         "(0, 0.5)")
    p = rbm.hidden_probabilities(v)
    dead = np.ptp(p, axis=0) < margin
    saturated = (np.minimum(p, 1 - p) < margin).all(0) & ~dead
    return HiddenUnits(np.flatnonzero(dead), np.flatnonzero(saturated))


def warn_hidden_units(rbm: Any, v: np.ndarray, margin: float = 0.01, stacklevel: int = 2) -> HiddenUnits:
    """`hidden_units`, and a HiddenUnitWarning for each kind that there is: how many, and what usually helps.

    stacklevel: as in `warnings.warn`; 2 is the caller.
    """
    found = hidden_units(rbm, v, margin)
    for numbers, state, cause in (
        (found.dead, "dead: p(h = 1 | v) is the same for all data",
         "Training has hardly begun, or the learning rate was too high, or there are more units than the data need: "
         "train longer, lower the rate, or take fewer units"),
        (found.saturated, "saturated: p(h = 1 | v) is near 0 or 1 for every datum",
         "The weights are large: lower the learning rate, or add weight decay"),
    ):
        if numbers.size:
            warnings.warn(f"{numbers.size} of {rbm.c.size} hidden units are {state}. {cause}", HiddenUnitWarning,
                          stacklevel=stacklevel)
    return found


class LogZ(NamedTuple):
    """log Z in nats; `estimate` is that of AIS, or None where the value is exact."""

    value: float
    estimate: Estimate | None = None

    def log_likelihood(self, rbm: RBM, v: np.ndarray) -> Likelihood:
        """log p(v) = -F(v) - log Z, and how it was had. v: (n, D)."""
        if self.estimate is not None:
            return estimated_likelihood(rbm, v, self.estimate)
        return Likelihood(-rbm.free_energies(v) - self.value, "exact", "log Z by enumeration of the smaller side")


def log_partition(rbm: RBM, rng: np.random.Generator, *, exact_up_to: int = LARGEST_SIDE,
                  base: np.ndarray | None = None, chains: int = 100, betas: np.ndarray | int = 1000) -> LogZ:
    """log Z: exact where the smaller side has at most `exact_up_to` units, else by AIS. Says which.

    base, chains, betas: those of `ais`.
    """
    if min(rbm.W.shape) <= min(exact_up_to, LARGEST_SIDE):
        return LogZ(rbm.log_z())
    estimate = ais(rbm, rng, chains=chains, betas=betas, base=base)
    return LogZ(estimate.log_z, estimate)


def watch(rbm: RBM, train: np.ndarray, valid: np.ndarray, rng: np.random.Generator, log_z: LogZ) -> dict[str, float]:
    """The true log-likelihood beside what stands in for it, means over `valid`, in nats but for the error:

    log_likelihood, pseudo_log_likelihood (one flip a row), reconstruction_error, free_energy_gap (valid - train).
    """
    return {
        "log_likelihood": log_z.log_likelihood(rbm, valid).mean(),
        "pseudo_log_likelihood": float(pseudo_log_likelihood_one_flip(rbm, valid, rng).mean()),
        "reconstruction_error": float(reconstruction_error(rbm, valid).mean()),
        "free_energy_gap": free_energy_gap(rbm, train, valid),
    }


def _log_conditional(rbm: RBM, v: np.ndarray, logits: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """log p(v_i | all other v), i = unit[n] for row n: flipping v_i moves the hidden logits by (1 - 2 v_i) W_i."""
    step = 1 - 2 * v[np.arange(len(v)), unit]
    flipped = logits + step[:, None] * rbm.W.data[unit]
    gain = ad.softplus(flipped).sum(-1, dtype=np.float64) - ad.softplus(logits).sum(-1, dtype=np.float64)
    return -ad.softplus(gain + step * rbm.b.data[unit])
