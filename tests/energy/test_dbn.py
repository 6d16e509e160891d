"""The DBN against the enumerated joint: factors, likelihood, bound, sampler, and what adding a layer does."""

from contextlib import nullcontext

import numpy as np
import pytest

from minigen import optim
from minigen.checks import CheckError, check_bound, check_density, check_sampler
from minigen.checks.domains import Binary
from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
from minigen.energy.dbn import DBN
from minigen.energy.greedy import train_greedily, turn_over
from minigen.training import fit

from .machines import cut, states

ALPHA = 1e-6


def random_dbn(sizes=(4, 3, 2), seed=0, scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    dbn = DBN(sizes, rng=rng, dtype=dtype)
    for p in dbn.parameters():
        p.data[...] = scale * rng.standard_normal(p.shape)
    return dbn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def joint(dbn, slip=""):
    """p(v, h_1, ..., h_L) of every whole state, factor by factor as the formula says."""
    layers = cut(states(sum(dbn.sizes)), dbn.sizes)
    below, above = layers[-2:]
    top = dbn.rbms[-1]
    pairs = np.exp(((below @ top.W.data) * above).sum(1) + below @ top.b.data + above @ top.c.data)
    p = pairs / sum(np.exp(g @ top.W.data @ h + g @ top.b.data + h @ top.c.data)
                    for g in states(below.shape[1]) for h in states(above.shape[1]))
    if slip == "p(h1 | h2) at the top":
        on = sigmoid(above @ top.W.data.T + top.b.data)
        p = np.prod(np.where(below == 1, on, 1 - on), axis=1)
    for rbm, x, h in zip(dbn.rbms[:-1], layers, layers[1:]):
        on = sigmoid(h @ rbm.W.data.T + rbm.b.data)
        p = p * np.prod(np.where(x == 1, on, 1 - on), axis=1)
    return p


@pytest.mark.parametrize("sizes", [(4, 3, 2), (3, 2, 3, 2)])
def test_joint_and_likelihood(sizes):
    dbn = random_dbn(sizes)
    np.testing.assert_allclose(np.exp(dbn.log_joint(cut(states(sum(sizes)), sizes))), joint(dbn), atol=1e-13)
    check_density(lambda x: dbn.log_joint(cut(x, sizes)), Binary(sum(sizes)), tol=1e-10)
    likelihood = dbn.log_likelihood(states(sizes[0]))
    assert likelihood.kind == "exact"
    np.testing.assert_allclose(np.exp(likelihood.value), joint(dbn).reshape(2 ** sizes[0], -1).sum(1), atol=1e-12)


def test_the_printed_joint_counts_the_states_of_the_top_layer():
    dbn = random_dbn((4, 3, 2))
    assert joint(dbn, "p(h1 | h2) at the top").sum() == pytest.approx(4, abs=1e-12)


# --------------------------------------------------------------------------------------------------------- bound


def exact_bound(dbn, v):
    """E_q over every h_1, ..., h_(L-1), enumerated; q by the recognition."""
    below = dbn.sizes[1:-1]
    total = np.zeros(len(v))
    for h in states(sum(below)):
        layers = [v, *(np.broadcast_to(part, (len(v), len(part))) for part in cut(h, below))]
        log_q = 0.0
        for l in range(len(below)):
            q = dbn.recognise(l, layers[l])
            log_q = log_q + np.log(np.where(layers[l + 1] == 1, q, 1 - q)).sum(1)
        log_p = -dbn.top.free_energies(layers[-1]) - dbn.top.log_z()
        for rbm, x, g in zip(dbn.rbms[:-1], layers, layers[1:]):
            on = sigmoid(g @ rbm.W.data.T + rbm.b.data)
            log_p = log_p + np.log(np.where(x == 1, on, 1 - on)).sum(1)
        total += np.exp(log_q) * (log_p - log_q)
    return total


@pytest.mark.parametrize(("sizes", "untied"), [((4, 3, 2), False), ((4, 3, 2), True), ((3, 3, 2, 2), False)])
def test_bound_below_the_likelihood_and_on_its_enumeration(sizes, untied):
    dbn, v = random_dbn(sizes, 1), states(sizes[0])
    if untied:
        dbn.untie()
        for p in (p for layer in dbn.recognition for p in layer.parameters()):
            p.data += np.random.default_rng(2).standard_normal(p.shape)
    bound, exact = dbn.bound(v, np.random.default_rng(3), draws=4000), dbn.log_likelihood(v).value
    assert bound.kind == "bound"
    enumerated = exact_bound(dbn, v)
    check_bound(enumerated, exact)
    check_bound(bound.value, exact, gap=exact - enumerated, standard_error=bound.standard_error, alpha=ALPHA)
    with pytest.raises(CheckError):
        check_bound(bound.value + 1.0, exact, gap=exact - enumerated, standard_error=bound.standard_error)


def test_untying_changes_nothing_until_something_is_trained():
    dbn, v = random_dbn(), states(4)
    before = [dbn.recognise(0, v), exact_bound(dbn, v)]
    dbn.untie()
    np.testing.assert_allclose(dbn.recognise(0, v), before[0], atol=1e-15)
    dbn.rbms[0].W.data += 1.0
    np.testing.assert_allclose(dbn.recognise(0, v), before[0], atol=1e-15)
    assert {name.split(".")[0] for name, _ in dbn.named_parameters()} == {"rbms", "recognition"}


# ------------------------------------------------------------------------------------------------ adding a layer


def test_a_layer_turned_over_keeps_the_likelihood_and_closes_the_bound():
    """At the start of the second layer p(v) is that of the first RBM, and the bound is tight."""
    dbn, v = random_dbn((4, 3, 4), 4), states(4)
    first = dbn.rbms[0]
    turn_over(first, dbn.top)
    np.testing.assert_allclose(dbn.log_likelihood(v).value, first.log_likelihood(v).value, atol=1e-12)
    np.testing.assert_allclose(exact_bound(dbn, v), first.log_likelihood(v).value, atol=1e-10)
    with pytest.raises(ValueError, match=r"\(3, 2\); expected \(3, 4\)"):
        turn_over(first, random_dbn((4, 3, 2)).top)


def stripes(n, rng):
    lines = (rng.random((n, 3, 1)) < 0.5) * np.ones((1, 1, 3))
    return np.where(rng.random((n, 1, 1)) < 0.5, lines, lines.transpose(0, 2, 1)).reshape(n, 9).astype(np.float32)


def test_training_the_second_layer_raises_the_bound():
    rng = np.random.default_rng(5)
    data, dbn = stripes(500, rng), DBN((9, 6, 9), rng=rng)
    histories = train_greedily(dbn.rbms, data, trainer=ContrastiveDivergence, batch_size=50, epochs=(100, 0),
                               start="transpose", rng=rng, optimizer=lambda t: optim.SGD(t.parameters(), lr=0.5))
    assert len(histories) == 2 and len(histories[0].records) == 100
    before = exact_bound(dbn, data[:100]).mean()
    assert before == pytest.approx(dbn.rbms[0].log_likelihood(data[:100]).mean(), abs=1e-3)
    above = dbn.rbms[0].sample_hidden(np.repeat(data, 4, axis=0), rng)
    wrapped = PersistentCD(dbn.top, k=2, rng=rng)
    fit(wrapped, above, optimizer=optim.SGD(wrapped.parameters(), lr=0.05), epochs=20, batch_size=50, rng=rng,
        progress=False)
    after = exact_bound(dbn, data[:100]).mean()
    assert after > before + 0.1
    assert dbn.log_likelihood(data[:100]).mean() > after


# ------------------------------------------------------------------------------------------------------ sampling


@pytest.mark.parametrize(("sizes", "dtype"), [((4, 3, 2), np.float64), ((4, 3, 2), np.float32),
                                              ((3, 2, 2, 3), np.float32)])
def test_ancestral_samples_follow_the_likelihood(sizes, dtype):
    dbn = random_dbn(sizes, 6, dtype=dtype)
    check_sampler(lambda n, rng: dbn.sample(n, rng, sweeps=30), lambda v: dbn.log_likelihood(v).value,
                  Binary(sizes[0]), n=60_000, rng=np.random.default_rng(7), alpha=ALPHA)


def by_hand(dbn, slip, n, rng, sweeps=30):
    """Ancestral sampling in plain NumPy, with a slip."""
    first, top = dbn.rbms

    def flip(p):
        source = np.random.default_rng(1) if slip == "the same random numbers again" else rng
        return (source.random(p.shape) < p) * 1.0

    h1, h2 = flip(np.full((n, first.c.size), 0.5)), flip(np.full((n, top.c.size), 0.5))
    for _ in range(0 if slip == "no Gibbs at the top" else sweeps):
        h1 = flip(sigmoid(h2 @ top.W.data.T + (first.c if slip == "bias of the recognition" else top.b).data))
        h2 = flip(sigmoid(h1 @ top.W.data + top.c.data))
    W = top.W.data[:, : first.W.shape[1]] if slip == "W2 for W1" else first.W.data
    return flip(sigmoid(h1 @ W.T + first.b.data))


SLIPS = ("the same random numbers again", "no Gibbs at the top", "bias of the recognition", "W2 for W1")


def test_sampling_by_hand_passes_and_slips_are_rejected():
    dbn = random_dbn((3, 3, 3), 8, 1.5)
    for slip in ("", *SLIPS):
        drawn = by_hand(dbn, slip, 60_000, np.random.default_rng(9))
        if slip:
            with pytest.raises(CheckError, match="chi-square"):
                check_sampler(drawn, lambda v: dbn.log_likelihood(v).value, Binary(3), alpha=ALPHA)
        else:
            check_sampler(drawn, lambda v: dbn.log_likelihood(v).value, Binary(3), alpha=ALPHA)


def law_after(dbn, sweeps):
    """log p(v) of sampling with so many sweeps at the top from coin flips, by matrices of transition probabilities."""

    def table(p, x):
        return np.prod(np.where(x[None] == 1, p[:, None], 1 - p[:, None]), axis=-1)

    first, top = dbn.rbms
    v, h1, h2 = (states(n) for n in (first.b.size, first.c.size, top.c.size))
    sweep = table(sigmoid(h1 @ top.W.data + top.c.data), h2) @ table(sigmoid(h2 @ top.W.data.T + top.b.data), h1)
    law = np.full(len(h1), 1 / len(h1)) @ np.linalg.matrix_power(sweep, sweeps)
    p = law @ table(sigmoid(h1 @ first.W.data.T + first.b.data), v)
    return lambda x: np.log(p)[(x @ (1 << np.arange(v.shape[1])[::-1])).astype(int)]


@pytest.mark.parametrize("asked", [1, 2])
def test_sweeps_at_the_top_are_counted(asked):
    """The law after exactly so many sweeps, not one more or less."""
    dbn = random_dbn((3, 3, 3), 8, 3.0)
    for claimed in (asked - 1, asked, asked + 1):
        with nullcontext() if claimed == asked else pytest.raises(CheckError):
            check_sampler(lambda n, rng: dbn.sample(n, rng, sweeps=asked), law_after(dbn, claimed), Binary(3),
                          n=60_000, rng=np.random.default_rng(10), alpha=ALPHA)


def test_up_and_down():
    dbn, v = random_dbn((4, 3, 2)), states(4)
    np.testing.assert_allclose(dbn.up(v, 1), sigmoid(v @ dbn.rbms[0].W.data + dbn.rbms[0].c.data))
    assert dbn.up(v).shape == (16, 2)
    drawn = dbn.up(v, rng=np.random.default_rng(10))
    assert set(np.unique(drawn)) <= {0.0, 1.0} and dbn.down(dbn.up(v, 1), np.random.default_rng(11)).shape == (16, 4)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: DBN((4, 3), rng=np.random.default_rng(0)), "at least two hidden"),
    (lambda: DBN((4, 3, 0), rng=np.random.default_rng(0)), r"sizes\[2\] is 0"),
    (lambda: random_dbn().log_likelihood(np.zeros((2, 5))), "shape"),
    (lambda: random_dbn().log_likelihood(np.full((2, 4), np.nan)), "holds nan"),
    (lambda: random_dbn().bound(np.full((2, 4), 0.3), np.random.default_rng(0)), "holds 0.3"),
    (lambda: random_dbn().bound(states(4), np.random.default_rng(0), draws=1), "draws is 1"),
    (lambda: random_dbn((3, 16, 2)).log_likelihood(states(3)), "at most 15"),
    (lambda: random_dbn().sample(0, np.random.default_rng(0)), "n is 0"),
    (lambda: train_greedily(random_dbn().rbms, states(4), trainer=None, optimizer=None, epochs=(1,),
                            rng=np.random.default_rng(0)), "each of the 2 RBMs"),
    (lambda: train_greedily([], states(4), trainer=None, optimizer=None, epochs=1, start="zero",
                            rng=np.random.default_rng(0)), "random, transpose"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
