"""Parameters are read anew in every replay, however they were changed between two."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim
from minigen.record import RecordError, record

pytestmark = pytest.mark.usefixtures("interpreted_loops")

X = np.linspace(-1, 2, 6).reshape(2, 3)


def made():
    """A layer, and its output and gradients recorded and not."""
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0), dtype=np.float64)

    def step(x):
        before = [p.grad for p in layer.parameters()]
        ad.sum(ad.tanh(layer(x)) ** 2).backward()
        found = [p.grad for p in layer.parameters()]
        for p, gradient in zip(layer.parameters(), before):
            p.grad = gradient
        return found

    return layer, step, record(step)


def agree(step, recorded):
    for a, b in zip(recorded(X), step(X), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def in_place(layer):
    for p in layer.parameters():
        p.data[...] *= 2


def optimised(layer):
    optimizer = optim.Adam(layer.parameters(), 0.1)  # moves the numbers into arrays of its own
    for p in layer.parameters():
        p.grad = np.ones(p.shape)
    optimizer.step()


def replaced(layer):
    for p in layer.parameters():
        p.data = p.data + 1.0


def loaded(layer):
    layer.load_state_dict({name: array - 1 for name, array in layer.state_dict().items()})


@pytest.mark.parametrize("change", [in_place, optimised, replaced, loaded])
def test_a_change_is_seen(change):
    layer, step, recorded = made()
    agree(step, recorded)
    before = recorded(X)[0].copy()
    for _ in range(2):
        change(layer)
        agree(step, recorded)
        agree(step, recorded)
    assert not np.allclose(before, recorded(X)[0])


def test_only_what_was_replaced_is_recorded_anew():
    layer, step, recorded = made()
    first = recorded.program(X)
    in_place(layer)
    loaded(layer)
    assert recorded.program(X) is first
    replaced(layer)
    second = recorded.program(X)
    assert second is not first and recorded.program(X) is second


def test_a_frozen_tensor_is_read_anew_too():
    running = ad.Tensor(np.ones(3))
    recorded = record(lambda x: ad.sum(running * x))
    assert recorded(X) == pytest.approx(X.sum())
    running.data[...] = 2
    assert recorded(X) == pytest.approx(2 * X.sum())
    running.data = np.full(3, 3.0)
    assert recorded(X) == pytest.approx(3 * X.sum())


def test_a_parameter_that_lies_backwards_is_read_anew():
    w = ad.Tensor(np.arange(3.0), requires_grad=True)
    w.data = w.data[::-1]
    recorded = record(lambda x: (ad.sum(ad.exp(w) * x), w))
    recorded(X)
    w.data[...] = [1.0, 2.0, 4.0]
    total, same = recorded(X)
    assert total == pytest.approx((np.exp(w.data) * X).sum()) and np.array_equal(same, w.data)


def test_a_parameter_of_another_precision_is_recorded_anew():
    layer, step, recorded = made()
    recorded(X)
    layer.astype(np.float32)
    x = X.astype(np.float32)
    for a, b in zip(recorded(x), step(x), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_gradients_that_were_there_stay():
    w = ad.Tensor(np.ones(3), requires_grad=True)
    w.grad = kept = np.arange(3.0)

    def left(x):
        loss = ad.sum(w * x)
        loss.backward()
        return loss

    with pytest.raises(RecordError, match="hand it back as a result, as value_and_grad does"):
        record(left)(X)
    assert w.grad is kept and np.array_equal(kept, np.arange(3.0))
    value, gradient = record(ad.value_and_grad(lambda w, x: ad.sum(w * x)))(w.data, X)
    assert w.grad is kept and value == pytest.approx(X.sum())
    np.testing.assert_allclose(gradient, X.sum(0), rtol=1e-14)


def test_programs_do_not_keep_tensors_of_the_recording():
    recorded = record(lambda x: ad.sum(ad.Tensor(np.ones(3), requires_grad=True) * x))
    recorded(X)
    assert recorded.program(X).trace.tensors == []
