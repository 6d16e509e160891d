"""Mixtures and independent products, and the slips of public packages that these tests must reject."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import (
    Bernoulli,
    Categorical,
    DiagonalNormal,
    DiscretisedLogisticMixture,
    Independent,
    Laplace,
    Logistic,
    Mixture,
    MultivariateNormal,
    Normal,
)

stats = pytest.importorskip("scipy.stats", reason="scipy is the referee of densities (extra dev)")
special = pytest.importorskip("scipy.special", reason="scipy is the referee of densities (extra dev)")

FALSE_ALARM = 1e-6
WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[-2.0, -2.0], [2.0, 2.0], [0.0, 1.0]])
SIGMAS = np.array([[0.5, 0.7], [0.6, 0.4], [0.3, 1.0]])


def mixture(kind=Mixture):
    return kind(np.log(WEIGHTS), DiagonalNormal(MEANS, SIGMAS))


def test_mixture_density_is_the_weighted_sum_of_densities():
    x = np.random.default_rng(0).normal(0, 2, (4, 5, 2))
    parts = [w * stats.norm(m, s).pdf(x).prod(-1) for w, m, s in zip(WEIGHTS, MEANS, SIGMAS)]
    np.testing.assert_allclose(mixture().log_prob(x), np.log(sum(parts)), rtol=1e-11)
    np.testing.assert_allclose(mixture().log_responsibilities(x),
                               np.log(np.stack(parts, -1) / sum(parts)[..., None]), rtol=1e-9, atol=1e-12)
    assert mixture().log_prob(np.array([300.0, -300.0])) > -np.inf  # no underflow


class PerDimension(Mixture):
    """A log-sum-exp over components for every latent dimension: a product of 1-D mixtures."""

    def log_prob(self, x):
        c = self.components
        each = Normal(c.mu, c.sigma).log_prob(np.asarray(x)[..., None, :])
        weights = special.log_softmax(self.logits)[:, None]
        return special.logsumexp(weights + each, axis=-2).sum(-1)


class LogVarianceForLogSigma(Mixture):
    """Draws with exp(logvar) where exp(logvar / 2) belongs."""

    def sample(self, rng, shape=()):
        c = self.components
        return Mixture(self.logits, DiagonalNormal(c.mu, c.sigma**2)).sample(rng, shape)


class HalfWidthNoise(Mixture):
    """Noise of half the width."""

    def sample(self, rng, shape=()):
        c = self.components
        return Mixture(self.logits, DiagonalNormal(c.mu, c.sigma / 2)).sample(rng, shape)


class MixedCoordinates(Mixture):
    """Every coordinate picks its own component."""

    def sample(self, rng, shape=()):
        return np.stack([super(MixedCoordinates, self).sample(rng, shape)[..., i] for i in range(2)], -1)


def cells_agree(distribution, draws) -> bool:
    """chi^2 of counts in 64 cells against the density's mass there, summed on a fine grid."""
    edges = np.linspace(-5, 5, 9)
    fine = 40
    centres = np.linspace(-5, 5, 8 * fine + 1)
    centres = (centres[:-1] + centres[1:]) / 2
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), -1)
    mass = np.exp(distribution.log_prob(grid)) * (10 / (8 * fine)) ** 2
    mass = mass.reshape(8, fine, 8, fine).sum((1, 3)).ravel()
    counts = np.histogram2d(draws[:, 0], draws[:, 1], [edges, edges])[0].ravel()
    assert mass.sum() == pytest.approx(1, abs=1e-4)  # the slip of a log-sum-exp per dimension passes *this*
    few = len(draws) * mass < 5
    counts, expected = np.append(counts[~few], counts[few].sum()), len(draws) * np.append(mass[~few], mass[few].sum())
    expected = np.maximum(expected, 1e-3)
    expected *= counts.sum() / expected.sum()
    return stats.chisquare(counts, expected).pvalue > FALSE_ALARM


def test_mixture_sampler_draws_from_the_density():
    p = mixture()
    assert cells_agree(p, p.sample(np.random.default_rng(1), 20_000))


@pytest.mark.parametrize("slip", [PerDimension, LogVarianceForLogSigma, HalfWidthNoise, MixedCoordinates])
def test_the_sampler_test_rejects(slip):
    p = mixture(slip)
    assert not cells_agree(p, p.sample(np.random.default_rng(1), 20_000))


def test_a_log_sum_exp_per_dimension_still_has_mass_one_but_elsewhere():
    """Why only a sampler-against-density test finds that slip: it puts mass where no component is."""
    empty = np.array([-2.0, 2.0])
    assert mixture().log_prob(empty) < -10
    assert mixture(PerDimension).log_prob(empty) > -4


def test_mixture_moments_and_gradients():
    rng = np.random.default_rng(2)
    mean = WEIGHTS @ MEANS
    np.testing.assert_allclose(mixture().mean, mean, rtol=1e-13)
    np.testing.assert_allclose(mixture().variance, WEIGHTS @ (SIGMAS**2 + (MEANS - mean) ** 2), rtol=1e-13)
    x = rng.normal(size=(4, 2))
    assert ad.gradcheck(lambda x, *p: Mixture(p[0], DiagonalNormal(p[1], p[2])).log_prob(x),
                        x, np.log(WEIGHTS), MEANS, SIGMAS, rng=rng) < 1e-6


def test_mixtures_in_a_batch():
    """Logits, means or both may carry batch axes; every batch element is the mixture it would be alone."""
    rng = np.random.default_rng(3)
    logits, mu, sigma = rng.normal(size=(4, 1, 3)), rng.normal(0, 3, (2, 3)), rng.uniform(0.2, 1, 3)
    p = Mixture(logits, Normal(mu, sigma))
    assert p.batch_shape == (4, 2) == p.mean.shape and p.sample(rng, 6).shape == (6, 4, 2)
    x = rng.normal(size=(6, 4, 2))
    draws = p.sample(rng, 20_000)
    for i in range(4):
        for j in range(2):
            alone = Mixture(logits[i, 0], Normal(mu[j], sigma))
            np.testing.assert_allclose(p.log_prob(x)[:, i, j], alone.log_prob(x[:, i, j]), rtol=1e-12)
            weights = special.softmax(logits[i, 0])

            def cdf(t, weights=weights, mu=mu[j]):
                return (weights * stats.norm(mu, sigma).cdf(t[..., None])).sum(-1)

            assert stats.kstest(draws[:, i, j], cdf).pvalue > FALSE_ALARM


def test_mixtures_of_other_families_and_of_mixtures():
    rng = np.random.default_rng(4)
    full = Mixture(np.log(WEIGHTS), MultivariateNormal(MEANS, np.einsum("ki,ij->kij", SIGMAS, np.eye(2))))
    x = rng.normal(size=(5, 2))
    np.testing.assert_allclose(full.log_prob(x), mixture().log_prob(x), rtol=1e-11)
    assert cells_agree(full, full.sample(rng, 20_000))
    wrapped = Mixture(np.log(WEIGHTS), Independent(Normal(MEANS, SIGMAS), 1))
    np.testing.assert_allclose(wrapped.log_prob(x), mixture().log_prob(x), rtol=1e-12)
    assert cells_agree(wrapped, wrapped.sample(rng, 20_000))
    inner = Mixture(np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), DiagonalNormal(MEANS, SIGMAS))
    nested = Mixture([0.0, 0.0], inner)
    flat = Mixture(np.log([0.3, 0.2, 0.5]), DiagonalNormal(MEANS, SIGMAS))
    np.testing.assert_allclose(nested.log_prob(x), flat.log_prob(x), rtol=1e-12)
    assert cells_agree(flat, nested.sample(rng, 20_000))
    binary = Mixture([0.0, 1.0], Independent(Bernoulli(np.array([[5.0, 5.0], [-5.0, -5.0]])), 1))
    every = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert np.exp(binary.log_prob(every)).sum() == pytest.approx(1, abs=1e-14)
    assert binary.log_prob(every)[1] < -4  # the two pixels go together


def test_discretised_logistic_mixture():
    rng = np.random.default_rng(5)
    logits, mu, scale = rng.normal(size=(2, 3)), rng.uniform(-20, 270, (2, 3)), rng.uniform(0.5, 20, (2, 3))
    p = DiscretisedLogisticMixture(logits, mu, scale)
    log_p = p.log_prob(np.arange(256)[:, None])
    np.testing.assert_allclose(np.exp(log_p).sum(0), 1, atol=1e-12)
    assert np.all(p.log_prob(np.array([[-1], [256], [0.5]])) == -np.inf)
    draws = p.sample(rng, 20_000)
    for pixel in range(2):
        counts = np.bincount(draws[:, pixel].astype(int), minlength=256).reshape(32, 8).sum(-1)
        expected = 20_000 * np.exp(log_p[:, pixel]).reshape(32, 8).sum(-1)
        keep = expected > 5
        z = (counts - expected)[keep] / np.sqrt(expected[keep])
        assert np.abs(z).max() < 6
    image = Independent(p, 1)
    assert image.log_prob(draws).shape == (20_000,) and image.event_shape == (2,)
    x = np.array([0.0, 255.0])
    assert ad.gradcheck(lambda *a: DiscretisedLogisticMixture(*a).log_prob(x), logits, mu, scale, rng=rng) < 1e-6


def test_independent_sums_the_last_batch_axes():
    rng = np.random.default_rng(6)
    mu, scale = rng.normal(size=(2, 3, 4)), rng.uniform(0.5, 2, (3, 4))
    p = Independent(Laplace(mu, scale), 2)
    assert (p.batch_shape, p.event_shape, p.event_ndim) == ((2,), (3, 4), 2)
    x = rng.normal(size=(5, 2, 3, 4))
    np.testing.assert_allclose(p.log_prob(x), Laplace(mu, scale).log_prob(x).sum((-1, -2)), rtol=1e-13)
    np.testing.assert_allclose(p.entropy(), Laplace(mu, scale).entropy().sum((-1, -2)), rtol=1e-13)
    assert p.sample(rng, 7).shape == (7, 2, 3, 4) and p.variance.shape == p.mean.shape == (2, 3, 4)
    moved = Independent(Logistic(ad.Tensor(np.zeros(3), requires_grad=True)), 1).rsample(rng, 2)
    assert moved.requires_grad and moved.shape == (2, 3)
    noise = Independent(Logistic(np.zeros(3, np.float32)), 1)
    assert noise.dtype == noise.log_prob(np.zeros((2, 3), np.float32)).dtype == np.float32
    images = Independent(Bernoulli(np.zeros((3, 4), np.float32)), 2)
    assert images.log_prob(np.zeros((5, 3, 4), np.uint8)).dtype == np.float32


@pytest.mark.parametrize("make, words", [
    (lambda: Mixture([0.0, 0.0], Normal([0.0, 1.0, 2.0])), r"logits has shape \(2,\), components .* \(3,\)"),
    (lambda: Mixture(0.0, Normal(0.0)), "the same K >= 1 as the last axis"),
    (lambda: Mixture(np.zeros((4, 2)), Normal(np.zeros((3, 2)))), "expected shapes that broadcast"),
    (lambda: Independent(Normal(0.0), 1), "axes is 1; expected 1 to 0"),
    (lambda: Independent(Normal(np.zeros((2, 3))), 3), "axes is 3; expected 1 to 2"),
    (lambda: mixture().log_prob(np.zeros((4, 3))), r"Mixture: x has shape \(4, 3\); expected \(..., 2\)"),
    (lambda: DiscretisedLogisticMixture([0.0], [1.0], [1.0], levels=1), "levels is 1; expected an integer >= 2"),
])
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_what_a_mixture_has_not_is_said():
    with pytest.raises(NotImplementedError, match="Mixture has no reparameterised sampler"):
        mixture().rsample(np.random.default_rng(0))
    with pytest.raises(NotImplementedError, match="Mixture has no closed-form entropy"):
        mixture().entropy()
    assert "K=3" in repr(mixture()) and "batch_shape=(3,)" in repr(mixture())
    assert isinstance(mixture().log_joint(np.zeros(2)), np.ndarray) and Categorical([0.0]).batch_shape == ()
