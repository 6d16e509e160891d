"""The label RBM against the joint of pictures, labels and hidden units, written out state by state."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.checks import Binary, CheckError, check_sampler
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.label_rbm import LabelRBM
from minigen.training import fit

from .machines import states

D, K, H = 3, 3, 2


def random_model(seed=0, dtype=np.float64, d=D, k=K, h=H, scale=1.2):
    rng = np.random.default_rng(seed)
    model = LabelRBM(d, k, h, rng=rng, dtype=dtype)
    for p in model.parameters():
        p.data[...] = scale * rng.standard_normal(p.shape)
    return model


def rows():
    """Every (v, y) as [v, one-hot y], y fastest: (2^D K, D + K)."""
    return np.array([[*v, *y] for v in states(D) for y in np.eye(K)])


def joint(model):
    """exp(-E(v, y, h)) by the formula, parts apart: (2^D K, 2^H)."""
    W, U, b, d, c = model.W.data[:D], model.W.data[D:], model.b.data[:D], model.b.data[D:], model.c.data
    return np.array([[np.exp(v @ W @ h + b @ v + U[y] @ h + d[y] + c @ h) for h in states(H)]
                     for v in states(D) for y in range(K)])


def test_energy_free_energy_and_log_z():
    model, table = random_model(), joint(random_model())
    x, h = np.repeat(rows(), 4, 0), np.tile(states(H), (len(rows()), 1))
    np.testing.assert_allclose(np.exp(-ad.value(model.energy(x, h))), table.ravel(), rtol=1e-12)
    np.testing.assert_allclose(np.exp(-model.free_energies(rows())), table.sum(1), rtol=1e-12)
    assert model.log_z() == pytest.approx(np.log(table.sum()), rel=1e-12)
    np.testing.assert_allclose(np.exp(model.log_likelihood(rows()).value), table.sum(1) / table.sum(), rtol=1e-12)


def test_labels_given_a_picture():
    model, table = random_model(1), joint(random_model(1)).sum(1).reshape(8, K)
    np.testing.assert_allclose(np.exp(ad.value(model.label_log_prob(states(D)))), table / table.sum(1, keepdims=True),
                               rtol=1e-12)
    np.testing.assert_array_equal(model.predict(states(D)), table.argmax(1))
    likelihood = model.marginal_log_likelihood(states(D))
    np.testing.assert_allclose(np.exp(likelihood.value), table.sum(1) / table.sum(), rtol=1e-12)
    assert likelihood.kind == "exact"


def test_conditionals_of_the_joint():
    model, table = random_model(2), joint(random_model(2))
    np.testing.assert_allclose(model.hidden_probabilities(rows()), table @ states(H) / table.sum(1, keepdims=True),
                               rtol=1e-12)
    np.testing.assert_allclose(model.visible_probabilities(states(H)), table.T @ rows() / table.sum(0)[:, None],
                               rtol=1e-12)
    np.testing.assert_array_equal(model.visible_mean(states(H)), model.visible_probabilities(states(H)))


def test_given_a_label_it_is_an_rbm():
    model, table = random_model(3), joint(random_model(3)).reshape(8, K, 4)
    for y in range(K):
        np.testing.assert_allclose(np.exp(model.given(y).log_likelihood(states(D)).value),
                                   table[:, y].sum(1) / table[:, y].sum(), rtol=1e-11)


def test_gradient_of_the_label_log_prob():
    model, v = random_model(4), states(D)[[1, 6]]
    ad.sum(model.label_log_prob(v)[:, 1]).backward()
    for p in model.parameters():
        slope, kept = p.grad if p.grad is not None else np.zeros(p.shape), p.data.copy()
        for entry in np.ndindex(p.shape):
            ends = []
            for step in (1e-5, -1e-5):
                p.data[...] = kept
                p.data[entry] += step
                ends.append(ad.value(model.label_log_prob(v))[:, 1].sum())
            assert slope[entry] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)
        p.data[...] = kept


MODEL = random_model(5)
START = rows()[13]


def after(sweeps):
    """log p(x) after so many sweeps from START, by powers of the matrix p(h | x) p(x' | h) of the joint."""
    table = joint(MODEL)
    step = (table / table.sum(1, keepdims=True)) @ (table / table.sum(0)).T
    law = np.linalg.matrix_power(step, sweeps)[13]

    def log_prob(x):
        same = (x[:, None] == rows()).all(2)
        with np.errstate(divide="ignore"):
            return np.log(same @ law)
    return log_prob


def chain_test(draw, sweeps=2, n=40_000):
    """Chains from one row against the exact law; a right sampler fails with probability 1e-6."""
    drawn = draw(np.tile(START, (n, 1)), np.random.default_rng(6))
    return check_sampler(drawn, after(sweeps), Binary(D + K), alpha=1e-6)


@pytest.mark.parametrize("sweeps", [1, 2, 3])
def test_chains_follow_the_exact_law(sweeps):
    assert chain_test(lambda x, rng: MODEL.gibbs(x, sweeps, rng), sweeps).passed


def test_single_precision_and_long_chains():
    model = random_model(5, dtype=np.float32)
    drawn = model.sample(40_000, np.random.default_rng(7), sweeps=40)
    assert drawn.dtype == np.float32
    assert check_sampler(drawn, after(200), Binary(D + K), alpha=1e-6).passed


def changed(place, amount):
    model = random_model(5)
    model.b.data[place] += amount
    return model


def at_once(x, rng):
    h = MODEL.sample_hidden(x, rng)
    for _ in range(2):
        h, x = MODEL.sample_hidden(x, rng), MODEL.sample_visible(h, rng)
    return x


class Reused(np.random.Generator):
    """Hands out the same uniforms at every call."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None, dtype=np.float64, out=None):
        return np.random.default_rng(8).random(size, dtype)


def with_the_same_numbers(x):
    for _ in range(2):
        x = MODEL.sample_visible(MODEL.sample_hidden(x, Reused()), Reused())
    return x


def independent_labels(x, rng):
    """Every label unit by its own sigmoid, as a plain RBM would."""
    for _ in range(2):
        h = MODEL.sample_hidden(x, rng)
        x = (rng.random(x.shape) < ad.sigmoid(MODEL.visible_logits(h))).astype(float)
    return x


BROKEN = {
    "wrong visible bias": lambda x, rng: changed(0, 0.2).gibbs(x, 2, rng),
    "wrong label bias": lambda x, rng: changed(D + 1, 0.2).gibbs(x, 2, rng),
    "both sides at once": at_once,
    "reused random numbers": lambda x, rng: with_the_same_numbers(x),
    "one sweep too few": lambda x, rng: MODEL.gibbs(x, 1, rng),
    "one sweep too many": lambda x, rng: MODEL.gibbs(x, 3, rng),
    "labels by sigmoids": independent_labels,
}


@pytest.mark.parametrize("slip", BROKEN)
def test_the_exact_law_rejects(slip):
    with pytest.raises(CheckError):
        chain_test(BROKEN[slip])


def toy(rng, n=300):
    """Label k has pixel k black in nine cases of ten, the others in one."""
    labels = rng.integers(0, K, n)
    return (rng.random((n, D)) < np.where(np.eye(K)[labels] == 1, 0.9, 0.1)).astype(np.float32), labels


def test_contrastive_divergence_raises_the_exact_likelihood():
    rng = np.random.default_rng(9)
    v, labels = toy(rng)
    model = LabelRBM(D, K, 6, rng=rng)
    data = model.join(v, labels)
    model.fit_to(data, rng)
    np.testing.assert_allclose(np.exp(model.b.data[D:]), (np.bincount(labels) + 1) / (len(v) + K), rtol=1e-5)
    before = model.log_likelihood(data).mean()
    trainer = ContrastiveDivergence(model, k=2)
    fit(trainer, data, optimizer=optim.SGD(trainer.parameters(), lr=0.2), epochs=40, batch_size=20, rng=rng,
        progress=False)
    assert model.log_likelihood(data).mean() > before + 0.4
    assert (model.predict(v) == labels).mean() > 0.75


def test_join_writes_one_hot_rows_that_pass_the_check():
    model = random_model(dtype=np.float32)
    x = model.join(states(D)[:3], np.array([2, 0, 1]))
    np.testing.assert_array_equal(x[:, D:], [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert x.dtype == np.float32
    model.check(x)


@pytest.mark.parametrize(("call", "words"), [
    (lambda m: LabelRBM(3, 1, 2, rng=np.random.default_rng(0)), "n_labels 1"),
    (lambda m: LabelRBM(3, 3, 0, rng=np.random.default_rng(0)), "must be positive"),
    (lambda m: m.join(np.zeros((2, 4)), [0, 1]), r"\(2, 4\); expected \(n, 3\)"),
    (lambda m: m.join(np.zeros((2, 3)), [0, 3]), "in 0..2"),
    (lambda m: m.join(np.zeros((2, 3)), [0, 0.5]), "whole numbers"),
    (lambda m: m.join(np.zeros((2, 3)), [0]), r"expected \(2,\)"),
    (lambda m: m.label_log_prob(np.zeros((2, 6))), r"\(2, 6\); expected \(n, 3\)"),
    (lambda m: m.predict(np.full((1, 3), np.nan)), "value nan"),
    (lambda m: m.marginal_log_likelihood(np.full((1, 3), 0.5)), "value 0.5"),
    (lambda m: m.check(np.zeros((2, 5))), r"\(2, 5\)"),
    (lambda m: m.check(np.zeros((0, 6))), "n >= 1"),
    (lambda m: m.check(np.zeros((1, 6))), "row 0 has 0 labels"),
    (lambda m: m.check(np.ones((1, 6))), "row 0 has 3 labels"),
    (lambda m: m.check(np.full((1, 6), 0.5)), "zeros and ones"),
    (lambda m: m.check(np.full((1, 6), np.nan)), "v holds nan"),
    (lambda m: ContrastiveDivergence(m).loss(np.ones((1, 6)), np.random.default_rng(0)), "row 0 has 3 labels"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(random_model())
