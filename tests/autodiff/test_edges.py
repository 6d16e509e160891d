"""Where rules usually break: kinks, poles, overflow, branches that are cut off, odd but legal arguments."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff.rules import RULES


def derivatives(f, x, orders):
    """The derivatives of an elementwise f at x, of order 1, 2, ..."""
    found = []
    for _ in range(orders):
        f = ad.grad(lambda x, f=f: ad.sum(f(x)))
        found.append(f(x))
    return found


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.0, 1.0, 2.0, np.array([3, 3, 3]), np.array([1.0, 1.0, 1.0]),
                               np.array([0, 0, 0])])
def test_whole_powers_at_zero_and_below(p):
    x = np.array([-2.0, 0.0, 1.5])
    n = int(np.max(p))
    polynomial = np.polynomial.Polynomial([0] * n + [1])
    for k, ours in enumerate(derivatives(lambda x: x ** p, x, 3), start=1):
        assert np.array_equal(ours, polynomial.deriv(k)(x))


def test_power_around_exponent_zero():
    """d^2 x^p / dx dp = x^(p-1) (1 + p log x), also at p = 0, in either order."""
    H = ad.hessian(lambda z: z[0] ** z[1])(np.array([2.0, 0.0]))
    assert np.allclose(H, [[0, 0.5], [0.5, np.log(2) ** 2]], rtol=1e-14)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("f", [
    ad.log, ad.sqrt, lambda x: 1 / x, lambda x: x ** -0.5, lambda x: x ** np.array([-0.5]), ad.lgamma, ad.digamma,
    lambda x: ad.log1p(x - 1), lambda x: ad.exp(800 / (x + 1e-30)), lambda x: ad.expm1(800 / (x + 1e-30)),
    lambda x: ad.power(x - 1, ad.exp(x)),
], ids=["log", "sqrt", "1/x", "x**p", "x**array", "lgamma", "digamma", "log1p", "exp", "expm1", "power"])
def test_where_shields_the_branch_that_is_cut_off(f):
    """At x = 0 the value and the derivatives of f are 0, infinite or nan; behind `where` nobody sees them."""
    x = np.array([0.0, 2.0])

    def shielded(x):
        return ad.where(x > 0, f(x), x * x)

    first, second = derivatives(shielded, x, 2)
    assert first[0] == 0 and second[0] == 2


@pytest.mark.filterwarnings("ignore:invalid value")
def test_where_shields_a_root_of_a_negative_number():
    """The gradient only: where base and exponent both vary, the second derivative of a value that is nan is nan."""
    g = ad.grad(lambda x: ad.sum(ad.where(x > 0, ad.power(x - 1, ad.exp(x) / 2), x * x)))(np.array([0.0, 2.0]))
    assert g[0] == 0 and np.isfinite(g[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f, low, high", [
    (ad.sigmoid, 0, 1), (ad.softplus, 0, 1e3), (ad.silu, 0, 1e3), (ad.elu, -1, 1e3), (ad.tanh, -1, 1),
    (ad.gelu, 0, 1e3), (ad.erf, -1, 1),
], ids=["sigmoid", "softplus", "silu", "elu", "tanh", "gelu", "erf"])
def test_activations_far_out(f, low, high, dtype):
    x = np.array([-1e3, 1e3], dtype)
    assert np.array_equal(f(x), [low, high])
    first, second = derivatives(f, x, 2)
    assert first.dtype == dtype and np.array_equal(first, [0, high > 1]) and np.array_equal(second, [0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_far_out(dtype):
    x, w = np.array([-1e4, 0, 1e4], dtype), np.array([1, 2, 4], dtype)
    assert np.array_equal(ad.log_softmax(x), [-2e4, -1e4, 0]) and np.array_equal(ad.softmax(x), [0, 0, 1])
    assert ad.logsumexp(x) == 1e4 and ad.logsumexp(np.full(3, -np.inf, dtype)) == -np.inf
    assert np.array_equal(ad.grad(lambda x: ad.sum(ad.log_softmax(x) * w))(x), [1, 2, -3])
    assert np.array_equal(ad.grad(lambda x: ad.sum(ad.softmax(x) * w))(x), [0, 0, 0])
    assert np.array_equal(ad.grad(ad.logsumexp)(x), [0, 0, 1])
    assert np.array_equal(ad.grad(ad.logsumexp)(np.full(3, -np.inf, dtype)), [0, 0, 0])


def test_integers_and_lists_are_numbers_too():
    assert np.isclose(ad.logsumexp([1, 2]), np.log(np.exp(1) + np.exp(2)))
    assert np.allclose(ad.softmax(np.array([0, 0])), 0.5) and np.allclose(ad.log_softmax([0, 0]), -np.log(2))
    t = ad.Tensor([3.0, 4.0], requires_grad=True)
    for joined, expected, gradient in (
        (ad.stack([[1.0, 2.0], t]), [[1, 2], [3, 4]], [1, 1]),
        (ad.stack([[1.0, 2.0], t], axis=-1), [[1, 3], [2, 4]], [1, 1]),
        (ad.stack([2.0, t[0], 1]), [2, 3, 1], [1, 0]),
        (ad.concatenate([[1.0], t]), [1, 3, 4], [1, 1]),
    ):
        assert np.array_equal(joined.data, expected)
        joined.sum().backward()
        assert np.array_equal(t.grad, gradient)


@pytest.mark.parametrize("shift, axis", [(1, None), (2, 0), ((1, 2), (0, 1)), ([1, 2], [0, 1]), (1, (0, 1))])
def test_roll_and_back(shift, axis):
    x = np.arange(12.0).reshape(3, 4)
    y, pullback = ad.vjp(lambda x: ad.roll(x, shift, axis), x)
    assert np.array_equal(y, np.roll(x, shift, axis)) and np.array_equal(pullback(y)[0], x)


def test_ties_keep_float32():
    x = ad.Tensor([-1.0, 0.0, 1.0], requires_grad=True, dtype=np.float32)
    share = RULES["maximum"].vjps[0](np.ones(3, np.float32), None, x.data, 0.0)
    assert share.dtype == np.float32 and np.array_equal(share, [0, 0.5, 1])


def test_refusals():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="var: 1 numbers along axis 0 with ddof 1; expected more than ddof"):
        ad.var(x[:1], axis=0, ddof=1)
    for sections in (2, 0):
        with pytest.raises(ValueError, match=f"split: axis 1 has length 3, which {sections} sections do not divide"):
            ad.split(x, sections, axis=1)
    with pytest.raises(ValueError, match="zero-size array to reduction operation maximum"):
        ad.max(ad.Tensor(np.ones((2, 0))), axis=1)
    with pytest.raises(TypeError, match="clip: there is no gradient with respect to argument 2"):
        ad.grad(lambda high: ad.sum(ad.clip(x, 0.0, high)))(2.0)
