"""The engine takes compiled kernels when asked to, and computes the same up to rounding."""

import numba
import numpy as np
import pytest

from minigen import nn


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")
def test_kernels_serve_after_use_kernels_and_agree_with_numpy(monkeypatch, rng):
    table = {}
    monkeypatch.setattr("minigen.autodiff.fast.FAST", table)
    net = nn.MLP([20, 30, 10], rng=rng, activation="tanh", final="relu")
    x = rng.normal(size=(50, 20)).astype(np.float32)
    slow = net(x).data
    nn.use_kernels()
    assert {"bias_relu", "bias_tanh", "relu_cotangent", "bernoulli_logits"} <= table.keys()
    served = []
    for name in ("bias_tanh", "bias_relu"):
        kernel = table[name]
        table[name] = lambda *arrays, name=name, kernel=kernel: (served.append(name), kernel(*arrays))[1]
    np.testing.assert_allclose(net(x).data, slow, rtol=1e-5, atol=1e-6)
    assert served == ["bias_tanh", "bias_relu"]


def test_without_compilation_nothing_changes(monkeypatch):
    table = {}
    monkeypatch.setattr("minigen.autodiff.fast.FAST", table)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    nn.use_kernels()
    assert table == {}


@pytest.mark.parametrize("activation", [None, "tanh", "elu"])
def test_a_layer_without_bias_has_its_gradients_under_kernels(monkeypatch, rng, activation):
    monkeypatch.setattr("minigen.autodiff.fast.FAST", {})
    layer = nn.Linear(5, 4, rng=rng, bias=False, activation=activation)
    x = rng.normal(size=(7, 5)).astype(np.float32)
    (layer(x) ** 2).sum().backward()
    slow = layer.W.grad
    nn.use_kernels()
    (layer(x) ** 2).sum().backward()
    np.testing.assert_allclose(layer.W.grad, slow, rtol=1e-5, atol=1e-5)
