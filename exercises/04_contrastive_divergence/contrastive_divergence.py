"""Contrastive divergence: a sweep, an update, and how good the model is.

Write six pieces of learning a restricted Boltzmann machine: one Gibbs sweep, the update of CD-k, the pseudo-likelihood,
the exchange of tempered chains, the weights of annealed importance sampling, and log Z with its interval.
NumPy is all you need. E(v, h) = -v'Wh - b'v - c'h with units 0 and 1; F(v) = -log sum_h exp(-E(v, h)). W: (D, H),
b: (D,), c: (H,). Logarithms are natural.
"""
import numpy as np


def gibbs_sweep(v, W, b, c, u_h, u_v):
    """(h, v'): h drawn from p(h | v), then v' from p(v' | h); a unit is 1 where its number is below p(unit = 1).

    v: (n, D) of 0 and 1; u_h: (n, H) and u_v: (n, D), uniform on [0, 1). Returns floats 0 and 1, (n, H) and (n, D).
    Energies are at most some hundreds.
    """
    raise NotImplementedError("exercise contrastive_divergence.gibbs_sweep: your lines go here")


def cd_gradient(v, v_k, W, b, c):
    """(dW, db, dc): the direction in which mean F(v) - mean F(v_k) falls fastest, v and v_k held fixed.

    v: data (n, D); v_k: where the chains ended, (m, D); n and m may differ. Shapes of the result: those of W, b, c.
    It is what is added to the parameters, times a learning rate.
    """
    raise NotImplementedError("exercise contrastive_divergence.cd_gradient: your lines go here")


def pseudo_log_likelihood(v, W, b, c):
    """sum_i log p(v_i | all other visible units), for every row of v: (n,), in nats.

    v: (n, D) of 0 and 1. The conditionals are those of p(v) = exp(-F(v)) / Z; Z is not needed. Weights may be large:
    the answer is finite where F is.
    """
    raise NotImplementedError("exercise contrastive_divergence.pseudo_log_likelihood: your lines go here")


def swap_probability(beta_r, beta_s, E_r, E_s):
    """Probability with which chains of p_r(x) ~ exp(-beta_r E(x)) and p_s(y) ~ exp(-beta_s E(y)) exchange their states.

    The largest one that leaves the product p_r(x) p_s(y) as it is (Metropolis' rule). E_r, E_s: (n,), the energies of
    the state that each chain is in now; they may differ by thousands. beta_r, beta_s: numbers. Returns (n,).
    """
    raise NotImplementedError("exercise contrastive_divergence.swap_probability: your lines go here")


def ais_log_ratios(x, betas, log_f, sweep):
    """The steps of annealed importance sampling: (K, n) of log ratios whose sum over steps is log w of every chain.

    x: (n, d), exact draws from f_beta0 / Z_0; betas: K + 1 numbers. log_f(beta, x) -> (n,) is the logarithm of the
    unnormalised f_beta; sweep(beta, x) -> (n, d) moves chains so that f_beta stays as it is. Row k - 1 of the answer is
    the ratio of f_{beta_k} to f_{beta_{k-1}} at the state that sweeps at beta_1, ..., beta_{k-1} have led to: K rows,
    K - 1 sweeps are enough.
    """
    raise NotImplementedError("exercise contrastive_divergence.ais_log_ratios: your lines go here")


def log_z_interval(log_ratios, log_z_base):
    """(log Z, low, high) from the log ratios of n annealed chains, (K, n), n > 1, and the log Z of the base.

    w_i: the product of the ratios of chain i. Z / Z_base is estimated by the mean of w, and its standard error s by the
    standard deviation of w (with n - 1) over sqrt(n). low, high: the logarithms of Z's estimate for mean(w) - 3 s and
    mean(w) + 3 s; low is -inf where mean(w) - 3 s is not positive. The logarithms of w may be some ten thousands.
    """
    raise NotImplementedError("exercise contrastive_divergence.log_z_interval: your lines go here")
