"""Wrong versions that the checks must reject, and what each gets to hear."""
import numpy as np

from minigen.grading import mutant


@mutant("gaussian_kl", feedback="The half belongs to all four terms of the sum, not to the square of mu alone.")
def half_of_mu_only(mu, log_sigma):
    return np.sum(0.5 * mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="The half is missing: at mu = 2, sigma = 1 the KL is 2, not 4.")
def missing_half(mu, log_sigma):
    return np.sum(mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="log sigma was taken for log sigma^2: the variance is exp(2 log sigma).")
def log_variance(mu, log_sigma):
    return 0.5 * np.sum(mu**2 + np.exp(log_sigma) - 1 - log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="The KL of independent dimensions is the sum over them, not the mean.")
def mean_for_sum(mu, log_sigma):
    return 0.5 * np.mean(mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="The sign is turned: a KL is never negative.")
def negative(mu, log_sigma):
    return -0.5 * np.sum(mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="This is KL(p || q), the other direction: the expectation is under q.")
def reversed_kl(mu, log_sigma):
    return np.sum(log_sigma + 0.5 * (1 + mu**2) * np.exp(-2 * log_sigma) - 0.5, axis=-1)


@mutant("reparameterised_elbo", feedback="The KL is a price: it is subtracted from the reconstruction.")
def kl_added(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu + np.exp(log_sigma) * eps)
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1) + gaussian_kl(mu, log_sigma)


@mutant("reparameterised_elbo", feedback="eps is not used: z = mu is the middle of q, not a draw from it.")
def no_noise(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu)
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1) - gaussian_kl(mu, log_sigma)


@mutant("reparameterised_elbo",
        feedback="The noise of the first picture was used for all: every z has an eps of its own.")
def shared_noise(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu + np.exp(log_sigma) * eps[:1])
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1) - gaussian_kl(mu, log_sigma)


@mutant("reparameterised_elbo", feedback="The noise was scaled by the variance: z = mu + sigma eps.")
def variance_for_sigma(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu + np.exp(2 * log_sigma) * eps)
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1) - gaussian_kl(mu, log_sigma)


@mutant("reparameterised_elbo", feedback="Pixels are independent given z: their log-probabilities add up, no mean.")
def mean_over_pixels(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu + np.exp(log_sigma) * eps)
    return np.mean(x * logits - np.logaddexp(0, logits), axis=-1) - gaussian_kl(mu, log_sigma)


@mutant("reparameterised_elbo", at_most=0.4,
        feedback="A mean over the batch was taken: each picture has an ELBO of its own.")
def mean_over_batch(x, mu, log_sigma, eps, decoder):
    logits = decoder(mu + np.exp(log_sigma) * eps)
    return np.mean(np.sum(x * logits - np.logaddexp(0, logits), axis=-1) - gaussian_kl(mu, log_sigma))


@mutant("reparameterised_elbo", at_most=0.8,
        feedback="sigmoid was rounded to 0 or 1 before its logarithm: use x t - log(1 + e^t).")
def unstable(x, mu, log_sigma, eps, decoder):
    p = 1 / (1 + np.exp(-decoder(mu + np.exp(log_sigma) * eps)))
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=-1) - gaussian_kl(mu, log_sigma)


@mutant("importance_log_likelihood", at_most=0.34,
        feedback="The mean of the logarithms is the ELBO; asked is the logarithm of the mean weight.")
def mean_of_logs(log_conditional, z, mu, log_sigma):
    return np.mean(log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_sigma), axis=0)


@mutant("importance_log_likelihood", feedback="The sum of the weights is not their mean: log K is missing.")
def sum_for_mean(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_sigma)
    largest = log_weights.max(axis=0)
    return largest + np.log(np.sum(np.exp(log_weights - largest), axis=0))


@mutant("importance_log_likelihood", at_most=0.34,
        feedback="The largest weight alone stands for all: it is not the mean.")
def largest_only(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_sigma)
    return log_weights.max(axis=0)


@mutant("importance_log_likelihood", feedback="The weights are divided by q(z|x), not multiplied by it.")
def times_q(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) + log_normal(z, mu, log_sigma)
    largest = log_weights.max(axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))


@mutant("importance_log_likelihood", feedback="log sigma was taken for log sigma^2 in q.")
def log_variance_in_q(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, 0.5 * log_sigma)
    largest = log_weights.max(axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))


@mutant("importance_log_likelihood", feedback="The prior p(z) is missing in the weight: it is p(x, z), not p(x|z).")
def no_prior(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional - log_normal(z, mu, log_sigma)
    largest = log_weights.max(axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))


@mutant("importance_log_likelihood", feedback="q(z|x) is missing: the draws do not come from the prior.")
def no_proposal(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z))
    largest = log_weights.max(axis=0)
    return largest + np.log(np.mean(np.exp(log_weights - largest), axis=0))


@mutant("importance_log_likelihood", at_most=0.7,
        feedback="exp of a log-weight of -2000 is zero: take the largest out first.")
def naive(log_conditional, z, mu, log_sigma):
    log_weights = log_conditional + log_normal(z, 0.0, np.zeros_like(z)) - log_normal(z, mu, log_sigma)
    return np.log(np.mean(np.exp(log_weights), axis=0))
