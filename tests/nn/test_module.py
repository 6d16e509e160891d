"""What every module is: names, counts, states, trees."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn


class Held(nn.Module):
    """Parameters in every kind of place, one of them twice, and state that is not trained."""

    def __init__(self, rng):
        self.scale = ad.Tensor(np.ones(2, np.float32), requires_grad=True)
        self.running = ad.Tensor(np.arange(3.0), requires_grad=False)
        self.layers = [nn.Linear(2, 3, rng=rng), (nn.Linear(3, 2, rng=rng),)]
        self.by_name = {"again": self.scale, "inner": {"shift": ad.Tensor(np.zeros(2), requires_grad=True)}}
        self.config = {"sizes": [2, 3], "name": "held"}
        self.parent = self


NAMES = ["scale", "layers.0.W", "layers.0.b", "layers.1.0.W", "layers.1.0.b", "by_name.inner.shift"]


def test_parameters_are_found_in_attributes_lists_tuples_and_dicts(rng):
    m = Held(rng)
    assert [name for name, _ in m.named_parameters()] == NAMES
    assert [p.shape for p in m.parameters()] == [(2,), (2, 3), (3,), (3, 2), (2,), (2,)]


def test_what_is_shared_is_counted_once_under_its_first_name(rng):
    layer = nn.Linear(2, 2, rng=rng)
    m = nn.Sequential(layer, nn.Residual(layer))
    assert [name for name, _ in m.named_parameters()] == ["modules.0.W", "modules.0.b"]
    assert "modules.1: Residual, 6 parameters" in repr(m) and "module: Linear(2 -> 2), shared" in repr(m)


def test_a_result_on_the_tape_is_neither_parameter_nor_state(rng):
    m = nn.Linear(2, 3, rng=rng)
    m.last = m(np.ones((4, 2)))
    assert list(m.state_dict()) == ["W", "b"]


def test_state_goes_round_and_is_a_copy(rng):
    one, two = Held(np.random.default_rng(1)), Held(np.random.default_rng(2))
    state = one.state_dict()
    assert sorted(state) == sorted([*NAMES, "running"])
    before = {name: array.copy() for name, array in state.items()}
    held = two.layers[0].W.data
    two.load_state_dict(state)
    assert all(np.array_equal(t.data, before[name]) for name, t in two.named_tensors())
    assert two.layers[0].W.data is held, "whoever holds the array must see the new values"
    state["scale"][...] = 9
    assert one.scale.data[0] == 1 and two.scale.data[0] == 1


def test_a_state_that_does_not_fit_is_refused_whole(rng):
    m = Held(rng)
    state = m.state_dict()
    before = m.state_dict()
    state["layers.0.W"] = np.zeros((3, 2))
    state["strange"] = state.pop("scale")
    state["running"] = np.array(["a", "b", "c"])
    state["layers.0.b"] = np.full(3, 7.0)
    with pytest.raises(ValueError) as error:
        m.load_state_dict(state)
    text = str(error.value)
    for part in ("scale is missing", "strange is unexpected", "layers.0.W has shape (3, 2), expected (2, 3)",
                 "running has dtype <U1", "Held"):
        assert part in text
    assert all(np.array_equal(m.state_dict()[name], before[name]) for name in before)


def test_a_state_is_not_written_under_a_living_tape(rng):
    m = nn.Linear(2, 3, rng=rng)
    y = m(np.ones((4, 2)))
    with pytest.raises(RuntimeError, match="W cannot be written: a tape"):
        m.load_state_dict(m.state_dict())
    y.sum().backward()
    m.load_state_dict(m.state_dict())
    assert y.shape == (4, 3)


def test_two_tensors_of_one_name_are_refused():
    m = nn.Module()
    m.table = {1: ad.Tensor([1.0], requires_grad=True), "1": ad.Tensor([2.0], requires_grad=True)}
    with pytest.raises(ValueError, match=r"two Tensors are named 'table\.1'"):
        m.state_dict()


def test_astype_converts_what_is_floating(rng):
    m = Held(rng)
    m.count = ad.Tensor(np.array(3))
    assert m.astype(np.float64) is m
    assert {t.dtype for t in m.parameters()} == {np.dtype(np.float64)} and m.count.dtype.kind == "i"
    with pytest.raises(TypeError, match="dtype is 'int32'; expected float32 or float64"):
        m.astype("int32")


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_the_tree_has_one_line_per_module_with_its_count(rng):
    m = nn.Sequential(nn.MLP([784, 400, 20], rng=rng, activation="relu"), nn.Residual(nn.Linear(20, 20, rng=rng)))
    assert repr(m).splitlines() == [
        "Sequential, 322,440 parameters",
        "  modules.0: MLP(784 -> 400 -> 20, relu), 322,020 parameters",
        "    layers.0: Linear(784 -> 400, relu), 314,000 parameters",
        "    layers.1: Linear(400 -> 20), 8,020 parameters",
        "  modules.1: Residual, 420 parameters",
        "    module: Linear(20 -> 20), 420 parameters",
    ]
