"""Bayes in models small enough to be exact: conjugate pairs, point estimates, fits by either KL, naive evidence.

p(theta | X) = p(X | theta) p(theta) / p(X),  p(X) = int p(X | theta') p(theta') dtheta'.  S2:212; S4:244 drops the
prior under the integral, and then does not normalise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import optim
from minigen.distributions import Beta, DiagonalNormal, Dirichlet, Normal


@dataclass(frozen=True)
class BetaBernoulli:
    """theta ~ Beta(a, b), x_i ~ Bernoulli(theta): the posterior is Beta(a + s, b + n - s), s the number of ones.

    Data: (n,) of zeros and ones, n >= 0. S4:265.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        _positive(self, a=self.a, b=self.b)

    def prior(self) -> Beta:
        """p(theta)."""
        return Beta(self.a, self.b)

    def posterior(self, x: np.ndarray) -> BetaBernoulli:
        """The same model after the data: its prior is p(theta | x), so posteriors chain."""
        ones, n = self._count(x)
        return BetaBernoulli(self.a + ones, self.b + n - ones)

    def log_likelihood(self, x: np.ndarray, theta: Any) -> Any:
        """log p(x | theta) = s log theta + (n - s) log(1 - theta), shape of theta."""
        ones, n = self._count(x)
        return ones * ad.log(theta) + (n - ones) * ad.log(1 - theta)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x) = log B(a + s, b + n - s) - log B(a, b), nats."""
        after = self.posterior(x)
        return float(_log_beta(np.array([after.a, after.b])) - _log_beta(np.array([self.a, self.b])))

    def predictive(self, x: np.ndarray) -> float:
        """p(x_new = 1 | x) = (a + s) / (a + b + n). S4:261."""
        after = self.posterior(x)
        return after.a / (after.a + after.b)

    def mle(self, x: np.ndarray) -> float:
        """argmax p(x | theta) = s / n. Raises ValueError without data."""
        ones, n = self._count(x)
        if n == 0:
            raise ValueError("BetaBernoulli: x is empty; the maximum-likelihood estimate needs at least one datum")
        return ones / n

    def map(self, x: np.ndarray) -> float:
        """argmax p(theta | x) = (a + s - 1) / (a + b + n - 2), where both counts exceed 1. S4:269."""
        after = self.posterior(x)
        if min(after.a, after.b) <= 1:
            raise ValueError(f"BetaBernoulli: the posterior Beta({after.a:g}, {after.b:g}) has no interior mode; both "
                             "numbers must exceed 1")
        return (after.a - 1) / (after.a + after.b - 2)

    def _count(self, x: np.ndarray) -> tuple[int, int]:
        x = np.asarray(x)
        if x.ndim != 1 or not np.isin(x, (0, 1)).all():
            raise ValueError(f"BetaBernoulli: x must be (n,) of zeros and ones, got shape {x.shape}")
        return int(x.sum()), len(x)


@dataclass(frozen=True)
class NormalMean:
    """theta ~ N(mu, tau^2), x_i ~ N(theta, sigma^2) with sigma known: precisions add.

    1 / tau_n^2 = 1 / tau^2 + n / sigma^2,  mu_n = tau_n^2 (mu / tau^2 + sum x / sigma^2). Data: (n,). S4:265.
    """

    mu: float
    tau: float
    sigma: float

    def __post_init__(self) -> None:
        _positive(self, tau=self.tau, sigma=self.sigma)

    def prior(self) -> Normal:
        """p(theta)."""
        return Normal(self.mu, self.tau)

    def posterior(self, x: np.ndarray) -> NormalMean:
        """The same model after the data."""
        x = _finite("NormalMean", x)
        variance = 1 / (1 / self.tau**2 + len(x) / self.sigma**2)
        mu = variance * (self.mu / self.tau**2 + x.sum() / self.sigma**2)
        return NormalMean(float(mu), float(np.sqrt(variance)), self.sigma)

    def log_likelihood(self, x: np.ndarray, theta: Any) -> Any:
        """log p(x | theta), shape of theta."""
        x = _finite("NormalMean", x)
        return ad.sum(Normal(ad.expand_dims(theta, -1), self.sigma).log_prob(x), axis=-1)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x) = sum_i log N(x_i | mu_{i-1}, tau_{i-1}^2 + sigma^2): each datum predicted from those before it."""
        model, total = self, 0.0
        for datum in _finite("NormalMean", x):
            total += float(model.predictive(np.empty(0)).log_prob(datum))
            model = model.posterior(np.array([datum]))
        return total

    def predictive(self, x: np.ndarray) -> Normal:
        """p(x_new | x) = N(mu_n, tau_n^2 + sigma^2). S4:261."""
        after = self.posterior(x)
        return Normal(after.mu, float(np.hypot(after.tau, after.sigma)))

    def mle(self, x: np.ndarray) -> float:
        """argmax p(x | theta) = mean of x. Raises ValueError without data."""
        x = _finite("NormalMean", x)
        if not len(x):
            raise ValueError("NormalMean: x is empty; the maximum-likelihood estimate needs at least one datum")
        return float(x.mean())

    def map(self, x: np.ndarray) -> float:
        """argmax p(theta | x) = mu_n: the mode of a Gaussian is its mean."""
        return self.posterior(x).mu


@dataclass(frozen=True)
class DirichletCategorical:
    """theta ~ Dirichlet(alpha), x_i ~ Categorical(theta): the posterior is Dirichlet(alpha + counts).

    alpha: (k,), given as a tuple; data: (n,) of symbols 0 .. k - 1. S4:265.
    """

    alpha: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.alpha) < 2:
            raise ValueError(f"DirichletCategorical: alpha has {len(self.alpha)} entries; expected at least 2")
        _positive(self, alpha=min(self.alpha))

    def prior(self) -> Dirichlet:
        """p(theta)."""
        return Dirichlet(np.array(self.alpha))

    def posterior(self, x: np.ndarray) -> DirichletCategorical:
        """The same model after the data."""
        return DirichletCategorical(tuple(float(n) for n in np.array(self.alpha) + self._counts(x)))

    def log_likelihood(self, x: np.ndarray, theta: Any) -> Any:
        """log p(x | theta) = sum_k n_k log theta_k. theta: (..., k); result (...)."""
        return ad.sum(self._counts(x) * ad.log(theta), axis=-1)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x) = log B(alpha + counts) - log B(alpha), nats."""
        alpha = np.array(self.alpha)
        return float(_log_beta(alpha + self._counts(x)) - _log_beta(alpha))

    def predictive(self, x: np.ndarray) -> np.ndarray:
        """p(x_new = k | x) = (alpha_k + n_k) / sum, (k,)."""
        after = np.array(self.posterior(x).alpha)
        return after / after.sum()

    def mle(self, x: np.ndarray) -> np.ndarray:
        """argmax p(x | theta) = counts / n. Raises ValueError without data."""
        counts = self._counts(x)
        if not counts.sum():
            raise ValueError("DirichletCategorical: x is empty; the maximum-likelihood estimate needs a datum")
        return counts / counts.sum()

    def map(self, x: np.ndarray) -> np.ndarray:
        """argmax p(theta | x) = (alpha + counts - 1) / sum, where every entry of alpha + counts exceeds 1."""
        after = np.array(self.posterior(x).alpha)
        if after.min() <= 1:
            raise ValueError(f"DirichletCategorical: the posterior has no interior mode; its smallest alpha is "
                             f"{after.min():g}, expected more than 1")
        return (after - 1) / (after - 1).sum()

    def _counts(self, x: np.ndarray) -> np.ndarray:
        x, k = np.asarray(x), len(self.alpha)
        if x.ndim != 1 or (x.size and (x.dtype.kind not in "iu" or x.min() < 0 or x.max() >= k)):
            raise ValueError(f"DirichletCategorical: x must be (n,) of whole numbers 0 .. {k - 1}, got {x!r:.80}")
        return np.bincount(x.astype(int), minlength=k)


def fit_forward(points: np.ndarray, log_target: np.ndarray) -> DiagonalNormal:
    """argmin_q KL(p || q) over diagonal Gaussians: the means and variances of p, its marginals' own.

    points: (n, d), a grid of equal cells or samples that need weighing; log_target: (n,) up to a constant. S4:335.
    """
    weights = np.exp(log_target - np.max(log_target))
    weights /= weights.sum()
    mean = weights @ points
    return DiagonalNormal(mean, np.sqrt(weights @ (points - mean) ** 2))


def fit_reverse(log_target: Callable[[Any], Any], start: np.ndarray, *, rng: np.random.Generator, steps: int = 2000,
                n_samples: int = 256, lr: float = 0.02) -> DiagonalNormal:
    """argmin_q KL(q || p) over diagonal Gaussians, by Adam on E_q[log q - log p~] with reparameterised draws.

    log_target: (n, d) -> (n,), log p up to a constant, written in autodiff operations; start: (d,), where the mean
    begins, which decides which mode is found. The learning rate falls to 0, so the last steps average. S4:304-326.
    """
    mu = ad.Tensor(np.asarray(start, np.float64), requires_grad=True)
    log_sigma = ad.Tensor(np.zeros(mu.shape), requires_grad=True)
    optimizer = optim.Adam([mu, log_sigma], lr=lr)
    fall = optim.cosine(steps)
    for step in range(steps):
        half = rng.standard_normal((n_samples // 2, mu.size))
        eps = np.concatenate([half, -half])  # antithetic pairs: odd moments of the noise cancel
        z = mu + ad.exp(log_sigma) * eps
        (-ad.mean(log_target(z)) - ad.sum(log_sigma)).backward()
        optimizer.lr = lr * fall(step)
        optimizer.step()
    return DiagonalNormal(mu.numpy(), np.exp(log_sigma.numpy()))


def naive_evidence(log_likelihood: Callable[[np.ndarray], np.ndarray], draws: np.ndarray) -> np.ndarray:
    """p^ = 1/K sum_k p(x | z_k), z_k ~ p(z), as log p^: unbiased for p(x), biased low for log p(x). S2:295.

    log_likelihood: (..., d) -> (...); draws: (repeats, K, d) from the prior; result (repeats,), nats.
    """
    if draws.ndim != 3:
        raise ValueError(f"naive_evidence: draws has shape {draws.shape}; expected (repeats, K, d)")
    return ad.logsumexp(log_likelihood(draws), axis=1) - np.log(draws.shape[1])


def _log_beta(alpha: np.ndarray) -> Any:
    """log B(alpha) = sum_k log Gamma(alpha_k) - log Gamma(sum_k alpha_k)"""
    return ad.lgamma(alpha).sum() - ad.lgamma(alpha.sum())


def _positive(model: Any, **numbers: float) -> None:
    for name, number in numbers.items():
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"{type(model).__name__}: {name} is {number}; expected a finite number above 0")


def _finite(who: str, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"{who}: x must be (n,) of finite numbers, got shape {x.shape}")
    return x
