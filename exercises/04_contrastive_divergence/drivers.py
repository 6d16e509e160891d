"""These run in the child, between plain inputs and the student's functions. `student` holds the submission."""
import numpy as np


def annealed(student, x, betas, A, shift):
    """log f_beta(x) = -|x|^2 / 2 + beta sin(x A).sum; a 'sweep' that is a fixed map, so that its states are known."""
    def log_f(beta, x):
        return -0.5 * (x**2).sum(-1) + beta * np.sin(x @ A).sum(-1)

    def sweep(beta, x):
        return np.cos((1 + beta) * x) + beta * shift

    return student.ais_log_ratios(x, [float(beta) for beta in betas], log_f, sweep)


def through_a_chain(student, x, betas, paths):
    """The student's log ratios with a chain on every path over three states, and the betas that it was moved at.

    x: first states (n, 1); the k-th sweep goes on to column k of `paths`, and stays at the last one.
    """
    used = []

    def log_f(beta, x):
        return beta * np.array([0.0, 1.0, -0.7])[x[:, 0].astype(int)]

    def sweep(beta, x):
        used.append(float(beta))
        place = min(len(used), paths.shape[1] - 1)
        return paths[:, place:place + 1]

    ratios = student.ais_log_ratios(x, [float(beta) for beta in betas], log_f, sweep)
    return ratios, np.array(used)
