"""The tape: what backward leaves behind, what is recorded, what it refuses, and what it gives back."""

import gc

import numpy as np
import pytest

from minigen import autodiff as ad

X = np.array([1.0, 2.0, 3.0])


def leaf(data=X):
    """A Tensor that requires a gradient."""
    return ad.Tensor(data, requires_grad=True)


# ---- backward and grad


def test_backward_replaces_the_gradient_and_accumulates_on_request():
    x = leaf()
    for _ in range(2):
        ad.sum(x * x).backward()
        assert np.array_equal(x.grad, 2 * X)
    ad.sum(x * x).backward(accumulate=True)
    assert np.array_equal(x.grad, 4 * X)


def test_a_second_backward_needs_retain():
    x = leaf()
    y = ad.sum(ad.exp(x))
    y.backward(retain=True)
    y.backward()
    assert np.array_equal(x.grad, np.exp(X))
    with pytest.raises(RuntimeError, match="tape of 'sum' was freed by an earlier backward; call backward.retain=True"):
        y.backward()


def test_a_tape_that_shares_a_freed_part_says_so():
    h = ad.exp(leaf())
    ad.sum(h).backward()
    with pytest.raises(RuntimeError, match="tape of 'exp' was freed"):
        ad.sum(h * h).backward()


def test_a_leaf_that_nothing_depends_on_keeps_no_gradient():
    x, y = leaf(), leaf()
    ad.sum(x * 2).backward()
    assert y.grad is None and np.array_equal(x.grad, [2, 2, 2])


def test_each_leaf_owns_its_gradient():
    x, y, cotangent = leaf(), leaf(), np.ones(3)
    (x + y).backward(cotangent)
    x.grad += 1
    assert np.array_equal(y.grad, [1, 1, 1]) and np.array_equal(cotangent, [1, 1, 1])
    ad.sum((x + y) * 2).backward()  # the rule of add answers the same array twice
    x.grad += 1
    assert np.array_equal(y.grad, [2, 2, 2])
    z = leaf(np.ones((2, 3)))
    ad.sum(z).backward()
    z.grad[0, 0] = 5  # the rule of sum answers a broadcast view
    assert np.sum(z.grad) == 10


def test_a_value_used_many_times_adds_up():
    x = leaf()
    ad.sum(x * x + x * x + x).backward()
    assert np.array_equal(x.grad, 4 * X + 1)


def test_a_leaf_is_its_own_gradient():
    x = leaf(3.0)
    x.backward()
    assert x.grad == 1


@pytest.mark.parametrize("action, error, message", [
    (lambda: ad.Tensor(X).backward(), RuntimeError, "nothing was recorded"),
    (lambda: (leaf() * 2).backward(), TypeError, r"a value of shape \(3,\) needs a cotangent of that shape"),
    (lambda: (leaf() * 2).backward(np.ones(2)), ValueError, r"cotangent has shape \(2,\); expected \(3,\)"),
    (lambda: ad.Tensor([1, 2], requires_grad=True), TypeError, "needs float32 or float64 data, got int64"),
    (lambda: ad.Tensor(["a", None]), TypeError, "data must be numbers"),
    (lambda: leaf().__setitem__(0, 1.0), TypeError, "cannot be changed in place"),
    (lambda: iter(leaf(1.0)), TypeError, "without axes cannot be iterated"),
    (lambda: np.asarray(leaf()), TypeError, "NumPy cannot take a Tensor that is on the tape"),
    (lambda: np.exp(leaf()), TypeError, "does not support ufuncs"),
    (lambda: ad.primitive("exp", np.exp), ValueError, "there is a rule named 'exp' already"),
])
def test_clear_errors(action, error, message):
    with pytest.raises(error, match=message):
        action()


def test_a_missing_gradient_is_named():
    no_rule = ad.rules.Rule("no_rule", lambda a, b: a + b, (lambda g, y, a, b: g, None))
    with pytest.raises(TypeError, match="no_rule: there is no gradient with respect to argument 1"):
        ad.rules.apply(no_rule, (leaf(), leaf()), {}).backward(np.ones(3))


def test_an_error_inside_a_rule_is_not_taken_for_a_missing_one():
    broken = ad.rules.Rule("broken", np.exp, (lambda g, y, x: g + None,))
    with pytest.raises(TypeError, match="unsupported operand"):
        ad.rules.apply(broken, (leaf(),), {}).backward(np.ones(3))


# ---- what is recorded


def test_nothing_is_recorded_without_a_gradient_to_take():
    assert not (ad.Tensor(X) * 2).requires_grad
    with ad.no_grad():
        y = leaf() * 2
        assert not y.requires_grad and y.node is None and not ad.is_recording()
    assert ad.is_recording()


def test_no_grad_ends_with_an_exception_and_may_be_nested():
    with pytest.raises(ZeroDivisionError), ad.no_grad():
        raise ZeroDivisionError
    assert ad.is_recording()
    with ad.no_grad():
        with ad.no_grad():
            assert not ad.is_recording()
        assert not ad.is_recording()


def test_detach_cuts_the_tape():
    x = leaf()
    ad.sum(x * x.detach()).backward()
    assert np.array_equal(x.grad, X)


def test_plain_arrays_in_plain_array_out():
    for y in (ad.exp(X), ad.sum(X), ad.matmul(X, X), ad.linear(X, np.ones((3, 2)))):
        assert not isinstance(y, ad.Tensor)
    assert isinstance(ad.exp(ad.Tensor(X)), ad.Tensor)


def test_a_tensor_copies_its_data_and_numpy_copies_it_out():
    data = X.copy()
    x = leaf(data)
    data[0] = 9
    out = x.numpy()
    out[1] = 9
    assert np.array_equal(x.data, X)


@pytest.mark.parametrize("make", [
    lambda x: x * 2.0, lambda x: 2 * x, lambda x: x + np.float32(1), lambda x: x ** 2, lambda x: 2.0 ** x,
    lambda x: 1 - x, lambda x: 1 / x, lambda x: -x, lambda x: abs(x), lambda x: x @ x, lambda x: x.mean(),
    lambda x: ad.where(x > 1, x, 0.0), lambda x: ad.maximum(x, 2.0), lambda x: ad.clip(x, 0, 1), ad.relu,
    lambda x: x[1:], lambda x: ad.var(x), lambda x: ad.softplus(x), lambda x: ad.logsumexp(x), ad.lgamma, ad.gelu,
    lambda x: ad.index_add(x, 0, 1.0), lambda x: ad.pad(x, 1), lambda x: x * (x > 1),
])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_data_is_kept(make, dtype):
    x = leaf(X.astype(dtype))
    y = make(x)
    assert y.dtype == dtype
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == dtype and x.grad.shape == x.shape


def test_mixed_precision_computes_in_the_higher_and_answers_each_in_its_own():
    x, y = leaf(X.astype(np.float32)), leaf()
    z = ad.sum(x * y)
    assert z.dtype == np.float64
    z.backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


# ---- arrays on the tape cannot change


def test_a_leaf_a_constant_and_a_result_are_read_only_while_recorded():
    x, constant = leaf(), np.ones(3)
    y = ad.exp(x) * constant
    for array in (x.data, constant, y.data):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    ad.sum(y).backward()
    x.data[0] = constant[0] = 7


def test_the_base_of_a_view_is_held_as_well():
    x, base = leaf(), np.ones((2, 3))
    y = ad.sum(x * base[0])
    with pytest.raises(ValueError, match="read-only"):
        base[0, 0] = 7
    y.backward()
    base[0, 0] = 7
    assert np.array_equal(x.grad, [1, 1, 1])


def test_index_arrays_are_held():
    x, rows = leaf(), np.array([0, 0])
    y = ad.sum(x[rows])
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 2
    y.backward()
    rows[0] = 2


def test_the_argument_of_a_transform_is_held_inside_and_given_back():
    x = X.copy()

    def f(t):
        y = ad.sum(t * t)
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 9
        return y

    assert np.array_equal(ad.grad(f)(x), 2 * X)
    x[0] = 9


@pytest.mark.parametrize("end", ["backward", "dropped", "exception in the rule", "exception in the user's code"])
def test_arrays_are_given_back_however_the_tape_ends(end):
    x, constant = leaf(), np.ones((2, 3))
    view = constant[0]

    def fail(g, y, a):
        raise ZeroDivisionError

    def work():
        y = ad.sum(ad.exp(x * view) + constant[1])
        assert not x.data.flags.writeable and not constant.flags.writeable and not view.flags.writeable
        if end == "backward":
            y.backward()
        elif end == "exception in the rule":
            with pytest.raises(ZeroDivisionError):
                ad.rules.apply(ad.rules.Rule("fails", np.exp, (fail,)), (y,), {}).backward()
        elif end == "exception in the user's code":
            raise KeyError

    if end == "exception in the user's code":
        with pytest.raises(KeyError):
            work()
    else:
        work()
    gc.collect()
    assert x.data.flags.writeable and constant.flags.writeable and view.flags.writeable


@pytest.mark.parametrize("first", [0, 1])
def test_an_array_on_two_tapes_is_given_back_with_the_second(first):
    base = np.ones((2, 3))
    view = base[0]
    tapes = [ad.sum(leaf() * view), ad.sum(leaf(np.ones((2, 3))) * base)]
    tapes[first].backward()
    assert not base.flags.writeable
    tapes[1 - first].backward()
    assert base.flags.writeable and view.flags.writeable


def test_what_was_read_only_before_stays_so():
    constant = np.ones(3)
    constant.flags.writeable = False
    ad.sum(leaf() * constant).backward()
    assert not constant.flags.writeable


def test_replaced_data_is_refused_by_a_second_order_pass_and_harmless_to_a_first():
    x = leaf()
    y = ad.sum(x * x)
    x.data = np.zeros(3)
    y.backward(retain=True)
    assert np.array_equal(x.grad, 2 * X)
    with pytest.raises(RuntimeError, match=".data of an argument of 'multiply' was replaced after it was recorded"):
        ad.backward.pull_back(y, ad.Tensor(1.0), [x], create_graph=True, retain=True)
