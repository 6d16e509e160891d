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
    raise NotImplementedError("exercise deep_boltzmann.dbn_log_joint: your lines go here")


def dbm_conditional(below, above, W_below, W_above, b):
    """The probability that each unit of a layer of a deep Boltzmann machine is one, given the two layers next to it.

    The joint is proportional to exp(below' W_below h + h' W_above above + b' h).
    below: (n, B), above: (n, A), W_below: (B, H), W_above: (H, A), b: (H,). Returns (n, H).
    """
    raise NotImplementedError("exercise deep_boltzmann.dbm_conditional: your lines go here")


def mean_field(v, W1, W2, b1, b2, sweeps):
    """(mu1, mu2) after so many sweeps of coordinate ascent for q(h1, h2 | v).

    A sweep puts mu1 at its best given v and mu2, then mu2 at its best given the new mu1. Before the first sweep every
    entry of mu2 is 0.5. v: (n, D). Returns mu1: (n, H1) and mu2: (n, H2); sweeps is at least 1.
    """
    raise NotImplementedError("exercise deep_boltzmann.mean_field: your lines go here")


def mean_field_bound(v, mu1, mu2, W1, W2, b0, b1, b2):
    """The part of the variational bound that needs no log Z: E_q[-E(v, h1, h2)] + H(q), for each datum.

    q: independent units with means mu1: (n, H1) and mu2: (n, H2), all strictly between 0 and 1. The energy is
    E = -(v' W1 h1) - (h1' W2 h2) - (b0' v) - (b1' h1) - (b2' h2). H is the entropy. v: (n, D). Returns (n,).
    """
    raise NotImplementedError("exercise deep_boltzmann.mean_field_bound: your lines go here")


def block_gibbs(v, h1, h2, W1, W2, b0, b1, b2, sweeps, rng):
    """(v, h1, h2) after so many sweeps of block Gibbs sampling of a deep Boltzmann machine (all chains at once).

    A sweep draws h1 given v and h2, then v and h2 given the new h1. v: (n, D), h1: (n, H1), h2: (n, H2): n chains.
    rng: a NumPy generator, which `flip` draws from. Returns three arrays of the same shapes.
    """
    raise NotImplementedError("exercise deep_boltzmann.block_gibbs: your lines go here")


def dbm_gradient(v, mu1, mu2, chains):
    """The direction uphill (dW1, dW2, db0, db1, db2) of the mean variational bound, estimated from two phases.

    Data: v: (n, D) with the mean-field means mu1: (n, H1), mu2: (n, H2) that belong to them. Model: chains is a tuple
    (v, h1, h2) of arrays (m, D), (m, H1), (m, H2), draws from p(v, h1, h2); m is not n. Shapes as W1, W2, b0, b1, b2.
    """
    raise NotImplementedError("exercise deep_boltzmann.dbm_gradient: your lines go here")
