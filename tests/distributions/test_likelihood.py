"""Likelihoods say their kind; bits per dimension have one constant and one sign."""

import numpy as np
import pytest

from minigen.distributions import Likelihood, bits_per_dimension


def test_strings():
    estimate = Likelihood([-86.0, -86.62], "estimate", "importance sampling, K = 500", [0.06, 0.05])
    assert str(estimate) == "-86.31 ± 0.04 nats, estimate (importance sampling, K = 500)"
    assert str(Likelihood([-98.12], "bound", "ELBO")) == "≥ -98.12 nats, bound (ELBO)"
    assert str(Likelihood([-1.5155], "exact", "quadrature")) == "-1.516 nats, exact (quadrature)"
    assert "0.00012" not in str(estimate)
    assert str(Likelihood([-86.31], "estimate", "AIS", [0.0004])) == "-86.3100 ± 0.0004 nats, estimate (AIS)"
    assert str(Likelihood([-np.inf], "exact", "enumeration")) == "-inf nats, exact (enumeration)"
    assert repr(estimate) == f"Likelihood(2 data, mean {estimate})"


def test_a_bound_turns_its_direction_in_bits_per_dimension():
    bound = Likelihood([-571.66], "bound", "ELBO")
    assert str(bound.bits_per_dimension(784)) == "≤ 1.052 bits/dim, bound (ELBO)"
    assert float(bound.bits_per_dimension(784)) == pytest.approx(571.66 / 784 / np.log(2), rel=1e-12)
    estimate = Likelihood([-10.0, -30.0], "estimate", "AIS", [0.3, 0.4]).bits_per_dimension(10)
    assert estimate.standard_error == pytest.approx(0.25 / 10 / np.log(2), rel=1e-12)
    assert str(estimate).startswith("2.885 ± 0.036 bits/dim, estimate")


@pytest.mark.parametrize("dimensions", [1, 3, 784])
def test_a_uniform_model_of_bytes_has_eight_bits_per_dimension(dimensions):
    mass = -dimensions * np.log(256)  # each of 256 ** D images
    assert bits_per_dimension(mass, dimensions) == pytest.approx(8, rel=1e-14)
    assert bits_per_dimension(0.0, dimensions, bin_width=1 / 256) == 8  # density 1 on [0, 1)^D
    assert f"{bits_per_dimension(mass, dimensions, bin_width=1.0):.3f}" == "8.000"


def test_the_constant_follows_the_units_of_the_density():
    """The same data in other units: the density changes by the Jacobian, bits/dim do not."""
    nats = np.array([-100.0, -120.0])
    in_bytes = bits_per_dimension(nats, 7)
    in_unit_interval = bits_per_dimension(nats + 7 * np.log(256), 7, bin_width=1 / 256)
    np.testing.assert_allclose(in_bytes, in_unit_interval, rtol=1e-14)
    assert in_bytes.shape == (2,)


def test_the_two_errors_are_kept_apart():
    """Monte-Carlo error: repetitions on the same data; data error: other data. Simulated, both within 4 sigma."""
    rng = np.random.default_rng(0)
    n, repeats, scatter, noise = 50, 4000, 3.0, 2.0
    truth = rng.normal(-90, scatter, n)
    again = truth + noise * rng.standard_normal((repeats, n))
    one = Likelihood(again[0], "estimate", "AIS", np.full(n, noise))
    assert abs(again.mean(1).std() / one.mean_standard_error() - 1) < 4 / np.sqrt(2 * repeats)
    fresh = rng.normal(-90, scatter, (repeats, n)) + noise * rng.standard_normal((repeats, n))
    guesses = [Likelihood(row, "estimate", "AIS", np.full(n, noise)).data_standard_error() ** 2 for row in fresh]
    assert abs(np.mean(guesses) / fresh.mean(1).var() - 1) < 4 * np.sqrt(2 / repeats + 2 / (repeats * n))


def test_what_has_no_error_has_none():
    shared = Likelihood([-1.0, -3.0], "estimate", "AIS", [0.6, 0.8], 0.5)
    assert shared.mean_standard_error() == pytest.approx(np.hypot(0.5, 0.5))  # 1 / 2 of its own beside what is shared
    assert Likelihood([-1.0, -3.0], "estimate", "AIS", shared_error=0.5).mean_standard_error() == 0.5
    assert Likelihood([-1.0, -2.0], "exact", "sum").mean_standard_error() is None
    assert Likelihood([-1.0], "exact", "sum").data_standard_error() == np.inf
    assert Likelihood([-1.0, -np.inf], "exact", "sum").data_standard_error() == np.inf


def test_the_record_is_frozen():
    value = np.array([-1.0, -2.0])
    record = Likelihood(value, "exact", "sum")
    value[0] = 5
    assert record.mean() == -1.5
    with pytest.raises(ValueError, match="read-only"):
        record.value[0] = 0
    with pytest.raises(AttributeError):
        record.kind = "bound"


@pytest.mark.parametrize("arguments, words", [
    (([-1.0], "upper", "x"), "kind is 'upper'; expected one of exact, bound, estimate"),
    ((np.zeros((2, 2)), "exact", "x"), r"value has shape \(2, 2\); expected \(n,\)"),
    (([], "exact", "x"), r"value has shape \(0,\)"),
    (([0.0, np.nan], "exact", "x"), "NaN for datum 1"),
    (([-1.0], "exact", "x", [0.1]), "an exact value has no standard_error"),
    (([-1.0], "estimate", "x", [0.1, 0.2]), r"standard_error has shape \(2,\); expected \(1,\)"),
    (([-1.0], "estimate", "x", None, -0.1), "shared_error is -0.1"),
    (([-1.0], "exact", "x", None, 0.1), "an exact value has no standard_error"),
    (([-1.0], "estimate", "x", [-0.1]), "standard_error has the value -0.1"),
    (([-1.0], "estimate", "x", [np.nan]), "standard_error has the value nan"),
])
def test_bad_records_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Likelihood(*arguments)


@pytest.mark.parametrize("dimensions, width, words", [(0, 1.0, "dimensions is 0"), (3, 0.0, "bin_width is 0"),
                                                      (3, np.nan, "bin_width is nan")])
def test_bad_units_are_refused(dimensions, width, words):
    with pytest.raises(ValueError, match=words):
        bits_per_dimension(-1.0, dimensions, bin_width=width)
