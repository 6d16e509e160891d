"""Small RBMs without sampling: the Gibbs chain as a matrix, the gradient and what CD-k makes of it, exactly.

Oracles for lecture and tests. Everything takes 2^D numbers, the matrices 4^D, in float64 whatever the parameters are.
"""

from __future__ import annotations

import numpy as np

from minigen import autodiff as ad

from .boltzmann import binary_states, state_index
from .contrastive_divergence import positive
from .rbm import RBM

MOST_UNITS = 12
"""Of either side: a matrix of 4^12 numbers takes 134 MB."""

LONGEST = 1 << 40
"""Sweeps after which a chain is taken never to arrive."""

Gradients = dict[str, np.ndarray]


def state_probabilities(rbm: RBM) -> np.ndarray:
    """p(v) of every visible state in binary order, exp(-F(v)) / Z: (2^D,)."""
    F = rbm.free_energies(_states(rbm, 0))
    return np.exp(-F - ad.logsumexp(-F))


def sweep_matrix(rbm: RBM) -> np.ndarray:
    """T[s, t] = sum_h p(t | h) p(h | s), one Gibbs sweep on the visible states: (2^D, 2^D), rows sum to 1.

    States in the order of `binary_states`. Detailed balance holds: p(s) T[s, t] = p(t) T[t, s].
    ValueError above 12 units on a side.
    """
    v, h = _states(rbm, 0), _states(rbm, 1)
    return np.exp(_log_table(rbm.hidden_logits(v), h)) @ np.exp(_log_table(rbm.visible_logits(h), v))


def spectrum(rbm: RBM) -> np.ndarray:
    """Eigenvalues of the sweep, largest first: 1 = lambda_1 >= lambda_2 >= ... >= 0, min(2^D, 2^H) of them.

    lambda_i are the squared singular values of p(v, h) / sqrt(p(v) p(h)): the sweep goes from v to h and back. So
    sqrt(lambda_2) is the largest correlation that a function of v and one of h can have. ValueError as `sweep_matrix`.
    """
    v, h = _states(rbm, 0), _states(rbm, 1)
    log_joint = v @ rbm.W.data @ h.T + (v @ rbm.b.data)[:, None] + h @ rbm.c.data
    log_joint -= ad.logsumexp(log_joint.reshape(-1))
    half = [0.5 * ad.logsumexp(log_joint, axis=axis, keepdims=True) for axis in (0, 1)]
    singular = np.linalg.svd(np.exp(log_joint - half[0] - half[1]), compute_uv=False)
    return np.minimum(singular, 1) ** 2


def spectral_gap(rbm: RBM) -> float:
    """1 - lambda_2: what a chain forgets falls by lambda_2 a sweep; 1 / gap sweeps forget all but a factor of e."""
    return float(1 - spectrum(rbm)[1])


def mixing_time(rbm: RBM, distance: float = 0.25) -> int:
    """Fewest sweeps k with max_s sum_t |T^k[s, t] - p(t)| / 2 <= distance, whatever the state s it begins in.

    Squares the matrix, then bisects. ValueError where distance is not in (0, 1) or 2^40 sweeps are not enough.
    """
    if not 0 < distance < 1:
        raise ValueError(f"mixing_time: distance is {distance}; expected a number in (0, 1)")
    p, T = state_probabilities(rbm), sweep_matrix(rbm)

    def near(power: np.ndarray) -> bool:
        return 0.5 * np.abs(power - p).sum(1).max() <= distance

    if near(np.eye(len(p))):
        return 0
    powers = [T]
    while not near(powers[-1]):
        if 2 ** len(powers) > LONGEST:
            raise ValueError(f"mixing_time: {LONGEST} sweeps do not come within {distance} of p(v)")
        square = powers[-1] @ powers[-1]
        powers.append(square / square.sum(1, keepdims=True))
    if len(powers) == 1:
        return 1
    sweeps, reached = 2 ** (len(powers) - 2), powers[-2]
    for exponent in reversed(range(len(powers) - 2)):
        further = reached @ powers[exponent]
        if not near(further):
            sweeps, reached = sweeps + 2**exponent, further
    return sweeps + 1


def likelihood_gradient(rbm: RBM, v: np.ndarray) -> Gradients:
    """d/dtheta mean_n log p(v_n) = <-dF/dtheta> under the data less the same under p(v). v: (n, D).

    Returns {"W": (D, H), "b": (D,), "c": (H,)}, the direction uphill. S4:143; ValueError above 12 units on a side.
    """
    return _contrast(rbm, _frequencies(rbm, v) - state_probabilities(rbm))


def cd_gradient(rbm: RBM, v: np.ndarray, k: int) -> Gradients:
    """E[CD-k]: <-dF/dtheta> under the data less the same under the data after k sweeps, p^ T^k. v: (n, D).

    The direction uphill that `ContrastiveDivergence(rbm, k)` follows on average, keys as in `likelihood_gradient`.
    """
    start = _frequencies(rbm, v)
    return _contrast(rbm, start - after_sweeps(rbm, start, k))


def cd_bias(rbm: RBM, v: np.ndarray, k: int) -> Gradients:
    """E[CD-k] - d/dtheta mean log p(v) = <dF/dtheta> under p^ T^k less the same under p(v)."""
    return _contrast(rbm, state_probabilities(rbm) - after_sweeps(rbm, _frequencies(rbm, v), k))


def after_sweeps(rbm: RBM, start: np.ndarray, k: int) -> np.ndarray:
    """start T^k: the distribution of a chain after k sweeps. start: (2^D,); result (2^D,)."""
    T = sweep_matrix(rbm)
    for _ in range(positive(k, "k", "after_sweeps")):
        start = start @ T
    return start


def _contrast(rbm: RBM, weights: np.ndarray) -> Gradients:
    """sum_v weights(v) (-dF(v)/dtheta), with -dF/dW = v p(h|v)', -dF/db = v, -dF/dc = p(h|v)."""
    states = _states(rbm, 0)
    hidden = rbm.hidden_probabilities(states)
    weighted = weights[:, None] * states
    return {"W": weighted.T @ hidden, "b": weighted.sum(0), "c": weights @ hidden}


def _frequencies(rbm: RBM, v: np.ndarray) -> np.ndarray:
    """Share of the rows of v that are in each state: (2^D,)."""
    rbm.check(v)
    return np.bincount(state_index(v), minlength=1 << rbm.b.size) / len(v)


def _states(rbm: RBM, side: int) -> np.ndarray:
    """All states of the visible (0) or the hidden (1) side, float64."""
    if max(rbm.W.shape) > MOST_UNITS:
        raise ValueError(f"exact: the RBM has {rbm.W.shape[0]} visible and {rbm.W.shape[1]} hidden units; at most "
                         f"{MOST_UNITS} on a side can be enumerated")
    return binary_states(rbm.W.shape[side]).astype(np.float64)


def _log_table(logits: np.ndarray, states: np.ndarray) -> np.ndarray:
    """log p(state | row) of independent units: (rows, states)."""
    return logits @ states.T - ad.softplus(logits).sum(1, keepdims=True)
