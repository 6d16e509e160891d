"""What the six functions must be. References enumerate whole states or take differences."""
from itertools import product

import numpy as np

from minigen.autodiff import logsumexp
from minigen.checks import Binary
from minigen.grading import Check, Sampler, Seed, Value


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


def weights(rng, d, h1, h2, size=1.0):
    """W1, W2, b0, b1, b2 whose entries are all far from 0 and from each other's sign rules."""
    shapes = ((d, h1), (h1, h2), (d,), (h1,), (h2,))
    return tuple(size * rng.uniform(0.4, 1.6, s) * rng.choice([-1, 1], s) for s in shapes)


def bits(rng, n, width):
    return rng.integers(0, 2, (n, width)).astype(float)


# ------------------------------------------------------------------------------------------------ deep belief net


def belief_net(rng):
    W1, W2, b0, b1, b2 = weights(rng, 4, 3, 2)
    return bits(rng, 6, 4), bits(rng, 6, 3), bits(rng, 6, 2), W1, b0, W2, b1, b2


def square_net(rng):
    W1, W2, b0, b1, b2 = weights(rng, 3, 3, 3)
    return bits(rng, 6, 3), bits(rng, 6, 3), bits(rng, 6, 3), W1, b0, W2, b1, b2


def log_joint_by_factors(v, h1, h2, W1, b0, W2, b1, b2):
    """p(v | h1) unit by unit; p(h1, h2) from the table of all its states."""
    def top(g, h):
        return g @ W2 @ h + b1 @ g + b2 @ h
    log_z = logsumexp(np.array([top(g, h) for g in states(len(b1)) for h in states(len(b2))]))
    answer = []
    for x, g, h in zip(v, h1, h2):
        log_odds = [b0[i] + sum(W1[i, j] * g[j] for j in range(len(g))) for i in range(len(x))]
        down = sum(-np.log1p(np.exp(-t)) if x[i] else -np.log1p(np.exp(t)) for i, t in enumerate(log_odds))
        answer.append(down + top(g, h) - log_z)
    return np.array(answer)


def net_alone(rng):
    return belief_net(rng)[3:]


def steep_net(rng):
    v, h1, h2, *rest = belief_net(rng)
    return v, np.ones_like(h1), h2, *(300 * rest[0], 0.1 * rest[1]), *(0.3 * a for a in rest[2:])


def log_joint_steep(v, h1, h2, W1, b0, W2, b1, b2):
    log_odds = b0 + h1 @ W1.T
    return log_joint_by_factors(0 * v, 0 * h1, 0 * h2, 0 * W1, 0 * b0, W2, b1, b2) + len(b0) * np.log(2) + (
        (h1 @ W2) * h2).sum(1) + h1 @ b1 + h2 @ b2 - np.where(
            v == 1, np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)).sum(1)


# ------------------------------------------------------------------------------------------ deep Boltzmann machine


def between(rng, same=False):
    below, here, above = (3, 3, 3) if same else (4, 3, 2)
    W1, W2, _, b, _ = weights(rng, below, here, above)
    return bits(rng, 5, below), bits(rng, 5, above), W1, W2, b


def conditional_by_enumeration(below, above, W_below, W_above, b):
    answer = []
    for x, y in zip(below, above):
        table = np.exp([x @ W_below @ h + h @ W_above @ y + b @ h for h in states(len(b))])
        answer.append(table @ states(len(b)) / table.sum())
    return np.array(answer)


def machine(rng, n=5, size=1.0):
    W1, W2, b0, b1, b2 = weights(rng, 4, 3, 2, size)
    return bits(rng, n, 4), W1, W2, b0, b1, b2


def two_sweeps(rng):
    v, W1, W2, _, b1, b2 = machine(rng)
    return v, W1, W2, b1, b2, 2


def ascent_unit_by_unit(v, W1, W2, b1, b2, sweeps):
    """The same sweeps, one unit at a time: each mean at the maximum of the bound by its closed form in one variable."""
    answer = []
    for x in v:
        mu1, mu2 = np.zeros(len(b1)), np.full(len(b2), 0.5)
        for _ in range(sweeps):
            for j in range(len(b1)):
                mu1[j] = 1 / (1 + np.exp(-(b1[j] + sum(x * W1[:, j]) + sum(W2[j] * mu2))))
            for k in range(len(b2)):
                mu2[k] = 1 / (1 + np.exp(-(b2[k] + sum(W2[:, k] * mu1))))
        answer.append((mu1, mu2))
    return tuple(np.array(part) for part in zip(*answer))


def settled(rng):
    v, W1, W2, b0, b1, b2 = machine(rng, size=0.6)
    return v, W1, W2, b0, b1, b2, 150


def flat(v, W1, W2, b0, b1, b2, sweeps):
    """At the optimum the bound has no slope."""
    return np.zeros((len(v), len(b1) + len(b2)))


def means(rng):
    v, W1, W2, b0, b1, b2 = machine(rng)
    return v, rng.uniform(0.1, 0.9, (5, 3)), rng.uniform(0.1, 0.9, (5, 2)), W1, W2, b0, b1, b2


def bound_by_enumeration(v, mu1, mu2, W1, W2, b0, b1, b2):
    """sum_h q(h) [-E(v, h) - log q(h)] over all states of the hidden units."""
    hidden, answer = states(len(b1) + len(b2)), []
    g, h = hidden[:, :len(b1)], hidden[:, len(b1):]
    for x, m1, m2 in zip(v, mu1, mu2):
        q = np.prod(np.where(hidden == 1, np.append(m1, m2), 1 - np.append(m1, m2)), axis=1)
        minus_energy = g @ (W1.T @ x) + ((g @ W2) * h).sum(1) + b0 @ x + g @ b1 + h @ b2
        answer.append(q @ (minus_energy - np.log(q)))
    return np.array(answer)


def slopes_by_hand(v, mu1, mu2, W1, W2, b0, b1, b2):
    """Input less log odds, of the first unit of each hidden layer: (2, n)."""
    return np.array([(v @ W1 + mu2 @ W2.T + b1 - np.log(mu1 / (1 - mu1)))[:, 0],
                     (mu1 @ W2 + b2 - np.log(mu2 / (1 - mu2)))[:, 0]])


CHAINS = 4000


def chains(rng, sweeps=12):
    W1, W2, b0, b1, b2 = weights(rng, 2, 2, 2, 0.9)
    return W1, W2, b0, b1, b2, sweeps, CHAINS, Seed(int(rng.integers(2**31)))


def log_density(x, W1, W2, b0, b1, b2, sweeps, n, seed):
    """log p(v, h1, h2) of whole states x (n, 6)."""
    v, g, h = x[:, :2], x[:, 2:4], x[:, 4:]

    def minus_energy(v, g, h):
        return ((v @ W1) * g).sum(1) + ((g @ W2) * h).sum(1) + v @ b0 + g @ b1 + h @ b2
    every = states(6)
    return minus_energy(v, g, h) - logsumexp(minus_energy(every[:, :2], every[:, 2:4], every[:, 4:]))


def one_sweep(rng):
    W1, W2, b0, b1, b2 = weights(rng, 2, 2, 2, 1.2)
    start = bits(rng, 1, 6)
    start[:, 4:] = 1 - start[:, 2:4]
    return W1, W2, b0, b1, b2, start, 6000, Seed(int(rng.integers(2**31)))


def log_kernel(x, W1, W2, b0, b1, b2, start, n, seed):
    """log of the probability to be in x after one sweep from `start`: h1 given the start, then v and h2 given h1."""
    def log_bernoulli(bits, logits):
        return (bits * logits - np.logaddexp(0, logits)).sum(-1)
    v, g, h = x[:, :2], x[:, 2:4], x[:, 4:]
    return (log_bernoulli(g, start[:, :2] @ W1 + start[:, 4:] @ W2.T + b1) + log_bernoulli(v, g @ W1.T + b0)
            + log_bernoulli(h, g @ W2 + b2))


def phases(rng):
    n, m = 6, 9
    return (bits(rng, n, 4), rng.uniform(0.1, 0.9, (n, 3)), rng.uniform(0.1, 0.9, (n, 2)),
            (bits(rng, m, 4), bits(rng, m, 3), bits(rng, m, 2)))


def gradient_entry_by_entry(v, mu1, mu2, model):
    """d/dtheta [mean -E(data) - mean -E(chains)], one parameter at a time: E is linear in each."""
    data, shapes = (v, mu1, mu2), ((v.shape[1], mu1.shape[1]), (mu1.shape[1], mu2.shape[1]))

    def pair(layers, l, i, j):
        return np.mean([layers[l][row, i] * layers[l + 1][row, j] for row in range(len(layers[0]))])
    of_weights = [np.array([[pair(data, l, i, j) - pair(model, l, i, j) for j in range(shape[1])]
                            for i in range(shape[0])]) for l, shape in enumerate(shapes)]
    of_biases = [np.array([np.mean(a[:, i]) - np.mean(b[:, i]) for i in range(a.shape[1])])
                 for a, b in zip(data, model)]
    return (*of_weights, *of_biases)


def uphill(rng):
    W1, W2, b0, b1, b2 = weights(rng, 3, 2, 2, 0.6)
    return bits(rng, 4, 3), W1, W2, b0, b1, b2


def slopes_of_the_bound(v, W1, W2, b0, b1, b2):
    """Differences of mean_i [max_q bound(v_i)] - log Z in every parameter, with a mean field of our own."""
    parameters = [W1, W2, b0, b1, b2]

    def objective(W1, W2, b0, b1, b2):
        mu2 = np.full((len(v), len(b2)), 0.5)
        for _ in range(80):
            mu1 = 1 / (1 + np.exp(-(v @ W1 + mu2 @ W2.T + b1)))
            mu2 = 1 / (1 + np.exp(-(mu1 @ W2 + b2)))
        every = states(7)
        x, g, h = every[:, :3], every[:, 3:5], every[:, 5:]
        log_z = logsumexp(((x @ W1) * g).sum(1) + ((g @ W2) * h).sum(1) + x @ b0 + g @ b1 + h @ b2)
        return bound_by_enumeration(v, mu1, mu2, W1, W2, b0, b1, b2).mean() - log_z
    answer = []
    for k, parameter in enumerate(parameters):
        slope = np.zeros_like(parameter)
        for place in np.ndindex(parameter.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [p.copy() for p in parameters]
                moved[k][place] += step
                values.append(objective(*moved))
            slope[place] = (values[0] - values[1]) / 2e-5
        answer.append(slope)
    return tuple(answer)


CHECKS = [
    Check("joint of a few states", "dbn_log_joint", points=2,
          states="log p(v, h1, h2) = log p(v | h1) + log p(h1, h2)", inputs=belief_net, expected=log_joint_by_factors,
          compare=Value(rtol=1e-8, atol=1e-8), hint="which of the two factors needs a sum over all its states?"),
    Check("joint of square layers", "dbn_log_joint", points=1, visibility="hidden",
          states="each weight matrix stands between its own two layers", inputs=square_net,
          expected=log_joint_by_factors, compare=Value(rtol=1e-8, atol=1e-8),
          hint="try layers of three different sizes: which products have a shape?"),
    Check("the joint has mass one", "dbn_log_joint", points=2, visibility="hidden", driver="mass",
          states="the probabilities of all states add up to 1", inputs=net_alone, expected=lambda *rest: 1.0,
          compare=Value(rtol=1e-9), hint="sum the exponentials over all states of a small net"),
    Check("steep log odds", "dbn_log_joint", points=1, visibility="hidden",
          states="log odds in the hundreds give finite answers", inputs=steep_net, expected=log_joint_steep,
          compare=Value(rtol=1e-8, atol=1e-8), hint="the logarithm of a probability that has become 0 is lost"),
    Check("conditional by enumeration", "dbm_conditional", points=2, states="P(h = 1 | below, above) of the joint",
          inputs=between, expected=conditional_by_enumeration, compare=Value(rtol=1e-9),
          hint="collect everything that multiplies h_j in the exponent"),
    Check("conditional with square weights", "dbm_conditional", points=2, visibility="hidden",
          states="each matrix is used the way round that the joint says", inputs=lambda rng: between(rng, same=True),
          expected=conditional_by_enumeration, compare=Value(rtol=1e-9),
          hint="h is on the right of one matrix and on the left of the other"),
    Check("two sweeps", "mean_field", points=2, states="mu1 given v and mu2, then mu2 given the new mu1, twice",
          inputs=two_sweeps, expected=ascent_unit_by_unit, compare=Value(rtol=1e-9),
          hint="after one sweep only mu2 has heard of the new mu1: in which order do you update?"),
    Check("the bound is flat where it settles", "mean_field", points=2, visibility="hidden", driver="slopes_at_the_end",
          states="after many sweeps the bound has no slope in any mean", inputs=settled, expected=flat,
          compare=Value(rtol=0, atol=1e-6), hint="does h1 hear from both of its neighbours?"),
    Check("bound by enumeration", "mean_field_bound", points=2, states="sum over h of q(h) [-E(v, h) - log q(h)]",
          inputs=means, expected=bound_by_enumeration, compare=Value(rtol=1e-9),
          hint="the energy is a sum of products of independent units; what is the mean of such a product?"),
    Check("slope of the bound in a mean", "mean_field_bound", points=2, visibility="hidden", driver="slope_in_mu",
          states="d bound / d mu = input - log odds of mu", inputs=means,
          expected=slopes_by_hand, compare=Value(rtol=1e-5, atol=1e-5),
          hint="differentiate the entropy of one unit: which sign has it?"),
    Check("chains follow the joint", "block_gibbs", points=2, driver="long_chains",
          states="after a dozen sweeps the states are draws from p(v, h1, h2)", inputs=chains, expected=log_density,
          compare=Sampler(Binary(6), false_alarm=1e-6),
          hint="every layer is drawn from its conditional given the *present* states of its neighbours"),
    Check("one sweep from a given state", "block_gibbs", points=2, visibility="hidden", driver="first_sweep",
          states="h1 is drawn given v and h2, then v and h2 are drawn given that h1", inputs=one_sweep,
          expected=log_kernel, compare=Sampler(Binary(6), false_alarm=1e-6),
          hint="what comes back must be one state: v, h1, h2 that belong together, each drawn once in the sweep"),
    Check("two phases", "dbm_gradient", points=2, states="means of products under the data less those of the chains",
          inputs=phases, expected=gradient_entry_by_entry, compare=Value(rtol=1e-9),
          hint="six data, nine chains: a mean over each"),
    Check("slope of the mean bound", "dbm_gradient", points=2, visibility="hidden", driver="exact_phases", draws=1,
          states="with exact phases it is the gradient of mean bound - log Z", inputs=uphill,
          expected=slopes_of_the_bound, compare=Value(rtol=1e-4, atol=1e-6),
          hint="raise what the data show, lower what the model dreams"),
]
