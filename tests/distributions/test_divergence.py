"""Closed-form divergences: every pair of the table against an integral or a sum over the densities alone."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Cauchy,
    DiagonalNormal,
    Dirichlet,
    Gamma,
    Independent,
    Laplace,
    Logistic,
    Mixture,
    MultivariateNormal,
    Normal,
    Pareto,
    Rayleigh,
    Uniform,
    VonMisesFisher,
    kl,
)
from minigen.distributions.divergence import CLOSED_FORMS

stats = pytest.importorskip("scipy.stats", reason="scipy is the referee of densities (extra dev)")

UNIVARIATE = {
    "normal": (Normal, (0.7, 1.6), (-0.3, 0.9), stats.norm(0.7, 1.6)),
    "laplace": (Laplace, (0.7, 1.6), (-0.3, 0.9), stats.laplace(0.7, 1.6)),
    "cauchy": (Cauchy, (0.7, 1.6), (-0.3, 0.9), stats.cauchy(0.7, 1.6)),
    "rayleigh": (Rayleigh, (1.6,), (0.9,), stats.rayleigh(scale=1.6)),
    "pareto": (Pareto, (2.5, 1.5), (0.8, 1.1), stats.pareto(2.5, scale=1.5)),
    "gamma": (Gamma, (2.5, 0.8), (0.7, 1.9), stats.gamma(2.5, scale=1 / 0.8)),
    "beta": (Beta, (2.5, 1.7), (0.6, 3.0), stats.beta(2.5, 1.7)),
    "uniform": (Uniform, (-1.0, 0.5), (-1.5, 0.5), stats.uniform(-1.0, 1.5)),
}
MU, OTHER_MU = np.array([0.3, -1.0]), np.array([1.0, 0.4])
L, OTHER_L = np.array([[1.2, 0], [-0.8, 0.5]]), np.array([[0.7, 0], [0.5, 1.4]])


def by_quantiles(p, q, referee):
    """E_p[log p - log q] as the integral over u of the log-ratio at p's quantiles: midpoints, the tails by a power."""
    t = (np.arange(20_000) + 0.5) / 20_000
    # u = t^4 / (t^4 + (1 - t)^4) crowds both tails, where the log-ratio may grow
    a, b = t**4, (1 - t) ** 4
    weight = 4 * t**3 * (1 - t) ** 3 / (a + b) ** 2
    x = np.where(t < 0.5, referee.ppf(a / (a + b)), referee.isf(b / (a + b)))
    return np.mean(weight * (p.log_prob(x) - q.log_prob(x)))


@pytest.mark.parametrize("name", UNIVARIATE)
def test_univariate_pairs(name):
    make, theta, other, referee = UNIVARIATE[name]
    p, q = make(*theta), make(*other)
    assert float(kl(p, q)) == pytest.approx(by_quantiles(p, q, referee), rel=1e-6)
    assert float(kl(p, p)) == pytest.approx(0, abs=1e-14)
    assert float(kl(p, q)) > 1e-2


@pytest.mark.parametrize("name", UNIVARIATE)
def test_gradients(name):
    make, theta, other, _ = UNIVARIATE[name]
    if name == "uniform":  # strictly inside, so that differences stay finite
        other = (-1.5, 0.75)
    n = len(theta)
    worst = ad.gradcheck(lambda *a: kl(make(*a[:n]), make(*a[n:])), *map(np.array, theta + other),
                         rng=np.random.default_rng(0))
    assert worst < 1e-6


def test_where_q_has_no_mass_it_is_infinite():
    assert kl(Uniform(0.0, 2.0), Uniform(0.0, 1.0)) == np.inf
    np.testing.assert_allclose(kl(Uniform([0.0, -1.0], 1.0), Uniform(0.0, 2.0)), [np.log(2), np.inf])
    assert kl(Pareto(2.0, 1.0), Pareto(2.0, 1.1)) == np.inf
    g = ad.grad(lambda h: kl(Uniform(0.0, 2.0), Uniform(0.0, h)))(1.0)
    assert np.isfinite(g)


def test_bernoulli_and_categorical_by_enumeration():
    rng = np.random.default_rng(1)
    lp, lq = rng.normal(0, 2, (2, 6))
    p, q = Bernoulli(lp), Bernoulli(lq)
    exact = sum(np.exp(p.log_prob(v)) * (p.log_prob(v) - q.log_prob(v)) for v in (0, 1))
    np.testing.assert_allclose(kl(p, q), exact, rtol=1e-12)
    assert np.isfinite(kl(Bernoulli(800.0), Bernoulli(-800.0)))
    p, q = Categorical(lp), Categorical(lq)
    v = np.arange(6)
    assert kl(p, q) == pytest.approx(np.sum(np.exp(p.log_prob(v)) * (p.log_prob(v) - q.log_prob(v))), rel=1e-12)
    assert ad.gradcheck(lambda a, b: kl(Bernoulli(a), Bernoulli(b)), lp, lq, rng=rng) < 1e-6
    assert ad.gradcheck(lambda a, b: kl(Categorical(a), Categorical(b)), lp, lq, rng=rng) < 1e-6


def gauss_hermite(p, q):
    """E_p[log p - log q] for a 2-D Gaussian p, by the product rule: exact for a quadratic log-ratio."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    triangle = p.scale_tril if isinstance(p, MultivariateNormal) else np.diag(np.broadcast_to(p.sigma, 2))
    x = p.mu + z @ triangle.T
    return w @ (p.log_prob(x) - q.log_prob(x))


@pytest.mark.parametrize("p", [MultivariateNormal(MU, L), DiagonalNormal(MU, [0.4, 1.3]), DiagonalNormal(MU, 0.6)])
@pytest.mark.parametrize("q", [MultivariateNormal(OTHER_MU, OTHER_L), DiagonalNormal(OTHER_MU, [0.7, 2.0])])
def test_gaussian_vectors(p, q):
    assert float(kl(p, q)) == pytest.approx(gauss_hermite(p, q), rel=1e-11)
    assert float(kl(p, p)) == pytest.approx(0, abs=1e-14)


def test_gaussian_batches_gradients_and_the_fused_twin():
    rng = np.random.default_rng(2)
    mu, log_sigma = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    ours = kl(DiagonalNormal(mu, np.exp(log_sigma)), DiagonalNormal(np.zeros(3), 1.0))
    np.testing.assert_allclose(ours, ad.gaussian_kl(mu, log_sigma), rtol=1e-12)
    scalar = kl(DiagonalNormal(np.zeros(3), 2.0), DiagonalNormal(np.zeros(3), 1.0))
    assert scalar == pytest.approx(3 * kl(Normal(0, 2), Normal(0, 1)), rel=1e-13)
    triangles = np.stack([L, OTHER_L, 2 * L])
    stacked = kl(MultivariateNormal(MU, triangles), MultivariateNormal(OTHER_MU, OTHER_L))
    for i, t in enumerate(triangles):
        alone = kl(MultivariateNormal(MU, t), MultivariateNormal(OTHER_MU, OTHER_L))
        assert stacked[i] == pytest.approx(float(alone), rel=1e-12)
    assert kl(MultivariateNormal(np.zeros((3, 2)), L), MultivariateNormal(MU, triangles)).shape == (3,)
    worst = ad.gradcheck(lambda a, A, b, B: kl(MultivariateNormal(a, ad.tril(A)), MultivariateNormal(b, ad.tril(B))),
                         MU, L, OTHER_MU, OTHER_L, rng=rng)
    assert worst < 1e-6


def test_dirichlet():
    """A 2-outcome Dirichlet is a beta; for more outcomes by Monte Carlo, 5 standard errors."""
    two = kl(Dirichlet([2.5, 1.7]), Dirichlet([0.6, 3.0]))
    assert two == pytest.approx(float(kl(Beta(2.5, 1.7), Beta(0.6, 3.0))), rel=1e-12)
    p, q = Dirichlet([0.7, 2.5, 4.0]), Dirichlet([2.0, 1.0, 0.5])
    x = p.sample(np.random.default_rng(3), 100_000)
    ratio = p.log_prob(x) - q.log_prob(x)
    assert abs(ratio.mean() - kl(p, q)) < 5 * ratio.std() / np.sqrt(len(x))
    assert kl(Dirichlet(np.ones((4, 3))), p).shape == (4,)


def test_independent_sums_its_parts():
    p, q = Normal(np.zeros((2, 3)), 2.0), Normal(1.0, np.ones((2, 3)))
    np.testing.assert_allclose(kl(Independent(p, 1), Independent(q, 1)), np.sum(kl(p, q), -1), rtol=1e-14)


def test_shapes_broadcast_and_dtypes_stay():
    d = kl(Normal(np.zeros((4, 1), np.float32), np.float32(1)), Normal(np.zeros(3, np.float32), 2.0))
    assert d.shape == (4, 3) and d.dtype == np.float32
    assert kl(Gamma([1.0, 2.0]), Gamma(1.0)).shape == (2,)


def test_the_table_is_tested_whole():
    vectors = {Bernoulli, Categorical, DiagonalNormal, MultivariateNormal, Dirichlet, Independent, VonMisesFisher}
    assert {p for p, _ in CLOSED_FORMS} == vectors | {row[0] for row in UNIVARIATE.values()}
    assert all(p is q or {p, q} == {DiagonalNormal, MultivariateNormal} for p, q in CLOSED_FORMS)


@pytest.mark.parametrize("p, q, error, words", [
    (Normal(), Cauchy(), NotImplementedError, r"no closed form for Normal \|\| Cauchy is known here, only Normal"),
    (Logistic(), Logistic(), NotImplementedError, r"Logistic \|\| Logistic"),
    (Mixture([0.0], Normal([0.0])), Normal(), NotImplementedError, r"Mixture \|\| Normal"),
    (DiagonalNormal([0.0]), DiagonalNormal([0.0, 1.0]), ValueError, r"p has event_shape \(1,\) and q \(2,\)"),
    (Categorical([0.0]), Categorical([0.0, 1.0]), ValueError, "p has 1 outcomes and q 2"),
    (Independent(Normal(np.zeros((2, 2))), 1), Independent(Normal(np.zeros((2, 2))), 2), ValueError, "event_shape"),
])
def test_what_there_is_not_is_said(p, q, error, words):
    with pytest.raises(error, match=words):
        kl(p, q)


def test_the_integral_rejects_the_slips():
    """sigma for sigma^2 in the ratio, the reverse direction, a missing 1/2, log sigma exchanged."""
    make, (m, s), (n, r), referee = UNIVARIATE["normal"]
    exact = by_quantiles(make(m, s), make(n, r), referee)
    square = s**2 + (m - n) ** 2
    slips = [np.log(r / s) + (s + (m - n) ** 2) / (2 * r) - 0.5, float(kl(make(n, r), make(m, s))),
             np.log(r / s) + square / r**2 - 0.5, np.log(s / r) + square / (2 * r**2) - 0.5]
    assert all(abs(slip - exact) > 0.05 for slip in slips)
