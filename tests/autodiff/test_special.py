"""The special functions against scipy over their whole range, their derivatives to third order, and what they do at
poles, at infinity and in float32."""

import math

import numpy as np
import pytest

from minigen import autodiff as ad

special = pytest.importorskip("scipy.special", reason="scipy is the referee of the special functions")

REAL = np.concatenate([np.linspace(-26, 26, 20001), np.logspace(-300, 1.4, 500), -np.logspace(-300, 1.4, 500)])
POSITIVE = np.concatenate([np.linspace(1e-3, 20, 20001), np.logspace(-300, 300, 2000)])
NEGATIVE = -(np.arange(40)[:, None] + np.linspace(0.02, 0.98, 97)).ravel()


def worst(ours, theirs, floor=0.0):
    """The largest error, relative to max(floor, |theirs|)."""
    return np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), floor or np.finfo(np.float64).tiny))


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_error_function_is_that_of_the_standard_library(name):
    """scipy's erfc is off by 6e-14 in the tail, that of the C library by less than one unit in the last place."""
    theirs = np.vectorize(getattr(math, name))(REAL)
    assert worst(getattr(ad, name)(REAL), theirs) < 2e-15
    assert np.allclose(theirs, getattr(special, name)(REAL), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_error_function_in_float32(name):
    x = REAL[np.abs(REAL) < 9].astype(np.float32)
    x = x[(np.abs(x) > 1e-37) & (special.erfc(x.astype(float)) > 1e-37)]
    ours = getattr(ad, name)(x)
    assert ours.dtype == np.float32
    assert worst(ours, getattr(special, name)(x.astype(float))) < 1e-6


def test_error_function_at_infinity_and_nan():
    assert np.array_equal(ad.erf(np.array([-np.inf, np.inf, 0.0, np.nan])), [-1, 1, 0, np.nan], equal_nan=True)
    assert np.array_equal(ad.erfc(np.array([-np.inf, np.inf, 0.0, 1e300])), [2, 0, 1, 0])


def test_gelu_keeps_its_digits_in_the_left_tail():
    x = np.linspace(-30, 30, 6001)
    assert worst(ad.gelu(x), x * special.ndtr(x)) < 1e-12
    x = np.float32(x)
    assert ad.gelu(x).dtype == np.float32
    assert worst(ad.gelu(x), x * special.ndtr(x.astype(float)), floor=1e-3) < 1e-6


def test_lgamma_is_that_of_scipy():
    assert worst(ad.lgamma(POSITIVE), special.gammaln(POSITIVE), floor=1) < 4e-15
    assert worst(ad.lgamma(NEGATIVE), special.gammaln(NEGATIVE), floor=1) < 4e-15
    x = POSITIVE[(POSITIVE > 1e-30) & (POSITIVE < 1e30)].astype(np.float32)
    assert ad.lgamma(x).dtype == np.float32
    assert worst(ad.lgamma(x), special.gammaln(x.astype(float)), floor=1) < 1e-7


def test_lgamma_keeps_its_digits_at_its_zeros():
    """log Gamma(1 + h) and log Gamma(2 + h) by their Taylor series; scipy itself loses six digits here."""
    h = np.concatenate([-np.logspace(-12, -4, 50), np.logspace(-12, -4, 50)])
    for at, (a, b, c, d) in {1.0: (-np.euler_gamma, special.zeta(2), -special.zeta(3), special.zeta(4)),
                             2.0: (1 - np.euler_gamma, special.zeta(2) - 1, 1 - special.zeta(3),
                                   special.zeta(4) - 1)}.items():
        exact = (at + h) - at  # what the rounded argument is
        series = exact * (a + exact * (b / 2 + exact * (c / 3 + exact * d / 4)))
        assert worst(ad.lgamma(at + h), series) < 4e-15
    assert np.array_equal(ad.lgamma(np.array([1.0, 2.0])), [0, 0])


def test_digamma_is_that_of_scipy():
    assert worst(ad.digamma(POSITIVE), special.digamma(POSITIVE), floor=1) < 4e-15
    assert worst(ad.digamma(NEGATIVE), special.digamma(NEGATIVE), floor=1) < 1e-13  # scipy reduces x less exactly
    assert ad.digamma(np.float32(3)).dtype == np.float32


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_polygamma_is_that_of_scipy(n):
    x = POSITIVE[(POSITIVE > 1e-3) & (POSITIVE < 1e20)]
    assert worst(ad.polygamma(n, x), special.polygamma(n, x)) < 4e-15
    assert worst(ad.polygamma(n, NEGATIVE), special.polygamma(n, NEGATIVE), floor=1) < (4e-14 if n <= 3 else 1e-12)


def test_poles_and_infinity_are_as_stated():
    poles = np.array([0.0, -1.0, -17.0, -1e300])
    assert np.all(ad.lgamma(poles) == np.inf) and ad.lgamma(np.array(np.inf)) == np.inf
    assert np.all(np.isnan(ad.digamma(poles))) and ad.digamma(np.array(np.inf)) == np.inf
    assert np.all(ad.polygamma(1, poles) == np.inf) and np.all(np.isnan(ad.polygamma(2, poles)))
    assert ad.polygamma(1, np.array(np.inf)) == 0
    for f in (ad.lgamma, ad.digamma, ad.erf, ad.gelu):
        assert np.isnan(f(np.array(np.nan)))


@pytest.mark.parametrize("n", [-1, 0.5, "1"])
def test_polygamma_names_a_wrong_order(n):
    with pytest.raises(ValueError, match="polygamma: n is .*expected an int >= 0"):
        ad.polygamma(n, 1.0)


def phi(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


DERIVATIVES = {
    "erf": (lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x), lambda x: -4 * x / np.sqrt(np.pi) * np.exp(-x * x),
            lambda x: (8 * x * x - 4) / np.sqrt(np.pi) * np.exp(-x * x)),
    "erfc": (lambda x: -2 / np.sqrt(np.pi) * np.exp(-x * x), lambda x: 4 * x / np.sqrt(np.pi) * np.exp(-x * x),
             lambda x: (4 - 8 * x * x) / np.sqrt(np.pi) * np.exp(-x * x)),
    "gelu": (lambda x: special.ndtr(x) + x * phi(x), lambda x: (2 - x * x) * phi(x),
             lambda x: (x ** 3 - 4 * x) * phi(x)),
    "lgamma": (special.digamma, lambda x: special.polygamma(1, x), lambda x: special.polygamma(2, x)),
    "digamma": tuple(lambda x, n=n: special.polygamma(n, x) for n in (1, 2, 3)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_to_third_order(name):
    f = getattr(ad, name)
    x = np.array([-3.6, -1.3, -0.31, 0.2, 0.468, 0.47, 1.0, 1.9, 3.7, 7.2, 11.5])

    def slope(f):
        return ad.grad(lambda x: ad.sum(f(x)))

    for k, derivative in enumerate(DERIVATIVES[name], start=1):
        f = slope(f)
        assert np.allclose(f(x), derivative(x), rtol=1e-11, atol=1e-13), f"order {k}"


@pytest.mark.parametrize("f", [ad.erf, ad.erfc, ad.gelu, ad.lgamma, ad.digamma, lambda x: ad.polygamma(2, x)])
def test_every_shape_layout_and_precision(f):
    x = np.random.default_rng(0).uniform(0.1, 12, (4, 6))
    y = f(x)
    assert np.array_equal(f(x.T[::2]), y.T[::2])
    assert f(x[:0]).shape == (0, 6) and np.shape(f(x[0, 0])) == () and f(x[0, 0]) == y[0, 0]
    t = ad.Tensor(x, requires_grad=True, dtype=np.float32)
    f(t).sum().backward()
    assert f(t).dtype == t.grad.dtype == np.float32
    assert np.allclose(t.grad, ad.grad(lambda x: ad.sum(f(x)))(x), rtol=2e-5, atol=1e-6)
    assert f(np.array([3])).dtype == np.float64
