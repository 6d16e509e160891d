"""The von Mises-Fisher distribution: its normaliser by three routes, mass, sampler, gradients."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import VonMisesFisher, kl
from minigen.distributions.sphere import log_bessel, sample_gap

stats = pytest.importorskip("scipy.stats", reason="scipy is the referee of densities (extra dev)")
special = pytest.importorskip("scipy.special", reason="scipy is the referee of densities (extra dev)")
integrate = pytest.importorskip("scipy.integrate", reason="scipy is the referee of densities (extra dev)")

FALSE_ALARM = 1e-6


def direction(d):
    """A unit vector that is not along an axis."""
    mu = np.arange(1.0, d + 1)
    return mu / np.linalg.norm(mu)


def cosine_density(d, kappa):
    """p(t) of t = mu . x on (-1, 1), by quadrature alone: exp(kappa t) (1 - t^2)^((d - 3) / 2), normalised."""
    def f(angle):
        return np.exp(kappa * (np.cos(angle) - 1)) * np.sin(angle) ** (d - 2)

    total = integrate.quad(f, 0, np.pi, epsabs=0, epsrel=1e-12, limit=500, points=[min(3 / np.sqrt(kappa + 1), 3)])[0]
    return f, total


@pytest.mark.parametrize("order", [0, 0.5, 1, 4, 9.5, 19.5, 24, 149])
def test_log_bessel_is_the_referees(order):
    x = np.logspace(-3, 4, 100)
    log_I, ratio = log_bessel(order, x)
    with np.errstate(divide="ignore"):
        scaled, next_scaled = special.ive(order, x), special.ive(order + 1, x)
        ok = next_scaled > 1e-280
        expected = np.log(scaled[ok]) - order * np.log(x[ok])
    np.testing.assert_allclose(log_I[ok], expected, rtol=1e-12, atol=2e-12)
    np.testing.assert_allclose(ratio[ok], next_scaled[ok] / scaled[ok] / x[ok], rtol=2e-12)


def test_log_bessel_is_smooth_at_zero():
    at_zero = log_bessel(1.5, np.zeros(1))
    assert at_zero[0][0] == pytest.approx(-1.5 * np.log(2) - special.gammaln(2.5), abs=1e-13)
    assert at_zero[1][0] == pytest.approx(1 / 5, rel=1e-13)  # I_(v+1)(x) / (x I_v(x)) -> 1 / (2 v + 2)
    x = np.array([0.0, 1e-8, 0.3, 12.0])
    slope = ad.grad(lambda x: ad.sum(log_bessel(1.5, x)[0]))(x)
    np.testing.assert_allclose(slope, x * log_bessel(1.5, x)[1] - 1, atol=1e-13)


@pytest.mark.parametrize("kappa", [0.0, 1e-6, 0.3, 5.0, 40.0, 1e4])
def test_on_the_two_sphere_the_normaliser_is_elementary(kappa):
    mu = direction(3)
    x = np.array([mu, -mu, [1.0, 0, 0]])
    log_c = np.log(kappa / (2 * np.pi * -np.expm1(-2 * kappa))) - kappa if kappa else -np.log(4 * np.pi)
    expected = log_c + kappa * x @ mu
    np.testing.assert_allclose(VonMisesFisher(mu, kappa).log_prob(x), expected, rtol=1e-12, atol=1e-12)
    entropy = -log_c - kappa * (1 / np.tanh(kappa) - 1 / kappa) if kappa > 1e-3 else np.log(4 * np.pi)
    assert VonMisesFisher(mu, kappa).entropy() == pytest.approx(entropy, abs=2e-9)


def test_in_the_plane_it_is_the_von_mises_distribution():
    angle = np.linspace(-3, 3, 20)
    x = np.stack([np.cos(angle), np.sin(angle)], -1)
    p = VonMisesFisher([np.cos(0.4), np.sin(0.4)], 2.7)
    np.testing.assert_allclose(p.log_prob(x), stats.vonmises(2.7, loc=0.4).logpdf(angle), rtol=1e-12)


def test_against_the_referee_in_higher_dimensions():
    for d in (4, 7, 40):
        x = np.random.default_rng(d).normal(size=(5, d))
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        for kappa in (0.2, 30.0):
            p, referee = VonMisesFisher(direction(d), kappa), stats.vonmises_fisher(direction(d), kappa)
            np.testing.assert_allclose(p.log_prob(x), referee.logpdf(x), rtol=1e-11)
            assert p.entropy() == pytest.approx(referee.entropy(), rel=1e-10)


@pytest.mark.parametrize("d", [2, 3, 4, 9])
@pytest.mark.parametrize("kappa", [0.0, 1.5, 200.0])
def test_mass_is_one_by_quadrature(d, kappa):
    """int over S^(d-1) = |S^(d-2)| int_0^pi p(angle) sin(angle)^(d-2) d angle."""
    e = np.eye(d)[0]
    other = np.eye(d)[1]
    p = VonMisesFisher(e, kappa)
    ring = 2 * np.pi ** ((d - 1) / 2) / special.gamma((d - 1) / 2)

    def f(angle):
        x = np.cos(angle) * e + np.sin(angle) * other
        return np.exp(p.log_prob(x)) * np.sin(angle) ** (d - 2)

    mass = ring * integrate.quad(f, 0, np.pi, epsabs=1e-12, epsrel=1e-12, limit=200, points=[0.3])[0]
    assert mass == pytest.approx(1, abs=1e-10)


def cosine_agrees(gap, d, kappa) -> bool:
    """Kolmogorov-Smirnov of 1 - cos(angle) against the quadrature of its density."""
    f, total = cosine_density(d, kappa)
    grid = np.linspace(0, np.pi, 20_001)
    cdf = integrate.cumulative_simpson(f(grid), x=grid, initial=0) / total
    assert cdf[-1] == pytest.approx(1, abs=1e-6)
    angle = 2 * np.arcsin(np.sqrt(np.clip(gap, 0, 2) / 2))
    return stats.kstest(angle, lambda t: np.interp(t, grid, cdf)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("d", [2, 3, 4, 30])
@pytest.mark.parametrize("kappa", [0.0, 0.8, 60.0, 1e4])
def test_sampler_draws_from_the_density(d, kappa):
    """The angle to mu follows its density, and what is orthogonal to mu has no preferred direction."""
    mu, n = direction(d), 20_000
    x = VonMisesFisher(mu, kappa).sample(np.random.default_rng(d), n)
    np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1, atol=1e-12)
    assert cosine_agrees(((x - mu) ** 2).sum(-1) / 2, d, kappa)
    side = x - (x @ mu)[:, None] * mu
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    tangent = np.linalg.qr(np.column_stack([mu, np.eye(d)[:, :d - 1]]))[0][:, 1:]
    flat = side @ tangent  # uniform on S^(d-2): mean 0, covariance I / (d - 1)
    assert np.abs(flat.mean(0) * np.sqrt(n * (d - 1))).max() < 5.5
    if d > 2:
        second = flat[:, :, None] * flat[:, None, :] - np.eye(d - 1) / (d - 1)
        assert np.abs(second.mean(0) / (second.std(0) / np.sqrt(n))).max() < 6


@pytest.mark.parametrize("slip", ["kappa / 2", "d + 1", "no rejection"])
def test_the_sampler_test_rejects(slip):
    d, kappa, rng = 4, 3.0, np.random.default_rng(1)
    if slip == "no rejection":
        b = (d - 1) / (2 * kappa + np.sqrt(4 * kappa**2 + (d - 1) ** 2))
        z = rng.beta((d - 1) / 2, (d - 1) / 2, size=20_000)
        gap = 2 * b * z / (1 - (1 - b) * z)
    else:
        gap = sample_gap(rng, np.full(20_000, kappa / 2 if slip == "kappa / 2" else kappa), d + (slip == "d + 1"))
    assert not cosine_agrees(gap, d, kappa)


def test_mean_and_divergence_are_expectations():
    mu, other = direction(4), np.eye(4)[1]
    p, q = VonMisesFisher(mu, 3.0), VonMisesFisher(other, 0.7)
    x = p.sample(np.random.default_rng(2), 100_000)
    assert np.abs((x.mean(0) - p.mean) / (x.std(0) / np.sqrt(len(x)))).max() < 5
    ratio = p.log_prob(x) - q.log_prob(x)
    assert abs(ratio.mean() - kl(p, q)) < 5 * ratio.std() / np.sqrt(len(x))
    assert kl(p, p) == pytest.approx(0, abs=1e-12)
    uniform = VonMisesFisher(mu, 0.0)
    assert kl(p, uniform) == pytest.approx(uniform.entropy() - p.entropy(), abs=1e-12)


def test_gradients_batches_and_float32():
    rng = np.random.default_rng(3)
    mu, kappa = np.stack([direction(3), np.eye(3)[2]]), np.array([0.4, 25.0])
    p = VonMisesFisher(mu, kappa)
    x = p.sample(rng, 5)
    assert x.shape == (5, 2, 3) and p.log_prob(x).shape == (5, 2) and p.entropy().shape == (2,)
    assert ad.gradcheck(lambda *a: VonMisesFisher(*a[1:]).log_prob(a[0]), x[0], mu, kappa, rng=rng) < 1e-6
    single = VonMisesFisher(mu.astype(np.float32), kappa.astype(np.float32))
    y = single.sample(rng, 4)
    assert y.dtype == single.log_prob(y).dtype == single.entropy().dtype == np.float32
    np.testing.assert_allclose(single.log_prob(y), p.log_prob(y.astype(float)), atol=2e-5)


def test_off_the_sphere_is_outside_and_bad_parameters_are_refused():
    p = VonMisesFisher(direction(3), 2.0)
    x = np.array([direction(3), 1.01 * direction(3), np.zeros(3)])
    assert np.isneginf(p.log_prob(x)).tolist() == [False, True, True]
    g = ad.grad(lambda x: ad.sum(p.log_prob(x)))(x)
    assert np.all(g[1:] == 0) and np.isfinite(g).all()
    for arguments, words in (((np.array([2.0, 0, 0]), 1.0), "mu is not of length 1"),
                             ((np.array([1.0]), 1.0), r"expected \(..., d\) with d >= 2"),
                             ((direction(3), -1.0), "kappa has the value -1.0; expected >= 0"),
                             ((direction(3), np.inf), "kappa has the value inf")):
        with pytest.raises(ValueError, match=words):
            VonMisesFisher(*arguments)
