"""The Gaussian RBM against its mixture written out and quadrature, its chains against the exact law of k sweeps."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.checks import Box, CheckError, Interval, check_density, check_sampler, quadrature_2d
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.gaussian_rbm import GaussianRBM
from minigen.training import fit

from .machines import states

D, H = 2, 3


def random_model(seed=0, d=D, h=H, scale=1.0, dtype=np.float64, learn_sigma=True):
    rng = np.random.default_rng(seed)
    model = GaussianRBM(d, h, learn_sigma=learn_sigma, rng=rng, dtype=dtype)
    for p, size in ((model.W, scale), (model.b, 1.0), (model.c, 1.0), (model.log_sigma, 0.4)):
        p.data[...] = size * rng.standard_normal(p.shape)
    return model


def numbers(model):
    return model.W.data, model.b.data, model.c.data, np.exp(model.log_sigma.data)


def energy_by_hand(model, v, h):
    """Unit by unit; v[i] and h[j] may be numbers or arrays."""
    W, b, c, s = numbers(model)
    visible, hidden = range(len(b)), range(len(c))
    return (sum((v[i] - b[i]) ** 2 / (2 * s[i] ** 2) for i in visible) - sum(c[j] * h[j] for j in hidden)
            - sum(v[i] / s[i] * W[i, j] * h[j] for i in visible for j in hidden))


def log_normal(v, mean, s):
    return (-0.5 * ((v - mean) / s) ** 2 - np.log(s * np.sqrt(2 * np.pi))).sum(-1)


def mixture(model):
    """log p(h), and the means of v given h, of every h, from integrals of exp(-E) over v."""
    W, b, c, s = numbers(model)
    hidden = states(len(c))
    log_weight = [c @ h + (0.5 * ((b / s + W @ h) ** 2 - (b / s) ** 2)).sum() for h in hidden]
    return log_weight - np.logaddexp.reduce(log_weight), b + s * (hidden @ W.T)


def test_energy_and_free_energy():
    model, rng = random_model(), np.random.default_rng(1)
    v, h = rng.normal(size=(6, D)), states(H)
    table = np.array([[energy_by_hand(model, one, u) for u in h] for one in v])
    energies = ad.value(model.energy(np.repeat(v, 8, 0), np.tile(h, (6, 1))))
    np.testing.assert_allclose(energies, table.ravel(), rtol=1e-12)
    np.testing.assert_allclose(model.free_energies(v), -np.logaddexp.reduce(-table, axis=1), rtol=1e-12)


def test_conditionals_against_ratios_of_the_joint():
    model, rng = random_model(), np.random.default_rng(2)
    v, h = rng.normal(size=(5, D)), states(H)
    for one in v:
        p = np.exp([-energy_by_hand(model, one, u) for u in h])
        np.testing.assert_allclose(model.hidden_probabilities(one[None])[0], p @ h / p.sum(), rtol=1e-12)
    for u in h:
        def density(x, u=u):
            return np.exp(-energy_by_hand(model, x.T[..., None], u[:, None])).ravel()
        mean, s = model.visible_mean(u[None])[0], np.exp(model.log_sigma.data)
        box = [(m - 9 * w, m + 9 * w) for m, w in zip(mean, s)]
        mass = quadrature_2d(density, *box, n=40).value
        for i, (m, w) in enumerate(zip(mean, s)):
            first = quadrature_2d(lambda x, i=i, f=density: x[:, i] * f(x), *box, n=40).value / mass
            second = quadrature_2d(lambda x, i=i, f=density: x[:, i] ** 2 * f(x), *box, n=40).value / mass
            assert (m, w**2) == (pytest.approx(first, abs=1e-6), pytest.approx(second - first**2, rel=1e-6))


@pytest.mark.parametrize("seed", [0, 3])
def test_the_density_is_the_mixture_and_has_mass_one(seed):
    model = random_model(seed)
    v = 2 * np.random.default_rng(4).normal(size=(50, D))
    log_weight, means = mixture(model)
    s = np.exp(model.log_sigma.data)
    truth = np.logaddexp.reduce(log_weight + log_normal(v[:, None], means, s), axis=1)
    likelihood = model.log_likelihood(v)
    np.testing.assert_allclose(likelihood.value, truth, rtol=1e-11)
    assert likelihood.kind == "exact"
    box = Box(*((low - 9 * w, high + 9 * w) for low, high, w in zip(means.min(0), means.max(0), s)))
    assert check_density(lambda v: model.log_likelihood(v).value, box, tol=1e-6).passed


def test_log_z_in_pieces_of_the_hidden_states_and_without_couplings():
    """16 hidden units go through four pieces; with W = 0 everything is a product."""
    model = random_model(5, 3, 16)
    W, b, c, s = numbers(model)
    h = states(16)
    weights = h @ c + 0.5 * ((b / s + h @ W.T) ** 2 - (b / s) ** 2).sum(1)
    constant = (model.log_sigma.data + 0.5 * np.log(2 * np.pi)).sum()
    assert model.log_z() == pytest.approx(np.logaddexp.reduce(weights) + constant, rel=1e-12)
    model.W.data[...] = 0
    assert model.log_z() == pytest.approx(np.logaddexp(0, model.c.data).sum() + constant, rel=1e-12)


def test_gradient_of_the_free_energy():
    model, v = random_model(6), np.random.default_rng(7).normal(size=(4, D))
    for name in ("W", "b", "c", "log_sigma"):
        ad.sum(model.free_energy(v)).backward()
        p = getattr(model, name)
        slope = p.grad.copy()
        for q in model.parameters():
            q.grad = None
        kept = p.data.copy()
        for entry in np.ndindex(p.shape):
            ends = []
            for step in (1e-5, -1e-5):
                p.data[...] = kept
                p.data[entry] += step
                ends.append(model.free_energies(v).sum())
            assert slope[entry] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-7)
        p.data[...] = kept


LINE = random_model(8, 1, 2, scale=1.5)
START = np.array([1.3])


def after(model, sweeps):
    """Exact log-density of v after so many sweeps from START: a mixture, its weights carried on by sums over a grid."""
    _, means = mixture(model)
    s, hidden = np.exp(model.log_sigma.data), states(2)
    grid = np.linspace(means.min() - 9 * s[0], means.max() + 9 * s[0], 4001)[:, None]

    def given(v):
        p = model.hidden_probabilities(v)
        return np.prod(np.where(hidden[None] == 1, p[:, None], 1 - p[:, None]), axis=2)

    step = np.exp(log_normal(grid, means[:, None], s)) @ given(grid) * (grid[1, 0] - grid[0, 0])
    weights = given(START[None])[0] @ np.linalg.matrix_power(step, sweeps - 1)
    return lambda v: np.logaddexp.reduce(np.log(weights) + log_normal(v[:, None, None], means, s), axis=1)


def chain_test(draw, model=LINE, sweeps=2, n=40_000):
    """Chains from one v against the exact mixture; a right sampler fails with probability 1e-6."""
    drawn = draw(np.tile(START, (n, 1)), np.random.default_rng(9))
    _, means = mixture(model)
    s = np.exp(model.log_sigma.data)[0]
    domain = Interval(means.min() - 9 * s, means.max() + 9 * s)
    return check_sampler(drawn[:, 0], after(model, sweeps), domain, alpha=1e-6)


@pytest.mark.parametrize("sweeps", [1, 2, 3])
def test_chains_follow_the_exact_mixture(sweeps):
    assert chain_test(lambda v, rng: LINE.gibbs(v, sweeps, rng), sweeps=sweeps).passed


def test_single_precision_and_long_chains():
    model = random_model(10, dtype=np.float32, scale=0.8)
    drawn = model.sample(40_000, np.random.default_rng(11), sweeps=60)
    assert drawn.dtype == np.float32
    log_weight, means = mixture(model)
    s = np.exp(model.log_sigma.data)
    box = Box(*((low - 9 * w, high + 9 * w) for low, high, w in zip(means.min(0), means.max(0), s)))
    assert check_sampler(drawn, lambda v: model.log_likelihood(v).value, box, alpha=1e-6).passed


def changed(**parts):
    model = random_model(8, 1, 2, scale=1.5)
    for name, amount in parts.items():
        getattr(model, name).data[...] += amount
    return model


def at_once(v, rng):
    """Both sides drawn from the old state, twice: v is then drawn from a hidden state that never saw it."""
    h = LINE.sample_hidden(v, rng)
    for _ in range(2):
        h, v = LINE.sample_hidden(v, rng), LINE.sample_visible(h, rng)
    return v


def same_numbers(v):
    """The uniforms of p(h | v) are made from the very normals that v is drawn with."""
    for seed in (12, 12):
        noise = np.random.default_rng(seed).standard_normal(v.shape)
        h = (np.argsort(np.argsort(noise[:, 0]))[:, None] / len(v) < LINE.hidden_probabilities(v)).astype(float)
        v = LINE.visible_mean(h) + np.exp(LINE.log_sigma.data) * noise
    return v


BROKEN = {
    "wrong hidden bias": lambda v, rng: changed(c=0.2).gibbs(v, 2, rng),
    "wrong visible bias": lambda v, rng: changed(b=0.1).gibbs(v, 2, rng),
    "wrong width": lambda v, rng: changed(log_sigma=0.05).gibbs(v, 2, rng),
    "sigma left out of the means": lambda v, rng: LINE.visible_mean(LINE.sample_hidden(LINE.gibbs(v, 1, rng), rng))
    + rng.standard_normal(v.shape),
    "both sides at once": lambda v, rng: at_once(v, rng),
    "reused random numbers": lambda v, rng: same_numbers(v),
    "one sweep too few": lambda v, rng: LINE.gibbs(v, 1, rng),
    "one sweep too many": lambda v, rng: LINE.gibbs(v, 3, rng),
    "mean for sample": lambda v, rng: LINE.visible_mean(LINE.sample_hidden(LINE.gibbs(v, 1, rng), rng)),
}


@pytest.mark.parametrize("slip", BROKEN)
def test_the_exact_mixture_rejects(slip):
    with pytest.raises(CheckError):
        chain_test(BROKEN[slip])


def test_training_raises_the_exact_likelihood():
    """CD on two clusters: better than the Gaussian it begins with, and the learned widths come near the true 0.5."""
    rng = np.random.default_rng(13)
    data = rng.choice([-2.0, 2.0], (600, 1)) * np.array([1.0, -0.5]) + 0.5 * rng.normal(size=(600, 2))
    data = data.astype(np.float32)
    model = GaussianRBM(2, 4, learn_sigma=True, rng=rng)
    model.fit_to(data, rng)
    before = model.log_likelihood(data).mean()
    trainer = ContrastiveDivergence(model, k=5)
    fit(trainer, data, optimizer=optim.Adam(trainer.parameters(), lr=0.01), epochs=40, batch_size=50, rng=rng,
        progress=False)
    assert model.log_likelihood(data).mean() > before + 0.5
    assert np.abs(np.exp(model.log_sigma.data) - 0.5).max() < 0.15


def test_fit_to_takes_mean_and_width_of_the_data():
    data = np.random.default_rng(15).normal([1.0, -2.0], [0.3, 3.0], (500, 2))
    learned, fixed = random_model(), GaussianRBM(D, H, rng=np.random.default_rng(16))
    for model in (learned, fixed):
        model.fit_to(data, np.random.default_rng(17))
        np.testing.assert_allclose(model.b.data, data.mean(0), rtol=1e-6)
    np.testing.assert_allclose(np.exp(learned.log_sigma.data), data.std(0), rtol=1e-12)
    assert not fixed.log_sigma.data.any()


def test_sigma_is_state_unless_it_is_learned():
    fixed, learned = random_model(learn_sigma=False), random_model()
    assert len(fixed.parameters()) == 3 and len(learned.parameters()) == 4
    assert fixed.state_dict().keys() == learned.state_dict().keys()
    learned.load_state_dict(fixed.state_dict())
    v = np.random.default_rng(14).normal(size=(3, D))
    np.testing.assert_array_equal(learned.free_energies(v), fixed.free_energies(v))


@pytest.mark.parametrize(("call", "words"), [
    (lambda m: GaussianRBM(0, 2, rng=np.random.default_rng(0)), "must be positive"),
    (lambda m: m.free_energy(np.zeros((2, 3))), r"\(2, 3\); expected \(..., 2\)"),
    (lambda m: m.log_likelihood(np.zeros((0, 2))), "n >= 1"),
    (lambda m: m.log_likelihood(np.zeros(2)), "n >= 1"),
    (lambda m: m.log_likelihood(np.array([[0.0, np.nan]])), "v holds nan"),
    (lambda m: m.gibbs(np.array([[0.0, np.nan]]), 1, np.random.default_rng(0)), "v holds nan"),
    (lambda m: m.fit_to(np.array([[0.0, np.inf]]), None), "v holds inf"),
    (lambda m: ContrastiveDivergence(m).loss(np.array([[0.0, np.nan]]), np.random.default_rng(0)), "v holds nan"),
    (lambda m: GaussianRBM(2, 21, rng=np.random.default_rng(0)).log_z(), "at most 20"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(random_model())
