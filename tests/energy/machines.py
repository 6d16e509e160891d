"""What tests of Boltzmann machines share: machines with random parameters, all states of some units, rows of data."""

import itertools

import numpy as np

from minigen.energy.rbm import RBM


def random_rbm(seed=0, scale=1.0, dtype=np.float64, *, d=5, h=3):
    """An RBM of d visible and h hidden units whose parameters are normal numbers times scale."""
    rng = np.random.default_rng(seed)
    rbm = RBM(d, h, rng=rng, dtype=dtype)
    for p in rbm.parameters():
        p.data[...] = scale * rng.standard_normal(p.shape)
    return rbm


def states(n):
    """All 2^n states of n units, the last one changing fastest: (2^n, n)."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=n))).reshape(2**n, n)


def cut(x, sizes):
    """Columns of x, layer by layer."""
    return np.split(x, np.cumsum(sizes)[:-1], axis=-1)


def some_rows(n=12, seed=1, *, d=5, dtype=np.float64):
    """Data: (n, d) of zeros and ones."""
    return (np.random.default_rng(seed).random((n, d)) < 0.4).astype(dtype)
