import math
from fractions import Fraction

import numpy as np

from minigen.grading import Check, Value


def waiting_times(rng):
    return rng.normal(3, 2, size=rng.integers(3, 9)), float(rng.normal()), rng.uniform(0.5, 3), rng.uniform(0.5, 3)


def no_data(rng):
    return np.zeros(0), float(rng.normal()), rng.uniform(0.5, 3), rng.uniform(1.5, 3)


def posterior_on_a_grid(x, mu, tau, sigma):
    """Moments of prior times likelihood, summed over a fine grid: no completing of squares."""
    theta = np.linspace(mu - 12 * tau - 10, mu + 12 * tau + 10, 20_001)
    log_joint = -0.5 * ((theta - mu) / tau) ** 2
    for datum in x:
        log_joint = log_joint - 0.5 * ((datum - theta) / sigma) ** 2
    weights = np.exp(log_joint - log_joint.max())
    weights /= weights.sum()
    mean = weights @ theta
    return mean, np.sqrt(weights @ (theta - mean) ** 2)


def two_gaussians(rng):
    shape = (4, 3)
    return rng.normal(size=shape), rng.uniform(0.4, 2, shape), rng.normal(size=shape), rng.uniform(0.4, 2, shape)


def kl_by_quadrature(mean_q, sigma_q, mean_p, sigma_p):
    """int q log(q / p), one dimension at a time, then the sum over dimensions."""
    t = np.linspace(-12, 12, 2001)
    z = mean_q[..., None] + sigma_q[..., None] * t
    log_q = -0.5 * t**2 - np.log(sigma_q)[..., None]
    log_p = -0.5 * ((z - mean_p[..., None]) / sigma_p[..., None]) ** 2 - np.log(sigma_p)[..., None]
    density = np.exp(-0.5 * t**2) / math.sqrt(2 * math.pi)
    return np.trapezoid(density * (log_q - log_p), t, axis=-1).sum(-1)


def mild(rng):
    return (rng.normal(-3, 1.5, size=40),)


def deep(rng):
    return (rng.normal(-5e4, 3.0, size=30),)


def with_whole_numbers(log_likelihoods):
    """Average and spread of exp(l) as exact fractions of e^l rounded at 1e-30 of the largest."""
    top = float(np.max(log_likelihoods))
    values = [Fraction(math.exp(float(v) - top)) for v in log_likelihoods]
    average = sum(values) / len(values)
    variance = sum((v - average) ** 2 for v in values) / (len(values) - 1)
    return top + math.log(average), math.sqrt(variance / len(values)) / float(average)


CHECKS = [
    Check("posterior against a grid", "normal_posterior", points=2,
          states="mean and standard deviation of prior times likelihood, normalised",
          inputs=waiting_times, expected=posterior_on_a_grid, compare=Value(rtol=1e-7, atol=1e-9),
          hint="log prior + log likelihood is a parabola: what stands before theta^2, what before theta?"),
    Check("posterior without data", "normal_posterior", visibility="hidden",
          states="without data the posterior is the prior", inputs=no_data,
          expected=lambda x, mu, tau, sigma: (mu, tau), compare=Value(rtol=1e-10),
          hint="what do n = 0 and an empty sum leave of your formula?"),
    Check("posterior of other data", "normal_posterior", visibility="hidden", points=2,
          states="mean and standard deviation of prior times likelihood, normalised",
          inputs=waiting_times, expected=posterior_on_a_grid, compare=Value(rtol=1e-7, atol=1e-9), draws=5,
          hint="tau and sigma are standard deviations, and so is what you return"),
    Check("divergence against quadrature", "gaussian_kl", points=2,
          states="KL(q || p) is the integral of q log(q / p), summed over dimensions",
          inputs=two_gaussians, expected=kl_by_quadrature, compare=Value(rtol=1e-7, atol=1e-9),
          hint="under q, what are the expectations of (z - mean_q)^2 and of (z - mean_p)^2?"),
    Check("divergence in the other direction", "gaussian_kl", visibility="hidden", points=2,
          states="exchanging the pairs of arguments gives the other divergence",
          inputs=lambda rng: tuple(two_gaussians(rng)[i] for i in (2, 3, 0, 1)), expected=kl_by_quadrature,
          compare=Value(rtol=1e-7, atol=1e-9), hint="which of the two densities is the expectation taken under?"),
    Check("estimate and error", "log_evidence_estimate", points=2,
          states="log of the average likelihood, and the relative standard error of that average",
          inputs=mild, expected=with_whole_numbers, compare=Value(rtol=1e-9),
          hint="average the likelihoods, not their logs; the error of log p is the relative error of p"),
    Check("likelihoods that underflow", "log_evidence_estimate", visibility="hidden", points=2,
          states="exp(-50000) is 0 in floating point, the answer is not minus infinity",
          inputs=deep, expected=with_whole_numbers, compare=Value(rtol=1e-9),
          hint="take the largest log-likelihood out before you exponentiate"),
]
