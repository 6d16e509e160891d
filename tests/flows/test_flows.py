"""What a flow is, as one test over every flow and every pair; and the slips that it rejects."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import CheckError, check_bijection, check_density, check_sampler
from minigen.flows import Affine, Compose, Dequantised, Flow, FlowModel, Inverse, Logit, Planar, PLULinear, QRLinear

from .cases import EVERY_FLOW, MAKERS, PLANE, Case, make, moved

SAMPLES = 20_000


def check_shapes_and_gradients(flow, x):
    """(batch, d) and (batch,) both ways, also for no rows; every parameter gets a gradient that is not all zero."""
    for direction, start in ((flow.forward, x), (flow.inverse, ad.value(flow.forward(x)[0]))):
        for rows in (start, start[:1], start[:0]):
            with ad.no_grad():
                y, log_det = direction(rows)
            assert y.shape == rows.shape and log_det.shape == (len(rows),)
        if not flow.parameters():
            continue
        y, log_det = direction(start)
        (ad.mean(ad.square(y)) + ad.mean(log_det)).backward()
        for name, parameter in flow.named_parameters():
            assert parameter.grad is not None, f"{name} gets no gradient"
            assert np.isfinite(parameter.grad).all() and parameter.grad.any(), f"the gradient of {name} is zero"


def check_state(flow, other, x):
    """The state of one flow makes another of its kind the same flow."""
    other.load_state_dict(flow.state_dict())
    with ad.no_grad():
        for ours, theirs in zip(flow.forward(x), other.forward(x)):
            assert np.array_equal(ad.value(ours), ad.value(theirs))


def check_precision(flow, x):
    """float32 in, float32 out, near float64; float64 in, float64 out."""
    with ad.no_grad():
        exact = [ad.value(part) for part in flow.forward(x)]
        back = flow.inverse(exact[0])
        assert {ad.value(part).dtype for part in (*exact, *back)} == {np.dtype(np.float64)}
        flow.astype(np.float32)
        rough = [ad.value(part) for part in flow.forward(x.astype(np.float32))]
        back = flow.inverse(rough[0])
        assert {ad.value(part).dtype for part in (*rough, *back)} == {np.dtype(np.float32)}
        flow.astype(np.float64)
    for a, b in zip(rough, exact):
        assert np.abs(a - b).max() <= 1e-4 * (1 + np.abs(b).max())


def is_a_flow(case, samples=SAMPLES):
    """All that a flow is; AssertionError or CheckError otherwise."""
    flow, x, domain, base = case
    check_shapes_and_gradients(flow, x)
    check_bijection(flow, x)
    model = FlowModel(flow, base)
    check_density(model.log_prob, domain)
    check_sampler(model.sample, model.log_prob, domain, rng=np.random.default_rng(1), n=samples, cells=7)
    check_precision(flow, x)


@pytest.mark.parametrize("name", EVERY_FLOW)
def test_is_a_flow(name):
    case = make(name)
    check_state(case.flow, make(name, seed=1).flow, case.points)
    is_a_flow(case)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("d", [1, 5])
def test_is_a_bijection_in_other_dimensions(name, d):
    flow, x, *_ = make(name, d)
    assert check_bijection(flow, x).passed


# --------------------------------------------------------------------------------------------------------- slips


def altered(flow, forward=None, inverse=None):
    """The flow with its results rewritten: forward(z, log_det, x) and inverse(x, log_det, z) give what comes out."""
    class Altered(Inverse):
        def forward(self, x):
            return forward(*self.flow.forward(x), x) if forward else self.flow.forward(x)

        def inverse(self, z):
            return inverse(*self.flow.inverse(z), z) if inverse else self.flow.inverse(z)

    return Altered(flow)


def log_det_at_x(flow):
    """Both determinants of a pair at x, forwards and, at the x found, backwards."""
    first, second = flow.flows

    def total(x):
        return first.forward(x)[1] + second.forward(x)[1]

    return altered(flow, lambda z, ld, x: (z, total(x)), lambda x, ld, z: (x, -total(x)))


class WideRidge(Planar):
    """|w| for |w|^2 in the constraint."""

    def constrained(self):
        wu = ad.sum(self.w * self.u)
        u = self.u + self.w * (ad.softplus(wu) - 1 - wu) / ad.sqrt(ad.sum(self.w * self.w))
        return u, 1 + ad.sum(self.w * u)

    def forward(self, x):
        u, m = self.constrained()
        h = ad.tanh(x @ self.w + self.b)
        return x + ad.expand_dims(h, 1) * u, ad.log(ad.abs(h * h + m * (1 - h * h)))


def wide_ridge():
    flow = WideRidge(2, rng=np.random.default_rng(0)).astype(np.float64)
    flow.w.data[...], flow.u.data[...] = (0.3, 0.1), (-20.0, -10.0)
    return flow


class TransposedInverse(PLULinear):
    """x = W' (z - b), right only for rotations."""

    def inverse(self, z):
        return (z - self.b) @ self.weight(), ad.broadcast_to(-self.log_det(), z.shape[:1])


class HalfNoise:
    """A sampler whose noise has half the width of its density."""

    event_shape = (2,)

    def __init__(self, base):
        self.log_prob = base.log_prob
        self.sample = lambda rng, shape: 0.5 * base.sample(rng, shape)


class Batchwise(Flow):
    """z = (x - shrunken mean of the batch) e^-s: statistics of the batch at hand."""

    def __init__(self, s):
        super().__init__(2)
        self.s = ad.Tensor(s, requires_grad=True)

    def forward(self, x):
        return (x - x.sum(0) / (1 + len(x))) * ad.exp(-self.s), ad.broadcast_to(-ad.sum(self.s), x.shape[:1])

    def inverse(self, z):
        return z * ad.exp(self.s), ad.broadcast_to(ad.sum(self.s), z.shape[:1])


def slip_of(name, change, **parts):
    """`make(name)` with its flow changed."""
    case = make(name)
    return case._replace(flow=change(case.flow), **parts)


def on_plane(flow):
    return Case(flow, make("Planar").points, PLANE, None)


SLIPS = {
    "double sign flip": lambda: slip_of("Planar", lambda f: altered(
        f, lambda z, ld, x: (z, -ld), lambda x, ld, z: (x, -ld))),
    "sign of one direction": lambda: slip_of("Affine", lambda f: altered(f, None, lambda x, ld, z: (x, -ld))),
    "half-width noise": lambda: slip_of("Affine", lambda f: f)._replace(
        base=HalfNoise(FlowModel(make("Affine").flow).base)),
    "|w| for |w|^2": lambda: on_plane(wide_ridge()),
    "log-det counted d times": lambda: slip_of("PLULinear", lambda f: altered(
        f, lambda z, ld, x: (z, 2 * ld), lambda x, ld, z: (x, 2 * ld))),
    "log-det at x": lambda: slip_of("Planar then Planar", log_det_at_x),
    "log-det forgotten": lambda: slip_of("QRLinear", lambda f: altered(
        f, lambda z, ld, x: (z, 0 * ld), lambda x, ld, z: (x, 0 * ld))),
    "transposed W in the inverse": lambda: on_plane(
        moved(TransposedInverse(2, rng=np.random.default_rng(0)), np.random.default_rng(1))),
    "forgotten batch shape": lambda: slip_of("Affine", lambda f: altered(f, lambda z, ld, x: (z, ld[0]))),
    "flipped order in the inverse": lambda: slip_of("Affine then Planar", lambda f: altered(
        f, None, lambda x, ld, z: Compose(f.flows[::-1]).inverse(z))),
    "rows meet": lambda: on_plane(Batchwise(np.array([0.3, -0.2]))),
    "detached parameter": lambda: slip_of("Affine", lambda f: altered(
        f, lambda z, ld, x: (ad.value(z) + 0 * f.s, ld * 0 + ad.value(ld)), None)),
    "float64 whatever comes in": lambda: slip_of("Affine", lambda f: altered(
        f, lambda z, ld, x: (ad.astype(z, np.float64), ld), None)),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_the_definition_rejects(slip):
    with pytest.raises((AssertionError, CheckError)):
        is_a_flow(SLIPS[slip]())


# ------------------------------------------------------------------------------------------------- models, errors


def test_reparameterised_samples_know_their_density_and_have_gradients():
    case = make("Planar then QRLinear")
    model = FlowModel(case.flow)
    x, log_p = model.rsample(50, np.random.default_rng(0))
    assert np.allclose(ad.value(log_p), ad.value(model.log_prob(ad.value(x))), rtol=1e-9)
    ad.mean(log_p + ad.sum(ad.square(x), axis=-1)).backward()
    assert all(np.any(p.grad) for p in model.parameters())


def test_loss_is_minus_the_mean_log_likelihood_in_the_precision_of_the_model():
    model = FlowModel(Compose([Affine(2), Planar(2, rng=np.random.default_rng(0))]))
    x = np.random.default_rng(1).normal(size=(40, 2))
    loss, found = model.loss(x, np.random.default_rng(0)), model.log_likelihood(x)
    assert loss.total.dtype == np.float32 and model.sample(3, np.random.default_rng(0)).dtype == np.float32
    assert found.kind == "exact" and np.isclose(-found.mean(), loss.total.item(), rtol=1e-6)


def test_fit_to_whitens_what_arrives():
    x = np.random.default_rng(0).normal(size=(500, 2)) * [3.0, 0.1] + [5.0, -2.0]
    flow = Compose([PLULinear(2, rng=np.random.default_rng(1)), Affine(2)]).astype(np.float64)
    flow.fit_to(x)
    z = ad.value(flow.forward(x)[0])
    assert np.allclose(z.mean(0), 0, atol=1e-9) and np.allclose(z.std(0), 1, rtol=1e-4)


RNG = np.random.default_rng(0)
BAD = {
    "wrong width": (lambda: Planar(4, rng=RNG).forward(np.ones((32, 5))),
                    r"Planar\(d=4\): x has shape \(32, 5\); expected \(batch, 4\)"),
    "no batch": (lambda: Affine(2).inverse(np.ones(2)), r"Affine\(d=2\): z has shape \(2,\)"),
    "text": (lambda: Affine(2).forward(np.array([["a", "b"]])), "expected real numbers"),
    "no dimension": (lambda: Affine(0), "Affine: d is 0"),
    "half a dimension": (lambda: PLULinear(2.5, rng=RNG), "PLULinear: d is 2.5"),
    "a seed": (lambda: Planar(2, rng=3), "expected a numpy.random.Generator"),
    "no reflections": (lambda: QRLinear(2, 0, rng=RNG), "reflections is 0"),
    "nothing to compose": (lambda: Compose([]), "Compose: flows have dimensions"),
    "unequal flows": (lambda: Compose([Affine(2), Affine(3)]), r"dimensions \[2, 3\]"),
    "margin": (lambda: Logit(2, 0.5), "margin is 0.5"),
    "unscaled data": (lambda: Logit(2).forward(np.array([[0.5, 255.0]])), "x has the entry 255"),
    "scalar base": (lambda: FlowModel(Affine(2), FlowModel(Affine(3)).base),
                    r"event shape \(3,\); expected \(2,\)"),
    "negative n": (lambda: FlowModel(Affine(2)).sample(-1, RNG), "n is -1"),
    "NaN": (lambda: FlowModel(Affine(2)).log_likelihood(np.array([[np.nan, 0.0]])), "NaN for datum 0"),
    "one level": (lambda: Dequantised(FlowModel(Affine(2)), 1), "levels is 1"),
    "no draws": (lambda: Dequantised(FlowModel(Affine(2)), 2).log_likelihood(np.ones((1, 2)), RNG, 0),
                 "n_samples is 0"),
}


@pytest.mark.parametrize("bad", BAD)
def test_errors_name_the_argument(bad):
    call, told = BAD[bad]
    with pytest.raises((ValueError, TypeError), match=told):
        call()
