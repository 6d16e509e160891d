"""The oracles against SciPy and closed forms: what referees everything else is refereed here."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import (
    binary_chunks,
    enumerate_binary,
    log_mean_exp,
    log_quadrature_1d,
    log_quadrature_2d,
    log_sum_binary,
    logsumexp,
    monte_carlo_mean,
    normal_expectation,
    numeric_jacobian,
    numeric_log_det,
    quadrature_1d,
    quadrature_2d,
)
from minigen.checks.special import chi_square_tail, normal_threshold, normal_two_sided, upper_gamma

stats = pytest.importorskip("scipy.stats", reason="SciPy (extra dev) is the referee of the oracles")
INF = np.inf


@pytest.mark.parametrize("degrees", [1, 2, 3, 10, 63, 300, 5000])
@pytest.mark.parametrize("p", [1e-12, 1e-6, 0.01, 0.3, 0.9, 0.999])
def test_chi_square_tail_is_scipys(degrees, p):
    assert chi_square_tail(stats.chi2.isf(p, degrees), degrees) == pytest.approx(p, rel=1e-11)


def test_tails_at_the_edges():
    assert upper_gamma(2.5, 0.0) == 1.0
    assert upper_gamma(2.5, INF) == 0.0
    assert chi_square_tail(1e4, 3) == pytest.approx(stats.chi2.sf(1e4, 3), abs=1e-300)
    assert normal_two_sided(2.0) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-13)
    assert normal_threshold(1e-6) == pytest.approx(stats.norm.isf(5e-7), rel=1e-12)
    for bad in ((0.0, 1.0), (1.0, -1.0), (1.0, np.nan)):
        with pytest.raises(ValueError, match="expected a > 0 and x >= 0"):
            upper_gamma(*bad)


def test_binary_vectors_come_in_order_and_whole():
    x = enumerate_binary(4, int)
    assert x.shape == (16, 4)
    assert [int("".join(map(str, row)), 2) for row in x] == list(range(16))
    chunks = list(binary_chunks(16))
    assert len(chunks) == 4 and np.array_equal(np.concatenate(chunks), enumerate_binary(16))
    assert enumerate_binary(0).shape == (1, 0)


def test_enumeration_says_where_it_ends():
    with pytest.raises(ValueError, match=r"d = 26 gives 2\^26 rows"):
        next(binary_chunks(26))
    with pytest.raises(ValueError, match="binary_chunks above d = 20"):
        enumerate_binary(21)


def test_sum_over_binary_vectors_is_a_product():
    b = np.arange(17.0) / 7
    assert log_sum_binary(lambda x: x @ b + 900, 17) == pytest.approx(900 + np.logaddexp(0, b).sum(), rel=1e-14)


def test_logsumexp_at_the_edges():
    assert logsumexp([-INF, -INF]) == -INF
    assert logsumexp([1e4, 1e4]) == pytest.approx(1e4 + np.log(2), rel=1e-15)
    assert logsumexp([]) == -INF
    assert np.isnan(logsumexp([np.nan, 0.0]))
    assert np.array_equal(logsumexp([[0.0, -INF], [-INF, 0.0]], axis=1), [0.0, 0.0])


@pytest.mark.parametrize(
    "law, ends, options",
    [
        (stats.norm(3, 0.5), (-INF, INF), {}),
        (stats.norm(40, 0.01), (-INF, INF), {"loc": 40, "scale": 0.01}),
        (stats.cauchy, (-INF, INF), {}),
        (stats.t(3), (-INF, INF), {}),
        (stats.gamma(0.3), (0, INF), {"rule": "tanh-sinh"}),
        (stats.expon, (0, INF), {}),
        (stats.gumbel_l, (-INF, INF), {}),
        (stats.beta(2, 3), (0, 1), {}),
        (stats.beta(0.5, 0.5), (0, 1), {"rule": "tanh-sinh"}),
        (stats.uniform(1, 2), (1, 3), {"rule": "trapezoid"}),
    ],
    ids=lambda v: getattr(getattr(v, "dist", v), "name", ""),
)
def test_quadrature_finds_mass_and_probability(law, ends, options):
    value, error = quadrature_1d(law.pdf, *ends, n=600, **options)
    assert abs(value - 1) < 1e-7 and error < 1e-6
    middle = law.median()
    part, _ = quadrature_1d(law.pdf, ends[0], middle, n=600, **options)
    assert part == pytest.approx(0.5, abs=1e-7)


def test_half_line_to_the_left():
    assert quadrature_1d(stats.norm.pdf, -INF, 1.0).value == pytest.approx(stats.norm.cdf(1.0), abs=1e-10)


def test_error_estimate_sees_a_kink():
    kink = quadrature_1d(lambda x: np.abs(x - 0.3), 0, 1, n=64)
    assert kink.error > 1e-5 and abs(kink.value - (0.09 + 0.49) / 2) < 3 * kink.error
    smooth = quadrature_1d(np.cos, 0, 1, n=64)
    assert smooth.error < 1e-14


def test_quadrature_of_several_functions_at_once():
    value, error = quadrature_1d(lambda x: np.stack([x, x**2], axis=1), 0, 1)
    assert np.allclose(value, [1 / 2, 1 / 3], atol=1e-14) and error.shape == (2,)


def test_quadrature_in_two_dimensions():
    law = stats.multivariate_normal([0.5, -1], [[1, 0.6], [0.6, 2]])
    assert quadrature_2d(law.pdf, (-INF, INF), (-INF, INF)).value == pytest.approx(1, abs=1e-9)
    assert quadrature_2d(lambda p: p[:, 0] * p[:, 1] ** 2, (0, 1), (0, 2)).value == pytest.approx(4 / 3, rel=1e-13)


def test_log_quadrature_does_not_underflow():
    shift = np.array([-2000.0, 2000.0])
    value, _ = log_quadrature_1d(lambda x: shift - x[:, None] ** 2 / 2, -INF, INF)
    assert np.allclose(value, shift + np.log(2 * np.pi) / 2, rtol=1e-13)
    value, _ = log_quadrature_2d(lambda p: -900 - (p**2).sum(1) / 2, (-INF, INF), (-INF, INF))
    assert value == pytest.approx(-900 + np.log(2 * np.pi), rel=1e-12)


def test_normal_expectation_is_exact_for_moments():
    fourth = 0.5**4 + 6 * 0.25 * 4 + 3 * 16
    assert normal_expectation(lambda z: z**4, 0.5, 2.0).value == pytest.approx(fourth, rel=1e-12)
    tril = np.array([[1.0, 0.0], [0.5, 0.3]])
    assert normal_expectation(lambda z: z[:, 0] * z[:, 1], [1.0, 2.0], tril).value == pytest.approx(2.5, rel=1e-13)
    assert normal_expectation(lambda z: z[:, 1] ** 2, [1.0, 2.0], [1.0, 3.0]).value == pytest.approx(13.0, rel=1e-13)


def test_quadrature_refuses():
    with pytest.raises(ValueError, match="expected a < b"):
        quadrature_1d(np.cos, 1, 1)
    with pytest.raises(ValueError, match="rule 'simpson'; expected one of gauss"):
        quadrature_1d(np.cos, 0, 1, rule="simpson")


def test_numeric_jacobian_of_a_coupled_map():
    x = np.random.default_rng(0).normal(size=(5, 3)) * 4

    def f(x):
        return ad.sin(x) * ad.sum(x, axis=1, keepdims=True)

    total = x.sum(axis=1)[:, None, None]
    exact = np.einsum("ni,ij->nij", np.cos(x), np.eye(3)) * total + np.sin(x)[:, :, None]
    assert np.abs(numeric_jacobian(f, x) - exact).max() < 1e-9
    assert np.allclose(numeric_log_det(f, x), np.linalg.slogdet(exact)[1], atol=1e-8)


def test_numeric_jacobian_of_images_and_of_maps_to_another_size():
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 2))
    assert numeric_jacobian(lambda x: x.sum(axis=(2, 3)), x).shape == (2, 1, 4)


def test_log_mean_exp_and_its_standard_error():
    rng = np.random.default_rng(1)
    estimates = np.array([log_mean_exp(rng.normal(-1000, 0.5, size=2000)) for _ in range(400)])
    exact = -1000 + 0.125
    z = (estimates[:, 0] - exact) / estimates[:, 1]
    assert abs(z.mean()) < 0.2 and 0.9 < z.std() < 1.1
    assert log_mean_exp(np.zeros((3, 2)), axis=0).value == pytest.approx([0.0, 0.0], abs=1e-15)
    assert log_mean_exp([-INF, -INF]).value == -INF


def test_monte_carlo_mean():
    estimate = monte_carlo_mean(np.array([[1.0, 0.0], [3.0, 0.0]]))
    assert np.allclose(estimate.value, [2, 0]) and np.allclose(estimate.standard_error, [1, 0])
    with pytest.raises(ValueError, match="at least 2"):
        monte_carlo_mean([1.0])
