"""Distributions whose event is a vector, or whose parameters are: Gaussians, Dirichlet, categorical."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import Categorical, DiagonalNormal, Dirichlet, MultivariateNormal, Normal

stats = pytest.importorskip("scipy.stats", reason="scipy is the referee of densities (extra dev)")

FALSE_ALARM = 1e-6
L = np.array([[1.5, 0, 0], [-0.7, 0.4, 0], [0.2, 2.0, 0.9]])
MU = np.array([1.0, -2.0, 0.5])
ALPHA = np.array([0.6, 2.5, 4.0])


def mean_and_covariance_agree(draws, mean, covariance, *, bound=5.5) -> bool:
    """Every first and second moment within `bound` standard errors (false alarm below 1e-6 for few moments)."""
    centred = draws - mean
    products = centred[:, :, None] * centred[:, None, :] - covariance
    scale = np.sqrt(len(draws))
    z = [scale * centred.mean(0) / centred.std(0), scale * products.mean(0) / (products.std(0) + 1e-12)]
    return max(np.abs(part).max() for part in z) < bound


def test_diagonal_normal_is_the_sum_of_normals():
    rng = np.random.default_rng(0)
    mu, sigma, x = rng.normal(size=(4, 3)), rng.uniform(0.3, 2, (4, 3)), rng.normal(size=(4, 3))
    d = DiagonalNormal(mu, sigma)
    np.testing.assert_allclose(d.log_prob(x), stats.norm(mu, sigma).logpdf(x).sum(-1), rtol=1e-12)
    np.testing.assert_allclose(d.entropy(), stats.norm(mu, sigma).entropy().sum(-1), rtol=1e-12)
    assert (d.batch_shape, d.event_shape) == ((4,), (3,)) and d.sample(rng, 2).shape == (2, 4, 3)
    assert d.log_prob(x[0]).shape == (4,) and DiagonalNormal(mu[0], 2.0).log_prob(x).shape == (4,)
    shared = DiagonalNormal(mu, 0.5)
    np.testing.assert_allclose(shared.entropy(), np.full(4, 3 * Normal(0, 0.5).entropy()), rtol=1e-14)
    np.testing.assert_array_equal(shared.variance, np.full((4, 3), 0.25))
    assert ad.gradcheck(lambda *a: DiagonalNormal(*a[1:]).log_prob(a[0]), x, mu, sigma, rng=rng) < 1e-6


@pytest.mark.parametrize("given", ["scale_tril", "covariance"])
def test_multivariate_normal_is_the_referees(given):
    rng = np.random.default_rng(1)
    p = MultivariateNormal(MU, **{given: L if given == "scale_tril" else L @ L.T})
    referee = stats.multivariate_normal(MU, L @ L.T)
    x = rng.normal(0, 3, (2, 5, 3))
    np.testing.assert_allclose(p.log_prob(x), referee.logpdf(x), rtol=1e-11)
    np.testing.assert_allclose(p.log_prob(x[0, 0]), referee.logpdf(x[0, 0]), rtol=1e-11)
    assert p.entropy() == pytest.approx(referee.entropy(), rel=1e-12)
    np.testing.assert_allclose(p.covariance, L @ L.T, rtol=1e-12)
    np.testing.assert_allclose(p.variance, np.diag(L @ L.T), rtol=1e-12)
    assert mean_and_covariance_agree(p.sample(rng, 50_000), MU, L @ L.T)


def test_the_moment_test_rejects_slips_of_the_sampler():
    noise = np.random.default_rng(1).standard_normal((50_000, 3))
    assert mean_and_covariance_agree(MU + noise @ L.T, MU, L @ L.T)
    for slip in (noise @ L, noise @ (L @ L.T), 1.03 * noise @ L.T, noise * np.sqrt(np.diag(L @ L.T))):
        assert not mean_and_covariance_agree(MU + slip, MU, L @ L.T)


def test_multivariate_normal_with_a_batch_of_triangles():
    rng = np.random.default_rng(2)
    triangles = np.stack([L, 2 * L, np.eye(3)])
    p = MultivariateNormal(MU, triangles)
    x = rng.normal(size=(4, 3, 3))
    expected = [[stats.multivariate_normal(MU, t @ t.T).logpdf(x[i, j]) for j, t in enumerate(triangles)]
                for i in range(4)]
    np.testing.assert_allclose(p.log_prob(x), expected, rtol=1e-11)
    assert p.log_prob(x[0, 0]).shape == (3,) == p.entropy().shape and p.sample(rng, 5).shape == (5, 3, 3)
    assert mean_and_covariance_agree(p.sample(rng, 50_000)[:, 1], MU, 4 * L @ L.T)


def test_multivariate_normal_gradients():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 3))

    def by_triangle(x, mu, A):
        return MultivariateNormal(mu, ad.tril(A)).log_prob(x)

    def by_covariance(x, mu, A):
        return MultivariateNormal(mu, covariance=ad.matmul(A, ad.mT(A))).log_prob(x)

    assert ad.gradcheck(by_triangle, x, MU, L, rng=rng) < 1e-6
    assert ad.gradcheck(by_covariance, x, MU, L, rng=rng) < 1e-6


def test_multivariate_normal_path_gradient():
    """E |x|^2 = |mu|^2 + |L|_F^2, so its gradient is (2 mu, 2 L) on the triangle; 5 standard errors."""
    n, rng = 40_000, np.random.default_rng(4)
    mu = ad.Tensor(np.tile(MU, (n, 1)), requires_grad=True)
    triangle = ad.Tensor(np.tile(L, (n, 1, 1)), requires_grad=True)
    ad.sum(ad.square(MultivariateNormal(mu, triangle).rsample(rng))).backward()
    for g, exact in ((mu.grad, 2 * MU), (triangle.grad, 2 * L)):
        z = (g.mean(0) - exact) / (g.std(0) / np.sqrt(n))
        z = np.where(np.triu(np.ones(z.shape), 1) == 0, z, 0) if z.ndim == 2 else z
        assert np.abs(z).max() < 5


def test_float32_stays_float32():
    x = np.zeros((2, 3), np.float32)
    for p in (MultivariateNormal(MU.astype(np.float32), L.astype(np.float32)),
              DiagonalNormal(MU.astype(np.float32), 0.5), Dirichlet(ALPHA.astype(np.float32)),
              Categorical(ALPHA.astype(np.float32))):
        rng = np.random.default_rng(0)
        assert p.dtype == p.entropy().dtype == np.float32
        if not isinstance(p, Categorical):
            assert p.sample(rng, 2).dtype == p.log_prob(p.sample(rng, 2)).dtype == np.float32
    assert Categorical(ALPHA.astype(np.float32)).log_prob(x.astype(np.uint8)).dtype == np.float32


def test_dirichlet_is_the_referees():
    rng = np.random.default_rng(5)
    p, referee = Dirichlet(ALPHA), stats.dirichlet(ALPHA)
    x = referee.rvs(7, random_state=6)
    np.testing.assert_allclose(p.log_prob(x), [referee.logpdf(row) for row in x], rtol=1e-11)
    assert p.entropy() == pytest.approx(referee.entropy(), rel=1e-12)
    np.testing.assert_allclose(p.mean, referee.mean(), rtol=1e-13)
    np.testing.assert_allclose(p.variance, referee.var(), rtol=1e-13)
    draws = p.sample(rng, 20_000)
    for k in range(3):  # a coordinate of a Dirichlet is a beta
        assert stats.kstest(draws[:, k], stats.beta(ALPHA[k], ALPHA.sum() - ALPHA[k]).cdf).pvalue > FALSE_ALARM
    normalised = rng.random((20_000, 3)) * ALPHA
    normalised /= normalised.sum(-1, keepdims=True)
    assert stats.kstest(normalised[:, 0], stats.beta(ALPHA[0], ALPHA.sum() - ALPHA[0]).cdf).pvalue < FALSE_ALARM


def test_dirichlet_support_and_gradients():
    p = Dirichlet(ALPHA)
    off = np.array([[0.5, 0.5, 0.0], [0.5, 0.7, -0.2], [0.3, 0.3, 0.3], [0.2, 0.3, 0.5]])
    assert np.isneginf(p.log_prob(off)).tolist() == [True, True, True, False]
    g = ad.grad(lambda x: ad.sum(p.log_prob(x)))(off)
    assert np.all(g[:3] == 0) and np.isfinite(g[3]).all()
    rng = np.random.default_rng(7)
    x = np.tile(off[3], (2, 1))
    assert ad.gradcheck(lambda x, a: Dirichlet(a).log_prob(x), x, ALPHA, rng=rng) < 1e-6
    tiny = Dirichlet(np.full((2, 4), 1e-3))
    draws = tiny.sample(rng, 500)
    assert np.isfinite(tiny.log_prob(draws)).all() and np.allclose(draws.sum(-1), 1)


def test_categorical_is_the_softmax():
    rng = np.random.default_rng(8)
    logits = rng.normal(0, 2, (2, 4, 5))
    p = Categorical(logits)
    table = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    for k in range(5):
        np.testing.assert_allclose(p.log_prob(k), table[..., k], rtol=1e-12)
    x = rng.integers(0, 5, (3, 2, 4))
    np.testing.assert_allclose(p.log_prob(x), np.take_along_axis(table[None], x[..., None], -1)[..., 0], rtol=1e-12)
    np.testing.assert_allclose(p.entropy(), -(np.exp(table) * table).sum(-1), rtol=1e-12)
    np.testing.assert_array_equal(Categorical(logits[0, 0]).log_prob([-1, 5, 1.5]), -np.inf)
    assert np.isneginf(p.log_prob(np.full((2, 4), 7))).all()
    assert ad.gradcheck(lambda logits: Categorical(logits).log_prob(x), logits, rng=rng) < 1e-6
    assert np.isfinite(Categorical([1e4, -1e4, 0.0]).log_prob([0, 1, 2])).all()


def test_categorical_sampler():
    rng = np.random.default_rng(9)
    logits = np.array([[0.0, 1.0, -2.0, 0.5], [3.0, 0.0, 0.0, -8.0]])
    draws = Categorical(logits).sample(rng, 20_000)
    assert draws.shape == (20_000, 2) and draws.dtype == np.int64
    single = Categorical(logits[0]).sample(rng, (100, 200)).ravel()
    for column, row in ((draws[:, 0], 0), (draws[:, 1], 1), (single, 0)):
        expected = 20_000 * np.exp(logits[row]) / np.exp(logits[row]).sum()
        assert stats.chisquare(np.bincount(column, minlength=4), expected).pvalue > FALSE_ALARM
    expected = 20_000 * np.exp(logits[0]) / np.exp(logits[0]).sum()
    off_by_one = np.bincount((single + 1) % 4, minlength=4)
    assert stats.chisquare(off_by_one, expected).pvalue < FALSE_ALARM
    class Zeros:
        """The generator at its unluckiest: u = 0, beside an outcome whose probability underflows to 0."""

        def random(self, shape):
            return np.zeros(shape)

    assert Categorical([-800.0, 0.0]).sample(Zeros()) == 1
    assert Categorical([[-800.0, 0.0]]).sample(Zeros()).tolist() == [1]
    assert Categorical([0.0]).sample(rng).shape == () and Categorical([0.0]).sample(rng) == 0
