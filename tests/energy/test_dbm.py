"""The DBM against its own enumeration: energies, conditionals, mean field, likelihoods, samplers, training."""

from itertools import product

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.checks import CheckError, Conditional, check_bound, check_conditionals, check_sampler
from minigen.checks.domains import Binary
from minigen.energy.ais import ais
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.dbm import DBM
from minigen.energy.dbm_centred import CentredDBM
from minigen.energy.dbm_pretraining import CopiesRBM, assemble, pretrain
from minigen.energy.dbm_rows import Rows
from minigen.energy.dbm_training import VariationalPCD
from minigen.kernels.stream import Stream
from minigen.training import fit

from .machines import cut, states

TWO, THREE = (4, 3, 2), (4, 3, 2, 3)
ALPHA = 1e-6


def random_dbm(sizes=TWO, seed=0, scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    dbm = DBM(sizes, rng=rng, dtype=dtype)
    for p in dbm.parameters():
        p.data[...] = scale * rng.standard_normal(p.shape)
    return dbm


def log_weights(dbm, x):
    """-E of whole states (n, all units), unit by unit as the formula says."""
    total = np.zeros(len(x))
    layers = cut(x, dbm.sizes)
    for l, W in enumerate(dbm.W):
        for i, j in np.ndindex(W.shape):
            total += layers[l][:, i] * W.data[i, j] * layers[l + 1][:, j]
    for layer, b in zip(layers, dbm.b):
        for i in range(b.size):
            total += b.data[i] * layer[:, i]
    return total


def log_evidence(dbm):
    """log p(v) for every v, by summing the table of all states."""
    table = log_weights(dbm, states(sum(dbm.sizes))).reshape(2 ** dbm.sizes[0], -1)
    return ad.logsumexp(table, axis=1) - ad.logsumexp(table)


@pytest.mark.parametrize("sizes", [TWO, THREE])
def test_energy_and_log_z_and_likelihood(sizes):
    dbm, x = random_dbm(sizes), states(sum(sizes))
    with ad.no_grad():
        np.testing.assert_allclose(-ad.value(dbm.energy(cut(x, sizes))), log_weights(dbm, x), atol=1e-12)
    assert dbm.log_z() == pytest.approx(ad.logsumexp(log_weights(dbm, x)), rel=1e-12)
    likelihood = dbm.log_likelihood(states(sizes[0]))
    assert likelihood.kind == "exact"
    np.testing.assert_allclose(likelihood.value, log_evidence(dbm), atol=1e-10)


@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 2, 5), (3, 2, 4, 1)])
def test_likelihood_by_either_hidden_side(sizes):
    dbm = random_dbm(sizes, 1)
    np.testing.assert_allclose(dbm.log_likelihood(states(3)).value, log_evidence(dbm), atol=1e-10)


def claimed(dbm, wrong=None):
    """Conditionals of every layer given all others, as `check_conditionals` takes them."""
    ends = np.cumsum([0, *dbm.sizes])
    made = {}
    for l in range(len(dbm.sizes)):
        target = list(range(ends[l], ends[l + 1]))
        given = [k for k in range(ends[-1]) if k not in target]

        def probability(rest, l=l, target=target, given=given):
            x = np.zeros((len(rest), ends[-1]))
            x[:, given] = rest
            return (wrong or DBM.probabilities)(dbm, l, cut(x, dbm.sizes))

        made[f"layer {l}"] = Conditional(target, given, probability)
    return made


@pytest.mark.parametrize("sizes", [TWO, THREE])
def test_conditionals_are_those_of_the_joint(sizes):
    dbm = random_dbm(sizes, 2)
    check_conditionals(lambda x: log_weights(dbm, x), sum(sizes), claimed(dbm))


def as_printed(dbm, layer, given):
    """S4:196 with W_1 for W_2 (square layers let it run)."""
    if layer != 2:
        return DBM.probabilities(dbm, layer, given)
    z = given[1] @ dbm.W[0].data + dbm.b[2].data
    return ad.sigmoid(z + given[3] @ dbm.W[2].data.T if len(dbm.W) > 2 else z)


def without_above(dbm, layer, given):
    return ad.sigmoid((given[layer - 1] @ dbm.W[layer - 1].data if layer else 0) + dbm.b[layer].data
                      + np.zeros((len(given[0]), 1)))


@pytest.mark.parametrize("wrong", [as_printed, without_above, lambda m, l, s: 1 - DBM.probabilities(m, l, s),
                                   lambda m, l, s: ad.sigmoid(m.logits(l, s) - m.b[l].data + m.b[0].data)])
def test_wrong_conditionals_are_rejected(wrong):
    dbm = random_dbm((3, 3, 3, 3), 3)
    with pytest.raises(CheckError):
        check_conditionals(lambda x: log_weights(dbm, x), 12, claimed(dbm, wrong))


@pytest.mark.parametrize("sizes", [TWO, THREE, (2, 3, 1, 2, 2)])
def test_as_rbm_is_the_same_machine(sizes):
    dbm, x = random_dbm(sizes, 4), states(sum(sizes))
    rbm, (even, odd) = dbm.as_rbm(), dbm.sides(cut(x, sizes))
    with ad.no_grad():
        np.testing.assert_allclose(-ad.value(rbm.energy(even, odd)), log_weights(dbm, x), atol=1e-12)


# --------------------------------------------------------------------------------------------------- mean field


def posterior_gap(dbm, means):
    """KL(q || p(h | v)) by enumeration, for one datum."""
    v, hidden = means[0][0], states(sum(dbm.sizes[1:]))
    logs = log_weights(dbm, np.concatenate([np.broadcast_to(v, (len(hidden), len(v))), hidden], axis=1))
    mu = np.concatenate([m[0] for m in means[1:]])
    log_q = (hidden * np.log(mu) + (1 - hidden) * np.log1p(-mu)).sum(1)
    return np.sum(np.exp(log_q) * (log_q - logs + ad.logsumexp(logs)))


@pytest.mark.parametrize("sizes", [TWO, THREE])
def test_bound_is_a_bound_and_its_gap_is_the_divergence(sizes):
    dbm, v = random_dbm(sizes, 5, 1.5), states(sizes[0])
    gap = [posterior_gap(dbm, dbm.mean_field(row[None])) for row in v]
    check_bound(dbm.bound(v).value, dbm.log_likelihood(v).value, gap=gap, tol=1e-9)
    assert max(gap) > 0.05
    with pytest.raises(CheckError):
        check_bound(dbm.bound(v, log_z=dbm.log_z() - 1).value, dbm.log_likelihood(v).value)


@pytest.mark.parametrize("sizes", [TWO, THREE, (6, 5, 4)])
def test_mean_field_climbs_and_settles(sizes):
    dbm, v = random_dbm(sizes, 6, 2.0), states(sizes[0])
    start = [np.full((len(v), n), 0.5) for n in sizes[1:]]
    climb = [dbm.variational(dbm.mean_field(v, k, start)) for k in range(1, 12)]
    assert (np.diff(climb, axis=0) > -1e-12).all() and (climb[-1] - climb[0]).max() > 0.1
    means = dbm.mean_field(v, 500)
    for l in range(1, len(sizes)):
        np.testing.assert_allclose(means[l], dbm.probabilities(l, means), atol=1e-8)


def test_all_layers_at_once_may_fall():
    """Why coordinate ascent: layers updated in parallel do not climb."""
    dbm, v = random_dbm((4, 3, 3), 3, 2.0), states(4)
    means, climb = [v, np.full((16, 3), 0.5), np.full((16, 3), 0.5)], []
    for _ in range(12):
        means = [v, dbm.probabilities(1, means), dbm.probabilities(2, means)]
        climb.append(dbm.variational(means))
    assert np.diff(climb, axis=0).min() < -0.1


def test_bound_takes_an_estimate_of_log_z_with_its_error():
    dbm, v = random_dbm((6, 5, 4), 32, 0.7), states(6)
    estimate = ais(dbm.as_rbm(), np.random.default_rng(33), chains=200, betas=200)
    low, high = estimate.interval
    assert low < dbm.log_z() < high and high - low < 0.5
    bound = dbm.bound(v, estimate)
    assert bound.mean() == pytest.approx(dbm.bound(v).mean() + dbm.log_z() - estimate.log_z, abs=1e-10)
    assert bound.mean_standard_error() == pytest.approx(estimate.standard_error)


def test_single_precision_kernels_say_what_the_formula_says():
    dbm, v = random_dbm((6, 5, 4), 7, dtype=np.float32), states(6).astype(np.float32)
    means = dbm.mean_field(v, 7)
    double = random_dbm((6, 5, 4), 7).mean_field(states(6), 7)
    for a, b in zip(means, double):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=2e-6)


# ------------------------------------------------------------------------------------------------------ samplers


def chains(dbm, n, rng, sweeps=25):
    began = [(rng.random((n, size)) < 0.5).astype(dbm.W[0].dtype) for size in dbm.sizes]
    return np.concatenate(dbm.gibbs(began, sweeps, rng), axis=1)


def log_joint(dbm):
    log_z = dbm.log_z()
    return lambda x: log_weights(dbm, x) - log_z


@pytest.mark.parametrize(("sizes", "dtype"), [((3, 2, 2), np.float64), ((3, 2, 2), np.float32),
                                              ((2, 2, 2, 2), np.float32)])
def test_block_gibbs_follows_the_joint(sizes, dtype):
    dbm = random_dbm(sizes, 8, dtype=dtype)
    check_sampler(lambda n, rng: chains(dbm, n, rng), log_joint(dbm), Binary(sum(sizes)), n=60_000,
                  rng=Stream(np.random.default_rng(9)), alpha=ALPHA)


def by_hand(dbm, slip, n, rng, sweeps=25):
    """The same chains in plain NumPy, with a slip."""
    x = [(rng.random((n, size)) < 0.5).astype(float) for size in dbm.sizes]
    for _ in range(sweeps):
        old = list(x)
        for layer in (*range(1, len(x), 2), *range(0, len(x), 2)):
            z = dbm.logits(layer, old if slip == "all layers at once" else x)
            if slip == "bias of another layer" and layer == 1:
                z = z - dbm.b[1].data + dbm.b[2].data
            if slip == "W1 for W2" and layer == 2:
                z = x[1] @ dbm.W[0].data[:2] + dbm.b[2].data
            if slip == "the same random numbers again":
                rng = np.random.default_rng(layer)
            x[layer] = (rng.random(z.shape) < ad.sigmoid(z)).astype(float)
    if slip == "one layer a sweep behind":
        x[1] = old[1]
    return np.concatenate(x, axis=1)


SLIPS = ("bias of another layer", "W1 for W2", "all layers at once", "the same random numbers again",
         "one layer a sweep behind")


def test_chains_by_hand_pass_and_slips_are_rejected():
    dbm = random_dbm((3, 2, 2), 8)
    for slip in ("", *SLIPS):
        drawn = by_hand(dbm, slip, 60_000, np.random.default_rng(10))
        if slip:
            with pytest.raises(CheckError, match="chi-square"):
                check_sampler(drawn, log_joint(dbm), Binary(7), alpha=ALPHA)
        else:
            check_sampler(drawn, log_joint(dbm), Binary(7), alpha=ALPHA)


def test_sample_is_the_visible_layer_of_long_chains():
    dbm = random_dbm((3, 2, 2), 11, dtype=np.float32)
    check_sampler(lambda n, rng: dbm.sample(n, rng, sweeps=25), lambda v: dbm.log_likelihood(v).value, Binary(3),
                  n=60_000, rng=np.random.default_rng(12), alpha=ALPHA)


# ------------------------------------------------------------------------------------------------------ training


def gradients_of(trainer, v, seed):
    into = {name: np.full_like(p.data, np.nan) for name, p in trainer.named_parameters()}
    return trainer.loss_and_gradients(v, np.random.default_rng(seed), into), into


@pytest.mark.parametrize(("sizes", "dtype", "tol"), [(TWO, np.float64, 1e-10), (THREE, np.float64, 1e-10),
                                                     (THREE, np.float32, 1e-5)])
def test_products_give_the_gradient_of_the_tape(sizes, dtype, tol):
    trainer = VariationalPCD(random_dbm(sizes, 13, dtype=dtype), chains=7, rng=np.random.default_rng(14))
    v = (np.random.default_rng(15).random((5, 4)) < 0.5).astype(dtype)
    taped = trainer.loss(v, np.random.default_rng(16))
    taped.total.backward()
    by_tape = {name: p.grad.copy() for name, p in trainer.named_parameters()}
    values, into = gradients_of(trainer, v, 16)
    assert values["loss"] == pytest.approx(taped.total.item(), rel=1e-5)
    for name, slope in by_tape.items():
        np.testing.assert_allclose(into[name], slope, atol=tol, err_msg=name)


def test_with_exact_phases_it_is_the_gradient_of_the_bound():
    """q at its optimum and fantasies in the proportions of p(v, h): minus the slope of the mean bound."""
    sizes = (3, 2, 2)
    dbm, v = random_dbm(sizes, 17, 0.7), np.array([[1.0, 0, 1], [0, 0, 1]])
    x = states(7)
    weights = np.exp(log_joint(dbm)(x))
    means = dbm.mean_field(v, 300)
    loss = ad.mean(dbm.energy(means)) - ad.sum(weights * dbm.energy(cut(x, sizes)))
    loss.backward()
    for name, p in dbm.named_parameters():
        slope = p.grad.copy()
        for i in np.ndindex(p.shape):
            kept, found = p.data[i], []
            for step in (1e-5, -1e-5):
                p.data[i] = kept + step
                found.append(dbm.bound(v, steps=300).mean())
            p.data[i] = kept
            assert -slope[i] == pytest.approx((found[0] - found[1]) / 2e-5, abs=1e-6), name


def test_chains_move_in_training_and_stay_in_validation():
    trainer = VariationalPCD(random_dbm(), chains=50, gibbs=1, rng=np.random.default_rng(18))
    v, before = states(4), [c.numpy() for c in trainer.chains]
    trainer.loss(v, np.random.default_rng(19))
    assert all((c.numpy() == b).all() for c, b in zip(trainer.chains, before))
    gradients_of(trainer, v, 19)
    moved = [c.numpy() for c in trainer.chains]
    assert all((m != b).any() for m, b in zip(moved, before))
    expected = trainer.model.gibbs(before, 1, np.random.default_rng(19))
    for m, e in zip(moved, expected):
        np.testing.assert_array_equal(m, e)


# ------------------------------------------------------------------------------------------------------- centred


@pytest.mark.parametrize("sizes", [TWO, THREE])
def test_centred_energy_is_the_plain_one_and_a_constant(sizes):
    dbm, rng = random_dbm(sizes, 20), np.random.default_rng(21)
    centred = CentredDBM(dbm, [rng.random(n) for n in sizes])
    x = cut(states(sum(sizes)), sizes)
    with ad.no_grad():
        difference = ad.value(centred.energy(x)) - ad.value(dbm.energy(x))
    assert np.ptp(difference) < 1e-11 and np.abs(difference).max() > 0.1
    back = centred.plain()
    for a, b in zip(back.parameters(), dbm.parameters()):
        np.testing.assert_allclose(a.data, b.data, atol=1e-12)


@pytest.mark.parametrize("sizes", [TWO, THREE])
def test_a_centred_step_is_a_step_in_centred_coordinates(sizes):
    """The trainer's plain parameters after its step = a gradient step of the centred energy, converted back."""
    rng, rate = np.random.default_rng(22), 0.1
    trainer = VariationalPCD(random_dbm(sizes, 23), chains=6, centre=0.3, rng=rng)
    v = (rng.random((5, 4)) < 0.5).astype(float)
    data, fantasies = trainer.data_phase(v).values, trainer.model_phase(np.random.default_rng(24)).values
    data, fantasies = [a.copy() for a in data], [a.copy() for a in fantasies]
    offsets = [0.7 * o.data + 0.3 * a.mean(0) for o, a in zip(trainer.offsets, data)]
    centred = CentredDBM(trainer.model, offsets)
    contrast = ad.mean(centred.energy(data)) - ad.mean(centred.energy(fantasies))
    contrast.backward()
    optim.SGD(centred.parameters(), lr=rate).step()
    values, into = gradients_of(trainer, v, 24)
    assert values["loss"] == pytest.approx(contrast.item(), rel=1e-9)
    for name, p in trainer.named_parameters():
        p.data -= rate * into[name]
    for a, b in zip(trainer.model.parameters(), centred.plain().parameters()):
        np.testing.assert_allclose(a.data, b.data, atol=1e-10)


# --------------------------------------------------------------------------------------- learning, bottom to top


def stripes(n, rng):
    """3x3 pictures whose rows or whose columns are black or white: 14 of the 512."""
    lines = (rng.random((n, 3, 1)) < 0.5) * np.ones((1, 1, 3))
    return np.where(rng.random((n, 1, 1)) < 0.5, lines, lines.transpose(0, 2, 1)).reshape(n, 9).astype(np.float32)


def trained(dbm, data, epochs, rng, centre=0.0, slip=False):
    trainer = VariationalPCD(dbm, centre=centre, rng=rng)
    if slip:
        trainer.model_phase = mean_field_in_both_phases(trainer)
    fit(trainer, data, optimizer=optim.SGD(trainer.parameters(), lr=0.2), epochs=epochs, batch_size=50, rng=rng,
        progress=False)
    return dbm.log_likelihood(data[:200]).mean()


@pytest.mark.parametrize("centre", [0.0, 0.02])
def test_training_raises_the_exact_likelihood(centre):
    rng = np.random.default_rng(25)
    data, dbm = stripes(600, rng), DBM((9, 8, 6), rng=rng)
    before = dbm.log_likelihood(data[:200]).mean()
    after = trained(dbm, data, 80, rng, centre)
    assert before == pytest.approx(-6.24, abs=0.05), "near fair coins"
    assert after > -3.8, "2.7 nats are the entropy of the data"
    assert dbm.bound(data[:200]).mean() <= after


def mean_field_in_both_phases(trainer):
    """The model phase by mean field from the chains' states: the slip of S4:216."""
    def model_phase(rng):
        rows = Rows(trainer.model, len(trainer.chains[0].data)).take([c.data for c in trainer.chains])
        for _ in range(20):
            for layer in (1, 0, 2):
                rows.means(layer)
        return rows
    return model_phase


def test_mean_field_in_the_model_phase_loses_likelihood():
    rng = np.random.default_rng(26)
    data, dbm = stripes(600, rng), DBM((9, 8, 6), rng=rng)
    good = trained(dbm, data, 80, rng, 0.02)
    kept = dbm.state_dict()
    onward = trained(dbm, data, 10, np.random.default_rng(27), 0.02)
    dbm.load_state_dict(kept)
    slipped = trained(dbm, data, 10, np.random.default_rng(27), 0.02, slip=True)
    assert onward > good - 0.3 and slipped < good - 1


# --------------------------------------------------------------------------------------------------- pretraining


def copies_log_weights(rbm, v, h, copies):
    """-E of `copies` = (m, k) states of both sides, each pair connected."""
    total = sum(u @ rbm.b.data for u in v) + sum(g @ rbm.c.data for g in h)
    return total + sum(u @ rbm.W.data @ g for u in v for g in h)


@pytest.mark.parametrize("copies", [(2, 1), (1, 2), (2, 2)])
def test_copies_have_their_conditionals_and_free_energy(copies):
    rng = np.random.default_rng(27)
    rbm = CopiesRBM(3, 2, copies=copies, rng=rng, dtype=np.float64)
    for p in rbm.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    m, k = copies
    for v in states(3):
        table = np.array([copies_log_weights(rbm, [v] * m, gs, copies) for gs in product(states(2), repeat=k)])
        first = np.array([gs[0] for gs in product(states(2), repeat=k)])
        weights = np.exp(table - ad.logsumexp(table))
        np.testing.assert_allclose(rbm.hidden_probabilities(v), weights @ first, atol=1e-12)
        with ad.no_grad():
            assert ad.value(rbm.free_energy(v)) == pytest.approx(-ad.logsumexp(table), abs=1e-12)
    for h in states(2):
        table = np.array([copies_log_weights(rbm, us, [h] * k, copies) for us in product(states(3), repeat=m)])
        first = np.array([us[0] for us in product(states(3), repeat=m)])
        weights = np.exp(table - ad.logsumexp(table))
        np.testing.assert_allclose(rbm.visible_probabilities(h), weights @ first, atol=1e-12)


def test_copies_train_by_products_as_on_the_tape():
    rng = np.random.default_rng(28)
    rbm = CopiesRBM(4, 3, copies=(2, 2), rng=rng, dtype=np.float64)
    trainer, v = ContrastiveDivergence(rbm), states(4)
    taped = trainer.loss(v, np.random.default_rng(29))
    taped.total.backward()
    by_tape = {name: p.grad.copy() for name, p in trainer.named_parameters()}
    values, into = gradients_of(trainer, v, 29)
    assert values["loss"] == pytest.approx(taped.total.item(), abs=1e-10)
    for name, slope in by_tape.items():
        np.testing.assert_allclose(into[name], slope, atol=1e-12)


def test_the_stack_is_the_geometric_mean_of_its_two_halves():
    rng = np.random.default_rng(30)
    below = CopiesRBM(3, 2, copies=(2, 1), rng=rng, dtype=np.float64)
    above = CopiesRBM(2, 4, copies=(1, 2), rng=rng, dtype=np.float64)
    for p in (*below.parameters(), *above.parameters()):
        p.data[...] = rng.standard_normal(p.shape)
    dbm = random_dbm((3, 2, 4))
    assemble(dbm, [below, above])
    h = states(2)
    half = np.array([[ad.logsumexp(np.array([copies_log_weights(below, us, [g], (2, 1))
                                             for us in product(states(3), repeat=2)])),
                      ad.logsumexp(np.array([copies_log_weights(above, [g], ts, (1, 2))
                                             for ts in product(states(4), repeat=2)]))] for g in h])
    whole = log_weights(dbm, states(9)).reshape(8, 4, 16)
    marginal = ad.logsumexp(ad.logsumexp(whole, axis=2), axis=0)
    np.testing.assert_allclose(marginal, half.mean(1), atol=1e-12)


def test_pretraining_gives_a_start_above_chance_and_meets_the_stack():
    rng = np.random.default_rng(31)
    data, dbm = stripes(400, rng), DBM((9, 8, 6, 4), rng=rng)
    histories = pretrain(dbm, data, trainer=ContrastiveDivergence, epochs=(40, 10, 10), batch_size=50, rng=rng,
                         optimizer=lambda t: optim.SGD(t.parameters(), lr=0.2))
    assert [len(h.records) for h in histories] == [40, 10, 10]
    assert dbm.log_likelihood(data).mean() > -6.0
    assert np.abs(dbm.W[0].data).max() > 0.3


# ------------------------------------------------------------------------------------------------------ bad input


def trainer_of(**settings):
    return VariationalPCD(random_dbm(), rng=np.random.default_rng(0), **settings)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: DBM((4, 3), rng=np.random.default_rng(0)), "at least two hidden"),
    (lambda: DBM((4, 0, 3), rng=np.random.default_rng(0)), r"sizes\[1\] is 0"),
    (lambda: random_dbm().bound(np.zeros((3, 5))), r"\(3, 5\); expected \(n, 4\)"),
    (lambda: random_dbm().bound(np.full((3, 4), 0.5)), "holds 0.5; expected zeros and ones"),
    (lambda: random_dbm().log_likelihood(np.full((3, 4), np.nan)), "holds nan"),
    (lambda: random_dbm().mean_field(np.zeros((0, 4))), "n >= 1"),
    (lambda: random_dbm((2, 30, 26)).log_z(), "at most 25"),
    (lambda: random_dbm((2, 24, 21)).log_likelihood(np.zeros((1, 2)), log_z=0.0), "at most 20"),
    (lambda: random_dbm().gibbs([np.zeros((2, 4))], 1, np.random.default_rng(0)), "1 layers; expected 3"),
    (lambda: trainer_of(centre=1.0), "centre is 1.0"),
    (lambda: trainer_of(gibbs=0), "gibbs is 0"),
    (lambda: trainer_of(mean_field=0), "mean_field is 0"),
    (lambda: trainer_of(chains=0), "chains is 0"),
    (lambda: trainer_of().data_phase(np.full((3, 4), 2.0)), "zeros and ones"),
    (lambda: CentredDBM(random_dbm(), [np.zeros(4)] * 3), "offsets have shapes"),
    (lambda: CopiesRBM(3, 2, copies=(0, 1), rng=np.random.default_rng(0)), "copies is"),
    (lambda: pretrain(random_dbm(), states(4), trainer=None, optimizer=None, epochs=(1, 2, 3),
                      rng=np.random.default_rng(0)), "each of the 2 RBMs"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
