"""Each comparison accepts what is right and rejects slips close to it; a right sampler is hardly ever refused."""
import math

import numpy as np
import pytest

from minigen.checks.domains import Binary, Box, Interval
from minigen.grading import Bijection, Density, Gradient, Mismatch, Property, Sampler, Seed, Value
from minigen.grading.compare import agree, differences


def accepted(comparison, function, inputs, expected=None) -> bool:
    """Run a comparison with functions of this process in the student's place; True unless it raises."""
    def call(*arguments, function=function):
        assert callable(function)
        return function(*(np.random.default_rng(a) if isinstance(a, Seed) else a for a in arguments))

    comparison.judge(call, inputs, expected)
    return True


def refused(comparison, function, inputs, expected=None) -> Mismatch:
    """The mismatch that must come."""
    with pytest.raises(Mismatch) as caught:
        accepted(comparison, function, inputs, expected)
    return caught.value


X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def test_value_accepts_rounding_and_nothing_more():
    assert accepted(Value(), lambda x: np.exp(x) * (1 + 1e-10), (X,), np.exp)
    assert accepted(Value(), lambda x: (1.0, np.exp(x)), (X,), lambda x: [1.0, np.exp(x)])
    assert accepted(Value(), lambda x: {"a": 2, "b": True}, (X,), lambda x: {"a": 2, "b": True})
    assert accepted(Value(), lambda x: np.array([np.inf, np.nan]), (X,), lambda x: np.array([np.inf, np.nan]))
    assert accepted(Value(), lambda x: "sum", (X,), lambda x: "sum")


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda x: np.exp(x) * (1 + 1e-8), "wrong in 6 of 6 places"),
    (lambda x: np.exp(x).astype(np.float32), "wrong in"),
    (lambda x: np.exp(x).T, "shape (3, 2); shape (2, 3) is needed"),
    (lambda x: np.exp(x)[None], "shape (1, 2, 3)"),
    (lambda x: np.exp(x).round().astype(int), "integer numbers; real numbers are needed"),
    (lambda x: np.where(x > 1, np.nan, np.exp(x)), "NaN in 2 of 6 places"),
    (lambda x: np.where(x > 1, np.inf, np.exp(x)), "wrong in 2 of 6 places"),
    (lambda x: None, "NoneType"),
    (lambda x: "exp", "str"),
    (lambda x: (np.exp(x), 1.0), "tuple"),
])
def test_value_refuses(wrong, said):
    assert said in refused(Value(), wrong, (X,), np.exp).violated


def test_numbers_of_the_reference_are_only_in_the_detail():
    mismatch = refused(Value(), lambda x: np.exp(x) + 0.5, (X,), np.exp)
    assert "1.64872" in mismatch.detail and "1.64872" not in mismatch.violated
    assert "at [0, 0]" in refused(Value(), lambda x: np.exp(x) + (x == 0.5), (X,), np.exp).detail


@pytest.mark.parametrize(("got", "said"), [((1.0,), "should be 2 values"), ((1.0, 2.5), "number 2"), (1.0, "float")])
def test_tuples_are_compared_entry_by_entry(got, said):
    with pytest.raises(Mismatch, match=said):
        agree(got, (1.0, 2.0), 1e-9, 1e-12)


def test_dicts_need_the_same_keys():
    with pytest.raises(Mismatch, match=r"keys \['a', 'b'\]"):
        agree({"a": 1}, {"a": 1, "b": 2}, 1e-9, 1e-12)


def test_differences_are_accurate():
    gradient = differences(lambda x: np.sum(np.sin(x) * x), X)
    np.testing.assert_allclose(gradient, np.cos(X) * X + np.sin(X), rtol=1e-9, atol=1e-10)


def test_gradient():
    def log_sum(x, scale):
        return float(scale * np.log(np.sum(np.exp(x))))

    def softmax(x, scale):
        return scale * np.exp(x) / np.exp(x).sum()

    assert accepted(Gradient(), softmax, (X[0], 2.0), log_sum)
    assert accepted(Gradient(wrt=1), lambda x, s: np.log(np.sum(np.exp(x))), (X[0], np.array(2.0)), log_sum)
    for slip in (lambda x, s: softmax(x, s) * 1.00001, lambda x, s: softmax(x, 1.0), lambda x, s: -softmax(x, s)):
        assert "the gradient is wrong" in refused(Gradient(), slip, (X[0], 2.0), log_sum).violated


A = np.array([[1.0, 0.5, -0.3], [0.0, 2.0, 0.7], [0.2, 0.0, 0.5]])


def forward(x):
    """A linear map, bent by sinh."""
    return np.sinh(x @ A.T), np.linalg.slogdet(A)[1] + np.log(np.cosh(x @ A.T)).sum(-1)


def inverse(z):
    """The way back."""
    y = np.arcsinh(z)
    return y @ np.linalg.inv(A).T, -np.linalg.slogdet(A)[1] - np.log(np.cosh(y)).sum(-1)


def test_bijection():
    assert accepted(Bijection(inverse=inverse), forward, (X,))
    assert accepted(Bijection(), forward, (X,))
    slips = {
        "log-determinant, held": lambda x: (forward(x)[0], -forward(x)[1]),
        "has shape (); shape (2,)": lambda x: (forward(x)[0], forward(x)[1].sum()),
        "should return two values": lambda x: forward(x)[0],
        "has shape (2, 2); shape (2, 3)": lambda x: (forward(x)[0][:, :2], forward(x)[1]),
        "holds integer numbers": lambda x: (forward(x)[0], np.zeros(2, dtype=int)),
        "holds NaN": lambda x: (forward(x)[0], forward(x)[1] * np.nan),
    }
    for said, slip in slips.items():
        assert said in refused(Bijection(), slip, (X,)).violated

    def sign_kept(z):
        return inverse(z)[0], -inverse(z)[1]

    def shifted(z):
        return inverse(z)[0] + 1e-4, inverse(z)[1]

    assert "log-determinant of" in refused(Bijection(inverse=sign_kept), forward, (X,)).violated
    assert "is wrong in 6 of 6" in refused(Bijection(inverse=shifted), forward, (X,)).violated


def log_normal(x, mu, sigma):
    """log N(x; mu, sigma^2), summed over a last axis of two where there is one."""
    each = -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * math.log(2 * math.pi)
    return each.sum(-1) if np.ndim(x) == 2 else each


def test_density_in_one_and_two_dimensions():
    plane, line = Density(Box((-9.0, 9.0), (-9.0, 9.0))), Density(Interval())
    assert accepted(plane, log_normal, (0.5, 0.8))
    assert accepted(line, log_normal, (0.5, 0.8))
    half_forgotten = refused(line, lambda x, m, s: log_normal(x, m, s) + 0.5 * math.log(2 * math.pi), (0.5, 0.8))
    assert "2.506" in half_forgotten.detail and half_forgotten.violated == "the total mass is not 1"
    assert "not 1" in refused(plane, lambda x, m, s: log_normal(x, m, s) + 1e-5, (0.5, 0.8)).violated
    assert "shape" in refused(plane, lambda x, m, s: log_normal(x, m, s)[:, None], (0.5, 0.8)).violated
    assert "integer" in refused(plane, lambda x, m, s: np.zeros(len(x), dtype=int), (0.5, 0.8)).violated
    assert "NaN" in refused(plane, lambda x, m, s: np.full(len(x), np.nan), (0.5, 0.8)).violated


def log_exponential(x, seed, n, rate):
    """Density of the exponential, in nats."""
    return np.log(rate) - rate * x


POSITIVE = Interval(0.0, np.inf, loc=0.0, scale=0.5)


def test_sampler():
    inputs = (Seed(3), 20_000, 2.0)
    assert accepted(Sampler(POSITIVE), lambda rng, n, rate: rng.exponential(1 / rate, n), inputs, log_exponential)
    slips = {
        "rate for scale": lambda rng, n, rate: rng.exponential(rate, n),
        "ten percent": lambda rng, n, rate: rng.exponential(1.1 / rate, n),
        "quantiles": lambda rng, n, rate: -np.log1p(-(np.arange(n) + 0.5) / n) / rate,
        "own seed": lambda rng, n, rate: np.random.default_rng(0).exponential(1 / rate, n),
        "NaN": lambda rng, n, rate: np.full(n, np.nan),
        "outside": lambda rng, n, rate: rng.normal(size=n),
        "column": lambda rng, n, rate: rng.exponential(1 / rate, (n, 1)),
    }
    for slip in slips.values():
        refused(Sampler(POSITIVE), slip, inputs, log_exponential)
    assert "same samples" in refused(Sampler(POSITIVE), slips["own seed"], inputs, log_exponential).violated


def test_sampler_on_a_discrete_domain_may_repeat_values():
    def log_p(x, seed, n):
        return np.where(x[:, 0] == 1, np.log(0.3), np.log(0.7)) + np.log(0.5)

    def sample(rng, n):
        return (rng.random((n, 2)) < [0.3, 0.5]).astype(float)

    assert accepted(Sampler(Binary(2)), sample, (Seed(1), 5_000), log_p)
    refused(Sampler(Binary(2)), lambda rng, n: 1 - sample(rng, n), (Seed(1), 5_000), log_p)


def test_sampler_keeps_its_false_alarm_rate():
    """At a stated rate of 0.1 a right sampler fails in that share of 200 runs (within 4 sigma)."""
    failed = 0
    for seed in range(200):
        try:
            inputs = (Seed(seed), 2_000, 2.0)
            accepted(Sampler(POSITIVE, false_alarm=0.1), lambda rng, n, rate: rng.exponential(1 / rate, n), inputs,
                     log_exponential)
        except Mismatch:
            failed += 1
    assert abs(failed - 20) <= 4 * math.sqrt(200 * 0.1 * 0.9)


def test_property_tells_its_sentence():
    def above(answer, x):
        return None if answer > x else "the bound lies below the value"

    assert accepted(Property(), lambda x: x + 1, (1.0,), above)
    assert refused(Property(), lambda x: x - 1, (1.0,), above).violated == "the bound lies below the value"
