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
    raise NotImplementedError("exercise change_of_variables.constrained_u: your lines go here")


def planar_log_det(x, w, u, b):
    """log|det J| of f(x) = x + u tanh(w'x + b) at every row of x.

    x: (n, d); w, u: (d,), with w'u > -1; b: a number. Returns (n,). Do not build the (d, d) Jacobian: d may be large.
    """
    raise NotImplementedError("exercise change_of_variables.planar_log_det: your lines go here")


def planar_inverse(z, w, u, b):
    """The x for which x + u tanh(w'x + b) = z, row by row, to at least ten digits.

    z: (n, d); w, u: (d,), with w'u > -1; b: a number. Returns (n, d).
    Only one number per row has to be searched for. Where must it lie, and is it the only one?
    """
    raise NotImplementedError("exercise change_of_variables.planar_inverse: your lines go here")


def compose(maps, x):
    """(z, log|det J|) of the chain that applies maps[0] first, then maps[1], and so on.

    maps: functions x -> (z, log_det), from (n, d) to (n, d) and (n,), each the log-det at the point it is given.
    x: (n, d). Returns z: (n, d) and log_det: (n,), that of the whole chain at x. No maps: x itself, and zeros.
    """
    raise NotImplementedError("exercise change_of_variables.compose: your lines go here")


def plu_inverse(z, P, L, U):
    """(x, log_det): x solves P L U x = z for every row of z; log_det is log|det| of this map from z to x.

    z: (n, d); P: a permutation matrix; L: lower triangular with ones on its diagonal; U: upper triangular, its
    diagonal of either sign and not zero; all (d, d). Returns x: (n, d) and log_det: (n,).
    Substitute forwards, then backwards: no general solver is needed.
    """
    raise NotImplementedError("exercise change_of_variables.plu_inverse: your lines go here")
