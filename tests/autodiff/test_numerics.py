"""Numbers at the edge: each result is finite, or infinite where the mathematics is, or a clear error; gradients too."""

from functools import partial

import numpy as np
import pytest

from minigen import autodiff as ad

INF = np.inf


def gradient(f, x):
    """The gradient of sum(f), which must come without a warning."""
    return ad.grad(lambda x: ad.sum(f(x)))(np.asarray(x))


def second(f, x):
    """The diagonal of the Hessian of an elementwise f."""
    return ad.hvp(lambda x: ad.sum(f(x)))(np.asarray(x), np.ones_like(x))


# ---- large arguments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_softmax_and_logsumexp_at_ten_thousand(dtype):
    x = np.array([-1e4, 0.0, 1e4], dtype)
    assert np.array_equal(ad.log_softmax(x), np.array([-2e4, -1e4, 0], dtype))
    assert np.array_equal(ad.softmax(x), [0, 0, 1]) and ad.logsumexp(x) == 1e4
    assert np.array_equal(gradient(lambda x: ad.log_softmax(x)[:1], x), [1, 0, -1])
    assert np.array_equal(gradient(ad.logsumexp, x), [0, 0, 1])
    assert np.array_equal(ad.hessian(ad.logsumexp)(x), np.zeros((3, 3)))
    assert np.array_equal(ad.log_softmax(-x[::-1] - 1e4), ad.log_softmax(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_and_softplus_at_a_thousand(dtype):
    x = np.array([-1e3, 1e3], dtype)
    assert np.array_equal(ad.sigmoid(x), [0, 1]) and np.array_equal(ad.softplus(x), [0, 1e3])
    assert np.array_equal(gradient(ad.sigmoid, x), [0, 0]) and np.array_equal(gradient(ad.softplus, x), [0, 1])
    assert np.array_equal(second(ad.softplus, x), [0, 0])
    assert np.array_equal(ad.silu(x), [0, 1e3]) and np.array_equal(gradient(ad.silu, x), [0, 1])
    assert np.array_equal(ad.gelu(x), [0, 1e3]) and np.array_equal(gradient(ad.gelu, x), [0, 1])
    assert np.array_equal(ad.elu(x), [-1, 1e3]) and np.array_equal(gradient(ad.elu, x), [0, 1])
    assert np.array_equal(ad.tanh(x), [-1, 1]) and np.array_equal(gradient(ad.tanh, x), [0, 0])
    assert ad.sigmoid(x).dtype == ad.softplus(x).dtype == dtype


def test_sigmoid_and_softplus_keep_their_digits_in_the_tail():
    x = np.array([-40.0, -700.0])
    assert np.allclose(ad.sigmoid(x), np.exp(x), rtol=1e-15, atol=0)
    assert np.allclose(ad.softplus(x), np.exp(x), rtol=1e-15, atol=0)
    assert np.allclose(gradient(ad.softplus, x), np.exp(x), rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_likelihood_of_certain_logits(dtype):
    t, x = np.array([[-1e3, 1e3], [1e3, -1e3]], dtype), np.array([[0, 1], [0, 1]], dtype)
    assert np.array_equal(ad.bernoulli_logits(t, x), [0, -2e3])
    assert np.array_equal(gradient(lambda t: ad.bernoulli_logits(t, x), t), [[0, 0], [-1, 1]])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "gelu", "silu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_with_large_preactivations(activation, dtype):
    x, W = np.array([[-1e3], [1e3]], dtype), np.ones((1, 1), dtype)
    y = ad.linear(x, W, np.zeros(1, dtype), activation)
    assert np.array_equal(y, getattr(ad, activation)(x))
    slopes = gradient(getattr(ad, activation), x)
    assert np.array_equal(gradient(lambda x: ad.linear(x, W, None, activation), x), slopes)


# ---- minus infinity as log of zero


def test_logsumexp_of_rows_of_minus_infinity():
    x = np.array([[-INF, -INF], [0.0, -INF], [0.0, 0.0]])
    assert np.array_equal(ad.logsumexp(x, axis=1), [-INF, 0, np.log(2)])
    assert np.array_equal(gradient(lambda x: ad.logsumexp(x, axis=1), x), [[0, 0], [1, 0], [0.5, 0.5]])
    assert ad.logsumexp(np.zeros((2, 0)), axis=1).tolist() == [-INF, -INF]
    assert ad.logsumexp(np.array([INF, 0.0])) == INF


def test_softmax_with_masked_logits():
    x = np.array([1.0, -INF, 1.0])
    assert np.array_equal(ad.softmax(x), [0.5, 0, 0.5])
    assert np.allclose(ad.log_softmax(x), [-np.log(2), -INF, -np.log(2)], rtol=1e-15, atol=0)
    assert np.array_equal(gradient(lambda x: ad.softmax(x)[:1], x), [0.25, 0, -0.25])


# ---- where shields a branch


@pytest.mark.parametrize("name, inside, x, right, slopes, curvatures", [
    ("log", lambda x: ad.log(x), [0.0, 2.0], [0, np.log(2)], [0, 0.5], [0, -0.25]),
    ("log of a negative", lambda x: ad.log(x), [-1.0, 2.0], [0, np.log(2)], [0, 0.5], [0, -0.25]),
    ("sqrt", lambda x: ad.sqrt(x), [0.0, 4.0], [0, 2], [0, 0.25], [0, -1 / 32]),
    ("sqrt of a negative", lambda x: ad.sqrt(x), [-1.0, 4.0], [0, 2], [0, 0.25], [0, -1 / 32]),
    ("1 / x", lambda x: 1 / x, [0.0, 2.0], [0, 0.5], [0, -0.25], [0, 0.25]),
    ("x / x", lambda x: x / x, [0.0, 2.0], [0, 1], [0, 0], [0, 0]),
    ("log1p", lambda x: ad.log1p(x - 1), [0.0, 2.0], [0, np.log(2)], [0, 0.5], [0, -0.25]),
    ("power", lambda x: x ** -2, [0.0, 2.0], [0, 0.25], [0, -0.25], [0, 0.375]),
    ("square root by power", lambda x: x ** 0.5, [0.0, 4.0], [0, 2], [0, 0.25], [0, -1 / 32]),
    ("x log x", lambda x: x * ad.log(x), [0.0, 1.0], [0, 0], [0, 1], [0, 1]),
    ("entropy", lambda x: -ad.log(x) * x, [0.0, 1.0], [0, 0], [0, -1], [0, -1]),
    ("sinh overflows", lambda x: ad.sinh(1000 - 1000 * x), [0.0, 1.0], [0, 0], [0, -1000], [0, 0]),
    ("cosh overflows", lambda x: ad.cosh(1000 - 1000 * x), [0.0, 1.0], [0, 1], [0, 0], [0, 1e6]),
    ("exp overflows", lambda x: ad.exp(1000 - 1000 * x), [0.0, 1.0], [0, 1], [0, -1000], [0, 1e6]),
    ("norm", lambda x: ad.norm(x[:, None], axis=1), [0.0, 2.0], [0, 2], [0, 1], [0, 0]),
    ("lgamma at a pole", lambda x: ad.lgamma(x), [0.0, 1.0], [0, 0], [0, -np.euler_gamma], [0, np.pi ** 2 / 6]),
])
def test_where_shields_a_branch_that_is_not_finite(name, inside, x, right, slopes, curvatures):
    """x > 0 ? f(x) : 0, where f or its derivative is not finite at x <= 0: 0 * inf must not come back as nan."""
    def f(x):
        with np.errstate(all="ignore"):
            return ad.where(x > 0, inside(x), 0.0)

    x = np.array(x)
    assert np.allclose(f(x), right, rtol=1e-14, atol=0)
    assert np.allclose(gradient(f, x), slopes, rtol=1e-13, atol=0)
    assert np.allclose(second(f, x), curvatures, rtol=1e-12, atol=1e-15)


def test_what_is_not_shielded_is_not_hidden():
    """log and sqrt at 0 have slope infinity, and say so; nan stays nan."""
    with np.errstate(divide="ignore"):
        assert gradient(ad.log, [0.0]) == INF and gradient(ad.sqrt, [0.0]) == INF
        assert np.isnan(gradient(ad.log, [np.nan]))


# ---- zero


def test_norm_at_zero_and_powers_at_zero():
    zero = np.zeros(3)
    assert ad.norm(zero) == 0 and np.array_equal(ad.grad(ad.norm)(zero), zero)
    assert np.array_equal(ad.hessian(ad.norm)(zero), np.zeros((3, 3)))
    for p, slope, curvature in ((0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0), (2.0, 0, 2)):
        f = partial(lambda p, x: x ** p, p)
        assert ad.grad(f)(0.0) == slope and ad.hessian(f)(0.0) == curvature
    exponents = np.array([0.0, 1.0, 2.0])
    assert np.array_equal(gradient(lambda x: x ** exponents, zero), [0, 1, 0])
    assert np.array_equal(gradient(lambda p: ad.power(zero, p), exponents), [0, 0, 0])  # x^p log x -> 0


def test_prod_with_zeros_is_exact():
    assert np.array_equal(ad.grad(ad.prod)(np.array([0.0, 2.0, 3.0])), [6, 0, 0])
    assert np.array_equal(ad.grad(ad.prod)(np.array([0.0, 0.0, 3.0])), [0, 0, 0])
    assert np.array_equal(ad.hessian(ad.prod)(np.array([0.0, 0.0, 3.0])), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


def test_variance_and_layer_norm_of_equal_numbers():
    x = np.full((1, 4), 3.0)
    assert np.array_equal(gradient(ad.var, x), np.zeros((1, 4)))
    y = ad.layer_norm(x, np.ones(4), np.zeros(4))
    assert np.array_equal(y, np.zeros((1, 4)))
    assert np.isfinite(gradient(lambda x: ad.layer_norm(x, np.arange(4.0), np.zeros(4)), x)).all()


def test_reductions_of_nothing():
    nothing = np.zeros((0, 3))
    assert np.array_equal(ad.sum(nothing, axis=0), [0, 0, 0]) and np.array_equal(ad.prod(nothing, axis=0), [1, 1, 1])
    assert gradient(lambda x: ad.sum(x, axis=0), nothing).shape == (0, 3)
    with pytest.raises(ValueError, match="zero-size array to reduction operation maximum"):
        ad.max(nothing)
    with pytest.raises(ValueError, match="var: 0 numbers"):
        ad.var(nothing, axis=0)


# ---- matrices


def test_a_singular_matrix():
    """The value is known, -inf; the gradient does not exist: a clear error, also beside one that is not singular."""
    stack = np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]])
    sign, logabsdet = ad.slogdet(stack)
    assert sign.tolist() == [0, 1] and logabsdet.tolist() == [-INF, 0]
    with pytest.raises(np.linalg.LinAlgError, match="slogdet: its gradient was asked for at a singular matrix"):
        gradient(lambda A: ad.slogdet(A)[1], stack)
    for f in (ad.inv, lambda A: ad.solve(A, np.ones((2, 1)))):
        with pytest.raises(np.linalg.LinAlgError, match="is singular or holds a singular matrix"):
            f(stack)
    with pytest.raises(np.linalg.LinAlgError, match="cholesky: A .* is not positive definite"):
        ad.cholesky(stack)


def test_an_almost_singular_matrix_keeps_its_digits():
    A = np.diag([1.0, 1e-150, 1e-200])
    assert np.isclose(ad.slogdet(A)[1], -350 * np.log(10), rtol=1e-15)
    assert np.allclose(np.diag(gradient(lambda A: ad.slogdet(A)[1], A)), [1, 1e150, 1e200], rtol=1e-15)


# ---- nan is never made silently from finite numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "sigmoid", "softplus", "silu", "gelu", "elu", "relu",
                                  "arctan", "erf", "erfc", "sin", "abs", "leaky_relu", "softmax",
                                  "log_softmax", "logsumexp"])
def test_values_and_two_derivatives_over_the_whole_range(name, dtype):
    f = getattr(ad, name)
    largest = 80 if name in ("exp", "expm1") else 1e4
    positive = np.logspace(-30, np.log10(largest), 60)
    x = np.concatenate([-positive[::-1], [0], positive]).astype(dtype)
    for numbers in (f(x), gradient(f, x), second(f, x)):
        assert np.isfinite(numbers).all() and np.asarray(numbers).dtype == dtype
