"""The planar flow: its constraint, its inverse by root finding at every scale, and the implicit gradient."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff import GradcheckError, Rule
from minigen.autodiff.rules import apply
from minigen.flows import Planar
from minigen.flows.planar import RIDGE_ROOT, ridge_root

DTYPES = (np.float32, np.float64)


def planar(w, u, b=0.0, dtype=np.float64):
    flow = Planar(len(w), rng=np.random.default_rng(0), dtype=dtype)
    flow.w.data[...], flow.u.data[...], flow.b.data[...] = w, u, b
    return flow


@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0])
def test_the_constraint_moves_u_along_w_only_and_keeps_the_slope_positive(scale):
    rng = np.random.default_rng(0)
    for w, u in scale * rng.normal(size=(20, 2, 3)):
        with ad.no_grad():
            constrained, m = (ad.value(part) for part in planar(w, u).constrained())
        assert np.isclose(w @ constrained, m - 1, rtol=1e-9, atol=1e-12 * scale**2) and m > 0
        assert np.allclose(np.cross(w, constrained - u), 0, atol=1e-9 * scale * np.abs(constrained).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wu", [-60.0, -20.0, -1.0, 0.0, 3.0, 100.0])
def test_the_root_solves_its_equation(wu, dtype):
    s = np.concatenate([np.linspace(-150, 150, 401), [0, 1e-8, 1e-3, -1e4]]).astype(dtype)
    m = np.logaddexp(0, dtype(wu))
    a = ridge_root(s, m)
    assert a.dtype == dtype and a.shape == s.shape
    left = a.astype(np.longdouble) + (np.longdouble(m) - 1) * np.tanh(a.astype(np.longdouble))
    size = 1 + np.abs(s) + np.longdouble(m)
    assert np.all(np.abs(left - s) <= 4 * np.finfo(dtype).eps * size)
    assert np.all(np.diff(a[:401]) > 0), "the root rises with s"


def test_roots_broadcast_and_keep_their_shape():
    s, m = np.ones((3, 1)), np.array([0.5, 2.0])
    assert ridge_root(s, m).shape == (3, 2) and ridge_root(s[:0], m).shape == (0, 2)
    assert ridge_root(1.0, 2.0).shape == ()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("w, u", [([30.0, -20.0], [50.0, 3.0]), ([0.01, 0.02], [1.0, -1.0]),
                                  ([3.0, 1.0], [-9.0, 2.0]), ([1.0, 1.0], [0.0, 0.0])])
def test_extreme_ridges_are_undone(w, u, dtype):
    flow = planar(w, u, 0.3, dtype)
    z = np.random.default_rng(0).normal(size=(300, 2)).astype(dtype)
    with ad.no_grad():
        x, log_det = (ad.value(part) for part in flow.inverse(z))
        again, log_det_back = (ad.value(part) for part in flow.forward(x))
        back = ad.value(flow.inverse(again)[0])
        reach = np.abs(ad.value(flow.constrained()[0])).max()
    eps = np.finfo(dtype).eps
    assert np.isfinite(log_det).all() and np.isfinite(log_det_back).all()
    # x = z - u^ tanh(a) loses digits to |u^|; the way back amplifies what is left by the slope, about |w| |u^|.
    assert np.abs(again - z).max() <= 4 * eps * (1 + reach) * (1 + np.abs(w).max() * reach)
    # Where the slope all but vanishes, s ~ a^3 / 3, and a has the cube root of the digits of s.
    assert np.abs(back - x).max() <= 20 * np.cbrt(eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_ridge_at_the_edge_of_its_constraint_keeps_its_digits(dtype):
    """At a = 0 the slope is m = softplus(w'u) itself; 1 + w'u^ would round it to 0."""
    flow = planar([1.0, 0.0], [-60.0, 0.0], dtype=dtype)
    with ad.no_grad():
        log_det = ad.value(flow.forward(np.zeros((1, 2)))[1])
    assert np.isclose(log_det[0], -60, rtol=1e-6)


def test_w_of_zero_is_a_clear_error():
    flow = planar([0.0, 0.0], [1.0, 1.0])
    for direction in (flow.forward, flow.inverse):
        with pytest.raises(ValueError, match=r"Planar\(d=2\): w is 0; a ridge needs a direction"):
            direction(np.ones((3, 2)))


# ------------------------------------------------------------------------------------------ the implicit gradient

ARGUMENTS = {
    "row by row": lambda rng: (rng.normal(size=5), rng.uniform(0.2, 3.0, 5)),
    "one ridge": lambda rng: (rng.normal(size=5), rng.uniform(0.2, 3.0, ())),
    "both broadcast": lambda rng: (rng.normal(size=(3, 1)), rng.uniform(0.2, 3.0, (1, 2))),
    "no rows": lambda rng: (rng.normal(size=0), rng.uniform(0.2, 3.0, ())),
}


@pytest.mark.parametrize("shapes", ARGUMENTS)
def test_the_implicit_gradient_is_right_to_second_order(shapes):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert ad.gradcheck(ridge_root, *ARGUMENTS[shapes](rng), rng=rng) < 1e-6


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("only_second", [False, True])
def test_a_gradient_off_by_a_thousandth_is_rejected(position, only_second):
    def scaled(vjp):
        def wrong(g, *rest):
            right = vjp(g, *rest)
            # An extra term whose value is 0, but whose derivative is not, is a slip of second order alone.
            return right + 1e-3 * (right - ad.value(right)) if only_second else 1.001 * right
        return wrong

    vjps = [scaled(vjp) if i == position else vjp for i, vjp in enumerate(RIDGE_ROOT.vjps)]
    rule = Rule("ridge_root", RIDGE_ROOT.forward, tuple(vjps))
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError):
        ad.gradcheck(lambda s, m: apply(rule, (s, m), {}), *ARGUMENTS["row by row"](rng), rng=rng)


def test_gradients_of_the_inverse_flow_are_those_of_differences():
    flow, z = planar([0.9, -0.4], [0.5, 1.2], 0.2), np.random.default_rng(0).normal(size=(4, 2))

    def through(w, u, b):
        other = planar([1.0, 1.0], [1.0, 1.0])
        other.w, other.u, other.b = w, u, b
        x, log_det = other.inverse(z)
        return ad.concatenate([x, ad.expand_dims(log_det, 1)], axis=1)

    arrays = [p.numpy() for p in flow.parameters()]
    assert ad.gradcheck(through, *arrays, rng=np.random.default_rng(1)) < 1e-6
