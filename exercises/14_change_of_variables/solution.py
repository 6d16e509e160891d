"""Change of variables: ridges, chains and triangular factors.

Write five pieces of a normalising flow: the constrained direction of a planar ridge, its log-determinant, its inverse
by root finding, a chain of maps with the log-determinant of the whole, and the inverse of a linear map held as P, L, U.
NumPy is all you need. Logarithms are natural; a log-determinant belongs to the map that is applied.
"""
import numpy as np


def constrained_u(w, u):
    """The u^ nearest in kind to u that keeps the ridge x + u^ tanh(w'x + b) invertible.

    u^ differs from u by a multiple of w, and its inner product with w is log(1 + exp(w'u)) - 1, which is above -1.
    w, u: (d,), w not zero, w'u between -700 and 700. Returns (d,).
    """
    # BEGIN SOLUTION
    along = w @ u
    wanted = np.logaddexp(0, along) - 1
    return u + (wanted - along) * w / (w @ w)
    # END SOLUTION


def planar_log_det(x, w, u, b):
    """log|det J| of f(x) = x + u tanh(w'x + b) at every row of x.

    x: (n, d); w, u: (d,), with w'u > -1; b: a number. Returns (n,). Do not build the (d, d) Jacobian: d may be large.
    """
    # BEGIN SOLUTION
    h = np.tanh(x @ w + b)
    return np.log1p((1 - h**2) * (w @ u))
    # END SOLUTION


def planar_inverse(z, w, u, b):
    """The x for which x + u tanh(w'x + b) = z, row by row, to at least ten digits.

    z: (n, d); w, u: (d,), with w'u > -1; b: a number. Returns (n, d).
    Only one number per row has to be searched for. Where must it lie, and is it the only one?
    """
    # BEGIN SOLUTION
    slope, s = w @ u, z @ w + b
    low, high = s - abs(slope) - 1e-9, s + abs(slope) + 1e-9
    for _ in range(80):
        a = (low + high) / 2
        below = a + slope * np.tanh(a) < s
        low, high = np.where(below, a, low), np.where(below, high, a)
    return z - np.tanh(a)[:, None] * u
    # END SOLUTION


def compose(maps, x):
    """(z, log|det J|) of the chain that applies maps[0] first, then maps[1], and so on.

    maps: functions x -> (z, log_det), from (n, d) to (n, d) and (n,), each the log-det at the point it is given.
    x: (n, d). Returns z: (n, d) and log_det: (n,), that of the whole chain at x. No maps: x itself, and zeros.
    """
    # BEGIN SOLUTION
    total = np.zeros(len(x))
    for step in maps:
        x, log_det = step(x)
        total = total + log_det
    return x, total
    # END SOLUTION


def plu_inverse(z, P, L, U):
    """(x, log_det): x solves P L U x = z for every row of z; log_det is log|det| of this map from z to x.

    z: (n, d); P: a permutation matrix; L: lower triangular with ones on its diagonal; U: upper triangular, its
    diagonal of either sign and not zero; all (d, d). Returns x: (n, d) and log_det: (n,).
    Substitute forwards, then backwards: no general solver is needed.
    """
    # BEGIN SOLUTION
    d = len(L)
    y = z @ P
    for i in range(d):
        y[:, i] -= y[:, :i] @ L[i, :i]
    x = np.zeros_like(y)
    for i in reversed(range(d)):
        x[:, i] = (y[:, i] - x[:, i + 1:] @ U[i, i + 1:]) / U[i, i]
    return x, np.full(len(z), -np.log(np.abs(np.diagonal(U))).sum())
    # END SOLUTION
