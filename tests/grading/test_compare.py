"""Each comparison accepts what is right and rejects slips close to it; a right sampler is hardly ever refused."""
import math

import numpy as np
import pytest

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


def test_differences_are_of_fourth_order():
    gradient = differences(lambda x: np.sum(np.sin(x) * x), X)
    np.testing.assert_allclose(gradient, np.cos(X) * X + np.sin(X), rtol=1e-10, atol=1e-11)


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


def test_density_in_one_and_two_dimensions():
    def normal(x, mu, sigma):
        return np.sum(-0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * math.log(2 * math.pi), axis=-1)

    def scalar(x, mu, sigma):
        return normal(x[:, None], mu, sigma)

    plane, line = Density((-9.0, -9.0), (9.0, 9.0), points=161), Density((-12.0,), (12.0,), scalar=True)
    assert accepted(plane, normal, (0.5, 0.8))
    assert accepted(line, scalar, (0.5, 0.8))
    assert "its integral is 2.506" in refused(line, lambda x, m, s: scalar(x, m, s) + 0.919, (0.5, 0.8)).detail
    assert "integrate to 1" in refused(plane, lambda x, m, s: normal(x, m, s) + np.log(s), (0.5, 0.8)).violated
    assert "shape" in refused(plane, lambda x, m, s: normal(x, m, s)[:, None], (0.5, 0.8)).violated
    assert "integer" in refused(plane, lambda x, m, s: np.zeros(len(x), dtype=int), (0.5, 0.8)).violated


def uniforms_of_exponential(samples, seed, n, rate):
    """Distribution function of the exponential."""
    return 1 - np.exp(-rate * samples)


def test_sampler():
    inputs = (Seed(3), 20_000, 2.0)
    assert accepted(Sampler(), lambda rng, n, rate: rng.exponential(1 / rate, n), inputs, uniforms_of_exponential)
    slips = [
        lambda rng, n, rate: rng.exponential(rate, n),
        lambda rng, n, rate: rng.exponential(1.1 / rate, n),
        lambda rng, n, rate: -np.log1p(-(np.arange(n) + 0.5) / n) / rate,  # quantiles, not samples
        lambda rng, n, rate: np.random.default_rng(0).exponential(1 / rate, n),
        lambda rng, n, rate: np.full(n, np.nan),
    ]
    for slip in slips:
        refused(Sampler(), slip, inputs, uniforms_of_exponential)


def test_sampler_keeps_its_false_alarm_rate():
    """At a stated rate of 0.2 a right sampler fails in at most that share of 400 runs (bound plus 3 sigma)."""
    failed = 0
    for seed in range(400):
        try:
            inputs = (Seed(seed), 200, 2.0)
            accepted(Sampler(false_alarm=0.2), lambda rng, n, rate: rng.exponential(1 / rate, n), inputs,
                     uniforms_of_exponential)
        except Mismatch:
            failed += 1
    assert 0 < failed <= 400 * 0.2 + 3 * math.sqrt(400 * 0.2 * 0.8)


def test_property_tells_its_sentence():
    def above(answer, x):
        return None if answer > x else "the bound lies below the value"

    assert accepted(Property(), lambda x: x + 1, (1.0,), above)
    assert refused(Property(), lambda x: x - 1, (1.0,), above).violated == "the bound lies below the value"
