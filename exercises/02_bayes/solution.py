"""Posterior, divergences, evidence.

Three pieces of lecture 02, on plain NumPy arrays: a conjugate posterior, the divergence between two diagonal
Gaussians in whichever direction it is asked for, and a naive Monte-Carlo estimate of the log evidence with its error.
"""
import numpy as np


def normal_posterior(x, mu, tau, sigma):
    """Mean and standard deviation of p(theta | x) for theta ~ N(mu, tau^2), x_i ~ N(theta, sigma^2).

    x: (n,), n >= 0; mu, tau, sigma: numbers, the last two standard deviations. Returns two numbers.
    """
    # BEGIN SOLUTION
    precision = 1 / tau**2 + len(x) / sigma**2
    mean = (mu / tau**2 + np.sum(x) / sigma**2) / precision
    return mean, np.sqrt(1 / precision)
    # END SOLUTION


def gaussian_kl(mean_q, sigma_q, mean_p, sigma_p):
    """KL(q || p) in nats for diagonal Gaussians q and p, summed over the last axis.

    Each argument: (..., d); the sigmas are standard deviations. Returns an array of shape (...).
    Reverse KL has the fit as its first argument, forward KL the target: this function serves both.
    """
    # BEGIN SOLUTION
    ratio = (sigma_q / sigma_p) ** 2
    shift = ((mean_q - mean_p) / sigma_p) ** 2
    return 0.5 * np.sum(ratio + shift - 1 - np.log(ratio), axis=-1)
    # END SOLUTION


def log_evidence_estimate(log_likelihoods):
    """Estimate of log p(x) from log p(x | z_k), z_k ~ p(z), and its standard error by the delta method.

    log_likelihoods: (K,), nats, K >= 2; they may be as low as -1e5. Returns two numbers: the log of the average
    of p(x | z_k), and the standard error of that average (sample standard deviation with K - 1, over sqrt(K))
    divided by the average.
    """
    # BEGIN SOLUTION
    top = np.max(log_likelihoods)
    relative = np.exp(log_likelihoods - top)
    average = relative.mean()
    spread = relative.std(ddof=1) / np.sqrt(len(relative))
    return top + np.log(average), spread / average
    # END SOLUTION
