"""The VAE against exact answers: a linear-Gaussian model, enumeration over pictures, quadrature over z."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.checks import Binary, Box, check_bound, check_density, check_sampler, log_quadrature_1d
from minigen.distributions import MultivariateNormal, Normal
from minigen.latent.decoders import BernoulliDecoder, CategoricalDecoder, GaussianDecoder
from minigen.latent.vae import VAE
from minigen.training import fit

GREY = np.random.default_rng(5).random((6, 16))
X4 = np.array([[i >> k & 1 for k in range(4)] for i in range(16)], float)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def vae(*args, seed=1, **options):
    options = {"hidden": (6,), "activation": "tanh", "dtype": np.float64} | options
    return VAE(*args, rng=np.random.default_rng(seed), **options)


def guessing(model):
    """The model with q(z|x) about p(z), whose weights are bounded; an untrained q may be too narrow for that."""
    for parameter in model.encoder.parameters():
        parameter.data[...] *= 0.2
    return model


def linear_gaussian(rng):
    """x = Wz + b + 0.5 noise as a VAE without hidden layers, whose encoder is the exact posterior; and log p(x)."""
    model = vae(3, 2, hidden=(), likelihood="gaussian")
    W = np.linalg.qr(rng.normal(size=(3, 2)))[0] * (1.5, 0.7)  # orthogonal columns: the posterior is diagonal
    b, s = rng.normal(size=3), 0.5
    precision = (W**2).sum(0) / s**2 + 1
    V = W.T / s**2 / precision[:, None]
    raw = 5 * np.arctanh(np.log(s) / 5)
    model.load_state_dict({
        "decoder.layers.0.W": np.concatenate([W.T, np.zeros((2, 3))], axis=1),
        "decoder.layers.0.b": np.concatenate([b, np.full(3, raw)]),
        "encoder.layers.0.W": np.concatenate([V.T, np.zeros((3, 2))], axis=1),
        "encoder.layers.0.b": np.concatenate([-V @ b, -0.5 * np.log(precision)])})
    return model, MultivariateNormal(b, covariance=W @ W.T + s**2 * np.eye(3))


def log_evidence(model, x):
    """log p(x), (n,), by quadrature over the one latent number."""
    def log_joint(z):
        columns = [ad.value(model.log_conditional(np.tile(row, (len(z), 1)), z[:, None])) for row in x]
        return np.stack(columns, -1) + Normal(0.0, 1.0).log_prob(z)[:, None]
    return log_quadrature_1d(log_joint, -12, 12, n=1600).value


def test_with_the_exact_posterior_bound_and_every_weight_are_the_evidence(rng):
    model, marginal = linear_gaussian(rng)
    x = marginal.sample(rng, (20,))
    exact = marginal.log_prob(x)
    estimate = model.log_likelihood(x, rng, 5)
    np.testing.assert_allclose(estimate.value, exact, rtol=1e-10)
    np.testing.assert_allclose(estimate.standard_error, 0, atol=1e-10)
    bound = model.bound(x, rng, 4000)
    np.testing.assert_array_less(np.abs(bound.value - exact), 5 * bound.standard_error)
    drawn = model.sample(40_000, rng)
    np.testing.assert_allclose(np.cov(drawn.T), marginal.covariance, atol=0.08)


def test_the_loss_is_the_negative_bound_on_average(rng):
    model = vae(16, 2, hidden=())
    bound = model.bound(GREY[:1], rng, 20_000)
    loss = model.loss(np.repeat(GREY[:1], 20_000, axis=0), rng)
    assert abs(loss.total.item() + bound.mean()) < 7 * bound.mean_standard_error()
    mu, log_sigma = np.full((20_000, 1), 3.0), np.full((20_000, 1), np.log(0.5))
    drawn = model.draw(mu, log_sigma, rng)
    np.testing.assert_allclose((drawn.mean(), drawn.std()), (3.0, 0.5), atol=0.02)


def test_nets_are_mirror_images_of_each_other():
    model = vae(64, 3, hidden=(7, 5), net="conv")
    assert "MLP(128 -> 7 -> 5 -> 6" in repr(model.encoder) and "MLP(3 -> 5 -> 7 -> 128" in repr(model.decoder)
    flat = vae(9, 3, hidden=(7, 5))
    assert "MLP(9 -> 7 -> 5 -> 6" in repr(flat.encoder) and "MLP(3 -> 5 -> 7 -> 9" in repr(flat.decoder)


def test_with_another_posterior_the_bound_lies_below_by_its_kl(rng):
    model, marginal = linear_gaussian(rng)
    x = marginal.sample(rng, (20,))
    shifted = model.state_dict()["encoder.layers.0.b"] + np.array([0.5, 0.0, 0.0, 0.3])
    sd = np.exp(model.state_dict()["encoder.layers.0.b"][2:])
    model.load_state_dict(model.state_dict() | {"encoder.layers.0.b": shifted})
    gap = 0.5 * (0.5 / sd[0]) ** 2 + 0.5 * np.exp(0.6) - 0.5 - 0.3
    bound, exact = model.bound(x, rng, 4000), marginal.log_prob(x)
    assert check_bound(bound.value, exact, gap=np.full(20, gap), standard_error=bound.standard_error)
    estimate = model.log_likelihood(x, rng, 4000)
    assert (bound.value < estimate.value).all()
    np.testing.assert_array_less(np.abs(estimate.value - exact), 5 * estimate.standard_error)
    assert (bound.kind, estimate.kind) == ("bound", "estimate")


def test_pictures_have_probabilities_that_sum_to_one_and_are_sampled(rng):
    model = guessing(vae(4, 1, seed=3))
    exact = log_evidence(model, X4)
    assert abs(np.exp(exact).sum() - 1) < 1e-10
    estimate = model.log_likelihood(X4, rng, 3000)
    np.testing.assert_array_less(np.abs(estimate.value - exact), 5 * estimate.standard_error)
    assert model.bound(X4, rng, 1000).mean() < estimate.mean()

    def log_prob(x):
        return exact[(x @ (1, 2, 4, 8)).astype(int)]
    assert check_sampler(model.sample(20_000, rng), log_prob, Binary(4))


def test_the_number_of_rows_at_once_does_not_matter(rng, monkeypatch):
    model = guessing(vae(4, 1))
    monkeypatch.setattr("minigen.latent.vae.ROWS_AT_ONCE", 60_000)
    whole = model.log_likelihood(X4, rng, 3000).value
    monkeypatch.setattr("minigen.latent.vae.ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(model.log_likelihood(X4, rng, 3000).value, whole, atol=0.1)


@pytest.mark.parametrize("out", [np.array([0.3, -2.0, 1.0]), np.array([60.0, -60.0, 0.0])])
def test_bernoulli_mass_and_sampler(out, rng):
    decoder = BernoulliDecoder()

    def log_prob(x):
        return decoder.log_prob(np.broadcast_to(out, x.shape), x)
    assert check_density(log_prob, Binary(3))
    drawn = decoder.sample(np.tile(out, (20_000, 1)), rng)
    np.testing.assert_allclose(drawn.mean(0), decoder.mean(out), atol=0.02)


def test_gaussian_mass_and_sampler(rng):
    decoder, out = GaussianDecoder(), np.array([0.4, -1.0, 0.3, -0.6])

    def log_prob(x):
        return decoder.log_prob(np.broadcast_to(out, (len(x), 4)), x)
    assert check_density(log_prob, Box((-15, 15), (-10, 8)))
    assert check_sampler(decoder.sample(np.tile(out, (20_000, 1)), rng), log_prob, Box((-15, 15), (-10, 8)))
    np.testing.assert_array_equal(decoder.mean(out), out[:2])
    assert np.isfinite(decoder.log_prob(np.array([[0.0, -1e9]]), np.zeros((1, 1)))).all()


def test_categorical_mass_and_sampler(rng):
    decoder, out = CategoricalDecoder(3), rng.normal(size=6)
    words = np.array([np.concatenate([np.eye(3)[i], np.eye(3)[j]]) for i in range(3) for j in range(3)])
    p = np.exp(decoder.log_prob(np.tile(out, (9, 1)), words))
    assert abs(p.sum() - 1) < 1e-12
    drawn = decoder.sample(np.tile(out, (20_000, 1)), rng)
    assert decoder.fits(drawn)
    np.testing.assert_allclose(drawn.mean(0), p @ words, atol=0.02)
    np.testing.assert_allclose(decoder.mean(out[None])[0], p @ words, rtol=1e-12)


CASES = [dict(likelihood="bernoulli"), dict(likelihood="gaussian"), dict(likelihood="categorical", n_classes=4),
         dict(net="conv"), dict(net="conv", likelihood="gaussian")]


def data_for(case):
    if case.get("likelihood") == "categorical":
        return np.eye(4)[GREY.reshape(6, 4, 4).argmax(-1)].reshape(6, 16)
    return GREY


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_of_the_loss_in_every_parameter(case):
    model, x = vae(16, 2, **case), data_for(case)
    names = [name for name, _ in model.named_parameters()]
    loss = model.loss(x, np.random.default_rng(7))
    loss.total.backward()
    grads = {name: p.grad.copy() for name, p in model.named_parameters()}
    assert set(loss.parts) == {"reconstruction", "kl"}
    assert abs(sum(loss.parts.values()) - loss.total.item()) < 1e-9
    state, direction_rng = model.state_dict(), np.random.default_rng(8)
    for name in names:
        direction = direction_rng.normal(size=state[name].shape)
        assert np.abs(grads[name]).max() > 0, name

        def moved(h, name=name, direction=direction):
            model.load_state_dict(state | {name: state[name] + h * direction})
            with ad.no_grad():
                return float(ad.value(model.loss(x, np.random.default_rng(7)).total))
        numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5
        np.testing.assert_allclose((grads[name] * direction).sum(), numeric, rtol=1e-5, atol=1e-7, err_msg=name)


def test_reparameterised_draw_passes_gradcheck(rng):
    model = vae(16, 2)

    def elbo(mu, log_sigma):
        z = model.draw(mu, log_sigma, np.random.default_rng(3))
        return ad.sum(model.log_conditional(GREY, z) - ad.gaussian_kl(mu, log_sigma))
    assert ad.gradcheck(elbo, rng.normal(size=(6, 2)), 0.3 * rng.normal(size=(6, 2)), rng=rng) is not False


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapes_and_types(case, dtype, rng):
    model, x = vae(16, 3, dtype=dtype, **case), data_for(case).astype(dtype)
    mu, log_sigma = model.encode(x)
    assert mu.shape == log_sigma.shape == (6, 3)
    assert model.reconstruct(x).shape == (6, 16)
    assert model.sample(4, rng).shape == (4, 16)
    assert model.interpolate(x[0], x[1], 5).shape == (5, 16)
    assert model.resynthesise(x, model.attribute_vector(x[:3], x[3:]), (-1, 0, 1)).shape == (3, 6, 16)
    assert model.sample(4, rng).dtype == model.reconstruct(x).dtype == model.dtype == dtype
    assert model.bound(x, rng).value.shape == (6,)
    assert model.loss(x, rng).total.dtype == dtype


def test_interpolation_and_resynthesis_pass_through_the_reconstructions(rng):
    model = vae(16, 2)
    np.testing.assert_allclose(model.interpolate(GREY[0], GREY[1], 3)[[0, 2]], model.reconstruct(GREY[:2]))
    direction = model.attribute_vector(GREY[:3], GREY[3:])
    np.testing.assert_allclose(model.resynthesise(GREY, direction, [0.0])[0], model.reconstruct(GREY))
    np.testing.assert_allclose(model.resynthesise(GREY[:1], ad.value(model.encode(GREY)[0])[1]
                                                  - ad.value(model.encode(GREY)[0])[0], [1.0])[0],
                               model.reconstruct(GREY[1:2]))


def test_training_raises_the_bound_and_the_same_seed_gives_the_same_bits(rng):
    x = (rng.random((200, 1)) < 0.5) * np.ones((1, 16), np.float32)  # all ones or all zeros: one bit
    ends = []
    for _ in range(2):
        model = vae(16, 1, dtype=np.float32)
        fit(model, x, optimizer=optim.Adam(model.parameters(), lr=0.01), epochs=30, batch_size=20,
            rng=np.random.default_rng(2), progress=False)
        ends.append(model.state_dict())
    assert all((a == b).all() for a, b in zip(ends[0].values(), ends[1].values()))
    assert -1.5 < model.log_likelihood(x, rng, 100).mean() < -0.6


@pytest.mark.parametrize("case", CASES, ids=str)
def test_config_and_state_make_the_model_again(case, rng):
    model, x = vae(16, 2, **case), data_for(case)
    again = VAE(**model.config, rng=rng)
    again.load_state_dict(model.state_dict())
    one, two = (m.log_likelihood(x, np.random.default_rng(4), 3).value for m in (model, again))
    np.testing.assert_array_equal(one, two)
    assert repr(again) == repr(model)


DOORS = {
    "shape": (lambda m, r: m.bound(GREY[:, :5], r), r"x has shape \(6, 5\); expected \(batch, 16\)"),
    "one picture": (lambda m, r: m.reconstruct(GREY[0]), r"x has shape \(16,\)"),
    "a number": (lambda m, r: m.log_likelihood(3.0, r), r"x has shape \(1,\)"),
    "empty": (lambda m, r: m.log_likelihood(GREY[:0], r), r"x has shape \(0, 16\)"),
    "nan": (lambda m, r: m.loss(np.full((2, 16), np.nan), r), r"\[nan, nan\]; expected numbers in \[0, 1\]"),
    "grey levels": (lambda m, r: m.loss(16 * GREY, r), r"expected numbers in \[0, 1\]"),
    "negative": (lambda m, r: m.encode(GREY - 0.5), r"expected numbers in \[0, 1\]"),
    "no draws": (lambda m, r: m.log_likelihood(GREY, r, 0), "n_samples is 0"),
    "half a draw": (lambda m, r: m.bound(GREY, r, 1.5), "n_samples is 1.5"),
    "no samples": (lambda m, r: m.sample(-1, r), "n is -1"),
    "one step": (lambda m, r: m.interpolate(GREY[0], GREY[1], 1), "steps is 1"),
    "ends": (lambda m, r: m.interpolate(GREY[0], GREY[1, :3]), r"end \(3,\)"),
    "direction": (lambda m, r: m.resynthesise(GREY, np.ones(3), [1]), r"direction has shape \(3,\); expected \(2,\)"),
    "latent shape": (lambda m, r: m.decode(np.ones((2, 3))), r"x has shape \(2, 3\)"),
    "likelihood": (lambda m, r: vae(16, likelihood="poisson"), "likelihood is 'poisson'; expected one of bernoulli"),
    "net": (lambda m, r: vae(16, net="resnet"), "net is 'resnet'; expected one of mlp, conv"),
    "activation": (lambda m, r: vae(16, activation="wave"), "activation is 'wave'"),
    "no square": (lambda m, r: vae(15, net="conv"), "n_visible is 15"),
    "odd square": (lambda m, r: vae(36, net="conv"), "multiple of 4"),
    "sizes": (lambda m, r: vae(0), "n_visible is 0"),
    "latents": (lambda m, r: vae(16, -2), "n_latent is -2"),
    "hidden": (lambda m, r: vae(16, hidden=(4, 0)), r"hidden\[1\] is 0"),
    "classes": (lambda m, r: vae(16, likelihood="categorical"), "n_classes is None"),
    "odd classes": (lambda m, r: vae(16, likelihood="categorical", n_classes=5), "divides n_visible = 16"),
    "idle classes": (lambda m, r: vae(16, n_classes=4), "n_classes is 4 for a bernoulli"),
    "two hot": (lambda m, r: vae(16, likelihood="categorical", n_classes=4).loss(np.ones((1, 16)), r), "one-hot"),
    "infinite": (lambda m, r: vae(16, likelihood="gaussian").loss(np.full((1, 16), np.inf), r), "nan or inf"),
}


@pytest.mark.parametrize("door", DOORS)
def test_bad_input_is_one_clear_error(door, rng):
    act, message = DOORS[door]
    with pytest.raises(ValueError, match=message):
        act(vae(16, 2), rng)


@pytest.mark.parametrize("act", [lambda m: m.loss(GREY, 3), lambda m: m.sample(2, None), lambda m: m.bound(GREY, 0),
                                 lambda m: VAE(16, rng=1), lambda m: vae(16, dtype=np.int32),
                                 lambda m: m.encode(np.array([["a"] * 16]))])
def test_wrong_kinds_of_argument_are_type_errors(act):
    with pytest.raises(TypeError, match="rng is|dtype"):
        act(vae(16, 2))
