"""The three lines that make a variational autoencoder.

Write the KL of the code, the one-draw ELBO and the importance-sampled log-likelihood. NumPy is all you need. Everything
comes as plain arrays; `decoder` is a function that you call.
"""
import numpy as np


def log_normal(z, mu, log_sigma):
    """log N(z; mu, diag sigma^2) in nats, summed over the last axis. Given."""
    scaled = (z - mu) / np.exp(log_sigma)
    return -np.sum(0.5 * scaled**2 + log_sigma + 0.5 * np.log(2 * np.pi), axis=-1)


def gaussian_kl(mu, log_sigma):
    """KL(q || p) in nats for q = N(mu, diag sigma^2) and p = N(0, I), where sigma = exp(log_sigma).

    The definition is E_q[log q(z) - log p(z)]; find its closed form.
    mu, log_sigma: (..., d), one number each for every dimension of z. Returns an array of shape (...).
    """
    # BEGIN SOLUTION
    variance = np.exp(2 * log_sigma)
    return 0.5 * np.sum(mu**2 + variance - 1 - 2 * log_sigma, axis=-1)
    # END SOLUTION


def reparameterised_elbo(x, mu, log_sigma, eps, decoder):
    """One-draw estimate of the ELBO of each picture, in nats: log p(x|z) - KL(q(z|x) || N(0, I)).

    z is the draw from q(z|x) = N(mu, diag sigma^2) that belongs to the noise eps ~ N(0, I). The pixels are independent
    given z, and pixel j is one with probability sigmoid(t_j), where t = decoder(z) are logits. Logits of any size
    must give finite answers (log(1 + e^t) is np.logaddexp(0, t)).
    x: (batch, pixels) of zeros and ones; mu, log_sigma, eps: (batch, d); decoder maps (batch, d) to (batch, pixels).
    Returns (batch,). You may use your gaussian_kl.
    """
    # BEGIN SOLUTION
    z = mu + np.exp(log_sigma) * eps
    logits = decoder(z)
    reconstruction = np.sum(x * logits - np.logaddexp(0, logits), axis=-1)
    return reconstruction - gaussian_kl(mu, log_sigma)
    # END SOLUTION


def importance_log_likelihood(log_conditional, z, mu, log_sigma):
    """Estimate of log p(x) in nats from K draws of z from q(z|x): the logarithm of the mean weight.

    The weight of draw k is p(x, z_k) / q(z_k | x), with p(z) = N(0, I) and q(z|x) = N(mu, diag sigma^2). Weights may be
    far below the smallest number that a computer holds (log-weights of -2000), and so may their mean.
    log_conditional: (K, batch), log p(x | z_k) in nats; z: (K, batch, d); mu, log_sigma: (batch, d). Returns (batch,).
    `log_normal` is given.
    """
    # BEGIN SOLUTION
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_sigma)
    largest = log_weights.max(axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))
    # END SOLUTION
