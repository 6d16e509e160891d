import numpy as np

from minigen.grading import mutant


@mutant("normal_posterior", feedback="Variances were added where precisions, 1 / variance, add up.")
def adds_variances(x, mu, tau, sigma):
    variance = tau**2 + sigma**2 / max(len(x), 1)
    return (mu * tau**2 + np.sum(x) * sigma**2) / variance, np.sqrt(variance)


@mutant("normal_posterior", feedback="What is returned second is the variance; a standard deviation was asked for.",
        at_most=0.0)
def returns_variance(x, mu, tau, sigma):
    precision = 1 / tau**2 + len(x) / sigma**2
    return (mu / tau**2 + np.sum(x) / sigma**2) / precision, 1 / precision


@mutant("normal_posterior", feedback="The likelihood of n data counts n times: you used the mean of x as one datum.",
        at_most=0.25)
def one_datum(x, mu, tau, sigma):
    if len(x) == 0:
        return mu, tau
    precision = 1 / tau**2 + 1 / sigma**2
    return (mu / tau**2 + np.mean(x) / sigma**2) / precision, np.sqrt(1 / precision)


@mutant("normal_posterior", feedback="The prior was forgotten: this is the maximum-likelihood estimate.")
def flat_prior(x, mu, tau, sigma):
    n = max(len(x), 1)
    return np.sum(x) / n, sigma / np.sqrt(n)


@mutant("gaussian_kl", feedback="The expectation is taken under p: this is KL(p || q), the other direction.")
def other_direction(mean_q, sigma_q, mean_p, sigma_p):
    ratio = (sigma_p / sigma_q) ** 2
    return 0.5 * np.sum(ratio + ((mean_q - mean_p) / sigma_q) ** 2 - 1 - np.log(ratio), axis=-1)


@mutant("gaussian_kl", feedback="The log of the variance ratio is twice log(sigma_q / sigma_p); it was counted once.")
def half_the_log(mean_q, sigma_q, mean_p, sigma_p):
    ratio = (sigma_q / sigma_p) ** 2
    return 0.5 * np.sum(ratio + ((mean_q - mean_p) / sigma_p) ** 2 - 1 - 0.5 * np.log(ratio), axis=-1)


@mutant("gaussian_kl", feedback="The divergence of independent dimensions is the sum over them, not the mean.")
def mean_for_sum(mean_q, sigma_q, mean_p, sigma_p):
    ratio = (sigma_q / sigma_p) ** 2
    return 0.5 * np.mean(ratio + ((mean_q - mean_p) / sigma_p) ** 2 - 1 - np.log(ratio), axis=-1)


@mutant("gaussian_kl", feedback="The half stands before all terms, not before the quadratic ones alone.")
def half_of_some(mean_q, sigma_q, mean_p, sigma_p):
    ratio = (sigma_q / sigma_p) ** 2
    return np.sum(0.5 * (ratio + ((mean_q - mean_p) / sigma_p) ** 2) - 1 - np.log(ratio), axis=-1)


@mutant("log_evidence_estimate", feedback="The logs were averaged: that bounds the log of the average from below.")
def averages_logs(log_likelihoods):
    K = len(log_likelihoods)
    return np.mean(log_likelihoods), np.std(log_likelihoods, ddof=1) / np.sqrt(K)


@mutant("log_evidence_estimate", feedback="exp underflows: take the largest log-likelihood out first.", at_most=0.5)
def underflows(log_likelihoods):
    p = np.exp(log_likelihoods)
    if p.mean() == 0:
        return -1e308, 0.0
    return np.log(p.mean()), p.std(ddof=1) / np.sqrt(len(p)) / p.mean()


@mutant("log_evidence_estimate", feedback="The sum was not divided by the number of draws: log K is missing.")
def forgets_the_count(log_likelihoods):
    top = np.max(log_likelihoods)
    relative = np.exp(log_likelihoods - top)
    return top + np.log(relative.sum()), relative.std(ddof=1) / np.sqrt(len(relative)) / relative.mean()


@mutant("log_evidence_estimate", feedback="This is the error of one draw; that of an average of K is sqrt(K) smaller.")
def error_of_one_draw(log_likelihoods):
    top = np.max(log_likelihoods)
    relative = np.exp(log_likelihoods - top)
    return top + np.log(relative.mean()), relative.std(ddof=1) / relative.mean()
