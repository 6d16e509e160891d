"""Every rule of the table: right to second order on every case, in both precisions, on strided arrays; and the proof
that a rule that is off by 0.1 % would not pass."""

from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff.backward import reachable

from .cases import CASES, MASK, names

SEEDS = 3
KEEPING_PRECISION = [case for case in CASES if case.rule != "astype"]
every_case = pytest.mark.parametrize("case", CASES, ids=names(CASES))
every_rule = pytest.mark.parametrize("rule", sorted(ad.RULES))

# As functions of all their arguments together, these are linear or piecewise linear: their second derivative is zero.
FLAT = {"abs", "add", "astype", "broadcast_to", "clip", "concatenate", "cumsum", "expand_dims", "flip", "getitem",
        "identity", "leaky_relu", "max", "maximum", "mean", "min", "minimum", "moveaxis", "negative", "pad", "relu",
        "repeat", "reshape", "roll", "scatter", "sign", "squeeze", "subtract", "sum", "swapaxes", "tile", "transpose",
        "tril", "triu", "where", "avg_pool2d", "max_pool2d", "windows", "overlap_add"}


def applications(case, args):
    """The nodes that a case records with its own rule."""
    y = case.f(*(ad.Tensor(x, requires_grad=True) for x in args))
    return [node for node in reachable(y)[0] if node.rule.name == case.rule]


def first_and_second(f, args, seed=5):
    """y, the vjp of a random cotangent, and the vjp of that: what a rule can be asked to second order."""
    rng = np.random.default_rng(seed)
    y, pullback = ad.vjp(f, *args)
    g = rng.normal(size=y.shape).astype(y.dtype)
    first = pullback(g)
    along = [rng.normal(size=x.shape).astype(x.dtype) for x in args]

    def slope(*x):
        return sum(ad.sum(c * v) for c, v in zip(ad.vjp(f, *x)[1](g), along))

    return y, first, ad.grad(slope, tuple(range(len(args))))(*args)


def close(ours, theirs, tolerance):
    """Equal shapes, and errors below tolerance times the largest entry (at least 1)."""
    scale = max(1.0, np.abs(theirs).max(initial=0.0))
    return ours.shape == theirs.shape and np.abs(ours - theirs).max(initial=0.0) <= tolerance * scale


def strided(x):
    """The same numbers, every second of a larger array, backwards, and in column order."""
    room = np.full([2 * n + 1 for n in x.shape], np.nan).T
    view = room[(..., *(slice(None, 0, -2) for _ in x.shape))].T
    view[...] = x
    return view


def test_every_rule_has_a_case():
    assert {case.rule for case in CASES} == set(ad.RULES)


@every_case
def test_a_case_applies_its_rule(case):
    assert applications(case, case.arguments(0))


def test_a_thousand_checks_are_made():
    assert SEEDS * len(CASES) >= 1000


@every_case
def test_rule_is_right_to_second_order(case):
    for seed in range(SEEDS):
        assert ad.gradcheck(case.f, *case.arguments(seed), rng=np.random.default_rng(seed)) < 1e-6


@every_case
def test_strided_arguments_give_the_same(case):
    args = case.arguments(0)
    views = [strided(x) for x in args]
    assert all(np.array_equal(a, b) for a, b in zip(args, views))
    y, first, second = first_and_second(case.f, args)
    their_y, their_first, their_second = first_and_second(case.f, views)
    assert close(y, their_y, 1e-13)
    for ours, theirs in zip((*first, *second), (*their_first, *their_second)):
        assert close(ours, theirs, 1e-12)


@pytest.mark.parametrize("case", KEEPING_PRECISION, ids=names(KEEPING_PRECISION))
def test_float32_stays_float32_and_is_near_float64(case):
    args = [x.astype(np.float32) for x in case.arguments(0)]
    y, first, second = first_and_second(case.f, args)
    exact = first_and_second(case.f, [x.astype(np.float64) for x in args])
    assert y.dtype == np.float32 and close(y, exact[0], 1e-5)
    for ours, theirs in zip((*first, *second), (*exact[1], *exact[2])):
        assert ours.dtype == np.float32 and close(ours, theirs, 1e-4)


@contextmanager
def slip(rule, position, wrong, recorded_only=False):
    """Let wrong(c, again, g) stand for the cotangent c = again(g) of that argument; yields what c was, call by call.

    recorded_only: leave plain arrays as they are, for slips in the derivative of a right number.
    """
    entry = ad.RULES[rule]
    right, seen = ad.Rule(entry.name, entry.forward, entry.vjps, entry.joint), []

    def joint(g, y, wanted, *args, **kwargs):
        def again(g):
            return right.cotangents(g, y, wanted, args, kwargs)[position]

        cotangents = list(right.cotangents(g, y, wanted, args, kwargs))
        if wanted[position]:
            c = cotangents[position]
            seen.append(np.any(ad.value(c)))
            if isinstance(c, ad.Tensor) or not recorded_only:
                cotangents[position] = wrong(c, again, g)
        return cotangents

    entry.joint = joint
    try:
        yield seen
    finally:
        entry.joint = right.joint


def scaled(c, again, g):
    """0.1 % too large."""
    return c * 1.001


def raised(c, again, g):
    """0.1 % of g too large: for sign, whose gradient is zero."""
    return c + 0.001 * g


def scaled_along_arguments(c, again, g):
    """The right number, whose own derivative with respect to the arguments of the operation is 0.1 % too large."""
    c_of_arguments = again(g.detach())
    return c + 0.001 * (c_of_arguments - c_of_arguments.detach())


def scaled_along_everything(c, again, g):
    """The right number, whose own derivative, also with respect to g, is 0.1 % too large."""
    return c + 0.001 * (c - c.detach())


def positions_of(rule):
    """The arguments of a rule that its cases ask a cotangent of, each with the cases in which something can be seen."""
    found = {}
    for case in CASES:
        if case.rule == rule:
            for node in applications(case, case.arguments(0)):
                for position, want in enumerate(node.wanted):
                    if want and node.y.size and node.args[position].size:
                        found.setdefault(position, {})[id(case)] = case
    return {position: list(cases.values()) for position, cases in found.items()}


def rejects(case, order, seed=0):
    """Whether gradcheck refuses the rule as it now is."""
    try:
        ad.gradcheck(case.f, *case.arguments(seed), rng=np.random.default_rng(seed), order=order)
    except ad.GradcheckError as error:
        assert f"order {order}" in str(error) and "disagree" in str(error)
        return True
    return False


@every_rule
def test_a_rule_off_by_a_thousandth_is_rejected(rule):
    for position, cases in positions_of(rule).items():
        for case, seed in product(cases, range(3)):
            with slip(rule, position, raised if rule == "sign" else scaled) as seen:
                assert rejects(case, 1, seed) == (rule == "sign" or any(seen)), f"argument {position}"


@every_rule
def test_a_second_derivative_off_by_a_thousandth_is_rejected_at_order_two_alone(rule):
    found = False
    for position, cases in positions_of(rule).items():
        with slip(rule, position, scaled_along_arguments, recorded_only=True):
            assert not any(rejects(case, 1) for case in cases)
            found |= any([rejects(case, 2) for case in cases])
    assert found == (rule not in FLAT)


@every_rule
def test_a_right_gradient_with_a_wrong_derivative_is_rejected(rule):
    """Also a linear rule is caught: the jvp route differentiates the pullback with respect to its cotangent."""
    for position, cases in positions_of(rule).items():
        for case in cases:
            with slip(rule, position, scaled_along_everything, recorded_only=True) as seen:
                assert rejects(case, 1) == any(seen), f"argument {position}"


ACTIVATIONS = {None: lambda z: z, **{name: getattr(ad, name) for name in (
    "relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "gelu", "silu")}}
x, W, b = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate([(4, 3), (3, 2), (2,)]))
FUSED = {
    **{f"linear-{name}": (lambda x, W, b, name=name: ad.linear(x, W, b, name),
                          lambda x, W, b, f=f: f(x @ W + b), (x, W, b)) for name, f in ACTIVATIONS.items()},
    **{f"masked_linear-{name}": (lambda x, W, b, name=name: ad.masked_linear(x, W, MASK, b, name),
                                 lambda x, W, b, f=f: f(x @ (W * MASK) + b), (x, W, b))
       for name, f in ACTIVATIONS.items()},
    "bernoulli_logits": (ad.bernoulli_logits, lambda t, p: ad.sum(
        p * ad.log(ad.sigmoid(t)) + (1 - p) * ad.log(ad.sigmoid(-t)), axis=-1), (x, x ** 2 / (1 + x ** 2))),
    "gaussian_kl": (ad.gaussian_kl, lambda m, s: ad.sum(
        (m ** 2 + ad.exp(2 * s) - 1) / 2 - s, axis=-1), (x, x[::-1] / 3)),
    "layer_norm": (ad.layer_norm, lambda x, gain, bias: (x - ad.mean(x, axis=-1, keepdims=True)) / ad.sqrt(
        ad.var(x, axis=-1, keepdims=True) + 1e-5) * gain + bias, (x, W[:, 0], W[:, 1])),
}


@pytest.mark.parametrize("fused, composed, args", FUSED.values(), ids=FUSED)
def test_fused_operation_is_its_composition(fused, composed, args):
    y, first, second = first_and_second(fused, args)
    their_y, their_first, their_second = first_and_second(composed, args)
    assert close(y, their_y, 1e-13)
    for ours, theirs in zip((*first, *second), (*their_first, *their_second)):
        assert close(ours, theirs, 1e-12)


@pytest.mark.parametrize("f, x, expected", [
    (ad.abs, [0.0], [0]), (ad.sign, [0.0], [0]), (ad.relu, [0.0], [0]), (ad.leaky_relu, [0.0], [0.01]),
    (ad.elu, [0.0], [1]), (ad.max, [1.0, 2.0, 2.0, 2.0], [0, 1 / 3, 1 / 3, 1 / 3]), (ad.min, [2.0, 2.0], [0.5, 0.5]),
    (lambda x: ad.maximum(x, 2.0), [1.0, 2.0, 3.0], [0, 0.5, 1]), (lambda x: ad.minimum(x, 2.0), [1.0, 2.0], [1, 0.5]),
    (lambda x: ad.maximum(x, x), [2.0], [1]), (lambda x: ad.clip(x, 1, 2), [0.9, 1.0, 2.0, 2.1], [0, 1, 1, 0]),
    (ad.norm, [0.0, 0.0], [0, 0]),
])
def test_the_choice_at_a_kink(f, x, expected):
    assert np.allclose(ad.grad(lambda x: ad.sum(f(x)))(np.array(x)), expected, rtol=1e-15, atol=0)
