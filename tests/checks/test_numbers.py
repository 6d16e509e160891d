"""check_gradient, check_unbiased, check_bound, check_conditionals: right things pass, slips do not."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import (
    CheckError,
    Conditional,
    check_bound,
    check_conditionals,
    check_gradient,
    check_unbiased,
    enumerate_binary,
)

RNG = np.random.default_rng(3)
LOG_WEIGHTS = RNG.normal(size=5)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def log_mean(x):
    return ad.logsumexp(x) - np.log(5)


RIGHT_GRADIENTS = {
    "softmax": (log_mean, softmax, LOG_WEIGHTS),
    "an array": (log_mean, softmax(LOG_WEIGHTS), LOG_WEIGHTS),
    "tape": (log_mean, ad.grad(log_mean), LOG_WEIGHTS),
    "constant": (lambda x: 7.0, np.zeros_like, LOG_WEIGHTS),
    "matrix": (lambda x: np.sum(x**3), lambda x: 3 * x**2, RNG.normal(size=(3, 4))),
    "large values": (lambda x: np.sum(x**2) + 1e4, lambda x: 2 * x, 100 * LOG_WEIGHTS),
    "small values": (lambda x: 1e-8 * np.sum(np.sin(x)), lambda x: 1e-8 * np.cos(x), LOG_WEIGHTS),
    "a number": (np.exp, np.exp, 0.3),
    "many entries": (lambda x: np.sum(np.cos(x)), lambda x: -np.sin(x), RNG.normal(size=(20, 10))),
}


@pytest.mark.parametrize("name", RIGHT_GRADIENTS)
def test_a_gradient_passes(name):
    f, grad, x = RIGHT_GRADIENTS[name]
    assert check_gradient(f, grad, x, rng=np.random.default_rng(0)).passed


WRONG_GRADIENTS = {
    "weights that favour the worst": (log_mean, lambda x: softmax(-x), LOG_WEIGHTS),
    "sign": (log_mean, lambda x: -softmax(x), LOG_WEIGHTS),
    "off by 0.1 %": (log_mean, lambda x: 1.001 * softmax(x), LOG_WEIGHTS),
    "off by 0.1 % among small values": (
        lambda x: 1e-6 * np.sum(np.sin(x)), lambda x: 1.001e-6 * np.cos(x), LOG_WEIGHTS),
    "off by 0.1 % on a high plateau": (
        lambda x: np.sum(np.sin(x)) + 1e3, lambda x: 1.001 * np.cos(x), LOG_WEIGHTS),
    "one entry": (log_mean, lambda x: softmax(x) + [0, 0, 0, 0, 1e-4], LOG_WEIGHTS),
    "mean for sum": (lambda x: np.sum(x**2), lambda x: 2 * x / x.size, LOG_WEIGHTS),
    "many entries": (lambda x: np.sum(np.cos(x)), lambda x: -1.001 * np.sin(x), RNG.normal(size=(20, 10))),
    "shape": (log_mean, lambda x: softmax(x)[:, None], LOG_WEIGHTS),
    "nan": (log_mean, lambda x: softmax(x) * np.nan, LOG_WEIGHTS),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_a_wrong_gradient_is_rejected(name):
    f, grad, x = WRONG_GRADIENTS[name]
    with pytest.raises(CheckError, match="gradient"):
        check_gradient(f, grad, x, rng=np.random.default_rng(0))


def test_a_kink_is_named_a_kink():
    x = np.array([0.7e-4, 1.0])  # between the two steps of its kink at 0
    with pytest.raises(CheckError, match="has a kink or noise near x"):
        check_gradient(lambda x: np.sum(np.abs(x)), np.sign, x)


def test_gradient_needs():
    with pytest.raises(ValueError, match="x is empty"):
        check_gradient(np.sum, np.ones_like, np.zeros((0, 3)))
    with pytest.raises(ValueError, match="give rng for directions"):
        check_gradient(np.sum, np.ones_like, np.zeros(65))
    with pytest.raises(CheckError, match="f is NaN or infinite"):
        check_gradient(lambda x: np.sum(np.where(x > 0, np.nan, x)), np.ones_like, np.zeros(2))


MU, SIGMA = 0.7, 1.3
TRUTH = np.array([2 * MU, 2 * SIGMA])  # gradient of E z^2 = mu^2 + sigma^2


def pathwise(n, rng):
    eps = rng.normal(size=n)
    z = MU + SIGMA * eps
    return np.stack([2 * z, 2 * z * eps], axis=1)


def score(n, rng, slip=1.0):
    z = MU + SIGMA * rng.normal(size=n)
    standard = (z - MU) / SIGMA
    return (z**2)[:, None] * np.stack([standard / SIGMA, (standard**2 - slip) / SIGMA], axis=1)


@pytest.mark.parametrize("estimator", [pathwise, score])
def test_unbiased_estimators_pass(estimator):
    assert check_unbiased(estimator(200_000, np.random.default_rng(0)), TRUTH).passed


@pytest.mark.parametrize(
    "samples",
    [
        lambda rng: 1.02 * pathwise(400_000, rng),
        lambda rng: score(400_000, rng, slip=0.0),
        lambda rng: pathwise(400_000, rng) * [1, 0],
        lambda rng: -pathwise(400_000, rng),
    ],
    ids=["2 % off", "score without its -1", "no gradient in sigma", "sign"],
)
def test_biased_estimators_are_rejected(samples):
    with pytest.raises(CheckError, match="the estimator is biased"):
        check_unbiased(samples(np.random.default_rng(0)), TRUTH)


def test_too_few_samples_prove_nothing():
    with pytest.raises(CheckError, match="draw more"):
        check_unbiased(score(100, np.random.default_rng(0)), TRUTH)


def test_an_estimator_without_variance_is_compared_exactly():
    assert check_unbiased(np.full((10, 2), TRUTH), TRUTH).passed
    with pytest.raises(CheckError, match="biased"):
        check_unbiased(np.full((10, 2), TRUTH + 1e-6), TRUTH)


def test_unbiased_needs():
    with pytest.raises(ValueError, match=r"samples have shape \(5, 3\), truth \(2,\)"):
        check_unbiased(np.zeros((5, 3)), TRUTH)
    with pytest.raises(CheckError, match="not finite"):
        check_unbiased(np.full((5, 2), np.nan), TRUTH)


def test_false_alarms_of_a_z_score_come_at_the_stated_rate():
    alarms = 0
    for seed in range(400):
        try:
            check_unbiased(pathwise(2000, np.random.default_rng(seed)), TRUTH, alpha=0.1, resolution=1.0)
        except CheckError:
            alarms += 1
    assert 16 <= alarms <= 64  # 40 expected at most, four standard deviations around


EVIDENCE = np.array([-1.5, -3.0, -0.2])
GAP = np.array([0.1, 0.0, 2.0])


def test_a_bound_and_its_gap_pass():
    assert check_bound(EVIDENCE - GAP, EVIDENCE, gap=GAP).passed
    assert check_bound(-2.0, -1.0).passed
    noise = np.random.default_rng(0).normal(size=3) * 0.01
    assert check_bound(EVIDENCE - GAP + noise, EVIDENCE, gap=GAP, standard_error=0.01).passed


@pytest.mark.parametrize(
    "bound, gap, message",
    [
        (EVIDENCE + GAP, None, "it is no lower bound"),
        (EVIDENCE - GAP + [0, 1e-6, 0], None, "entry 1 of the bound lies above"),
        (EVIDENCE - GAP, GAP + 1e-6, "differs from the divergence"),
        (EVIDENCE - GAP, -GAP, "differs from the divergence"),
        (EVIDENCE * np.nan, None, "lies above"),
        (EVIDENCE - GAP, GAP * np.nan, "differs"),
    ],
    ids=["above", "one entry", "gap off", "gap sign", "nan", "nan gap"],
)
def test_a_wrong_bound_is_rejected(bound, gap, message):
    with pytest.raises(CheckError, match=message):
        check_bound(bound, EVIDENCE, gap=gap)


def test_a_monte_carlo_bound_is_judged_by_its_error():
    with pytest.raises(CheckError, match="standard errors"):
        check_bound(EVIDENCE + 0.06, EVIDENCE, standard_error=0.01)
    with pytest.raises(CheckError, match="gap|divergence"):
        check_bound(EVIDENCE - GAP - 0.06, EVIDENCE, gap=GAP, standard_error=0.01)
    with pytest.raises(ValueError, match="expected positive numbers"):
        check_bound(EVIDENCE, EVIDENCE, standard_error=0.0)
    with pytest.raises(ValueError, match="expected one shape"):
        check_bound(EVIDENCE, EVIDENCE[:2])


def test_expectations_are_shown_only_when_asked():
    with pytest.raises(CheckError) as caught:
        check_bound(-1.0, -1.2345678)
    assert "1.2345678" not in str(caught.value)
    with pytest.raises(CheckError, match="exact -1.2345678"):
        check_bound(-1.0, -1.2345678, reveal=True)


# A restricted Boltzmann machine with as many visible as hidden units, where wrong shapes run silently.
V = H = 3
W = RNG.normal(size=(V, H))
B, C = RNG.normal(size=V), RNG.normal(size=H)


def log_joint(states):
    v, h = states[:, :V], states[:, V:]
    return np.einsum("ni,ij,nj->n", v, W, h) + v @ B + h @ C


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


VISIBLE, HIDDEN = range(V), range(V, V + H)


def rbm(p_hidden, p_visible):
    return {
        "p(h|v)": Conditional(HIDDEN, VISIBLE, p_hidden),
        "p(v|h)": Conditional(VISIBLE, HIDDEN, p_visible),
    }


def test_conditionals_of_an_rbm_pass():
    claimed = rbm(lambda v: sigmoid(v @ W + C), lambda h: sigmoid(h @ W.T + B))
    assert check_conditionals(log_joint, V + H, claimed).passed
    assert check_conditionals(lambda s: log_joint(s) + 800, V + H, claimed).passed


@pytest.mark.parametrize(
    "p_hidden, p_visible",
    [
        (lambda v: sigmoid(v @ W.T + B), lambda h: sigmoid(h @ W + C)),
        (lambda v: sigmoid(v @ W + B), lambda h: sigmoid(h @ W.T + C)),
        (lambda v: sigmoid(v @ W.T + C), lambda h: sigmoid(h @ W.T + B)),
        (lambda v: sigmoid(-(v @ W + C)), lambda h: sigmoid(-(h @ W.T + B))),
        (lambda v: 0 * v + sigmoid(C), lambda h: sigmoid(h @ W.T + B)),
        (lambda v: sigmoid(v @ W + C) ** 1.0001, lambda h: sigmoid(h @ W.T + B)),
    ],
    ids=["as printed", "biases swapped", "transposed", "sign of the energy", "prior from the bias", "1e-4 off"],
)
def test_wrong_conditionals_are_rejected(p_hidden, p_visible):
    with pytest.raises(CheckError, match="it is not the joint's"):
        check_conditionals(log_joint, V + H, rbm(p_hidden, p_visible))


def test_marginals_and_chains_are_conditionals_too():
    states = enumerate_binary(V + H)
    p = np.exp(log_joint(states))
    p /= p.sum()
    marginal = {"p(v_0)": Conditional([0], [], lambda s: np.array([[p @ states[:, 0]]]))}
    assert check_conditionals(log_joint, V + H, marginal).passed

    def given_first(s):
        return np.stack([p[states[:, 0] == a] @ states[states[:, 0] == a, 4] / p[states[:, 0] == a].sum()
                         for a in s[:, 0]])[:, None]  # fmt: skip

    assert check_conditionals(log_joint, V + H, {"p(h_1|v_0)": Conditional([4], [0], given_first)}).passed


def test_dependent_targets_are_seen():
    """The marginals of two coupled bits are right, their independence is not."""

    def coupled(s):
        return 2.0 * s[:, 0] * s[:, 1]

    table = np.exp(coupled(enumerate_binary(2)))
    p = (table[2] + table[3]) / table.sum()
    with pytest.raises(CheckError, match=r"targets = \[\d, \d\] given \[\]"):
        check_conditionals(coupled, 2, {"both": Conditional([0, 1], [], lambda s: np.array([[p, p]]))})


@pytest.mark.parametrize(
    "claimed, error, message",
    [
        (Conditional([0], [0, 1], lambda s: s[:, :1]), ValueError, "expected different places in 0..2"),
        (Conditional([0], [3], lambda s: s), ValueError, "expected different places in 0..2"),
        (Conditional([0], [1], lambda s: s[:, 0]), CheckError, r"gave shape \(2,\) for 2 states"),
        (Conditional([0], [1], lambda s: s + 1), CheckError, r"gave 2.0; expected probabilities"),
    ],
    ids=["overlap", "outside", "shape", "no probability"],
)
def test_malformed_conditionals(claimed, error, message):
    with pytest.raises(error, match=message):
        check_conditionals(lambda s: s.sum(axis=1), 3, {"p": claimed})


def test_a_joint_without_states_is_refused():
    with pytest.raises(CheckError, match="NaN or"):
        check_conditionals(lambda s: np.full(len(s), -np.inf), 2, {})
    with pytest.raises(CheckError, match="NaN or"):
        check_conditionals(lambda s: np.full(len(s), np.nan), 2, {})
