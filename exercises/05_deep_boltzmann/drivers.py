"""These run in the child, between plain inputs and the student's functions. `student` holds the submission."""
from itertools import product

import numpy as np


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


def mass(student, W1, b0, W2, b1, b2):
    """The student's probabilities of all states of (v, h1, h2), added up."""
    d, n = len(b0), len(b1)
    x = states(d + n + len(b2))
    return float(np.exp(student.dbn_log_joint(x[:, :d], x[:, d:d + n], x[:, d + n:], W1, b0, W2, b1, b2)).sum())


def slopes_at_the_end(student, v, W1, W2, b0, b1, b2, sweeps):
    """Slope of E_q[-E] + H(q) in every mean at the student's means, by the closed form input - log odds."""
    mu1, mu2 = student.mean_field(v, W1, W2, b1, b2, sweeps)
    return np.concatenate([v @ W1 + mu2 @ W2.T + b1 - np.log(mu1 / (1 - mu1)),
                           mu1 @ W2 + b2 - np.log(mu2 / (1 - mu2))], axis=1)


def slope_in_mu(student, v, mu1, mu2, *rest):
    """Differences of the student's bound in the first unit of h1, and in the first unit of h2: (2, n)."""
    slopes, h = [], 1e-5
    for of_h1, of_h2 in ((h, 0), (0, h)):
        step1, step2 = np.zeros_like(mu1), np.zeros_like(mu2)
        step1[:, 0], step2[:, 0] = of_h1, of_h2
        up, down = (student.mean_field_bound(v, mu1 + sign * step1, mu2 + sign * step2, *rest) for sign in (1, -1))
        slopes.append((up - down) / (2 * h))
    return np.array(slopes)


def long_chains(student, W1, W2, b0, b1, b2, sweeps, n, rng):
    """n chains from coin flips, whole states side by side."""
    start = [(rng.random((n, 2)) < 0.5).astype(float) for _ in range(3)]
    return np.concatenate(student.block_gibbs(*start, W1, W2, b0, b1, b2, sweeps, rng), axis=1)


def first_sweep(student, W1, W2, b0, b1, b2, start, n, rng):
    """n chains, one sweep from the same state."""
    v, h1, h2 = (np.repeat(start[:, k:k + 2], n, axis=0) for k in (0, 2, 4))
    return np.concatenate(student.block_gibbs(v, h1, h2, W1, W2, b0, b1, b2, 1, rng), axis=1)


def exact_phases(student, v, W1, W2, b0, b1, b2):
    """The student's gradient with settled means, and with chains in the proportions of p(v, h1, h2).

    The proportions come in by calling with one state at a time: the gradient is linear in what the chains say.
    """
    mu2 = np.full((len(v), len(b2)), 0.5)
    for _ in range(80):
        mu1 = 1 / (1 + np.exp(-(v @ W1 + mu2 @ W2.T + b1)))
        mu2 = 1 / (1 + np.exp(-(mu1 @ W2 + b2)))
    x = states(7)
    u, g, h = x[:, :3], x[:, 3:5], x[:, 5:]
    p = np.exp(((u @ W1) * g).sum(1) + ((g @ W2) * h).sum(1) + u @ b0 + g @ b1 + h @ b2)
    parts = [student.dbm_gradient(v, mu1, mu2, (u[[k]], g[[k]], h[[k]])) for k in range(len(x))]
    return tuple(sum(w * np.asarray(part[i]) for w, part in zip(p / p.sum(), parts)) for i in range(5))
