"""Convolutional layers: sizes, bias and activation on top of the operations, gradients, refusals."""

import numpy as np
import pytest

from minigen import nn

CASES = [
    dict(kernel=3),
    dict(kernel=(3, 2), stride=2, padding=1),
    dict(kernel=3, stride=(2, 1), padding=(0, 2), dilation=2, groups=2),
]


def naive(x, layer):
    """The sum of the formula, number by number."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = layer.kernel, layer.stride, layer.padding, layer.dilation
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, per_in, per_out = len(x), layer.c_in // layer.groups, layer.c_out // layer.groups
    rows = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    columns = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((n, layer.c_out, rows, columns))
    for o in range(layer.c_out):
        group = x[:, o // per_out * per_in :][:, :per_in]
        for r in range(rows):
            for c in range(columns):
                patch = group[:, :, r * sh : r * sh + dh * kh : dh, c * sw : c * sw + dw * kw : dw][:, :, :kh, :kw]
                y[:, o, r, c] = (patch * layer.w.data[o]).sum((1, 2, 3)) + layer.b.data[o, 0, 0]
    return y


@pytest.mark.parametrize("case", CASES)
def test_convolution_is_its_sum(case, rng):
    layer = nn.Conv2d(4, 6, rng=rng, dtype=np.float64, activation="relu", **case)
    layer.b.data[...] = rng.normal(size=(6, 1, 1))
    x = rng.normal(size=(2, 4, 7, 8))
    np.testing.assert_allclose(layer(x).data, np.maximum(naive(x, layer), 0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_the_transpose_goes_back_to_the_size_and_is_the_adjoint(case, rng):
    there = nn.Conv2d(4, 6, rng=rng, dtype=np.float64, bias=False, **case)
    x = rng.normal(size=(2, 4, 7, 8))
    y = there(x).data
    left = [(n + 2 * p - d * (k - 1) - 1) % s for n, p, d, k, s in
            zip(x.shape[2:], there.padding, there.dilation, there.kernel, there.stride)]
    back = nn.ConvTranspose2d(6, 4, rng=rng, dtype=np.float64, output_padding=tuple(left), **case)
    back.w.data[...] = there.w.data
    u = rng.normal(size=y.shape)
    assert back(u).shape == x.shape
    assert (y * u).sum() == pytest.approx((back(u).data * x).sum(), rel=1e-12)
    back.b.data[...] = np.arange(4)[:, None, None]
    np.testing.assert_allclose(back(0 * u).data, np.broadcast_to(back.b.data, x.shape))


def test_parameters_receive_gradients_and_arrays_the_layer_s_precision(rng):
    net = nn.Sequential(nn.Conv2d(1, 3, 3, rng=rng, stride=2, activation="tanh"),
                        nn.ConvTranspose2d(3, 1, 3, rng=rng, stride=2))
    y = net(rng.normal(size=(2, 1, 7, 7)))
    assert y.shape == (2, 1, 7, 7) and y.dtype == np.float32
    y.sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    assert repr(net).splitlines()[1:] == ["  modules.0: Conv2d(1 -> 3, 3x3, stride 2x2, tanh), 30 parameters",
                                          "  modules.1: ConvTranspose2d(3 -> 1, 3x3, stride 2x2), 28 parameters"]


@pytest.mark.parametrize("make, message", [
    (lambda rng: nn.Conv2d(0, 2, 3, rng=rng), "Conv2d: c_in is 0; expected a whole number of at least 1"),
    (lambda rng: nn.Conv2d(1, 2, 0, rng=rng), "Conv2d: kernel is 0"),
    (lambda rng: nn.Conv2d(1, 2, (3, 3, 3), rng=rng), "Conv2d: kernel is (3, 3, 3); expected a whole number or two"),
    (lambda rng: nn.Conv2d(1, 2, 3, rng=rng, stride=0), "Conv2d: stride is 0"),
    (lambda rng: nn.Conv2d(1, 2, 3, rng=rng, padding=-1), "Conv2d: padding is -1"),
    (lambda rng: nn.Conv2d(4, 6, 3, rng=rng, groups=3), "Conv2d: groups is 3; expected a divisor of c_in = 4"),
    (lambda rng: nn.Conv2d(1, 2, 3, rng=rng, activation="x"), "Conv2d: activation is 'x'"),
    (lambda rng: nn.ConvTranspose2d(1, 2, 3, rng=rng, output_padding=1), "output_padding is 1; expected less than"),
    (lambda rng: nn.Conv2d(3, 2, 3, rng=rng)(np.zeros((5, 1, 8, 8))),
     "Conv2d(3 -> 2, 3x3): x has shape (5, 1, 8, 8); expected (batch, 3, height, width)"),
    (lambda rng: nn.Conv2d(3, 2, 3, rng=rng)(np.zeros((3, 8, 8))), "expected (batch, 3, height, width)"),
    (lambda rng: nn.Conv2d(1, 2, 5, rng=rng)(np.zeros((2, 1, 3, 3))), "conv2d: "),
])
def test_bad_input_is_refused_in_one_sentence(make, message, rng):
    with pytest.raises(ValueError) as error:
        make(rng)
    assert message in str(error.value) and "\n" not in str(error.value)
