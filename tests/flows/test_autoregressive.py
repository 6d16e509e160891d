"""MADE sees only what comes before; the flow on it inverts by degree as by passes, and notices every change."""

import copy
import itertools

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.autodiff import gradcheck
from minigen.checks import CheckError
from minigen.flows import FlowModel, MaskedAutoregressive
from minigen.nn import MADE

from .cases import PLANE, Case, make, moved
from .test_flows import is_a_flow

DEPTHS = [(), (9,), (12, 7), (30, 5, 11)]
PLACES = {"natural": lambda d: np.arange(d), "reversed": lambda d: np.arange(d)[::-1],
          "permuted": lambda d: np.random.default_rng(d).permutation(d)}


def some_made(d, hidden, seed=0, **how):
    rng = np.random.default_rng(seed)
    return moved(MADE(d, hidden, rng=rng, **how), rng)


def some_flow(d, hidden=(20, 15), seed=0, **how):
    rng = np.random.default_rng(seed)
    how = {"order": rng.permutation(d), "degrees": "random", "activation": "tanh"} | how
    return moved(MaskedAutoregressive(d, hidden, rng=rng, **how), rng, 0.15)


def dependence(f, x):
    """(d, d): largest |d f_i / d x_j| over the rows of x and over the outputs for i; f: (n, d) -> (n, d, outputs)."""
    table = np.zeros((x.shape[1], x.shape[1]))
    for i in range(x.shape[1]):
        for k in range(f(x).shape[2]):
            point = ad.Tensor(x, requires_grad=True)
            ad.sum(f(point)[:, i, k]).backward()
            table[i] = np.maximum(table[i], np.abs(point.grad).max(0))
    return table


@pytest.mark.filterwarnings("ignore:MADE. a hidden layer")
@pytest.mark.parametrize("degrees", ["sequential", "random"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
def test_an_output_depends_on_earlier_inputs_only(hidden, place, degrees):
    d, order = 8, PLACES[place](8)
    made = some_made(d, hidden, n_out=2, order=order, degrees=degrees, activation="tanh")
    table = dependence(made, np.random.default_rng(1).normal(size=(5, d)))[np.ix_(order, order)]
    earlier = np.tri(d, k=-1, dtype=bool)
    assert np.all(table[~earlier] == 0), "exact zeros"
    assert degrees == "random" or min(hidden, default=d) < d or np.all(table[earlier] > 0), "and nothing else is cut"
    assert table[-1, 0] > 0, "the last sees the first"


def mass(made):
    """Sum of prod_i Bernoulli(x_i | sigmoid(theta_i(x))) over all binary x."""
    x = np.array(list(itertools.product([0.0, 1.0], repeat=made.d)))
    with ad.no_grad():
        return np.exp(ad.value(ad.bernoulli_logits(made(x)[:, :, 0], x))).sum()


@pytest.mark.parametrize("degrees", ["sequential", "random"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("d, hidden", [(1, (3,)), (8, ()), (8, (9,)), (8, (20, 9, 11))])
def test_binary_mass_is_one(d, hidden, place, degrees):
    made = some_made(d, hidden, order=PLACES[place](d), degrees=degrees)
    assert abs(mass(made) - 1) < 1e-12


@pytest.mark.parametrize("layer", [0, 1])
def test_binary_mass_is_not_one_with_a_mask_too_wide(layer):
    made = some_made(5, (12,))
    masks = list(made.masks())
    masks[layer] = np.ones_like(masks[layer])
    made.masks = lambda: masks
    assert abs(mass(made) - 1) > 1e-3


@pytest.mark.parametrize("d", [2, 3, 10])
def test_sequential_degrees_cover_every_input(d):
    for n in (d - 1, d, 5 * d + 1):
        m = MADE(d, (n,), rng=np.random.default_rng(0)).degrees[0].data
        counts = np.bincount(m, minlength=d)[1:]
        assert m.min() == 1 and m.max() == d - 1 and counts.max() - counts.min() <= 1


def test_narrow_layers_are_explained():
    with pytest.warns(UserWarning, match=r"4 units cannot have each of the 9 degrees"):
        made = some_made(10, (20, 4))
    assert made.degrees[1].data.max() == 9, "the last output sees all that the layers let through"


def test_random_degrees_leave_no_unit_without_inputs():
    made = MADE(30, (40, 40, 40), rng=np.random.default_rng(0), degrees="random")
    below = [np.arange(1, 31), *(m.data for m in made.degrees)]
    for mask, m in zip(made.masks(), below[1:]):
        assert mask.any(axis=0).all() and m.max() < 30


def test_order_and_degrees_are_saved():
    one, other = (some_made(6, (9, 8), seed, order=PLACES[place](6), degrees="random")
                  for seed, place in enumerate(("permuted", "reversed")))
    x = np.random.default_rng(0).normal(size=(3, 6))
    other.masks()
    other.load_state_dict(one.state_dict())
    with ad.no_grad():
        assert np.array_equal(ad.value(other(x)), ad.value(one(x)))


def test_one_dimension_has_nothing_to_see():
    flow = some_flow(1)
    with ad.no_grad():
        z = ad.value(flow.forward(np.array([[0.0], [1.0], [3.0]]))[0])
    assert np.isclose(z[2] - z[1], 2 * (z[1] - z[0])), "an affine map"


def test_the_flow_begins_as_the_identity():
    flow, x = MaskedAutoregressive(5, rng=np.random.default_rng(0)), np.random.default_rng(1).normal(size=(4, 5))
    z, log_det = flow.forward(x)
    assert np.array_equal(ad.value(z), x.astype(np.float32)) and not ad.value(log_det).any()


@pytest.mark.parametrize("activation", [None, "relu", "gelu", "softplus"])
@pytest.mark.parametrize("hidden", [(), (40,), (40, 36)], ids=str)
def test_with_and_without_tape_are_one_map(hidden, activation):
    flow = some_flow(35, hidden, activation=activation)
    flow.net.layers[-1].W.data *= 0.3  # without hidden layers, 35 steps of the inverse would grow beyond all bounds
    x = np.random.default_rng(1).normal(size=(21, 35))
    for direction in (flow.forward, flow.inverse):
        on = direction(x)
        assert all(part.requires_grad for part in on)
        with ad.no_grad():
            off = direction(x)
        for a, b in zip(on, off):
            assert not b.requires_grad
            np.testing.assert_allclose(b.data, a.data, rtol=1e-11, atol=1e-11)


def test_a_tensor_of_another_precision_is_taken_as_it_is():
    flow = some_flow(4).astype(np.float32)
    with ad.no_grad():
        assert flow.forward(ad.Tensor(np.ones((2, 4))))[0].dtype == np.float64
        assert flow.forward(np.ones((2, 4)))[0].dtype == np.float32


def test_the_inverse_has_its_gradient():
    flow = some_flow(3, (6,))
    layer, z = flow.net.layers[0], np.random.default_rng(1).normal(size=(4, 3))

    def inverse(z, W, b):
        layer.W, layer.b = (a if isinstance(a, ad.Tensor) else ad.Tensor(a) for a in (W, b))
        return flow.inverse(z)

    gradcheck(inverse, z, layer.W.numpy(), layer.b.numpy(), rng=np.random.default_rng(2))


CHANGES = {
    "one weight": lambda f: f.net.layers[0].W.data.__setitem__((f.net.order.data[0], 0), 3.0),
    "the last bias": lambda f: f.net.layers[-1].b.data.__setitem__(-1, 3.0),
    "a new array": lambda f: setattr(f.net.layers[1].W, "data", f.net.layers[1].W.data + 0.1),
    "a step of the optimiser": lambda f: step(f),
    "another state": lambda f: f.load_state_dict(some_flow(7, seed=5).state_dict()),
    "the order": lambda f: f.net.order.data.__setitem__(slice(None), f.net.order.data[::-1].copy()),
    "the degrees": lambda f: f.net.degrees[0].data.__setitem__(slice(None), 1),
    "the precision": lambda f: f.astype(np.float32),
}


def step(flow):
    optimizer = optim.SGD(flow.parameters(), lr=0.1)
    FlowModel(flow).loss(np.ones((2, 7)), np.random.default_rng(0)).total.backward()
    optimizer.step()


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_reaches_the_kernels(change):
    flow = some_flow(7)
    z = np.random.default_rng(1).normal(size=(20, 7))
    with ad.no_grad():
        before = flow.inverse(z)[0].data
    assert flow.prepare() is flow.prepare(), "nothing changed, nothing is made anew"
    CHANGES[change](flow)
    after = flow.inverse(z)[0].data
    with ad.no_grad():
        fast = flow.inverse(z)[0].data
    assert not np.allclose(after, before, atol=1e-9) or change == "the precision"
    assert fast.dtype == after.dtype
    np.testing.assert_allclose(fast, after, rtol=1e-4 if change == "the precision" else 1e-11, atol=1e-6)


def test_a_copy_goes_its_own_way():
    flow = some_flow(4)
    z = np.random.default_rng(1).normal(size=(5, 4))
    with ad.no_grad():
        x = flow.inverse(z)[0].data
        other = copy.deepcopy(flow)
        other.net.layers[-1].b.data += 1
        assert np.array_equal(flow.inverse(z)[0].data, x) and not np.allclose(other.inverse(z)[0].data, x)


def test_it_learns_a_curve():
    """x2 = x1^2 + noise has log p = log N(x1) + log N((x2 - x1^2) / 0.2) - log 0.2, which the flow comes near."""
    rng = np.random.default_rng(0)

    def curve(n):
        a, b = rng.normal(size=(2, n))
        return np.stack([a, a * a + 0.2 * b], axis=1).astype(np.float32)

    model = FlowModel(MaskedAutoregressive(2, (32, 32), rng=rng, activation="tanh"))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        model.loss(curve(128), rng).total.backward()
        optimizer.step()
    entropy = np.log(2 * np.pi * np.e) + np.log(0.2)
    assert -entropy - 0.3 < model.log_likelihood(curve(4000)).mean() < -entropy + 0.1


# ---------------------------------------------------------------------------------------------------- errors, slips


RNG = np.random.default_rng(0)
BAD = {
    "order of strings": (lambda: MADE(3, rng=RNG, order="random"), "order is 'random'; expected one of natural"),
    "no permutation": (lambda: MADE(3, rng=RNG, order=[0, 0, 2]), r"order is \[0, 0, 2\]; .*permutation of 0..2"),
    "degrees": (lambda: MADE(3, rng=RNG, degrees="even"), "degrees is 'even'; expected one of sequential, random"),
    "activation": (lambda: MADE(3, rng=RNG, activation="cos"), "activation is 'cos'"),
    "width": (lambda: MADE(3, (5, 0), rng=RNG), r"hidden\[1\] is 0"),
    "no outputs": (lambda: MADE(3, n_out=0, rng=RNG), "n_out is 0"),
    "seed": (lambda: MaskedAutoregressive(3, rng=3), "expected a numpy.random.Generator"),
    "shape": (lambda: MADE(3, rng=RNG)(np.ones((2, 4))), r"x has shape \(2, 4\); expected \(batch, 3\)"),
    "overflow": (lambda: overflowing().inverse(np.ones((20, 2))), "x is not finite in row 0"),
}


def overflowing():
    flow = some_flow(2)
    flow.net.layers[-1].b.data[...] = 1e4
    return flow


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.filterwarnings("ignore:overflow")
def test_errors_name_the_argument(bad):
    call, told = BAD[bad]
    with pytest.raises((ValueError, TypeError, FloatingPointError), match=told), ad.no_grad():
        call()


class Slip(MaskedAutoregressive):
    """A flow that is wrong on the tape and off it alike: kernels are not asked."""

    wrong = ""

    def _on_tape(self, x):
        return True

    def _conditionals(self, x):
        mu, alpha = super()._conditionals(x)
        if self.wrong == "an output sees its own input":
            mu = mu + 0.1 * x * x
        if self.wrong == "order not inverted":
            mu, alpha = mu[:, self.net.order.data], alpha[:, self.net.order.data]
        return mu, alpha

    def forward(self, x):
        z, log_det = super().forward(x)
        if self.wrong == "sign of alpha":
            mu, alpha = self._conditionals(x)
            z = (x - mu) * ad.exp(alpha)
        return z, -log_det if self.wrong == "sign of the log-det" else log_det

    def _inverse_by_passes(self, z):
        if self.wrong != "one pass too few":
            return super()._inverse_by_passes(z)
        x = np.zeros(z.shape)
        for _ in range(self.d - 1):
            mu, alpha = self._conditionals(x)
            x = z * ad.exp(alpha) + mu
        return x, ad.sum(alpha, axis=-1)


def slipped(wrong):
    """The case of the flow tests with one slip; with none, it is a flow."""
    rng = np.random.default_rng(0)
    flow = moved(Slip(2, (8, 7), rng=rng, order=[1, 0], degrees="random", activation="tanh"), rng)
    flow.wrong = wrong
    if wrong == "masks forgotten":
        flow.net.masks = lambda: [np.ones_like(layer.W.data) for layer in flow.net.layers]
    if wrong == "strict masks":
        flow.net.masks = lambda: [np.zeros_like(layer.W.data) for layer in flow.net.layers]
    return Case(flow, make("Planar").points, PLANE, None)


def test_without_a_slip_it_is_a_flow():
    assert slipped("").flow.wrong == ""
    is_a_flow(slipped(""), samples=2000)


@pytest.mark.parametrize("wrong", ["an output sees its own input", "order not inverted", "sign of alpha",
                                   "sign of the log-det", "one pass too few", "masks forgotten", "strict masks"])
def test_the_definition_rejects(wrong):
    case = slipped(wrong)
    with pytest.raises((AssertionError, CheckError)):
        is_a_flow(case, samples=2000)
