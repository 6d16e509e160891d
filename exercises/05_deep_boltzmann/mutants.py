"""Wrong versions that the checks must reject, and what each gets to hear."""
import numpy as np

from minigen.grading import mutant


@mutant("dbn_log_joint", feedback="p(h1 | h2) is not p(h1, h2): nothing says how probable h2 is.")
def conditional_at_the_top(v, h1, h2, W1, b0, W2, b1, b2):
    logits = h1 @ W1.T + b0
    down = np.sum(v * logits - np.logaddexp(0, logits), axis=1)
    upper = h2 @ W2.T + b1
    return down + np.sum(h1 * upper - np.logaddexp(0, upper), axis=1)


@mutant("dbn_log_joint", feedback="The top pair is not normalised: log Z of its RBM is missing.")
def no_log_z(v, h1, h2, W1, b0, W2, b1, b2):
    logits = h1 @ W1.T + b0
    down = np.sum(v * logits - np.logaddexp(0, logits), axis=1)
    return down + np.sum((h1 @ W2) * h2, axis=1) + h1 @ b1 + h2 @ b2


@mutant("dbn_log_joint", at_most=0.34,
        feedback="h2 was given a distribution by its biases alone: a single pass down is no DBN.")
def biases_for_the_top(v, h1, h2, W1, b0, W2, b1, b2):
    logits = h1 @ W1.T + b0
    down = np.sum(v * logits - np.logaddexp(0, logits), axis=1)
    upper = h2 @ W2.T + b1
    down += np.sum(h1 * upper - np.logaddexp(0, upper), axis=1)
    return down + np.sum(h2 * b2 - np.logaddexp(0, b2), axis=1)


@mutant("dbn_log_joint",
        feedback="v was coupled to h1 by an energy: below the top pair there is a conditional, normalised.")
def all_undirected(v, h1, h2, W1, b0, W2, b1, b2):
    states = (np.arange(2 ** len(b1))[:, None] >> np.arange(len(b1))) & 1
    log_z = np.logaddexp.reduce(states @ b1 + np.logaddexp(0, states @ W2 + b2).sum(axis=1))
    top = np.sum((h1 @ W2) * h2, axis=1) + h1 @ b1 + h2 @ b2
    return np.sum((v @ W1) * h1, axis=1) + v @ b0 + top - log_z


@mutant("dbn_log_joint", feedback="The biases of h1 are missing in log Z.")
def log_z_without_a_bias(v, h1, h2, W1, b0, W2, b1, b2):
    logits = h1 @ W1.T + b0
    down = np.sum(v * logits - np.logaddexp(0, logits), axis=1)
    top = np.sum((h1 @ W2) * h2, axis=1) + h1 @ b1 + h2 @ b2
    states = (np.arange(2 ** len(b1))[:, None] >> np.arange(len(b1))) & 1
    log_z = np.logaddexp.reduce(np.logaddexp(0, states @ W2 + b2).sum(axis=1))
    return down + top - log_z


@mutant("dbn_log_joint", at_most=0.84,
        feedback="The logarithm of a rounded probability: use v t - log(1 + e^t).")
def unstable(v, h1, h2, W1, b0, W2, b1, b2):
    p = sigmoid(h1 @ W1.T + b0)
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.sum(v * np.log(p) + (1 - v) * np.log(1 - p), axis=1)
    top = np.sum((h1 @ W2) * h2, axis=1) + h1 @ b1 + h2 @ b2
    states = (np.arange(2 ** len(b1))[:, None] >> np.arange(len(b1))) & 1
    log_z = np.logaddexp.reduce(states @ b1 + np.logaddexp(0, states @ W2 + b2).sum(axis=1))
    return down + top - log_z


@mutant("dbm_conditional", feedback="The layer above is not heard: that is the pass upwards of a DBN.")
def only_below(below, above, W_below, W_above, b):
    return sigmoid(below @ W_below + b)


@mutant("dbm_conditional", feedback="The layer below is not heard: that is the pass downwards of a DBN.")
def only_above(below, above, W_below, W_above, b):
    return sigmoid(above @ W_above.T + b)


@mutant("dbm_conditional", feedback="The sign of the energy: p is exp(-E), and E is minus the sum of products.")
def sign_of_the_energy(below, above, W_below, W_above, b):
    return sigmoid(-(below @ W_below + above @ W_above.T + b))


@mutant("dbm_conditional", feedback="The bias is missing.")
def no_bias(below, above, W_below, W_above, b):
    return sigmoid(below @ W_below + above @ W_above.T)


@mutant("dbm_conditional", feedback="The two inputs add up; they are not averaged.")
def mean_of_inputs(below, above, W_below, W_above, b):
    return sigmoid((below @ W_below + above @ W_above.T) / 2 + b)


@mutant("dbm_conditional",
        feedback="W_above is used the wrong way round: h stands on its left.")
def untransposed(below, above, W_below, W_above, b):
    return sigmoid(below @ W_below + above @ W_above.reshape(above.shape[1], -1) + b)


@mutant("mean_field", at_most=0.5, feedback="Both layers were updated from old values: that need not climb.")
def both_at_once(v, W1, W2, b1, b2, sweeps):
    mu1, mu2 = np.full((len(v), len(b1)), 0.5), np.full((len(v), len(b2)), 0.5)
    for _ in range(sweeps):
        mu1, mu2 = sigmoid(v @ W1 + mu2 @ W2.T + b1), sigmoid(mu1 @ W2 + b2)
    return mu1, mu2


@mutant("mean_field", feedback="h1 does not hear h2: this is a single pass upwards.")
def upwards_only(v, W1, W2, b1, b2, sweeps):
    mu1 = sigmoid(v @ W1 + b1)
    return mu1, sigmoid(mu1 @ W2 + b2)


@mutant("mean_field", at_most=0.5, feedback="The sweep begins with mu1, not with mu2.")
def top_first(v, W1, W2, b1, b2, sweeps):
    mu1 = np.full((len(v), len(b1)), 0.5)
    for _ in range(sweeps):
        mu2 = sigmoid(mu1 @ W2 + b2)
        mu1 = sigmoid(v @ W1 + mu2 @ W2.T + b1)
    return mu1, mu2


@mutant("mean_field", feedback="One sweep was done whatever was asked for.")
def one_sweep_only(v, W1, W2, b1, b2, sweeps):
    mu1 = sigmoid(v @ W1 + np.full((len(v), len(b2)), 0.5) @ W2.T + b1)
    return mu1, sigmoid(mu1 @ W2 + b2)


@mutant("mean_field", feedback="The means were rounded to states: mean field passes on probabilities.")
def rounded(v, W1, W2, b1, b2, sweeps):
    mu2 = np.full((len(v), len(b2)), 0.5)
    for _ in range(sweeps):
        mu1 = sigmoid(v @ W1 + mu2 @ W2.T + b1)
        mu2 = sigmoid(np.round(mu1) @ W2 + b2)
    return mu1, mu2


@mutant("mean_field", feedback="Damping was added: a sweep goes all the way to the maximum.")
def damped(v, W1, W2, b1, b2, sweeps):
    mu2, mu1 = np.full((len(v), len(b2)), 0.5), np.full((len(v), len(b1)), 0.5)
    for _ in range(min(sweeps, 6)):
        mu1 = 0.5 * mu1 + 0.5 * sigmoid(v @ W1 + mu2 @ W2.T + b1)
        mu2 = 0.5 * mu2 + 0.5 * sigmoid(mu1 @ W2 + b2)
    return mu1, mu2


@mutant("mean_field_bound", feedback="The entropy of q is missing.")
def no_entropy(v, mu1, mu2, W1, W2, b0, b1, b2):
    return np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2


@mutant("mean_field_bound", feedback="The entropy is added: it is minus the mean of log q.")
def entropy_subtracted(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    entropy = -np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu), axis=1)
    return products - entropy


@mutant("mean_field_bound", feedback="-E is wanted, and E came: the products enter with a plus.")
def energy_added(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    entropy = -np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu), axis=1)
    return entropy - products


@mutant("mean_field_bound", feedback="Only half of the entropy: a unit can also be off.")
def half_the_entropy(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    return products - np.sum(mu * np.log(mu), axis=1)


@mutant("mean_field_bound", feedback="The entropy of h2 is missing: q is over both hidden layers.")
def entropy_of_one_layer(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    return products - np.sum(mu1 * np.log(mu1) + (1 - mu1) * np.log1p(-mu1), axis=1)


@mutant("mean_field_bound", at_most=0.5,
        feedback="The bias of the visible layer is missing: it does not depend on q, but on v.")
def no_visible_bias(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    entropy = -np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu), axis=1)
    return products + entropy


@mutant("mean_field_bound", feedback="A mean over the data: each datum has a bound of its own.")
def mean_over_data(v, mu1, mu2, W1, W2, b0, b1, b2):
    products = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    entropy = -np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu), axis=1)
    return np.mean(products + entropy)


@mutant("block_gibbs", feedback="All layers were drawn from old states: neighbours must not be drawn at the same time.")
def all_at_once(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        v, h1, h2 = (flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(v @ W1 + h2 @ W2.T + b1), rng),
                     flip(sigmoid(h1 @ W2 + b2), rng))
    return v, h1, h2


@mutant("block_gibbs", feedback="h1 does not hear h2: this chain is that of the lower RBM.")
def lower_rbm(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        h1 = flip(sigmoid(v @ W1 + b1), rng)
        v, h2 = flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(h1 @ W2 + b2), rng)
    return v, h1, h2


@mutant("block_gibbs", feedback="The biases of two layers are exchanged.")
def biases_exchanged(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        h1 = flip(sigmoid(v @ W1 + h2 @ W2.T + b2), rng)
        v, h2 = flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(h1 @ W2 + b1), rng)
    return v, h1, h2


@mutant("block_gibbs", feedback="W1 was used between h1 and h2 as well.")
def w1_for_w2(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        h1 = flip(sigmoid(v @ W1 + h2 @ W1 + b1), rng)
        v, h2 = flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(h1 @ W1 + b2), rng)
    return v, h1, h2


@mutant("block_gibbs", feedback="Off by one: the h1 that comes back is not the one that v and h2 were drawn from.")
def a_sweep_behind(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        old, h1 = h1, flip(sigmoid(v @ W1 + h2 @ W2.T + b1), rng)
        v, h2 = flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(h1 @ W2 + b2), rng)
    return v, old, h2


@mutant("block_gibbs",
        feedback="The same random numbers again and again: make one generator and go on drawing from it.")
def reused_numbers(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        h1 = flip(sigmoid(v @ W1 + h2 @ W2.T + b1), np.random.default_rng(1))
        v = flip(sigmoid(h1 @ W1.T + b0), np.random.default_rng(1))
        h2 = flip(sigmoid(h1 @ W2 + b2), np.random.default_rng(1))
    return v, h1, h2


@mutant("block_gibbs", feedback="Rounded, not drawn: that is mean field with two values.")
def not_drawn(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        h1 = np.round(sigmoid(v @ W1 + h2 @ W2.T + b1))
        v, h2 = np.round(sigmoid(h1 @ W1.T + b0)), np.round(sigmoid(h1 @ W2 + b2))
    return v, h1, h2


@mutant("block_gibbs", at_most=0.5, feedback="The sweep begins with h1: v and h2 were drawn first, from the old one.")
def outer_layers_first(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    for _ in range(sweeps):
        v, h2 = flip(sigmoid(h1 @ W1.T + b0), rng), flip(sigmoid(h1 @ W2 + b2), rng)
        h1 = flip(sigmoid(v @ W1 + h2 @ W2.T + b1), rng)
    return v, h1, h2


@mutant("dbm_gradient", feedback="The model phase is missing: without it the weights grow for ever.")
def data_only(v, mu1, mu2, chains):
    def sides(v, h1, h2):
        return v.T @ h1 / len(v), h1.T @ h2 / len(v), v.mean(axis=0), h1.mean(axis=0), h2.mean(axis=0)
    return sides(v, mu1, mu2)


@mutant("dbm_gradient", feedback="That is the way down: raise what the data show, lower what the model dreams.")
def downhill(v, mu1, mu2, chains):
    def sides(v, h1, h2):
        return v.T @ h1 / len(v), h1.T @ h2 / len(v), v.mean(axis=0), h1.mean(axis=0), h2.mean(axis=0)
    return tuple(b - a for a, b in zip(sides(v, mu1, mu2), sides(*chains)))


@mutant("dbm_gradient", feedback="Data and chains are of different number: a mean over each.")
def one_divisor(v, mu1, mu2, chains):
    def sides(v, h1, h2):
        return v.T @ h1 / len(v), h1.T @ h2 / len(v), v.mean(axis=0), h1.mean(axis=0), h2.mean(axis=0)
    return tuple(a - b * len(chains[0]) / len(v) for a, b in zip(sides(v, mu1, mu2), sides(*chains)))


@mutant("dbm_gradient", feedback="The mean of a product was taken for the product of means.")
def product_of_means(v, mu1, mu2, chains):
    def sides(a, b, c):
        a, b, c = a.mean(0), b.mean(0), c.mean(0)
        return np.outer(a, b), np.outer(b, c), a, b, c
    return tuple(x - y for x, y in zip(sides(v, mu1, mu2), sides(*chains)))


@mutant("dbm_gradient", feedback="The biases have a model phase too.")
def biases_from_data(v, mu1, mu2, chains):
    def sides(v, h1, h2):
        return v.T @ h1 / len(v), h1.T @ h2 / len(v), v.mean(axis=0), h1.mean(axis=0), h2.mean(axis=0)
    data, model = sides(v, mu1, mu2), sides(*chains)
    return (*(a - b for a, b in zip(data[:2], model[:2])), *data[2:])
