"""The RBM against its own enumeration: energies, conditionals, partition function, gradients, samples."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.rbm import FEW_CHAINS, RBM
from minigen.energy.sampling import flip, stream
from minigen.training import fit

from .machines import random_rbm, states

D, H = 5, 3


def joint(rbm):
    """exp(-E) of every (v, h) by the formula, written out: (2^D, 2^H)."""
    W, b, c = rbm.W.data, rbm.b.data, rbm.c.data
    return np.array([[np.exp(v @ W @ h + b @ v + c @ h) for h in states(H)] for v in states(D)])


def test_energy_and_free_energy():
    rbm, table = random_rbm(), joint(random_rbm())
    v, h = states(D)[:, None], states(H)[None]
    with ad.no_grad():
        np.testing.assert_allclose(np.exp(-ad.value(rbm.energy(np.broadcast_to(v, (32, 8, D)),
                                                               np.broadcast_to(h, (32, 8, H))))), table)
        np.testing.assert_allclose(np.exp(-ad.value(rbm.free_energy(states(D)))), table.sum(1))


@pytest.mark.parametrize(("d", "h"), [(D, H), (H, D), (4, 4), (1, 6)])
def test_log_z_by_either_side(d, h):
    rbm = random_rbm(1, d=d, h=h)
    W, b, c = rbm.W.data, rbm.b.data, rbm.c.data
    both = sum(np.exp(v @ W @ u + b @ v + c @ u) for v in states(d) for u in states(h))
    assert rbm.log_z() == pytest.approx(np.log(both), rel=1e-12)


def test_log_z_of_independent_units_is_a_product():
    rbm = random_rbm(2, d=30, h=18)
    rbm.W.data[...] = 0
    truth = np.logaddexp(0, rbm.b.data).sum() + np.logaddexp(0, rbm.c.data).sum()
    assert rbm.log_z() == pytest.approx(truth, rel=1e-12)


def test_likelihood_is_a_distribution():
    rbm = random_rbm()
    likelihood = rbm.log_likelihood(states(D))
    assert likelihood.kind == "exact"
    assert np.exp(likelihood.value).sum() == pytest.approx(1, rel=1e-12)


class Swapped(RBM):
    """The printed conditionals of S4:129: each side takes the other's bias (D = H makes it run)."""

    def hidden_probabilities(self, v):
        return ad.sigmoid(v @ self.W.data + self.b.data)


def test_conditionals_against_the_enumerated_joint():
    rbm, table = random_rbm(), joint(random_rbm())
    table /= table.sum()
    for i, v in enumerate(states(D)):
        np.testing.assert_allclose(rbm.hidden_probabilities(v), table[i] @ states(H) / table[i].sum())
    for j, h in enumerate(states(H)):
        np.testing.assert_allclose(rbm.visible_probabilities(h), table[:, j] @ states(D) / table[:, j].sum())


def test_swapped_biases_are_rejected():
    rng = np.random.default_rng(3)
    wrong = Swapped(4, 4, rng=rng, dtype=np.float64)
    for p in wrong.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    right = RBM(4, 4, rng=rng, dtype=np.float64)
    right.load_state_dict(wrong.state_dict())
    v = states(4)
    assert np.abs(wrong.hidden_probabilities(v) - right.hidden_probabilities(v)).max() > 0.1


def gradient_of_log_likelihood(rbm, data):
    """Central differences of the mean exact log-likelihood, parameter by parameter."""
    out = []
    for p in rbm.parameters():
        g = np.zeros(p.shape)
        for i in np.ndindex(p.shape):
            kept = p.data[i]
            values = []
            for step in (1e-5, -1e-5):
                p.data[i] = kept + step
                values.append(rbm.log_likelihood(data).mean())
            p.data[i] = kept
            g[i] = (values[0] - values[1]) / 2e-5
        out.append(g)
    return out


def test_cd_gradient_with_exact_chains_is_the_likelihood_gradient():
    """With v_k ~ p exactly, E[grad of F(v) - F(v_k)] is minus the gradient of log p."""
    rbm, rng = random_rbm(4, scale=0.7), np.random.default_rng(5)
    data = (rng.random((40, D)) < 0.4).astype(float)
    weights = np.exp(rbm.log_likelihood(states(D)).value)
    loss = ad.mean(rbm.free_energy(data)) - ad.sum(weights * rbm.free_energy(states(D)))
    loss.backward()
    for p, truth in zip(rbm.parameters(), gradient_of_log_likelihood(rbm, data)):
        np.testing.assert_allclose(-p.grad, truth, atol=1e-8)


def test_long_chains_follow_the_model():
    rbm = random_rbm(8, scale=0.5)
    drawn = rbm.sample(20_000, np.random.default_rng(9), sweeps=60)
    counts = np.bincount((drawn @ (1 << np.arange(D)[::-1])).astype(int), minlength=1 << D)
    expected = np.exp(rbm.log_likelihood(states(D)).value) * len(drawn)
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic < 31 + 6 * np.sqrt(62)  # 31 degrees of freedom: about one false alarm in 10^6
    biased = random_rbm(8, scale=0.5)
    biased.b.data += 0.1
    assert ((counts - np.exp(biased.log_likelihood(states(D)).value) * len(drawn)) ** 2 / expected).sum() > 100


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [None, np.array([0, 300, -300])])
def test_flips_take_the_place_of_their_inputs(dtype, bias):
    inputs = np.array([[300, -300, -20], [-300, 20, 300]], dtype)
    right = inputs > 0 if bias is None else [[1, 0, 0], [0, 1, 0]]
    given = inputs.copy()
    if bias is not None:
        given[0, 1], given[1, 2] = -900, 250
    found = flip(given, stream(np.random.default_rng(0)), None if bias is None else bias.astype(dtype))
    assert found is given and np.array_equal(found, right)


def test_training_raises_the_exact_likelihood():
    rng = np.random.default_rng(10)
    data = np.repeat(np.eye(6, dtype=np.float32), 50, axis=0)
    rbm = RBM(6, 8, rng=rng)
    before = rbm.log_likelihood(data).mean()
    fit(ContrastiveDivergence(rbm), data, optimizer=optim.SGD(rbm.parameters(), lr=0.2), epochs=60, batch_size=20,
        rng=rng, progress=False)
    after = rbm.log_likelihood(data).mean()
    assert after > before + 1 and after <= -np.log(6) + 1e-6


@pytest.mark.parametrize(("make", "words"), [
    (lambda rng: RBM(0, 3, rng=rng), "must be positive"),
    (lambda rng: RBM(30, 26, rng=rng).log_z(), "at most 25"),
    (lambda rng: RBM(4, 3, rng=rng).free_energy(np.zeros((2, 5), np.float32)), r"\(2, 5\); expected \(..., 4\)"),
])
def test_bad_input_is_one_clear_error(make, words):
    with pytest.raises(ValueError, match=words):
        make(np.random.default_rng(0))


@pytest.mark.parametrize("chains", [1, 3, FEW_CHAINS])
def test_few_chains_draw_what_many_do(chains):
    """Rows of active units added up give the states that products give, from one stream: bit for bit."""
    rbm, seed = RBM(12, 7, rng=np.random.default_rng(0)), 5
    rbm.W.data[...] *= 50
    v = (np.random.default_rng(1).random((chains, 12)) < 0.5).astype(np.float32)
    few, rng = rbm.gibbs(v, 4, np.random.default_rng(seed)), stream(np.random.default_rng(seed))
    for _ in range(4):
        v = rbm.sample_visible(rbm.sample_hidden(v, rng), rng)
    np.testing.assert_array_equal(few, v)
