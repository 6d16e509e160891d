"""Boltzmann: free energies, conditionals, partition functions and chains.

Write six pieces of an energy-based model: the free energy of a restricted Boltzmann machine, its conditionals, its
log Z by the smaller side, the exact gradient of its log-likelihood, the kernel of a Gibbs sweep as a matrix, and a
checkerboard sweep of the Ising model. NumPy is all you need.

The machine has p(v, h) = exp(-E(v, h)) / Z with E(v, h) = -v'Wh - b'v - c'h, v in {0,1}^D and h in {0,1}^H;
W is (D, H), b is (D,), c is (H,). Logarithms are natural.
"""
import numpy as np


def sigmoid(a):
    """1 / (1 + exp(-a)), entry by entry. Yours to use."""
    return 1 / (1 + np.exp(-a))


def all_states(n):
    """The 2^n states of n units as rows of 0 and 1; row k holds the bits of k, unit 0 first. Yours to use."""
    return np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1


def free_energy(v, W, b, c):
    """F(v) = -log sum_h exp(-E(v, h)) for every row of v, without a loop over the 2^H hidden states.

    v: (n, D) of 0 and 1. Returns (n,). Entries of W may be some hundreds: nothing may overflow.
    """
    raise NotImplementedError("exercise boltzmann.free_energy: your lines go here")


def conditionals(v, h, W, b, c):
    """(P(h_j = 1 | v), P(v_i = 1 | h)) for every row of v and every row of h.

    v: (n, D), h: (m, H), of 0 and 1. Returns arrays (n, H) and (m, D).
    """
    raise NotImplementedError("exercise boltzmann.conditionals: your lines go here")


def log_z(W, b, c):
    """log Z = log sum_{v, h} exp(-E(v, h)), exact.

    One side has at most 12 units, it may be either; the other may have hundreds. Z itself may be too large for a float.
    """
    raise NotImplementedError("exercise boltzmann.log_z: your lines go here")


def exact_gradient(data, W, b, c):
    """The gradient of (1/N) sum_n log p(v_n) with respect to W, b and c, as a tuple of arrays of their shapes.

    data: (N, D) of 0 and 1, D at most 8: what the model itself believes in can be summed over exactly.
    """
    raise NotImplementedError("exercise boltzmann.exact_gradient: your lines go here")


def gibbs_kernel(J, b, order):
    """K[s, t] = P(next state t | state s) of one Gibbs sweep over the sites in the given order, as (2^n, 2^n).

    p(x) is proportional to exp(sum_{i<j} J_ij x_i x_j + sum_i b_i x_i), x in {0,1}^n; a sweep draws each site of
    `order` in turn from its conditional given all others as they then are. J: (n, n) symmetric with zero diagonal,
    b: (n,), order: whole numbers in 0..n-1. States are numbered as in `all_states`: for n = 3, state 6 is (1, 1, 0).
    """
    raise NotImplementedError("exercise boltzmann.gibbs_kernel: your lines go here")


def checkerboard(s, T, rng):
    """One sweep of the Ising model in two colours: first all sites with i + j even, then all with i + j odd.

    p(s) is proportional to exp(sum of s_i s_j over neighbours / T) on a grid whose edges do not wrap: sites in a corner
    have two neighbours. s: (chains, rows, columns) of -1 and +1, not to be changed; T > 0; rng: a NumPy generator.
    Returns the new states in the same shape. Every colour is drawn at once, given the other colour as it then is.
    """
    raise NotImplementedError("exercise boltzmann.checkerboard: your lines go here")
