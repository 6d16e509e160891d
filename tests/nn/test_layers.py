"""Layers against their formula in NumPy, at several shapes, and their refusals."""

import math

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn

F = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
     "softplus": lambda z: np.log1p(np.exp(z)), "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
     "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z), "silu": lambda z: z / (1 + np.exp(-z)),
     "gelu": np.vectorize(lambda t: t * (1 + math.erf(t / 2**0.5)) / 2)}


@pytest.mark.parametrize("name", [None, *nn.ACTIVATIONS])
@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
def test_linear(name, shape, rng):
    layer = nn.Linear(4, 3, rng=rng, activation=name, dtype=np.float64)
    layer.b.data[...] = rng.normal(size=3)
    x = rng.normal(size=shape)
    expected = F.get(name, lambda z: z)(x @ layer.W.data + layer.b.data) if x.size else np.zeros((0, 3))
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_activation_by_name(name, rng):
    x = rng.normal(size=(3, 4))
    np.testing.assert_allclose(nn.Activation(name)(x), F[name](x), rtol=1e-12, atol=1e-14)


def test_linear_without_bias(rng):
    layer = nn.Linear(4, 3, rng=rng, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["W"]
    assert not layer(np.zeros((2, 4))).data.any()


def test_mlp_is_its_layers_in_a_row(rng):
    net = nn.MLP([4, 6, 5, 2], rng=rng, activation="tanh", final="sigmoid", dtype=np.float64)
    x = rng.normal(size=(7, 4))
    y = x
    for layer, f in zip(net.layers, [np.tanh, np.tanh, F["sigmoid"]]):
        y = f(y @ layer.W.data + layer.b.data)
    np.testing.assert_allclose(net(x).data, y, rtol=1e-12)
    assert net.title() == "MLP(4 -> 6 -> 5 -> 2, tanh, sigmoid)"


def test_layers_compute_in_their_own_precision(rng):
    net = nn.MLP([4, 6, 2], rng=rng)
    assert net(np.ones((3, 4), np.float64)).dtype == np.float32
    assert net(np.ones((3, 4), np.uint8)).dtype == np.float32
    assert net.astype(np.float64)(np.ones((3, 4), np.float32)).dtype == np.float64


def test_layer_norm_has_mean_0_and_variance_1_before_gain_and_bias(rng):
    layer = nn.LayerNorm(50, dtype=np.float64)
    y = layer(3 + 10 * rng.normal(size=(6, 50))).data
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-6)
    layer.gain.data[...], layer.bias.data[...] = 2, 5
    np.testing.assert_allclose(layer(np.full((2, 50), 7.0)).data, 5)


def test_embedding_reads_rows_and_its_gradient_counts_them(rng):
    layer = nn.Embedding(5, 3, rng=rng)
    i = np.array([[0, 4], [4, 4]])
    y = layer(i)
    np.testing.assert_array_equal(y.data, layer.W.data[i])
    y.sum().backward()
    np.testing.assert_array_equal(layer.W.grad[:, 0], [1, 0, 0, 0, 3])


def test_sequential_residual_reshape_flatten(rng):
    inner = nn.Linear(6, 6, rng=rng)
    net = nn.Sequential(nn.Flatten(), nn.Residual(inner), nn.Activation("relu"), nn.Reshape(3, -1))
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    flat = x.reshape(5, 6)
    np.testing.assert_allclose(net(x).data, np.maximum(flat + flat @ inner.W.data, 0).reshape(5, 3, 2), rtol=1e-5)
    assert net(x[:0]).shape == (0, 3, 2) and len(net) == 4 and net[1].module is inner


@pytest.mark.parametrize("module", [
    lambda rng: nn.MLP([4, 5, 4], rng=rng, activation="softplus", dtype=np.float64),
    lambda rng: nn.Sequential(nn.Linear(4, 4, rng=rng, dtype=np.float64), nn.LayerNorm(4, dtype=np.float64)),
    lambda rng: nn.Residual(nn.Linear(4, 4, rng=rng, activation="elu", dtype=np.float64)),
])
def test_every_parameter_receives_the_gradient_of_differences(module, rng):
    m, x, u = module(rng), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    (m(x) * u).sum().backward()
    for p in m.parameters():
        v, found = rng.normal(size=p.shape), []
        for step in (1e-5, -1e-5):
            p.data += step * v
            found.append((m(x).data * u).sum())
            p.data -= step * v
        assert (found[0] - found[1]) / 2e-5 == pytest.approx((p.grad * v).sum(), rel=1e-7, abs=1e-9)


def test_no_grad_gives_the_same_numbers_and_no_tape(rng):
    net = nn.MLP([4, 6, 2], rng=rng)
    x = rng.normal(size=(3, 4))
    with ad.no_grad():
        y = net(x)
    assert not y.requires_grad and np.array_equal(y.data, net(x).data)


GOOD = dict(rng=np.random.default_rng(0))


@pytest.mark.parametrize("make, kind, message", [
    (lambda: nn.Linear(0, 3, **GOOD), ValueError, "Linear: n_in is 0; expected a whole number of at least 1"),
    (lambda: nn.Linear(2, -3, **GOOD), ValueError, "Linear: n_out is -3"),
    (lambda: nn.Linear(2.5, 3, **GOOD), ValueError, "Linear: n_in is 2.5"),
    (lambda: nn.Linear(True, 3, **GOOD), ValueError, "Linear: n_in is True"),
    (lambda: nn.Linear(2, 3, rng=0), TypeError, "Linear: rng is 0; expected a numpy.random.Generator"),
    (lambda: nn.Linear(2, 3, dtype=np.float16, **GOOD), TypeError, "expected float32 or float64"),
    (lambda: nn.Linear(2, 3, dtype=None, **GOOD), TypeError, "Linear: dtype is None"),
    (lambda: nn.Linear(2, 3, activation="rleu", **GOOD), ValueError, "activation is 'rleu'; expected one of relu"),
    (lambda: nn.MLP([3], **GOOD), ValueError, "MLP: sizes is [3]; expected at least two"),
    (lambda: nn.MLP([3, 0, 2], **GOOD), ValueError, "MLP: sizes[1] is 0"),
    (lambda: nn.MLP([3, 2], final="x", **GOOD), ValueError, "MLP: final is 'x'"),
    (lambda: nn.LayerNorm(3, eps=0), ValueError, "LayerNorm: eps is 0"),
    (lambda: nn.Embedding(0, 3, **GOOD), ValueError, "Embedding: n is 0"),
    (lambda: nn.Sequential(np.tanh), TypeError, "Sequential: argument 0 is <ufunc 'tanh'>; expected a Module"),
    (lambda: nn.Residual("tanh"), TypeError, "Residual: module is 'tanh'; expected a Module"),
    (lambda: nn.Activation("swish"), ValueError, "Activation: name is 'swish'; expected one of relu"),
    (lambda: nn.Reshape(-1, -1), ValueError, "Reshape: shape is (-1, -1); expected -1 at most once"),
    (lambda: nn.Linear(4, 3, **GOOD)(np.zeros((32, 5))), ValueError,
     "Linear(4 -> 3): x has shape (32, 5); expected (..., 4)"),
    (lambda: nn.Linear(4, 3, **GOOD)(3.0), ValueError, "Linear(4 -> 3): x has shape (); expected (..., 4)"),
    (lambda: nn.Linear(1, 3, **GOOD)(["a"]), TypeError, "Linear: x has dtype <U1; expected real numbers"),
    (lambda: nn.LayerNorm(4)(np.zeros((3, 2))), ValueError, "LayerNorm(4): x has shape (3, 2); expected (..., 4)"),
    (lambda: nn.Embedding(4, 2, **GOOD)(np.array([0.0])), TypeError, "i has dtype float64; expected integers"),
    (lambda: nn.Embedding(4, 2, **GOOD)(np.array([-1, 3])), ValueError, "i lies in [-1, 3]; expected 0..3"),
    (lambda: nn.Residual(nn.Linear(2, 3, **GOOD))(np.zeros((1, 2))), ValueError, "makes (1, 3) of (1, 2)"),
    (lambda: nn.Reshape(3, 2)(np.zeros((4, 5))), ValueError,
     "Reshape(3, 2): x has shape (4, 5); expected (batch, ...) with 6 numbers each"),
])
def test_bad_input_is_refused_in_one_sentence(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value) and "\n" not in str(error.value)
