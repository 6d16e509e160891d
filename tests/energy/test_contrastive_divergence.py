"""Trainers: gradients against the tape and against the exact one, chains against the enumerated model."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
from minigen.energy.parallel_tempering import ParallelTempering
from minigen.energy.rbm import RBM
from minigen.energy.sampling import stream
from minigen.training import TrainingError, fit

from .machines import random_rbm, some_rows, states

D, H = 5, 3
TRAINERS = {
    "CD-1": lambda rbm, rng: ContrastiveDivergence(rbm),
    "CD-3": lambda rbm, rng: ContrastiveDivergence(rbm, 3),
    "PCD": lambda rbm, rng: PersistentCD(rbm, chains=7, rng=rng),
    "PCD-2, fast weights": lambda rbm, rng: PersistentCD(rbm, 2, chains=7, fast_rate=0.05, rng=rng),
    "parallel tempering": lambda rbm, rng: ParallelTempering(rbm, chains=7, betas=(1, 0.6, 0.2, 0), rng=rng),
}
every_trainer = pytest.mark.parametrize("name", TRAINERS)


def explicit(trainer, v, seed):
    into = {name: np.full(p.shape, np.nan, p.dtype) for name, p in trainer.named_parameters()}
    return trainer.loss_and_gradients(v, np.random.default_rng(seed), into)["loss"], into


@every_trainer
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_give_what_the_tape_gives(name, dtype):
    trainer = TRAINERS[name](random_rbm(dtype=dtype), np.random.default_rng(2))
    v = some_rows(dtype=dtype)
    loss = trainer.loss(v, np.random.default_rng(3)).total
    loss.backward()
    taped = {name: p.grad for name, p in trainer.named_parameters()}
    value, gradients = explicit(trainer, v, 3)
    near = dict(atol=1e-12) if dtype == np.float64 else dict(atol=2e-6)
    assert value == pytest.approx(float(ad.value(loss)), abs=1e-12 if dtype == np.float64 else 1e-5)
    assert gradients.keys() == taped.keys() == {"model.W", "model.b", "model.c"}
    for key, g in taped.items():
        np.testing.assert_allclose(gradients[key], g, **near)


def test_a_model_without_products_is_differentiated_on_the_tape():
    class Plain(RBM):
        contrast = property()  # hasattr says no

    plain = Plain(D, H, rng=np.random.default_rng(0), dtype=np.float64)
    plain.load_state_dict(random_rbm().state_dict())
    assert not hasattr(plain, "contrast")
    for a, b in zip(*(explicit(ContrastiveDivergence(m), some_rows(), 4)[1].values() for m in (plain, random_rbm()))):
        np.testing.assert_allclose(a, b, atol=1e-12)


def sweep_matrix(rbm):
    """p(v' | v) of one Gibbs sweep, the hidden units summed out: (2^D, 2^D)."""
    v, h = states(D), states(H)

    def table(p, s):
        return np.prod(np.where(s[None] == 1, p[:, None], 1 - p[:, None]), axis=-1)

    return table(rbm.hidden_probabilities(v), h) @ table(rbm.visible_probabilities(h), v)


@pytest.mark.parametrize("k", [1, 2])
def test_the_expected_gradient_is_that_of_the_exact_chain(k):
    """E[CD-k] over many draws equals the gradient under v T^k, within 5 standard errors; T^(k+1) is rejected."""
    rbm, v, n = random_rbm(4), some_rows(1), 60_000
    trainer = ContrastiveDivergence(rbm, k)
    many = np.repeat(v, n, axis=0)
    _, got = explicit(trainer, many, 5)
    chain = np.linalg.matrix_power(sweep_matrix(rbm), k)
    row = int(v[0] @ (1 << np.arange(D)[::-1]))

    def expected(chain):
        weights = chain[row]
        return -np.outer(v[0], rbm.hidden_probabilities(v)[0]) + np.einsum(
            "s,si,sj->ij", weights, states(D), rbm.hidden_probabilities(states(D)))

    error = 5 * 0.5 / np.sqrt(n)  # |v_i p_j| <= 1, so its standard deviation is at most 1/2
    assert np.abs(got["model.W"] - expected(chain)).max() < error
    assert np.abs(got["model.W"] - expected(chain @ sweep_matrix(rbm))).max() > error


@every_trainer
def test_only_updates_move_persistent_chains(name):
    trainer = TRAINERS[name](random_rbm(), np.random.default_rng(2))
    before = trainer.state_dict()
    with ad.no_grad():
        trainer.loss(some_rows(), np.random.default_rng(3))
    for key, array in trainer.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
    explicit(trainer, some_rows(), 3)
    assert ("chains" in before) == any((trainer.state_dict()[k] != before[k]).any() for k in before)


def frequencies(drawn):
    return np.bincount((drawn @ (1 << np.arange(D)[::-1])).astype(int), minlength=1 << D)


def chi_square(counts, rbm):
    """Pearson's statistic against the enumerated model; 31 degrees of freedom."""
    expected = np.exp(rbm.log_likelihood(states(D)).value) * counts.sum()
    return ((counts - expected) ** 2 / expected).sum()


LIMIT = 31 + 6 * np.sqrt(62)  # about one false alarm in a million


def fantasies(trainer, updates=40):
    dream = None
    for seed in range(updates):
        dream = trainer.dream(None, np.random.default_rng([6, seed]))
        trainer.go_on(dream, {n: np.zeros(p.shape) for n, p in trainer.model.named_parameters()})
    return dream.v


@pytest.mark.parametrize("make", [
    lambda rbm, rng: PersistentCD(rbm, chains=20_000, rng=rng),
    lambda rbm, rng: ParallelTempering(rbm, chains=8_000, betas=(1, 0.6, 0.2), rng=rng),
], ids=["PCD", "parallel tempering"])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_persistent_chains_reach_the_model(make, scale):
    rbm = random_rbm(8, scale)
    assert chi_square(frequencies(fantasies(make(rbm, np.random.default_rng(7)))), rbm) < LIMIT


class WrongBias(RBM):
    def to_visible(self, h):
        return super().to_visible(h) + 0.1


class BothLayersAtOnce(PersistentCD):
    """v and h both from the states of the step before: two chains that never meet."""

    def dream(self, logits, rng):
        if not hasattr(self, "v"):
            self.v = (np.random.default_rng(0).random((len(self.chains.data), D)) < 0.5).astype(float)
        v = self.model.sample_visible(self.chains.data, rng)
        h = self.model.sample_hidden(self.v, rng)
        joint, self.v = np.concatenate([v, h], axis=1), v
        return type("Dream", (), {"v": v, "states": h, "joint": joint})


class AlwaysExchange(ParallelTempering):
    def _exchange(self, first, energy, rng, *arrays):
        super()._exchange(first, np.zeros_like(energy), rng, *arrays)


class WrongSign(ParallelTempering):
    def _exchange(self, first, energy, rng, *arrays):
        super()._exchange(first, -energy, rng, *arrays)


@pytest.mark.parametrize("kind", [AlwaysExchange, WrongSign])
def test_wrong_exchanges_are_rejected(kind):
    rbm = random_rbm(8)
    trainer = kind(rbm, chains=8_000, betas=(1, 0.6, 0.2), rng=np.random.default_rng(7))
    assert chi_square(frequencies(fantasies(trainer)), rbm) > 2 * LIMIT


def test_wrong_chains_are_rejected():
    rbm = random_rbm(8)
    wrong = WrongBias(D, H, rng=np.random.default_rng(0), dtype=np.float64)
    wrong.load_state_dict(rbm.state_dict())
    assert chi_square(frequencies(fantasies(PersistentCD(wrong, chains=20_000, rng=np.random.default_rng(7)))), rbm) \
        > 2 * LIMIT
    few = frequencies(fantasies(PersistentCD(rbm, chains=20_000, rng=np.random.default_rng(7)), updates=1))
    assert chi_square(few, rbm) > 2 * LIMIT  # one sweep from coin flips is not there yet


def test_both_layers_at_once_lose_the_joint_distribution():
    """The margins of a parallel update look right; the pair (v, h) is wrong."""
    rbm = random_rbm(8)
    pairs = {}
    for kind in (PersistentCD, BothLayersAtOnce):
        trainer = kind(rbm, chains=20_000, rng=np.random.default_rng(7))
        for seed in range(41):
            dream = trainer.dream(None, np.random.default_rng([6, seed]))
            trainer.go_on(dream, {})
        pairs[kind] = getattr(dream, "joint", np.concatenate([dream.v, dream.states], axis=1))
    s = states(D + H)
    expected = np.exp(-ad.value(rbm.energy(s[:, :D], s[:, D:])) - rbm.log_z()) * 20_000
    kept = expected > 1

    def statistic(drawn):
        counts = np.bincount((drawn @ (1 << np.arange(D + H)[::-1])).astype(int), minlength=1 << (D + H))
        return ((counts - expected) ** 2 / expected)[kept].sum()

    limit = kept.sum() + 6 * np.sqrt(2 * kept.sum())
    assert statistic(pairs[PersistentCD]) < limit < statistic(pairs[BothLayersAtOnce]) / 2


def test_reused_random_numbers_are_rejected():
    """Chains that are handed the same numbers every time are not independent: all end in few states."""
    rbm = random_rbm(8)
    trainer = PersistentCD(rbm, chains=20_000, rng=np.random.default_rng(7))
    for _ in range(40):
        dream = trainer.dream(None, np.random.default_rng(6))
        trainer.go_on(dream, {})
    assert chi_square(frequencies(dream.v), rbm) > 2 * LIMIT


def test_fast_weights_follow_the_gradient_and_fade():
    trainer = PersistentCD(random_rbm(), chains=7, fast_rate=0.5, decay=0.9, rng=np.random.default_rng(2))
    _, first = explicit(trainer, some_rows(), 3)
    np.testing.assert_allclose(trainer.fast["W"].data, -0.5 * first["model.W"])
    _, second = explicit(trainer, some_rows(), 4)
    np.testing.assert_allclose(trainer.fast["W"].data, -0.45 * first["model.W"] - 0.5 * second["model.W"])


def test_fast_weights_move_the_chains_not_the_gradient():
    """With the same fantasies the gradient is that of the model without fast weights."""
    trainer = PersistentCD(random_rbm(), chains=7, fast_rate=5.0, rng=np.random.default_rng(2))
    explicit(trainer, some_rows(), 3)
    dream = trainer.dream(None, np.random.default_rng(4))
    slow = PersistentCD(trainer.model, chains=7, rng=np.random.default_rng(2))
    slow.chains.data[...] = trainer.chains.data
    assert (dream.v != slow.dream(None, np.random.default_rng(4)).v).any()
    np.testing.assert_array_equal(dream.logits, trainer.model.hidden_logits(dream.v))


def ladder(n):
    """W, b, c with which a unit that is on lights the next one in every sweep, and the first lights by itself."""
    return {"W": 40 * (np.eye(n) + np.eye(n, k=-1)), "b": np.where(np.arange(n) == 0, 20, -20), "c": np.full(n, -20)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("kind", ["CD", "PCD", "all in the fast weights"])
def test_a_dream_takes_k_sweeps_with_the_parameters_of_its_chains(kind, k, dtype):
    rng, rbm = np.random.default_rng(0), random_rbm(0, 0.0, dtype, d=6, h=6)
    make = {"CD": lambda: ContrastiveDivergence(rbm, k), "PCD": lambda: PersistentCD(rbm, k, chains=3, rng=rng),
            "all in the fast weights": lambda: PersistentCD(rbm, k, chains=3, fast_rate=0.1, rng=rng)}
    trainer = make[kind]()
    for name, values in ladder(6).items():
        (trainer.fast if "fast" in kind else vars(rbm))[name].data[...] = values
    if kind != "CD":
        trainer.chains.data[...] = 0
    dream = trainer.dream(np.full((3, 6), -20, dtype), stream(rng))
    np.testing.assert_array_equal(dream.v, np.tile(np.arange(6) < k, (3, 1)))
    np.testing.assert_array_equal(dream.logits, rbm.hidden_logits(dream.v))
    if kind != "CD":
        np.testing.assert_array_equal(dream.states, dream.v, "the chains go on from the last sweep")


@every_trainer
def test_training_raises_the_exact_likelihood(name):
    rng = np.random.default_rng(10)
    data = np.repeat(np.eye(6, dtype=np.float32), 50, axis=0)
    rbm = RBM(6, 8, rng=rng)
    before = rbm.log_likelihood(data).mean()
    fit(TRAINERS[name](rbm, rng), data, optimizer=optim.SGD(rbm.parameters(), lr=0.1), epochs=60, batch_size=20,
        rng=rng, progress=False)
    assert before + 1 < rbm.log_likelihood(data).mean() <= -np.log(6) + 1e-6


@every_trainer
def test_a_killed_run_goes_on_to_the_same_bits(name, tmp_path):
    ends = []
    for cut in (False, True):
        rng = np.random.default_rng(11)
        rbm = random_rbm(12, 0.1, np.float32)
        trainer = TRAINERS[name](rbm, rng)
        settings = dict(optimizer=optim.SGD(rbm.parameters(), lr=0.1, momentum=0.5), batch_size=4, rng=rng,
                        out=tmp_path / f"{name}{cut}", progress=False)
        if cut:
            fit(trainer, some_rows(dtype=np.float32), epochs=2, **settings)
            rng = np.random.default_rng(99)
            rbm = random_rbm(13, 0.1, np.float32)
            trainer = TRAINERS[name](rbm, rng)
            settings |= dict(optimizer=optim.SGD(rbm.parameters(), lr=0.1, momentum=0.5), rng=rng, resume=True)
        fit(trainer, some_rows(dtype=np.float32), epochs=5, **settings)
        ends.append(trainer.state_dict())
    for key in ends[0]:
        np.testing.assert_array_equal(ends[0][key], ends[1][key])


@pytest.mark.parametrize("lr", [1e9, 1e38])
def test_an_absurd_learning_rate_keeps_the_last_good_parameters(lr):
    rng = np.random.default_rng(0)
    rbm = random_rbm(0, 0.1, np.float32)
    kept = rbm.state_dict()
    with pytest.raises(TrainingError, match="of step 0 again"):
        fit(ContrastiveDivergence(rbm), some_rows(dtype=np.float32), optimizer=optim.SGD(rbm.parameters(), lr=lr),
            epochs=100, batch_size=4, rng=rng, progress=False)
    for name, array in rbm.state_dict().items():
        np.testing.assert_array_equal(array, kept[name])


@pytest.mark.parametrize(("v", "words"), [
    (np.full((3, D), 0.5), "0.5; expected zeros and ones"),
    (np.full((3, D), np.nan), "nan; expected zeros and ones"),
    (np.zeros((3, D + 1)), r"\(3, 6\); expected \(..., 5\)"),
    (np.zeros((0, D)), r"\(0, 5\); expected \(n, 5\) with n >= 1"),
    (np.zeros(D), r"\(5,\); expected \(n, 5\)"),
])
def test_rows_that_no_rbm_makes(v, words):
    with pytest.raises(ValueError, match=words):
        explicit(ContrastiveDivergence(random_rbm()), v, 0)


@pytest.mark.parametrize(("make", "words"), [
    (lambda rbm, rng: ContrastiveDivergence(rbm, 0), "k is 0"),
    (lambda rbm, rng: PersistentCD(rbm, chains=0, rng=rng), "chains is 0"),
    (lambda rbm, rng: PersistentCD(rbm, fast_rate=-1, rng=rng), "fast_rate is -1"),
    (lambda rbm, rng: PersistentCD(rbm, decay=1, rng=rng), "decay 1"),
    (lambda rbm, rng: ParallelTempering(rbm, betas=(0.9, 0), rng=rng), "fall from 1"),
    (lambda rbm, rng: ParallelTempering(rbm, betas=(1, 0.5, 0.5), rng=rng), "fall from 1"),
])
def test_bad_settings_are_one_clear_error(make, words):
    with pytest.raises(ValueError, match=words):
        make(random_rbm(), np.random.default_rng(0))
