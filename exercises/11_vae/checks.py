"""What the three functions must be. Every reference takes another route than the solution."""
import numpy as np

from minigen.autodiff import logsumexp
from minigen.distributions import Bernoulli, Normal, kl
from minigen.grading import Check, Value


def gaussians(rng):
    return rng.normal(size=(4, 3)), rng.uniform(0.2, 0.8, size=(4, 3)) * rng.choice([-1, 1], size=(4, 3))


def one_gaussian(rng):
    return rng.uniform(0.5, 1.5, 3), rng.uniform(0.2, 0.8, 3)


def kl_by_quadrature(mu, log_sigma):
    """Integrate q log(q / p) on a grid, one dimension at a time."""
    t = np.linspace(-12, 12, 4001)
    q = Normal(mu[..., None], np.exp(log_sigma)[..., None])
    z = mu[..., None] + np.exp(log_sigma)[..., None] * t
    log_q, log_p = q.log_prob(z), Normal(0.0, 1.0).log_prob(z)
    return np.trapezoid(np.exp(log_q) * (log_q - log_p), z, axis=-1).sum(-1)


def slopes(mu, log_sigma):
    return np.stack([mu, np.exp(2 * log_sigma) - 1])


def pictures(rng, size=1.0):
    """x, mu, log_sigma, eps, W, b with entries that no slip can hide in."""
    x = rng.integers(0, 2, size=(5, 6)).astype(float)
    log_sigma = rng.uniform(0.3, 0.9, size=(5, 2)) * rng.choice([-1, 1], size=(5, 2))
    eps = rng.uniform(0.5, 2, size=(5, 2)) * rng.choice([-1, 1], size=(5, 2))
    return x, rng.normal(size=(5, 2)), log_sigma, eps, size * rng.normal(size=(6, 2)), rng.normal(size=6)


def elbo_by_parts(x, mu, log_sigma, eps, W, b):
    """Bernoulli and Normal of the package, datum by datum, with z by the inverse of z -> eps."""
    sigma, answer = np.exp(log_sigma), []
    for i in range(len(x)):
        z = np.array([m + s * e for m, s, e in zip(mu[i], sigma[i], eps[i])])
        log_conditional = Bernoulli(logits=W @ z + b).log_prob(x[i]).sum()
        divergence = sum(kl(Normal(m, s), Normal(0.0, 1.0)) for m, s in zip(mu[i], sigma[i]))
        answer.append(log_conditional - divergence)
    return np.array(answer)


def steep_pictures(rng):
    return pictures(rng, size=800.0)


def one_picture(rng):
    """One picture, and antithetic noise, so that the mean over draws is close to the expectation."""
    half = rng.normal(size=(10_000, 1))
    return (rng.integers(0, 2, size=4).astype(float), rng.uniform(0.5, 1, 1), rng.uniform(0.2, 0.5, 1),
            np.concatenate([half, -half]), rng.normal(size=(4, 1)), rng.normal(size=4))


def elbo_by_quadrature(x, mu, log_sigma, eps, W, b):
    """E_q[log p(x, z) - log q(z)] on a grid: the joint form."""
    q = Normal(mu[0], np.exp(log_sigma[0]))
    z = np.linspace(mu[0] - 12 * np.exp(log_sigma[0]), mu[0] + 12 * np.exp(log_sigma[0]), 8001)
    joint = Bernoulli(logits=z[:, None] * W[:, 0] + b).log_prob(x).sum(-1) + Normal(0.0, 1.0).log_prob(z)
    return np.trapezoid(np.exp(q.log_prob(z)) * (joint - q.log_prob(z)), z)


def few_draws(rng):
    K, batch, d = 5, 3, 2
    mu, log_sigma = rng.normal(size=(batch, d)), rng.uniform(0.3, 0.9, (batch, d)) * rng.choice([-1, 1], (batch, d))
    return (rng.normal(-4, 2, size=(K, batch)), mu + np.exp(log_sigma) * rng.normal(size=(K, batch, d)), mu, log_sigma)


def tiny_weights(rng):
    log_conditional, *rest = few_draws(rng)
    return log_conditional - 2000, *rest


def huge_weights(rng):
    log_conditional, *rest = few_draws(rng)
    return log_conditional + 2000, *rest


def estimate_by_parts(log_conditional, z, mu, log_sigma):
    """The package's densities, and a pairwise logsumexp."""
    log_q = Normal(mu, np.exp(log_sigma)).log_prob(z).sum(-1)
    log_p = Normal(0.0, 1.0).log_prob(z).sum(-1)
    return logsumexp(log_conditional + log_p - log_q, axis=0) - np.log(len(z))


def linear_gaussian(rng):
    x, w, noise = rng.normal(size=3), rng.uniform(1, 2), rng.uniform(0.5, 1)
    variance = 1 / (1 + w**2 / noise**2)
    mean = variance * w * x / noise**2
    return x, w, noise, mean[:, None], np.full((3, 1), 0.5 * np.log(variance)), rng.normal(size=(4, 3, 1))


def exact_evidence(x, w, noise, mu, log_sigma, eps):
    """log N(x; 0, w^2 + noise^2)."""
    return Normal(0.0, np.sqrt(w**2 + noise**2)).log_prob(x)


CHECKS = [
    Check("kl against quadrature", "gaussian_kl", points=2,
          states="KL(q || p) is the integral of q log(q / p), summed over the dimensions of z",
          inputs=gaussians, expected=kl_by_quadrature, compare=Value(rtol=1e-7),
          hint="write out both logarithms; which expectations of z and z^2 are left?"),
    Check("slopes of the kl", "gaussian_kl", points=2, visibility="hidden", driver="kl_slopes",
          states="d KL / d mu = mu and d KL / d log sigma = sigma^2 - 1", inputs=one_gaussian, expected=slopes,
          compare=Value(rtol=1e-5, atol=1e-6), hint="where does the KL have its minimum, and what is it there?"),
    Check("elbo of five pictures", "reparameterised_elbo", points=2, driver="elbo_of_linear_decoder",
          states="log p(x|z) at the z of this eps, minus the KL, one number for each picture",
          inputs=pictures, expected=elbo_by_parts, compare=Value(rtol=1e-9),
          hint="the reconstruction is a sum over pixels; the KL is a price"),
    Check("elbo with steep logits", "reparameterised_elbo", points=1, visibility="hidden",
          driver="elbo_of_linear_decoder", states="logits in the hundreds give finite answers",
          inputs=steep_pictures, expected=elbo_by_parts, compare=Value(rtol=1e-9),
          hint="log sigmoid(t) written as one function never takes the logarithm of zero"),
    Check("mean over noise is the elbo", "reparameterised_elbo", points=2, visibility="hidden", driver="mean_elbo",
          states="averaged over eps it is E_q[log p(x, z) - log q(z)]", inputs=one_picture,
          expected=elbo_by_quadrature, compare=Value(rtol=0.01, atol=0.02),
          hint="z must spread as q does: with which width?"),
    Check("mean weight of five draws", "importance_log_likelihood", points=2,
          states="log of the mean of p(x, z_k) / q(z_k | x)", inputs=few_draws, expected=estimate_by_parts,
          hint="three logarithms make a log-weight; look at their signs"),
    Check("weights that underflow", "importance_log_likelihood", points=1, visibility="hidden",
          states="log-weights near -2000 give a finite answer", inputs=tiny_weights, expected=estimate_by_parts,
          hint="take the largest log-weight out before the exponential"),
    Check("weights that overflow", "importance_log_likelihood", points=1, visibility="hidden",
          states="log-weights near +2000 give a finite answer", inputs=huge_weights, expected=estimate_by_parts,
          hint="take the largest log-weight out before the exponential"),
    Check("exact where q is the posterior", "importance_log_likelihood", points=2, visibility="hidden",
          driver="weighted_linear_gaussian", inputs=linear_gaussian, expected=exact_evidence,
          compare=Value(rtol=1e-7, atol=1e-9), states="if q(z|x) = p(z|x), every weight is p(x)",
          hint="do all your weights come out equal here? which factor of q depends on its width?"),
]
