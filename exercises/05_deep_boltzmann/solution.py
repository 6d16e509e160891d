"""Deep belief nets and deep Boltzmann machines: joint, conditionals, mean field, chains, gradient.

Write six pieces of a model with a visible layer v and two hidden layers h1, h2. NumPy is all you need; `sigmoid` and
`flip` are given. W1 stands between v and h1, W2 between h1 and h2; b0, b1, b2 are the biases of v, h1, h2. Everything
is in nats.
"""
import numpy as np


def sigmoid(z):
    """1 / (1 + e^-z), for any z. Given."""
    return np.exp(-np.logaddexp(0, -z))


def flip(p, rng):
    """1.0 with probability p, else 0.0, all independent. Given."""
    return (rng.random(np.shape(p)) < p).astype(float)


def dbn_log_joint(v, h1, h2, W1, b0, W2, b1, b2):
    """log p(v, h1, h2) of a deep belief net, normalised.

    h1 and h2 are the two sides of an RBM with energy -(h1' W2 h2) - (b1' h1) - (b2' h2). Given h1, the units of v
    are independent, with log odds b0 + W1 h1.
    v: (n, D), h1: (n, H1), h2: (n, H2), zeros and ones; W1: (D, H1), W2: (H1, H2). Returns (n,). The sum that
    normalises may run over all states of one side, at most 2^10: the other side can be summed in closed form.
    """
    # BEGIN SOLUTION
    logits = h1 @ W1.T + b0
    down = np.sum(v * logits - np.logaddexp(0, logits), axis=1)
    top = np.sum((h1 @ W2) * h2, axis=1) + h1 @ b1 + h2 @ b2
    n = len(b1)
    states = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    terms = states @ b1 + np.logaddexp(0, states @ W2 + b2).sum(axis=1)
    return down + top - np.logaddexp.reduce(terms)
    # END SOLUTION


def dbm_conditional(below, above, W_below, W_above, b):
    """The probability that each unit of a layer of a deep Boltzmann machine is one, given the two layers next to it.

    The joint is proportional to exp(below' W_below h + h' W_above above + b' h).
    below: (n, B), above: (n, A), W_below: (B, H), W_above: (H, A), b: (H,). Returns (n, H).
    """
    # BEGIN SOLUTION
    return sigmoid(below @ W_below + above @ W_above.T + b)
    # END SOLUTION


def mean_field(v, W1, W2, b1, b2, sweeps):
    """(mu1, mu2) after so many sweeps of coordinate ascent for q(h1, h2 | v).

    A sweep puts mu1 at its best given v and mu2, then mu2 at its best given the new mu1. Before the first sweep every
    entry of mu2 is 0.5. v: (n, D). Returns mu1: (n, H1) and mu2: (n, H2); sweeps is at least 1.
    """
    # BEGIN SOLUTION
    mu2 = np.full((len(v), len(b2)), 0.5)
    for _ in range(sweeps):
        mu1 = sigmoid(v @ W1 + mu2 @ W2.T + b1)
        mu2 = sigmoid(mu1 @ W2 + b2)
    return mu1, mu2
    # END SOLUTION


def mean_field_bound(v, mu1, mu2, W1, W2, b0, b1, b2):
    """The part of the variational bound that needs no log Z: E_q[-E(v, h1, h2)] + H(q), for each datum.

    q: independent units with means mu1: (n, H1) and mu2: (n, H2), all strictly between 0 and 1. The energy is
    E = -(v' W1 h1) - (h1' W2 h2) - (b0' v) - (b1' h1) - (b2' h2). H is the entropy. v: (n, D). Returns (n,).
    """
    # BEGIN SOLUTION
    minus_energy = np.sum((v @ W1) * mu1, axis=1) + np.sum((mu1 @ W2) * mu2, axis=1) + v @ b0 + mu1 @ b1 + mu2 @ b2
    mu = np.concatenate([mu1, mu2], axis=1)
    return minus_energy - np.sum(mu * np.log(mu) + (1 - mu) * np.log1p(-mu), axis=1)
    # END SOLUTION


def block_gibbs(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    """(v, h1, h2) after so many sweeps of block Gibbs sampling of a deep Boltzmann machine (all chains at once).

    A sweep draws h1 given v and h2, then v and h2 given the new h1. v: (n, D), h1: (n, H1), h2: (n, H2): n chains.
    rng: a NumPy generator, which `flip` draws from. Returns three arrays of the same shapes.
    """
    # BEGIN SOLUTION
    for _ in range(sweeps):
        h1 = flip(sigmoid(v @ W1 + h2 @ W2.T + b1), rng)
        v = flip(sigmoid(h1 @ W1.T + b0), rng)
        h2 = flip(sigmoid(h1 @ W2 + b2), rng)
    return v, h1, h2
    # END SOLUTION


def dbm_gradient(v, mu1, mu2, chains):
    """The direction uphill (dW1, dW2, db0, db1, db2) of the mean variational bound, estimated from two phases.

    Data: v: (n, D) with the mean-field means mu1: (n, H1), mu2: (n, H2) that belong to them. Model: chains is a tuple
    (v, h1, h2) of arrays (m, D), (m, H1), (m, H2), draws from p(v, h1, h2); m is not n. Shapes as W1, W2, b0, b1, b2.
    """
    # BEGIN SOLUTION
    u, g1, g2 = chains
    n, m = len(v), len(u)
    return (v.T @ mu1 / n - u.T @ g1 / m, mu1.T @ mu2 / n - g1.T @ g2 / m, v.mean(axis=0) - u.mean(axis=0),
            mu1.mean(axis=0) - g1.mean(axis=0), mu2.mean(axis=0) - g2.mean(axis=0))
    # END SOLUTION
