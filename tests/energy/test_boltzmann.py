"""Markov random fields against sums written out by hand, and every sampler against its own kernel, entry by entry.

A chain that starts at one state follows a row of the kernel after one, two, three sweeps: this sees a wrong bias, a
wrong order, a sweep too many and a random number used twice, where a long chain would have forgotten some of it.
"""

import itertools

import numpy as np
import pytest

from minigen.checks import Binary, CheckError, Conditional, check_conditionals, check_sampler
from minigen.energy.boltzmann import MarkovField, binary_states, state_index, stationary

COLOURS = [[0, 2], [1, 3]]


def three_way(temperature=1.0):
    """Four sites, cliques of one, two and three sites, not in ascending order, tables without symmetry."""
    rng = np.random.default_rng(0)
    return MarkovField(4, {(2, 0): rng.random((2, 2)), (1, 3, 2): rng.random((2, 2, 2)), (3,): [0.4, 1.7]},
                       temperature=temperature)


def ring(temperature=1.0, strength=1.5):
    """Four sites in a ring, two colours: pairwise couplings and biases without symmetry."""
    J = np.zeros((4, 4))
    for i, weight in enumerate((1.0, -0.7, 1.3, 0.9)):
        J[i, (i + 1) % 4] = J[(i + 1) % 4, i] = strength * weight
    return MarkovField.pairwise(J, [-0.8, 0.3, -0.2, 0.5], temperature=temperature)


def by_hand(field, tables):
    """prod_c psi_c(x_c)^(1/T) of every state, by loops, normalised."""
    weights = np.array([np.prod([np.asarray(table)[tuple(x[i] for i in sites)] for sites, table in tables.items()])
                        for x in itertools.product((0, 1), repeat=field.n)]) ** (1 / field.temperature)
    return weights / weights.sum(), np.log(weights.sum())


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("make", [three_way, ring])
def test_the_joint_by_loops(make, temperature):
    field = make(temperature)
    p, log_z = by_hand(field, {sites: np.exp(table) for sites, table in field.log_potentials.items()})
    np.testing.assert_allclose(field.joint().ravel(), p, rtol=1e-12)
    assert field.log_z() == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(field.log_prob(binary_states(4)), np.log(p), rtol=1e-12)
    np.testing.assert_array_equal(field.at(2.0).joint(), make(2.0).joint())
    assert field.temperature == temperature


def test_pairwise_energy_is_the_quadratic_form():
    rng = np.random.default_rng(1)
    J, b, x = rng.normal(size=(6, 6)), rng.normal(size=6), binary_states(6)
    J = np.triu(J, 1) + np.triu(J, 1).T
    np.testing.assert_allclose(MarkovField.pairwise(J, b).energy(x), -0.5 * ((x @ J) * x).sum(1) - x @ b, atol=1e-12)


def test_marginals_in_the_order_asked_for():
    field = three_way()
    p, x = field.joint().ravel(), binary_states(4)
    for sites in ((1,), (3, 0), (2, 0, 3)):
        expected = np.zeros((2,) * len(sites))
        np.add.at(expected, tuple(x[:, sites].T), p)
        np.testing.assert_allclose(field.marginal(sites), expected, atol=1e-14)


def test_conditionals_against_the_joint():
    field = three_way(temperature=0.7)
    def claimed(site):
        rest = [i for i in range(4) if i != site]
        def probability(y):
            return field.conditional(np.insert(y.astype(int), site, 0, axis=1), site)[:, None]
        return Conditional([site], rest, probability)

    check_conditionals(field.log_prob, 4, {f"site {i}": claimed(i) for i in range(4)}, tol=1e-12)


@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_the_gradient_is_that_of_differences(temperature):
    field, data = three_way(temperature), binary_states(4)[[0, 3, 3, 9, 14]]
    gradient, h = field.gradient(data), 1e-5
    assert gradient.keys() == field.log_potentials.keys()
    for sites, table in field.log_potentials.items():
        for entry in np.ndindex(table.shape):
            kept, values = table[entry], []
            for step in (h, -h):
                table[entry] = kept + step
                values.append(field.log_prob(data).mean())
            table[entry] = kept
            assert gradient[sites][entry] == pytest.approx((values[0] - values[1]) / (2 * h), abs=1e-9)


SCHEDULES = {"in order": None, "backwards": [[3], [2], [1], [0]], "by colour": COLOURS}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_sweep_leaves_the_joint_as_it_is(schedule):
    field = ring(temperature=0.8)
    kernel, p = field.kernel(SCHEDULES[schedule]), field.joint().ravel()
    np.testing.assert_allclose(kernel.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(p @ kernel, p, rtol=1e-12)
    np.testing.assert_allclose(stationary(kernel), p, rtol=1e-9)


def test_one_site_is_reversible_and_a_sweep_is_not():
    field = ring()
    p = field.joint().ravel()
    flows = [p[:, None] * field.kernel(blocks) for blocks in ([[0]], [[2]], COLOURS, [*COLOURS, *COLOURS[::-1]])]
    one, other, colours, palindrome = (np.abs(flow - flow.T).max() for flow in flows)
    assert max(one, other, palindrome) < 1e-15 < 1e-3 < colours


def test_neighbours_at_once_lose_the_joint():
    """All sites at once: the two colours become independent, and each keeps its own marginal."""
    field = ring()
    wrong = stationary(field.kernel([[0, 1, 2, 3]]))
    p = field.joint()
    product = p.sum((1, 3))[:, None, :, None] * p.sum((0, 2))[None, :, None, :]
    np.testing.assert_allclose(wrong, product.ravel(), atol=1e-10)
    assert np.abs(wrong - p.ravel()).max() > 0.03


def row_test(draw, field, blocks, sweeps, n=40_000, start=(0, 1, 1, 0)):
    """Chains from one state against that row of kernel^sweeps; a right sampler fails with probability 1e-6."""
    row = np.linalg.matrix_power(field.kernel(blocks), sweeps)[state_index(np.array(start))]
    chains = np.tile(start, (n, 1))
    with np.errstate(divide="ignore"):
        log_row = np.log(row)
    return check_sampler(draw(chains), lambda x: log_row[state_index(x)], Binary(4), alpha=1e-6)


@pytest.mark.parametrize("sweeps", [1, 2, 3])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_chains_follow_the_kernel(schedule, sweeps):
    field, blocks = ring(), SCHEDULES[schedule]
    assert row_test(lambda x: field.gibbs(x, sweeps, np.random.default_rng(2), blocks), field, blocks, sweeps).passed


def test_chains_leave_their_argument_alone():
    x = np.zeros((50, 4), np.intp)
    assert ring().gibbs(x, 3, np.random.default_rng(2)).any() and not x.any()


def test_long_chains_follow_the_joint():
    field = three_way()
    drawn = field.gibbs(np.zeros((20_000, 4), int), 40, np.random.default_rng(3))
    assert check_sampler(drawn, field.log_prob, Binary(4), alpha=1e-6).passed


class Reused:
    """A generator that hands out the same numbers at every call."""

    def random(self, shape):
        return np.random.default_rng(4).random(shape)


def biased():
    field = ring()
    field.log_potentials[0,] = field.log_potentials[0,] + np.array([0.0, 0.2])
    return field


def at_once(x, rng, sweeps=2):
    field = ring()
    for _ in range(sweeps):
        p = np.stack([field.conditional(x, i) for i in range(4)], axis=1)
        x = (rng.random(x.shape) < p).astype(int)
    return x


BROKEN = {
    "wrong bias": lambda x: biased().gibbs(x, 2, np.random.default_rng(2)),
    "wrong temperature": lambda x: ring(1.1).gibbs(x, 2, np.random.default_rng(2)),
    "all sites at once": lambda x: at_once(x, np.random.default_rng(2)),
    "reused random numbers": lambda x: ring().gibbs(x, 2, Reused()),
    "one sweep too few": lambda x: ring().gibbs(x, 1, np.random.default_rng(2)),
    "one sweep too many": lambda x: ring().gibbs(x, 3, np.random.default_rng(2)),
    "a site left out": lambda x: ring().gibbs(x, 2, np.random.default_rng(2), [[0], [1], [2]]),
    "backwards": lambda x: ring().gibbs(x, 2, np.random.default_rng(2), [[3], [2], [1], [0]]),
}


@pytest.mark.parametrize("slip", BROKEN)
def test_the_kernel_rejects(slip):
    with pytest.raises(CheckError):
        row_test(BROKEN[slip], ring(), None, 2)


def test_a_forbidden_state():
    """psi(x0, x1) = [x0 = x1]: p is fine, and single-site Gibbs never leaves where it began."""
    field = MarkovField(2, {(0, 1): np.eye(2)})
    assert field.energy([0, 1]) == np.inf and field.log_z() == pytest.approx(np.log(2))
    x = np.array([[0, 0], [1, 1]])
    np.testing.assert_array_equal(field.gibbs(x, 50, np.random.default_rng(5)), x)
    with pytest.raises(ValueError, match="forbid every state"):
        MarkovField(1, {(0,): [0, 0]}).log_z()


def test_states_and_their_places():
    states = binary_states(3)
    assert states.tolist()[:3] == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    np.testing.assert_array_equal(state_index(states), np.arange(8))


FIELD = ring()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: MarkovField(0, {}), "n is 0"),
    (lambda: MarkovField(2, {(0, 2): np.ones((2, 2))}), r"clique \(0, 2\)"),
    (lambda: MarkovField(2, {(1, 1): np.ones((2, 2))}), r"clique \(1, 1\)"),
    (lambda: MarkovField(2, {(0, 1): np.ones(2)}), r"shape \(2,\); expected \(2, 2\)"),
    (lambda: MarkovField(2, {(0,): [1, -1]}), "negative or not finite"),
    (lambda: MarkovField(2, {(0,): [1, np.nan]}), "negative or not finite"),
    (lambda: MarkovField(2, {}, temperature=0), "temperature is 0"),
    (lambda: FIELD.at(-1), "temperature is -1"),
    (lambda: MarkovField.pairwise(np.ones((2, 2)), [0, 0]), "zero diagonal"),
    (lambda: MarkovField.pairwise([[0, 1], [2, 0]], [0, 0]), "symmetric"),
    (lambda: FIELD.energy(np.zeros((3, 5))), r"\(3, 5\); expected \(..., 4\)"),
    (lambda: FIELD.energy(np.zeros((0, 4))), "not empty"),
    (lambda: FIELD.gibbs(np.full((1, 4), 0.5), 1, None), "value 0.5"),
    (lambda: FIELD.gradient(np.full((1, 4), np.nan)), "value nan"),
    (lambda: FIELD.gibbs(np.zeros((1, 4)), 1, None, [[0, 1]]), r"sites \[0, 1\] share a clique"),
    (lambda: FIELD.gibbs(np.zeros((1, 4)), 0.5, None), "sweeps is 0.5"),
    (lambda: FIELD.kernel([[0, 7]]), "block"),
    (lambda: MarkovField(12, {}).kernel(), "at most 11"),
    (lambda: MarkovField(21, {}).log_z(), "at most 20"),
    (lambda: stationary(np.ones((2, 2))), "rows sum to 1"),
    (lambda: MarkovField(2, {(0, 1): np.eye(2), (0,): [0, 1]}).conditional([0, 0], 0), "forbid both values"),
])
def test_bad_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
