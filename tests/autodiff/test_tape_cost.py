"""What the tape costs: memory, depth of the program, and time beside the forward pass."""

import gc
import time
import tracemalloc
import weakref

import numpy as np

from minigen import autodiff as ad

X = np.array([1.0, 2.0, 3.0])


def leaf(data=X):
    """A Tensor that requires a gradient."""
    return ad.Tensor(data, requires_grad=True)


def test_memory_is_freed_as_the_pass_goes():
    """When the cotangent reaches the first operation, everything that was recorded after it is gone."""
    alive = []

    def count(g, y, x):
        alive.append(sum(array() is not None for array in recorded))
        return g

    x = leaf(np.ones(1000))
    y = ad.rules.apply(ad.rules.Rule("first", np.copy, (count,)), (x,), {})
    recorded = []
    for _ in range(20):
        y = ad.exp(y) * 0.1
        recorded.append(weakref.ref(y.data))
    y = ad.sum(y)
    y.backward()
    assert alive == [0]


def test_retain_keeps_what_was_recorded():
    x = leaf()
    h = ad.exp(x)
    y = ad.sum(h * h)
    array = weakref.ref(h.data)
    del h
    y.backward(retain=True)
    assert array() is not None
    y.backward()
    assert array() is None


def test_a_training_loop_does_not_grow():
    x = leaf(np.ones(10_000))

    def step():
        ad.sum(ad.tanh(x * 2) ** 2).backward()

    step()
    tracemalloc.start()
    step()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20):
        step()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000  # one array has 80 000 bytes


def test_no_cycles_keep_a_dropped_graph_alive():
    gc.collect()
    gc.disable()
    try:
        h = ad.exp(leaf())
        array = weakref.ref(h.data)
        y = ad.sum(h * h)
        del h, y
        assert array() is None
    finally:
        gc.enable()


def test_chains_of_100_000_operations():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1e-5
    y.backward()
    assert x.grad == 1 and np.isclose(y.data, 2)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    array = weakref.ref(y.data)
    del y  # without backward
    assert array() is None and x.data.flags.writeable


def test_the_reverse_pass_costs_a_few_forward_passes():
    """Baur and Strassen 1983: at most a small multiple, here three matrix products for one, whatever the dimension."""
    rng = np.random.default_rng(0)
    W = [rng.normal(size=(300, 300)) / 17 for _ in range(6)]
    x = rng.normal(size=(300, 300))

    def f(x, W):
        for w in W:
            x = ad.tanh(x @ w)
        return ad.sum(x)

    def seconds(work):
        took = []
        for _ in range(7):
            start = time.process_time()
            work()
            took.append(time.process_time() - start)
        return min(took)

    assert seconds(lambda: ad.grad(f, (0, 1))(x, W)) < 6 * seconds(lambda: f(x, W))


def test_a_cotangent_flows_only_to_what_was_asked_for():
    """The gradient of the last layer does not pay for those below it."""
    calls = []

    def count(g, y, x):
        calls.append(1)
        return g

    rule = ad.rules.Rule("counted", np.copy, (count,))
    x, w = leaf(), leaf()

    def loss(w):
        return ad.sum(ad.rules.apply(rule, (ad.exp(x),), {}) * w)

    ad.grad(loss)(X)
    assert calls == []
    ad.sum(ad.rules.apply(rule, (ad.exp(x),), {}) * w).backward()
    assert calls == [1]
