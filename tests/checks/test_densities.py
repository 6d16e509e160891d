"""check_density and check_sampler: they accept what is right at their stated rate, and reject the slips people make."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import (
    Binary,
    Box,
    CheckError,
    Integers,
    Interval,
    check_density,
    check_sampler,
    enumerate_binary,
    logsumexp,
)
from minigen.checks.densities import pooled_chi_square

LINE = Interval()
PLANE = Box(Interval(), Interval())


def log_normal(x, mu=0.0, sigma=1.0):
    return -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def log_standard(x):
    return log_normal(x).sum(axis=-1)


# A mixture prior with two components, as a VampPrior is one; corners (2, 2) and (-2, -2).
CENTRES = np.array([[2.0, 2.0], [-2.0, -2.0]])
LOGVAR = np.log(0.25)
SIGMA = np.exp(LOGVAR / 2)


def mixture(x):
    parts = log_normal(x[:, None, :], CENTRES, SIGMA).sum(axis=-1)
    return logsumexp(parts, axis=1) - np.log(2)


def mixture_per_dimension(x):
    """D2.1: logsumexp over components in each latent dimension: a product of one-dimensional mixtures."""
    parts = log_normal(x[:, None, :], CENTRES, SIGMA)
    return (logsumexp(parts, axis=1) - np.log(2)).sum(axis=-1)


def sample_mixture(n, rng, sigma=SIGMA):
    return CENTRES[rng.integers(2, size=n)] + sigma * rng.normal(size=(n, 2))


# A flow prior: z = x exp(s) + t in two dimensions.
SCALE, SHIFT = np.array([-0.3, -0.4]), np.array([0.5, -1.0])


def flow_prior(x, counted=1):
    return log_standard(x * np.exp(SCALE) + SHIFT) + counted * SCALE.sum()


def ordered_bits(x, first, second):
    """log p of two bits, each from logits given those before it in the order (first, second)."""
    logits = np.stack([np.full(len(x), 0.4), 2.5 * x[:, first] - 1.0], axis=1)
    return (x[:, [first, second]] * logits - np.logaddexp(0, logits)).sum(axis=1), logits


def averaged_orderings(x):
    """D2.5: mean of the logits over orderings, then one Bernoulli likelihood."""
    a, b = ordered_bits(x, 0, 1)[1], ordered_bits(x, 1, 0)[1][:, ::-1]
    logits = (a + b) / 2
    return (x * logits - np.logaddexp(0, logits)).sum(axis=1)


def mixed_orderings(x):
    """Right: the mean of the probabilities."""
    return logsumexp(np.stack([ordered_bits(x, 0, 1)[0], ordered_bits(x, 1, 0)[0]]), axis=0) - np.log(2)


# Two binary units with p proportional to exp(2 a b - a - b), and two Gibbs samplers.
def log_pair(x):
    energy = 2.0 * x[:, 0] * x[:, 1] - x[:, 0] - x[:, 1]
    states = enumerate_binary(2)
    return energy - logsumexp(2.0 * states[:, 0] * states[:, 1] - states.sum(axis=1))


def gibbs(n, rng, stale=False):
    a = b = rng.integers(2, size=n)
    for _ in range(30):
        before = a
        a = rng.random(n) < 1 / (1 + np.exp(1 - 2.0 * b))
        b = rng.random(n) < 1 / (1 + np.exp(1 - 2.0 * (before if stale else a)))
    return np.stack([a, b], axis=1)


BERNOULLI = np.array([0.5, 0.2, 0.9])


def log_bernoulli(x):
    return (x * np.log(BERNOULLI) + (1 - x) * np.log1p(-BERNOULLI)).sum(axis=1)


def log_geometric(x):
    return np.where(x >= 0, x * np.log(0.5) + np.log(0.5), -np.inf)


RIGHT_DENSITIES = {
    "normal": (lambda x: log_normal(x, 3.0, 0.2), LINE),
    "far and narrow": (lambda x: log_normal(x, 500.0, 0.01), Interval(loc=500, scale=0.01)),
    "cauchy": (lambda x: -np.log(np.pi) - np.log1p(x**2), LINE),
    "exponential": (lambda x: -x, Interval(0)),
    "uniform": (lambda x: np.full(len(x), -np.log(3.0)), Interval(1, 4)),
    "arcsine": (lambda x: -np.log(np.pi) - 0.5 * np.log(x) - 0.5 * np.log1p(-x), Interval(0, 1, rule="tanh-sinh")),
    "one column": (lambda x: log_normal(x[:, 0]), Box(Interval())),
    "plane": (log_standard, PLANE),
    "tensors": (lambda x: ad.sum(-0.5 * ad.Tensor(x) ** 2, axis=-1) - np.log(2 * np.pi), PLANE),
    "mixture": (mixture, PLANE),
    "flow prior": (flow_prior, PLANE),
    "mixed orderings": (mixed_orderings, Binary(2)),
    "bernoulli": (log_bernoulli, Binary(3)),
    "counts": (log_geometric, Integers(0, 60)),
    "vectors of integers": (lambda x: np.full(len(x), -3 * np.log(4)), Integers(-1, 3, d=3)),
}


@pytest.mark.parametrize("name", RIGHT_DENSITIES)
def test_a_density_passes(name):
    log_prob, domain = RIGHT_DENSITIES[name]
    # 1 - x of a point x near 1 has 1e-16 of absolute rounding: an arcsine loses 1e-8 of its mass there.
    assert check_density(log_prob, domain).statistic < 1e-7


WRONG_DENSITIES = {
    "mass 1.01": (lambda x: log_normal(x) + np.log(1.01), LINE, "mass .* is 1.01;"),
    "mass off by 1e-5": (lambda x: log_normal(x) + 1e-5, LINE, "1.00001"),
    "half log 2 pi forgotten": (lambda x: log_normal(x) + 0.5 * np.log(2 * np.pi), LINE, "2.5066"),
    "log det counted twice": (lambda x: flow_prior(x, counted=2), PLANE, "mass .* is 0.49658"),
    "log det sign": (lambda x: flow_prior(x, counted=-1), PLANE, "mass"),
    "square over the exponential": (lambda x: -0.5 * (-2 + x**2) / np.exp(-2.0), LINE, "mass"),
    "averaged logits": (averaged_orderings, Binary(2), "enumeration"),
    "sum over the batch": (lambda x: np.array([log_normal(x).sum()]), LINE, r"gave shape \(1,\)"),
    "event not summed": (log_normal, PLANE, "sum the event, keep the batch"),
    "nan": (lambda x: np.where(x < 1, log_normal(x), np.nan), LINE, "log_prob is nan"),
    "spike": (lambda x: np.where(np.abs(x) < 0.1, np.inf, log_normal(x)), Interval(-8, 8), "log_prob is inf"),
    "edge inside": (lambda x: np.where((x > 0) & (x < 1), 0.0, -np.inf), LINE, "two resolutions differ"),
    "renormalised noise": (lambda x: np.full(len(x), np.log(2.0)), Interval(0, 1), "mass .* is 2;"),
}


@pytest.mark.parametrize("name", WRONG_DENSITIES)
def test_a_wrong_mass_is_rejected(name):
    log_prob, domain, message = WRONG_DENSITIES[name]
    with pytest.raises(CheckError, match=message) as caught:
        check_density(log_prob, domain)
    assert not caught.value.result.passed


def test_a_mass_that_is_right_by_luck_is_no_pass():
    """Edges inside the interval: the last resolution happens to be within tol, but two of them disagree."""

    def log_uniform(x):
        return np.where((x > 0) & (x < 1), 0.0, -np.inf)

    with pytest.raises(CheckError, match="this quadrature cannot tell"):
        check_density(log_uniform, Interval(-8, 8.7), tol=3e-5)
    assert check_density(log_uniform, Interval(0, 1)).passed


def test_mass_alone_does_not_catch_a_product_of_mixtures():
    assert check_density(mixture_per_dimension, PLANE).passed


RIGHT_SAMPLERS = {
    "normal": (lambda n, rng: rng.normal(size=n), log_normal, LINE),
    "exponential": (lambda n, rng: rng.exponential(size=n), lambda x: -x, Interval(0)),
    "cauchy": (lambda n, rng: rng.standard_cauchy(n), lambda x: -np.log(np.pi) - np.log1p(x**2), LINE),
    "uniform": (lambda n, rng: rng.random(n), lambda x: np.zeros(len(x)), Interval(0, 1)),
    "mixture": (sample_mixture, mixture, PLANE),
    "flow prior": (lambda n, rng: (rng.normal(size=(n, 2)) - SHIFT) * np.exp(-SCALE), flow_prior, PLANE),
    "gibbs": (gibbs, log_pair, Binary(2)),
    "bernoulli": (lambda n, rng: rng.random((n, 3)) < BERNOULLI, log_bernoulli, Binary(3)),
    "geometric": (lambda n, rng: rng.geometric(0.5, n) - 1, log_geometric, Integers(0, 60)),
}


@pytest.mark.parametrize("name", RIGHT_SAMPLERS)
def test_a_sampler_passes(name):
    sample, log_prob, domain = RIGHT_SAMPLERS[name]
    result = check_sampler(sample, log_prob, domain, rng=np.random.default_rng(0))
    assert result.passed and result.statistic > 1e-3


WRONG_SAMPLERS = {
    "component per dimension": (sample_mixture, mixture_per_dimension, PLANE),
    "exp(logvar) for exp(logvar / 2)": (lambda n, rng: sample_mixture(n, rng, np.exp(LOGVAR)), mixture, PLANE),
    "noise of half width": (lambda n, rng: (1 - rng.random(n)) / 2, lambda x: np.zeros(len(x)), Interval(0, 1)),
    "scale off by 2 %": (lambda n, rng: 1.02 * rng.normal(size=n), log_normal, LINE),
    "scale off by -2 %": (lambda n, rng: 0.98 * rng.normal(size=n), log_normal, LINE),
    "mean off by 3 %": (lambda n, rng: rng.normal(size=n) + 0.03, log_normal, LINE),
    "one bit off by 2 %": (lambda n, rng: rng.random((n, 3)) < BERNOULLI + [0.01, 0, 0], log_bernoulli, Binary(3)),
    "forward in place of inverse": (
        lambda n, rng: rng.normal(size=(n, 2)) * np.exp(SCALE) + SHIFT, flow_prior, PLANE),
    "stale chain": (lambda n, rng: gibbs(n, rng, stale=True), log_pair, Binary(2)),
    "counts from one": (lambda n, rng: rng.geometric(0.5, n), log_geometric, Integers(0, 60)),
    "1 % from elsewhere": (
        lambda n, rng: np.where(rng.random(n) < 0.01, 30.0, rng.normal(size=n)), log_normal, LINE),
    "impossible states": (
        lambda n, rng: np.stack([rng.random(n) < 0.5, rng.random(n) < 0.001], axis=1),
        lambda x: np.where(x[:, 1] == 1, -np.inf, np.log(0.5)), Binary(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SAMPLERS)
def test_a_sampler_of_another_density_is_rejected(name):
    sample, log_prob, domain = WRONG_SAMPLERS[name]
    with pytest.raises(CheckError, match="the sampler and the density disagree"):
        check_sampler(sample, log_prob, domain, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "sample, domain, message",
    [
        (lambda n, rng: rng.normal(size=n), Interval(0), "lie outside"),
        (lambda n, rng: rng.normal(size=(n, 1)), LINE, r"gave shape \(200000, 1\) for 200000 events of shape \(\)"),
        (lambda n, rng: rng.normal(size=n // 2), LINE, r"gave shape \(100000,\)"),
        (lambda n, rng: np.full(n, np.nan), LINE, "NaN"),
    ],
    ids=["outside", "shape", "too few", "nan"],
)
def test_samples_that_are_no_events(sample, domain, message):
    log_prob = (lambda x: log_normal(x) + np.log(2)) if domain.a == 0 else log_normal
    with pytest.raises(CheckError, match=message):
        check_sampler(sample, log_prob, domain, rng=np.random.default_rng(0))


def test_events_outside_an_enumeration():
    with pytest.raises(CheckError, match="lie outside {0..4}, for example 7"):
        check_sampler(np.array([1.0, 7.0] * 500), lambda x: np.full(len(x), -np.log(5)), Integers(0, 5))
    with pytest.raises(CheckError, match=r"lie outside \{0,1\}\^2"):
        check_sampler(np.full((1000, 2), 0.5), lambda x: np.full(len(x), -np.log(4)), Binary(2))


def test_a_sampler_is_not_held_against_something_that_is_no_density():
    with pytest.raises(CheckError, match="mass 1.01"):
        check_sampler(np.zeros(1000), lambda x: log_normal(x) + np.log(1.01), LINE)


@pytest.mark.parametrize(
    "name, seeds, alpha, fewest, most",  # four standard deviations around seeds * alpha
    [("normal", 300, 0.1, 10, 50), ("bernoulli", 300, 0.1, 10, 50), ("geometric", 300, 0.1, 10, 50),
     ("mixture", 30, 0.5, 5, 25)],
)  # fmt: skip
def test_false_alarms_come_at_the_stated_rate(name, seeds, alpha, fewest, most):
    sample, log_prob, domain = RIGHT_SAMPLERS[name]
    alarms = 0
    for seed in range(seeds):
        try:
            check_sampler(sample, log_prob, domain, rng=np.random.default_rng(seed), n=3000, alpha=alpha)
        except CheckError:
            alarms += 1
    assert fewest <= alarms <= most


def test_pooling_leaves_no_cell_without_a_say():
    expected = np.array([0.5, 90.0, 3.0, 7.0, 0.0])
    observed = np.array([1, 88, 3, 8, 0])
    statistic, degrees = pooled_chi_square(observed, expected)
    assert degrees == 1
    assert statistic == pytest.approx(4 / 90 + 1.5**2 / 10.5)
    assert pooled_chi_square(np.array([50, 50, 0]), np.array([50.0, 50.0, 0.0])) == (0.0, 1)
    assert pooled_chi_square(np.array([50, 49, 1]), np.array([50.0, 50.0, 0.0]))[0] == np.inf
    # One rare cell is joined to the next, 2 + 40: alone it would weigh (5 - 2)^2 / 2.
    assert pooled_chi_square(np.array([5, 90, 37]), np.array([2.0, 90.0, 40.0])) == (0.0, 1)
    with pytest.raises(ValueError, match="draw more than 12"):
        pooled_chi_square(np.array([6, 6]), np.array([6.0, 6.0]))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_alpha_is_a_probability(alpha):
    with pytest.raises(ValueError, match="expected a probability"):
        check_sampler(np.zeros(10), log_normal, LINE, alpha=alpha)


def test_domains_refuse_what_they_cannot_hold():
    with pytest.raises(ValueError, match="expected 1 or 2"):
        Box((0, 1), (0, 1), (0, 1))
    with pytest.raises(ValueError, match="expected 1 to 2.25"):
        Integers(0, 256, d=4)
    with pytest.raises(ValueError, match="expected 1 to 2.25"):
        Integers(3, 3)
