"""Two-dimensional toys: independent draws from densities whose shape one sees at a glance.

Every toy takes the number of points and a generator and returns shape (n, 2), float64; every one is centred and
lies within about 3 of the origin. ValueError for n < 1, TypeError for something that is no generator.
"""

import functools
from collections.abc import Callable

import numpy as np

from minigen.data.transforms import positive_integer, require_generator

Toy = Callable[[int, np.random.Generator], np.ndarray]
TOYS: dict[str, Toy] = {}


def toy(draw: Toy) -> Toy:
    """Enter a toy in the table TOYS, two_moons as "two-moons", and check its arguments at its door."""

    @functools.wraps(draw)
    def checked(n: int, rng: np.random.Generator) -> np.ndarray:
        return draw(positive_integer(n, "n", draw.__name__), require_generator(rng, draw.__name__))

    TOYS[draw.__name__.replace("_", "-")] = checked
    return checked


@toy
def two_moons(n: int, rng: np.random.Generator) -> np.ndarray:
    """x = +-((cos t, sin t) - (1/2, 1/4)) + N(0, 0.1^2), t ~ U(0, pi): half circles hooked into each other."""
    t = rng.uniform(0.0, np.pi, n)
    return _either_sign(n, rng) * (_polar(1.0, t) - (0.5, 0.25)) + rng.normal(0.0, 0.1, (n, 2))


@toy
def eight_gaussians(n: int, rng: np.random.Generator) -> np.ndarray:
    """x ~ 1/8 sum_k N(2 (cos k pi/4, sin k pi/4), 0.2^2): eight bumps on a circle."""
    return _polar(2.0, rng.integers(8, size=n) * (np.pi / 4)) + rng.normal(0.0, 0.2, (n, 2))


@toy
def pinwheel(n: int, rng: np.random.Generator) -> np.ndarray:
    """x = 2 R(2 pi k/5 + e^a/4) (1 + a, b), a ~ N(0, 0.3^2), b ~ N(0, 0.1^2): five bent arms.

    R(t) rotates by the angle t; k is uniform on 0..4. Source: the pinwheel of Johnson et al. 2016, Composing
    graphical models with neural networks.
    """
    radial, tangential = rng.normal(0.0, 0.3, n), rng.normal(0.0, 0.1, n)
    angle = 2 * np.pi * rng.integers(5, size=n) / 5 + np.exp(radial) / 4
    return 2 * (_polar(1.0 + radial, angle) + _polar(tangential, angle + np.pi / 2))


@toy
def two_spirals(n: int, rng: np.random.Generator) -> np.ndarray:
    """x = +-t/pi (cos t, sin t) + N(0, 0.1^2), t = 3 pi sqrt(u), u ~ U(0, 1): two arms, wound together."""
    t = 3 * np.pi * np.sqrt(rng.random(n))
    return _either_sign(n, rng) * _polar(t / np.pi, t) + rng.normal(0.0, 0.1, (n, 2))


@toy
def checkerboard(n: int, rng: np.random.Generator) -> np.ndarray:
    """p(x) = 1/8 on the black cells of a 4x4 board over [-2, 2)^2, else 0: its entropy is log 8 nats."""
    row = rng.integers(4, size=n)
    column = 2 * rng.integers(2, size=n) + row % 2
    return np.stack((column, row), axis=1) - 2 + rng.random((n, 2))


@toy
def rings(n: int, rng: np.random.Generator) -> np.ndarray:
    """x = r (cos t, sin t) + N(0, 0.08^2), r ~ U{0.6, 1.2, 1.8, 2.4}, t ~ U(0, 2 pi): four circles."""
    radius = 0.6 * rng.integers(1, 5, size=n)
    return _polar(radius, rng.uniform(0.0, 2 * np.pi, n)) + rng.normal(0.0, 0.08, (n, 2))


def _polar(radius: float | np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)


def _either_sign(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice((-1.0, 1.0), size=(n, 1))
