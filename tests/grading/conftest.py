"""One small exercise, written into a temporary folder: the worked example of exercises/README.md."""
from pathlib import Path

import pytest

from minigen.grading import load_exercise

SOLUTION = '''\
"""The Gaussian KL, and checking a gradient.

Write gaussian_kl and wrong_gradient; NumPy is all you need.
"""
import numpy as np


def gaussian_kl(mu, log_sigma):
    """KL(N(mu, sigma^2) || N(0, 1)) in nats, summed over the last axis.

    mu, log_sigma: (..., d). Returns an array of shape (...).
    """
    # BEGIN SOLUTION
    variance = np.exp(2 * log_sigma)
    return 0.5 * np.sum(mu**2 + variance - 1 - 2 * log_sigma, axis=-1)
    # END SOLUTION


def wrong_gradient(f, gradient, x):
    """True where gradient(x) is not the gradient of the scalar f at x."""
    # BEGIN SOLUTION
    step = 1e-5
    numeric = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    return not np.allclose(numeric, gradient(x), rtol=1e-5, atol=1e-7)
    # END SOLUTION
'''

CHECKS = '''\
import numpy as np

from minigen.grading import Check, Gradient, Value


def gaussians(rng):
    return rng.normal(size=(4, 3)), 0.3 * rng.normal(size=(4, 3))


def one_gaussian(rng):
    return rng.normal(size=3), 0.3 * rng.normal(size=3)


def kl_by_quadrature(mu, log_sigma):
    """An independent route: integrate q log(q / p) on a grid, one dimension at a time."""
    t = np.linspace(-12, 12, 4001)
    sigma = np.exp(log_sigma)[..., None]
    log_q = -0.5 * t**2 - 0.5 * np.log(2 * np.pi) - np.log(sigma)
    x = mu[..., None] + sigma * t
    log_p = -0.5 * x**2 - 0.5 * np.log(2 * np.pi)
    return np.trapezoid(np.exp(log_q) * (log_q - log_p) * sigma, t, axis=-1).sum(-1)


def quadratic(rng):
    A, slips = rng.normal(size=(3, 3)), np.zeros((4, 3))
    slips[rng.permutation(4)[:2], rng.integers(3)] = 0.01
    return A, A + A.T, slips, rng.normal(size=3)


def are_wrong(A, B, slips, x):
    return np.any(slips != 0, axis=1)


CHECKS = [
    Check("kl against quadrature", "gaussian_kl", points=2,
          states="KL(q || p) is the integral of q log(q / p), summed over dimensions",
          inputs=gaussians, expected=kl_by_quadrature, compare=Value(rtol=1e-8),
          hint="write the integrand's two logarithms out; which expectations of z and z^2 are left?"),
    Check("kl has a gradient in log sigma", "gaussian_kl", visibility="hidden", driver="slope_at_zero",
          states="d KL / d log sigma = sigma^2 - 1",
          inputs=one_gaussian, expected=lambda mu, s: np.exp(2 * s) - 1, compare=Value(rtol=1e-5),
          hint="the variance is the square of sigma"),
    Check("finds a slip of one percent", "wrong_gradient", driver="judge_quadratics",
          states="a wrong gradient is found, a right one is accepted",
          inputs=quadratic, expected=are_wrong, hint="differences in every direction, not in one"),
]
'''

DRIVERS = '''\
"""These run in the child, between plain inputs and the student's functions. `student` holds the submission."""
import numpy as np


def slope_at_zero(student, mu, log_sigma):
    """Differences of the student's KL, entry by entry."""
    h, kl = 1e-4, student.gaussian_kl
    return np.array([(kl(mu, log_sigma + h * e) - kl(mu, log_sigma - h * e)) / (2 * h) for e in np.eye(len(mu))])


def judge_quadratics(student, A, B, slips, x):
    """f(x) = x'Ax with the claimed gradients Bx + slip, one verdict for each slip."""
    return np.array([student.wrong_gradient(lambda x: x @ A @ x, lambda x, s=s: B @ x + s, x) for s in slips])
'''

MUTANTS = '''\
import numpy as np

from minigen.grading import mutant


@mutant("gaussian_kl", feedback="The half belongs to all four terms of the sum, not to the square of mu alone.")
def half_of_mu_only(mu, log_sigma):
    return np.sum(0.5 * mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="log sigma was taken for log sigma^2: the variance is exp(2 log sigma).")
def log_variance(mu, log_sigma):
    return 0.5 * np.sum(mu**2 + np.exp(log_sigma) - 1 - log_sigma, axis=-1)


@mutant("gaussian_kl", feedback="The KL of independent dimensions is the sum over them, not the mean.")
def mean_for_sum(mu, log_sigma):
    return 0.5 * np.mean(mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


@mutant("wrong_gradient", feedback="Every gradient is called right: compare with differences of f.")
def trusting(f, gradient, x):
    return False


@mutant("wrong_gradient", feedback="Every gradient is called wrong: differences carry an error, allow for it.")
def suspicious(f, gradient, x):
    return True


@mutant("wrong_gradient", feedback="A slip of 0.01 hides below your tolerance: shrink it towards 1e-6.")
def loose(f, gradient, x):
    numeric = [(f(x + 1e-5 * e) - f(x - 1e-5 * e)) / 2e-5 for e in np.eye(len(x))]
    return not np.allclose(numeric, gradient(x), atol=1.0)
'''

TESTS = '''\
"""Public checks: run `pytest` in this folder."""
from minigen.grading import pytest_checks

test_demo = pytest_checks(__file__)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exercise folder 90_demo without its stub."""
    home = tmp_path / "exercises" / "90_demo"
    home.mkdir(parents=True)
    for name, text in [("solution.py", SOLUTION), ("checks.py", CHECKS), ("drivers.py", DRIVERS),
                       ("mutants.py", MUTANTS), ("test_demo.py", TESTS)]:
        (home / name).write_text(text, encoding="utf-8")
    return home


@pytest.fixture
def exercise(folder: Path):
    """The same, read."""
    return load_exercise(folder)
