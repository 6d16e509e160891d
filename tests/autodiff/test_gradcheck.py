"""gradcheck itself: what it accepts, what it refuses, and what it says. Its power over every rule is in test_rules."""

import numpy as np
import pytest

from minigen import autodiff as ad

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])


def check(f, *args, seed=0, **settings):
    """gradcheck with a fixed seed."""
    return ad.gradcheck(f, *args, rng=np.random.default_rng(seed), **settings)


def with_gradient(f, gradient):
    """The function f whose rule is `gradient(g, y, x)`: what a student might write."""
    rule = ad.Rule("own", f, (gradient,))
    return lambda x: ad.rules.apply(rule, (x,), {})


def test_nested_containers_and_constants_of_every_kind():
    def f(p, n, flags, mode, nothing):
        h = p["layers"][0]["W"] * n + p["layers"][1] if flags[0] and mode == "on" and nothing is None else 0
        return {"h": ad.tanh(h), "s": (ad.sum(h ** 2), p["scale"] * 2.0)}

    assert check(f, {"layers": [{"W": X}, np.float32([1, 2, 3])], "scale": 1.5}, 3, np.array([True]), "on", None) < 1e-6


def test_arguments_stay_as_they_were():
    x = X.copy()
    check(lambda x: ad.sum(ad.exp(x)), x)
    assert np.array_equal(x, X) and x.flags.writeable


def test_the_same_seed_gives_the_same_answer_and_another_another():
    answers = [check(lambda x: ad.exp(x), X, seed=seed) for seed in (0, 0, 1)]
    assert answers[0] == answers[1] != answers[2]


def test_float32_arguments_are_checked_in_float64():
    seen = set()

    def f(x):
        seen.add(ad.value(x).dtype)
        return ad.sum(ad.sin(x))

    check(f, X.astype(np.float32))
    assert seen == {np.dtype(np.float64)}


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_the_step_follows_the_size_of_x(size):
    """With a step of 1e-5 at 1e6, rounding would drown an error of 1e-5."""
    assert check(ad.square, size * X) < 1e-6
    with pytest.raises(ad.GradcheckError, match="order 1"):
        check(with_gradient(np.square, lambda g, y, x: g * 2 * x * 1.00001), size * X)


def test_parameters_that_f_captures_are_constants():
    W = ad.Tensor(X, requires_grad=True)
    assert check(lambda x: ad.sum(W * x ** 3), X) < 1e-6
    assert W.grad is None and W.data.flags.writeable


def test_no_numbers_at_all_are_right():
    assert check(lambda x: ad.exp(x), np.zeros((0, 3))) == 0


def test_a_function_that_does_not_depend_on_its_argument():
    assert check(lambda x, y: ad.sum(y ** 2), X, X) < 1e-6
    assert check(lambda x: np.ones(3), X) == 0


SOFTMAX = with_gradient(lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), lambda g, y, x: 0 * g)
TRANSPOSE = with_gradient(np.transpose, lambda g, y, x: ad.reshape(g, x.shape))


@pytest.mark.parametrize("f", [SOFTMAX, TRANSPOSE])
def test_what_a_cotangent_of_ones_cannot_see_is_seen(f):
    ones = np.ones_like(f(X))
    step = np.full_like(X, 1e-5)
    blind, = ad.vjp(f, X)[1](ones)
    assert np.isclose(np.sum(blind * step), np.sum(f(X + step)) - np.sum(f(X)), atol=1e-12)  # ones see nothing
    with pytest.raises(ad.GradcheckError, match="order 1, argument 0 of shape .2, 3.: vjp and differences disagree"):
        check(f, X)


@pytest.mark.parametrize("gradient, first_wrong", [
    (lambda g, y, x: g * x, 1), (lambda g, y, x: -g * 2 * x, 1), (lambda g, y, x: g * 2 * x + 1e-4, 1),
    (lambda g, y, x: g * 2 * x * 1.00001, 1), (lambda g, y, x: g * 2 * ad.value(x), 2),
])
def test_wrong_gradients_of_the_square(gradient, first_wrong):
    f = with_gradient(np.square, gradient)
    with pytest.raises(ad.GradcheckError, match=f"order {first_wrong}"):
        check(f, X)
    if first_wrong == 2:
        assert check(f, X, order=1) < 1e-6


def test_a_pullback_that_is_not_linear_in_its_cotangent():
    """At order 1 the vjp is right for every g; its derivative along g, which is the jvp, is not."""
    f = with_gradient(np.exp, lambda g, y, x: g * y if isinstance(g, np.ndarray) else (g * y).detach())
    with pytest.raises(ad.GradcheckError, match="order 1, argument 0 of shape .2, 3.: jvp and differences disagree"):
        check(f, X)


def test_the_report_names_argument_routes_and_tolerance():
    wrong = with_gradient(np.sin, lambda g, y, x: g * 1.001 * ad.cos(x))

    def loss(p, x):
        return ad.sum(x * wrong(p["W"][1]))

    with pytest.raises(ad.GradcheckError) as caught:
        check(loss, {"b": X, "W": [X, X]}, X)
    report = str(caught.value)
    first, vjp, jvp, differences, last = report.splitlines()
    assert first == "gradcheck of loss, order 1, argument 0['W'][1] of shape (2, 3): vjp and differences disagree"
    assert [line.split()[0] for line in (vjp, jvp, differences)] == ["vjp", "jvp", "differences"]
    by_rule, by_jvp, right = (float(line.split()[1]) for line in (vjp, jvp, differences))
    assert np.isclose(by_rule, by_jvp) and np.isclose(by_rule, 1.001 * right, rtol=1e-6)
    assert "they differ by" in last and "tolerated" in last
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("f", [ad.relu, ad.abs, lambda x: ad.maximum(x, 0.0),
                               lambda x: ad.where(ad.value(x) < 0, 0.0, 1.0) + x])
def test_a_kink_is_said_to_be_one(f):
    """At the kink, and so near that a double step always crosses it and a single step sometimes."""
    for x in (0.0, 0.9e-5, -0.9e-5):
        with pytest.raises(ad.GradcheckError, match="(?s)order 1: a kink .* at each of 10 draws.*from the left"):
            check(f, np.array([x, 1.0]))


def test_a_kink_of_the_gradient_shows_at_order_two():
    assert check(ad.elu, np.zeros(3), order=1) < 1e-6
    with pytest.raises(ad.GradcheckError, match="order 2: a kink"):
        check(ad.elu, np.zeros(3))


def test_with_leave_to_move_the_point_a_kink_is_left_behind():
    x = np.array([0.0, 1.0, 2.0])
    assert check(ad.relu, x, move=1e-2) < 1e-6
    assert np.array_equal(x, [0, 1, 2])
    wrong = with_gradient(lambda x: np.maximum(x, 0), lambda g, y, x: g * 1.001 * (ad.value(x) > 0))
    with pytest.raises(ad.GradcheckError, match="vjp and differences disagree"):
        check(wrong, x, move=1e-2)
    with pytest.raises(ad.GradcheckError, match="at each of 3 draws"):
        check(lambda x: np.floor(ad.value(x) * 1e7), X, move=1e-2, tries=3)


def test_another_direction_may_miss_a_kink_near_by():
    """Most directions reach the kink and a few miss it: enough draws find one, and then the rule is judged."""

    def f(x):
        return ad.relu(ad.sum(x) + 2.2e-5)

    x = np.zeros(4)
    assert check(f, x, tries=50) < 1e-6
    with pytest.raises(ad.GradcheckError, match="kink"):
        check(f, x, tries=1, seed=1)


def test_a_function_that_draws_random_numbers_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ad.GradcheckError, match="it must not draw random numbers"):
        check(lambda x: x * rng.normal(), X)


def test_float32_inside_is_named_as_a_possible_cause():
    with pytest.raises(ad.GradcheckError, match="or f is not computed in float64"):
        check(lambda x: ad.exp(ad.astype(x, np.float32)), X)


@pytest.mark.parametrize("f, x, what", [
    (lambda x: ad.log(x - 1), np.ones(2), "f is not finite"), (lambda x: x / 0.0, np.ones(2), "f is not finite"),
    (with_gradient(np.sqrt, lambda g, y, x: g * np.nan), np.ones(2), "the vjp is not finite"),
])
def test_what_is_not_finite_is_said_not_to_be(f, x, what):
    with np.errstate(all="ignore"), pytest.raises(ad.GradcheckError, match=what):
        check(f, x)


def test_bad_arguments():
    with pytest.raises(ValueError, match="order is 3; expected 1 or 2"):
        check(ad.exp, X, order=3)
    with pytest.raises(ValueError, match="no argument is a floating-point number or array"):
        check(ad.exp, 3, np.arange(3), "x")
