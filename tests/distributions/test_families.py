"""What every univariate family is, once: density, support, dtype, gradient, sampler, moments, entropy.

scipy is the referee. Each sampler test rejects a right sampler with probability 1e-6 (its seed is fixed); beside the
definition stands the proof that it rejects the slips that people make.
"""

from typing import NamedTuple

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.distributions import (
    Bernoulli,
    Beta,
    Cauchy,
    DiscretisedLogistic,
    Gamma,
    Laplace,
    Logistic,
    Normal,
    Pareto,
    Rayleigh,
    StudentT,
    Uniform,
)
from minigen.distributions.location import log_gamma_half

stats = pytest.importorskip("scipy.stats", reason="scipy is the referee of densities (extra dev)")
special = pytest.importorskip("scipy.special", reason="scipy is the referee of densities (extra dev)")
integrate = pytest.importorskip("scipy.integrate", reason="scipy is the referee of densities (extra dev)")

FALSE_ALARM = 1e-6
TAILS = [1e-12, 1e-6, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.99, 1 - 1e-6, 1 - 1e-12]


class Family(NamedTuple):
    """A family at one setting: minigen's class with its parameters, and the same thing in scipy."""

    make: type
    parameters: tuple
    referee: object
    outside: tuple = ()

    def __call__(self, dtype=None):
        return self.make(*(self.parameters if dtype is None else [np.array(p, dtype) for p in self.parameters]))


FAMILIES = {
    "normal": Family(Normal, (0.7, 1.6), stats.norm(0.7, 1.6)),
    "uniform": Family(Uniform, (-1.25, 0.5), stats.uniform(-1.25, 1.75), (-1.26, 0.51, np.inf)),
    "laplace": Family(Laplace, (0.7, 1.6), stats.laplace(0.7, 1.6)),
    "logistic": Family(Logistic, (-0.5, 0.4), stats.logistic(-0.5, 0.4)),
    "cauchy": Family(Cauchy, (0.7, 1.6), stats.cauchy(0.7, 1.6)),
    "student-3.5": Family(StudentT, (3.5, 0.7, 1.6), stats.t(3.5, 0.7, 1.6)),
    "student-90": Family(StudentT, (90.0, 0.0, 1.0), stats.t(90)),
    "rayleigh": Family(Rayleigh, (1.6,), stats.rayleigh(scale=1.6), (0.0, -1.0, -np.inf)),
    "pareto": Family(Pareto, (2.5, 1.5), stats.pareto(2.5, scale=1.5), (1.49, 0.0, -2.0)),
    "gamma": Family(Gamma, (2.5, 0.8), stats.gamma(2.5, scale=1 / 0.8), (0.0, -1.0)),
    "gamma-0.3": Family(Gamma, (0.3, 2.0), stats.gamma(0.3, scale=0.5), (0.0, -1.0)),
    "beta": Family(Beta, (2.5, 0.7), stats.beta(2.5, 0.7), (0.0, 1.0, -0.1, 1.1)),
}
PATHWISE = [name for name in FAMILIES if not name.startswith(("gamma", "beta"))]
every_family = pytest.mark.parametrize("name", FAMILIES)
every_pathwise_family = pytest.mark.parametrize("name", PATHWISE)


def quadrature(f, referee):
    """The integral of f over the support, in pieces that end at quantiles; a finite end may carry a pole."""
    low, high = referee.support()
    far = ([] if np.isfinite(low) else [1e-3], [] if np.isfinite(high) else [0.999])
    edges = [low, *referee.ppf([*far[0], 0.2, 0.5, 0.8, *far[1]]), high]
    total = 0.0
    for a, b in zip(edges, edges[1:]):
        if np.isfinite(low) and a == low:  # x = a + (b - a) y^8 takes any pole weaker than x^(-7/8) away
            total += _quad(lambda y, a=a, b=b: f(a + (b - a) * y**8) * (b - a) * 8 * y**7, 0, 1)
        elif np.isfinite(high) and b == high:
            total += _quad(lambda y, a=a, b=b: f(b - (b - a) * y**8) * (b - a) * 8 * y**7, 0, 1)
        else:
            total += _quad(f, a, b)
    return total


def _quad(f, a, b):
    return integrate.quad(f, a, b, epsabs=1e-11, epsrel=1e-10, limit=200)[0]


@every_family
def test_log_prob_is_the_referees_to_the_tails(name):
    family = FAMILIES[name]
    x = family.referee.ppf(TAILS)
    x = x[np.isfinite(family.referee.logpdf(x))]  # the beta's last quantile rounds to its pole
    assert x.size >= len(TAILS) - 1
    np.testing.assert_allclose(family().log_prob(x), family.referee.logpdf(x), rtol=1e-12, atol=1e-12)
    assert family().log_prob(x[3]).shape == () == family().batch_shape


@every_family
def test_float32_stays_float32(name):
    family = FAMILIES[name]
    x = family.referee.ppf(TAILS[1:-1]).astype(np.float32)
    x = x[(x > family.referee.support()[0]) & (x < family.referee.support()[1])]
    log_p = family(np.float32).log_prob(x)
    assert log_p.dtype == np.float32 == family().log_prob(x).dtype  # Python numbers follow x
    np.testing.assert_allclose(log_p, family.referee.logpdf(x.astype(float)), rtol=3e-5, atol=3e-6)
    draws = family(np.float32).sample(np.random.default_rng(0), 5)
    assert draws.dtype == np.float32 and family().sample(np.random.default_rng(0)).dtype == np.float64


@every_family
def test_outside_the_support_is_minus_infinity_with_gradient_zero(name):
    family = FAMILIES[name]
    inside = family.referee.ppf(0.4)
    x = np.array([*family.outside, inside])
    log_p = family().log_prob(x)
    assert np.all(log_p[:-1] == -np.inf) and np.isfinite(log_p[-1])

    def total(x, *parameters):
        return ad.sum(ad.exp(family.make(*parameters).log_prob(x)))

    for g in ad.grad(total, argnums=tuple(range(1 + len(family.parameters))))(x, *family.parameters):
        assert np.isfinite(g).all()
    to_x = ad.grad(lambda x: ad.sum(family().log_prob(x)))(x)
    assert np.all(to_x[:-1] == 0) and np.isfinite(to_x[-1])


@every_family
def test_a_missing_number_is_not_hidden_as_impossible(name):
    assert np.isnan(FAMILIES[name]().log_prob(np.array([np.nan, 0.3]))[0])


@every_family
def test_gradients_to_x_and_parameters(name):
    family = FAMILIES[name]
    x = family.referee.ppf([0.6, 0.7, 0.8, 0.9])  # away from the poles, where differences fail
    parameters = [np.full(4, p) for p in family.parameters]
    worst = ad.gradcheck(lambda x, *p: family.make(*p).log_prob(x), x, *parameters, rng=np.random.default_rng(1))
    assert worst < 1e-6


@every_family
def test_mass_is_one_and_entropy_is_minus_the_mean_log_density(name):
    family = FAMILIES[name]
    distribution = family()

    def density(x):
        return np.exp(distribution.log_prob(x))

    assert quadrature(density, family.referee) == pytest.approx(1, abs=1e-9)
    entropy = quadrature(lambda x: -density(x) * np.log(density(x) or 1.0), family.referee)
    assert float(distribution.entropy()) == pytest.approx(entropy, abs=1e-8)


@every_family
def test_moments(name):
    family = FAMILIES[name]
    if name == "cauchy":
        for moment in ("mean", "variance"):
            with pytest.raises(ValueError, match=f"the {moment} does not exist"):
                getattr(family(), moment)
        return
    assert float(family().mean) == pytest.approx(family.referee.mean(), rel=1e-12)
    assert float(family().variance) == pytest.approx(family.referee.var(), rel=1e-12)


def test_moments_that_are_infinite_or_missing():
    assert Pareto(2.0).variance == np.inf and Pareto([1.0, 3.0]).mean.tolist() == [np.inf, 1.5]
    np.testing.assert_array_equal(StudentT([2.0, 4.0]).variance, [np.inf, 2.0])
    with pytest.raises(ValueError, match="df has the value 1.0; mean and variance exist for df > 1"):
        assert StudentT([1.0, 4.0]).mean


def agrees(draws, referee) -> bool:
    """Kolmogorov-Smirnov at the false-alarm rate."""
    return stats.kstest(draws, referee.cdf).pvalue > FALSE_ALARM


@every_family
def test_sampler_draws_from_the_density(name):
    family = FAMILIES[name]
    rng = np.random.default_rng(2)
    assert agrees(family().sample(rng, 20_000), family.referee)
    assert agrees(family(np.float32).sample(rng, 20_000).astype(float), family.referee)
    assert np.isfinite(family().log_prob(family().sample(rng, 20_000))).all()


class VarianceForDeviation(Normal):
    """exp(log variance) where exp(log variance / 2) belongs."""

    def rsample(self, rng, shape=()):
        return self.mu + self.sigma**2 * rng.standard_normal(shape)


class HalfWidth(Uniform):
    """(1 - u) / 2 for noise on [0, 1)."""

    def rsample(self, rng, shape=()):
        return self.low + (self.high - self.low) * (1 - rng.random(shape)) / 2


class RateForScale(Gamma):
    """rate and scale exchanged."""

    def sample(self, rng, shape=()):
        return rng.standard_gamma(self.alpha, shape) * self.rate


class NoBoost(Gamma):
    """The draw at alpha + 1 kept for that at alpha."""

    def sample(self, rng, shape=()):
        return rng.standard_gamma(self.alpha + 1, shape) / self.rate


class TenPercentWide(Logistic):
    """A scale that is off by 10 % shows in 20 000 draws."""

    def rsample(self, rng, shape=()):
        return self.mu + 1.1 * self.scale * rng.logistic(size=shape)


@pytest.mark.parametrize("slip, name", [(VarianceForDeviation, "normal"), (HalfWidth, "uniform"),
                                        (RateForScale, "gamma"), (NoBoost, "gamma-0.3"), (TenPercentWide, "logistic")])
def test_the_sampler_test_rejects(slip, name):
    draws = slip(*FAMILIES[name].parameters).sample(np.random.default_rng(2), 20_000)
    assert not agrees(draws, FAMILIES[name].referee)


@every_pathwise_family
def test_rsample_has_the_numbers_of_sample_and_follows_the_parameters(name):
    family = FAMILIES[name]
    plain = family().sample(np.random.default_rng(3), (4, 2))
    leaves = [ad.Tensor(p, requires_grad=family.make is not StudentT or i > 0)
              for i, p in enumerate(family.parameters)]
    path = family.make(*leaves).rsample(np.random.default_rng(3), (4, 2))
    assert isinstance(path, ad.Tensor) and path.requires_grad
    assert isinstance(family().rsample(np.random.default_rng(3)), np.ndarray | np.floating)
    np.testing.assert_array_equal(path.data, plain)


def pathwise_z(family, make, n=200_000):
    """z-scores of the pathwise gradient of E tanh(x / 2) in each parameter, against the score identity by quadrature.

    The right side, int f(x) p(x) d log p / d theta dx, uses the density alone, never the sampler.
    """
    def f(x):
        return ad.tanh(x / 2)

    u = (np.arange(400_000) + 0.5) / 400_000
    x = family.referee.ppf(u)
    scores = []
    for i in range(len(family.parameters)):
        columns = [np.full(u.size, p) if j == i else p for j, p in enumerate(family.parameters)]
        scores.append(ad.grad(lambda *p: ad.sum(family.make(*p).log_prob(x)), argnums=i)(*columns))
    exact = [np.mean(f(x) * score) for score in scores]
    free = range(1, 3) if family.make is StudentT else range(len(family.parameters))
    leaves = [ad.Tensor(np.full(n, p), requires_grad=i in free) for i, p in enumerate(family.parameters)]
    ad.sum(f(make(*leaves).rsample(np.random.default_rng(4)))).backward()
    found = [np.zeros(n) if leaves[i].grad is None else leaves[i].grad for i in free]
    return [(g.mean() - exact[i]) / max(g.std() / np.sqrt(n), 1e-12) for i, g in zip(free, found)]


@pytest.mark.parametrize("name", sorted(set(PATHWISE) - {"uniform", "pareto"}))
def test_rsample_gradient_is_that_of_the_expectation(name):
    """|z| < 5: false alarm 6e-7 per parameter."""
    assert np.abs(pathwise_z(FAMILIES[name], FAMILIES[name].make)).max() < 5


@pytest.mark.parametrize("make, parameters, mean_f", [
    (Uniform, (-1.25, 0.5), lambda low, high: (low + high) / 2),
    (Pareto, (2.5, 1.5), lambda alpha, scale: alpha / ((alpha + 1) * scale)),  # E 1 / x
])
def test_rsample_gradient_where_the_support_moves(make, parameters, mean_f):
    """The score identity fails where the support depends on the parameters; the expectation itself is known."""
    exact = ad.grad(mean_f, argnums=(0, 1))(*map(np.float64, parameters))
    n = 200_000
    leaves = [ad.Tensor(np.full(n, p), requires_grad=True) for p in parameters]
    x = make(*leaves).rsample(np.random.default_rng(5))
    ad.sum(x if make is Uniform else 1 / x).backward()
    for leaf, truth in zip(leaves, exact):
        assert abs(leaf.grad.mean() - truth) < 5 * leaf.grad.std() / np.sqrt(n)


class ScaleCutOff(Laplace):
    """The scale detached on the path: right samples, wrong gradient."""

    def rsample(self, rng, shape=()):
        return self.mu + ad.value(self.scale) * np.asarray(rng.laplace(size=self._shape(shape)))


class FivePercentSteeper(Normal):
    """A gradient that is off by 5 % shows, although no sample moves."""

    def rsample(self, rng, shape=()):
        x = super().rsample(rng, shape)
        return x + 0.05 * (self.sigma - ad.value(self.sigma)) * (ad.value(x) - ad.value(self.mu))


@pytest.mark.parametrize("slip, name", [(ScaleCutOff, "laplace"), (FivePercentSteeper, "normal")])
def test_the_gradient_test_rejects(slip, name):
    assert np.abs(pathwise_z(FAMILIES[name], slip)).max() > 5


def test_student_refuses_a_gradient_to_df():
    with pytest.raises(NotImplementedError, match="rsample has no gradient to df"):
        StudentT(ad.Tensor(3.0, requires_grad=True)).rsample(np.random.default_rng(0))


@pytest.mark.parametrize("df", [1e3, 1e6, 1e10])
def test_student_becomes_normal(df):
    """log t - log N = (x^4 - 2x^2 - 1) / (4 df) + O(1 / df^2): the log-gamma difference keeps its digits."""
    x = np.linspace(-3, 3, 13)
    far = StudentT(df).log_prob(x) - Normal().log_prob(x)
    np.testing.assert_allclose(far, (x**4 - 2 * x**2 - 1) / (4 * df), atol=130 / df**2 + 1e-14)
    assert StudentT(1.0).log_prob(0.3) == pytest.approx(Cauchy().log_prob(0.3), rel=1e-14)


def test_log_gamma_half_to_the_last_digits():
    """f(a) + f(a + 1/2) = log a: by the series from 30 on, by the direct form below; scipy as well where a is small."""
    for a, tolerance in ((np.geomspace(30, 1e12, 400), 2e-15), (np.linspace(0.5, 29.4, 400), 3e-14)):
        both = log_gamma_half(a) + log_gamma_half(a + 0.5)
        np.testing.assert_allclose(both, np.log(a), rtol=tolerance, atol=tolerance)
    a = np.logspace(-6, 1, 200)
    np.testing.assert_allclose(log_gamma_half(a), special.gammaln(a + 0.5) - special.gammaln(a), atol=1e-14, rtol=1e-13)


def test_uniform_never_reaches_its_upper_end():
    """Where floats are coarse, low + (high - low) u rounds to high for many u < 1."""
    low, high = np.float32(1e4), np.float32(1e4 + 0.01)
    draws = Uniform(low, high).sample(np.random.default_rng(9), 2000)
    assert draws.min() >= low and draws.max() < high and len(np.unique(draws)) > 5


@pytest.mark.parametrize("alpha", [1e-3, 0.05])
def test_draws_too_small_for_a_float_stay_in_the_support(alpha):
    rng = np.random.default_rng(6)
    for dtype in (np.float32, np.float64):
        for distribution in (Gamma(np.array(alpha, dtype)), Beta(np.array(alpha, dtype), np.array(alpha, dtype))):
            assert np.isfinite(distribution.log_prob(distribution.sample(rng, 2000))).all()


@pytest.mark.parametrize("logit", [-1e4, -40.0, -2.0, 0.0, 0.7, 40.0, 1e4])
def test_bernoulli_at_any_logit(logit):
    distribution = Bernoulli(logit)
    on, off = distribution.log_prob([1, 0])
    assert on - off == pytest.approx(logit, rel=1e-12) and max(on, off) <= 0
    assert np.logaddexp(on, off) == pytest.approx(0, abs=1e-15)
    assert distribution.log_prob(0.5) == -np.inf and np.isfinite(distribution.entropy())
    assert distribution.mean == pytest.approx(stats.logistic.cdf(logit)) and distribution.variance >= 0
    assert distribution.entropy() == pytest.approx(float(stats.bernoulli(stats.logistic.cdf(logit)).entropy()))


def test_bernoulli_outside_its_support_sends_no_gradient():
    x = np.array([0.5, -1.0, np.inf, 1.0])
    assert np.isneginf(Bernoulli(0.3).log_prob(x)).tolist() == [True, True, True, False]
    to_x, to_logits = ad.grad(lambda x, l: ad.sum(Bernoulli(l).log_prob(x)), argnums=(0, 1))(x, np.full(4, 0.3))
    assert np.all(to_x[:3] == 0) and np.all(to_logits[:3] == 0) and to_logits[3] > 0


def test_bernoulli_gradient_sampler_and_fused_twin():
    rng = np.random.default_rng(7)
    logits, x = rng.normal(0, 2, (3, 5)), rng.integers(0, 2, (3, 5)).astype(np.uint8)
    assert ad.gradcheck(lambda logits: Bernoulli(logits).log_prob(x), logits, rng=rng) < 1e-6
    np.testing.assert_allclose(Bernoulli(logits).log_prob(x).sum(-1), ad.bernoulli_logits(logits, x), rtol=1e-13)
    draws = Bernoulli(logits.astype(np.float32)).sample(rng, 20_000)
    assert draws.dtype == np.float32 and set(np.unique(draws)) == {0, 1}
    p = stats.logistic.cdf(logits)
    assert np.abs((draws.mean(0) - p) / np.sqrt(p * (1 - p) / 20_000)).max() < 5
    assert Bernoulli(logits.astype(np.float32)).log_prob(x).dtype == np.float32


@pytest.mark.parametrize("mu, scale, levels", [(100.3, 7.0, 256), (-50.0, 3.0, 256), (255.0, 0.01, 256),
                                               (3.0, 1e6, 16), (0.4, 0.3, 2), (127.5, 1e-4, 256)])
def test_discretised_logistic_has_mass_one_and_never_cancels(mu, scale, levels):
    distribution = DiscretisedLogistic(mu, scale, levels)
    log_p = distribution.log_prob(np.arange(levels))
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-13) and np.isfinite(log_p).all()
    assert np.all(distribution.log_prob([-1, levels, 0.5, np.inf]) == -np.inf)
    k = np.arange(1, levels - 1)
    lower, upper = stats.logistic.logcdf((k - 0.5 - mu) / scale), stats.logistic.logcdf((k + 0.5 - mu) / scale)
    direct = upper - lower > 1e-6  # where the textbook difference keeps digits
    with np.errstate(divide="ignore"):
        difference = upper + np.log1p(-np.exp(lower - upper))
    np.testing.assert_allclose(log_p[1:-1][direct], difference[direct], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_discretised_logistic_keeps_its_digits_where_it_is_flat(scale):
    """The mass of a narrow cell at mu is its width times the density there, 1 / (4 scale), up to O(scale^-2)."""
    log_p = DiscretisedLogistic(7.0, scale, 16).log_prob(7)
    assert log_p == pytest.approx(-np.log(4 * scale), abs=0.1 / scale**2 + 1e-14)


def test_discretised_logistic_sampler_and_gradient():
    rng = np.random.default_rng(8)
    distribution = DiscretisedLogistic(3.2, 2.5, 10)
    counts = np.bincount(distribution.sample(rng, 50_000).astype(int), minlength=10)
    expected = 50_000 * np.exp(distribution.log_prob(np.arange(10)))
    assert stats.chisquare(counts, expected).pvalue > FALSE_ALARM
    unrounded = np.bincount(np.clip(3.2 + 2.5 * rng.logistic(size=50_000), 0, 9).astype(int), minlength=10)
    assert stats.chisquare(unrounded, expected).pvalue < FALSE_ALARM  # floor for round
    x = np.array([0.0, 3, 7, 9])
    assert ad.gradcheck(lambda m, s: DiscretisedLogistic(m, s, 10).log_prob(x), np.full(4, 3.2), np.full(4, 2.5),
                        rng=rng) < 1e-6
    wide = DiscretisedLogistic(np.float32(127), np.float32(1e-3)).log_prob(np.arange(256, dtype=np.uint8))
    assert wide.dtype == np.float32 and np.isfinite(wide).all()
