"""The unrolled autoencoder: what it computes, where it starts, and that fine-tuning lowers its error."""

from itertools import product

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.checks import CheckError, check_sampler
from minigen.checks.domains import Binary
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.greedy import train_greedily
from minigen.energy.rbm import RBM
from minigen.energy.unroll import Autoencoder, CodeCD, CodeRBM
from minigen.training import fit


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n))).reshape(2**n, n)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def random_stack(sizes=(5, 4, 3, 2), code=True, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    kinds = [RBM] * (len(sizes) - 2) + [CodeRBM if code else RBM]
    stack = [kind(n, m, rng=rng, dtype=dtype) for kind, n, m in zip(kinds, sizes, sizes[1:])]
    for p in (p for rbm in stack for p in rbm.parameters()):
        p.data[...] = rng.standard_normal(p.shape)
    return stack


@pytest.mark.parametrize("code", [True, False])
def test_encoder_up_and_decoder_down_through_the_same_weights(code):
    stack, x = random_stack(code=code), states(5)
    h = x
    for l, rbm in enumerate(stack):
        h = h @ rbm.W.data + rbm.c.data
        h = h if code and l == 2 else sigmoid(h)
    net = Autoencoder(stack)
    with ad.no_grad():
        np.testing.assert_allclose(ad.value(net.encode(x)), h, atol=1e-12)
        for rbm in reversed(stack):
            h = sigmoid(h @ rbm.W.data.T + rbm.b.data)
        np.testing.assert_allclose(ad.value(net(x)), h, atol=1e-12)
    loss = net.loss(x, None)
    assert loss.total.item() == pytest.approx(-(x * np.log(h) + (1 - x) * np.log1p(-h)).sum(1).mean(), rel=1e-10)
    assert loss.parts["squared_error"] == pytest.approx(((x - h) ** 2).sum(1).mean(), rel=1e-10)
    assert net.squared_error(x) == pytest.approx(((x - h) ** 2).sum(1).mean(), rel=1e-10)


def test_encoder_and_decoder_part_in_training():
    stack, x = random_stack(), states(5)
    net = Autoencoder(stack)
    assert len(net.parameters()) == 12
    net.loss(x, None).total.backward()
    optim.SGD(net.parameters(), lr=0.1).step()
    assert np.abs(net.encoder[0].W.data - net.decoder[-1].W.data.T).max() > 1e-3
    np.testing.assert_array_equal(stack[0].W.data, random_stack()[0].W.data)


def test_gradient_of_the_loss():
    net, x = Autoencoder(random_stack((3, 2, 1))), states(3)
    W = net.encoder[0].W
    net.loss(x, None).total.backward()
    slope = W.grad.copy()

    def value(w):
        kept, W.data[...] = W.data.copy(), w
        with ad.no_grad():
            found = ad.value(net.loss(x, None).total)
        W.data[...] = kept
        return found

    for i in np.ndindex(W.shape):
        step = np.zeros(W.shape)
        step[i] = 1e-6
        assert slope[i] == pytest.approx((value(W.data + step) - value(W.data - step)) / 2e-6, abs=1e-8)


def test_code_rbm_by_quadrature_and_enumeration():
    """F(v) integrates the real code out of the energy; the conditionals are those of the joint."""
    rng = np.random.default_rng(1)
    rbm = CodeRBM(3, 1, rng=rng, dtype=np.float64)
    for p in rbm.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    W, b, c = rbm.W.data[:, 0], rbm.b.data, rbm.c.data[0]
    h = np.linspace(-15, 15, 20_001)
    log_p = np.array([-0.5 * (h - c) ** 2 + (v @ W) * h + v @ b for v in states(3)])
    mass = np.trapezoid(np.exp(log_p), h, axis=1)
    with ad.no_grad():
        free = ad.value(rbm.free_energy(states(3)))
    np.testing.assert_allclose(-free - np.log(mass), (-free - np.log(mass))[0], atol=1e-10)
    np.testing.assert_allclose(rbm.hidden_mean(states(3))[:, 0], np.trapezoid(np.exp(log_p) * h, h, axis=1) / mass,
                               atol=1e-9)
    weights = np.exp(log_p[:, 12_000] - ad.logsumexp(log_p[:, 12_000]))
    np.testing.assert_allclose(rbm.visible_mean(h[12_000:12_001][:, None])[0], weights @ states(3), atol=1e-12)
    drawn = rbm.sample_hidden(np.repeat(states(3)[5:6], 40_000, axis=0), rng)
    assert drawn.mean() == pytest.approx(rbm.hidden_mean(states(3)[5])[0], abs=5 / 200)
    assert drawn.std() == pytest.approx(1, abs=0.02)


def test_the_chain_of_code_cd_passes_through_noisy_codes():
    """v' ~ int N(h; c + W'v, 1) p(v' | h) dh by quadrature; a chain through the mean code is rejected."""
    rbm = random_stack((3, 1), seed=3)[0]
    mean, h = rbm.hidden_mean(states(3)[5:6]), np.linspace(-12, 12, 4001)
    weight = np.exp(-0.5 * (h - mean[0]) ** 2) * (h[1] - h[0]) / np.sqrt(2 * np.pi)
    on = rbm.visible_mean(h[:, None])

    def log_density(x):
        return np.log(weight @ np.prod(np.where(x[None] == 1, on[:, None], 1 - on[:, None]), axis=2))

    tiled = np.repeat(mean, 40_000, axis=0)
    check_sampler(CodeCD(rbm).dream(tiled, np.random.default_rng(4)).v, log_density, Binary(3), alpha=1e-6)
    with pytest.raises(CheckError, match="chi-square"):
        check_sampler(rbm.sample_visible(tiled, np.random.default_rng(4)), log_density, Binary(3), alpha=1e-6)


def blobs(n, rng):
    """16 pixels from two hidden numbers: a family that two codes can hold."""
    t = rng.uniform(-2, 2, (n, 2))
    grid = np.array(list(product(np.linspace(-2, 2, 4), repeat=2)))
    return (((grid[None] - t[:, None]) ** 2).sum(-1) < 2.0).astype(np.float32)


def test_unrolling_and_fine_tuning_lowers_the_error():
    rng = np.random.default_rng(2)
    data = blobs(600, rng)
    stack = [RBM(16, 12, rng=rng), CodeRBM(12, 2, rng=rng)]
    histories = train_greedily(stack, data, epochs=(60, 60), batch_size=50, rng=rng,
                               trainer=lambda rbm: (CodeCD if isinstance(rbm, CodeRBM) else ContrastiveDivergence)(rbm),
                               optimizer=lambda t: optim.SGD(t.parameters(), lr=0.02 if isinstance(t, CodeCD) else 0.2))
    assert len(histories) == 2
    net = Autoencoder(stack)
    before, variance = net.squared_error(data), data.var(0).sum()
    fit(net, data, optimizer=optim.Adam(net.parameters(), lr=0.01), epochs=40, batch_size=50, rng=rng, progress=False)
    after = net.squared_error(data)
    assert before < variance and after < 0.6 * before


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Autoencoder([]), "a stack, lowest first"),
    (lambda: Autoencoder(random_stack()[::2]), "a stack, lowest first"),
    (lambda: CodeCD(random_stack()[-1]).loss(np.full((2, 3), 0.5), np.random.default_rng(0)), "holds 0.5"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
