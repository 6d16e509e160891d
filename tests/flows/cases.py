"""Every flow, alone, turned round and in pairs: how to make it, where its data live, and a base for its noise."""

from typing import Any, NamedTuple

import numpy as np

from minigen.checks import Box, Interval
from minigen.distributions import Independent, Uniform
from minigen.flows import (
    Affine,
    Compose,
    DenseLinear,
    Inverse,
    Logit,
    MaskedAutoregressive,
    Planar,
    PLULinear,
    QRLinear,
)

MARGIN = 0.05
EDGE = MARGIN / (1 - 2 * MARGIN)  # Logit maps (-EDGE, 1 + EDGE) to the real line
PLANE = Box(*[(-20.0, 20.0)] * 2)
CUBE = Box(*[Interval(-EDGE, 1 + EDGE, rule="tanh-sinh")] * 2)

MAKERS = {
    "Affine": lambda d, rng: Affine(d),
    "DenseLinear": lambda d, rng: DenseLinear(d, rng=rng),
    "PLULinear": lambda d, rng: PLULinear(d, rng=rng),
    "QRLinear": lambda d, rng: QRLinear(d, rng=rng),
    "Planar": lambda d, rng: Planar(d, rng=rng),
    "MaskedAutoregressive": lambda d, rng: MaskedAutoregressive(
        d, (8, 7), rng=rng, order=rng.permutation(d), degrees="random", activation="tanh"),
    "Logit": lambda d, rng: Logit(d, MARGIN),
}
ON_THE_PLANE = [name for name in MAKERS if name != "Logit"]


class Case(NamedTuple):
    """A flow, points of its data space, the box that holds its density, and a base (None: standard normal)."""

    flow: Any
    points: np.ndarray
    domain: Box
    base: Any


def moved(flow, rng, by=0.25):
    """The flow in float64, its parameters away from where they start: no zeros, no identity, nothing orthogonal."""
    flow.astype(np.float64)
    for parameter in flow.parameters():
        parameter.data += by * rng.standard_normal(parameter.shape)
    return flow


def make(name, d=2, seed=0):
    """`Planar`, `Inverse(Planar)` or `Logit then Planar`, with its surroundings."""
    rng = np.random.default_rng([seed, *name.encode()])
    parts = name.split(" then ")
    layers = [_one(part, d, rng) for part in parts]
    flow = layers[0] if len(layers) == 1 else Compose(layers)
    in_cube, to_cube = parts[0] == "Logit", parts[-1] == "Inverse(Logit)"
    points = rng.uniform(-0.5 * EDGE, 1 + 0.5 * EDGE, (6, d)) if in_cube else rng.normal(size=(6, d))
    base = Independent(Uniform(np.full(d, -EDGE), np.full(d, 1 + EDGE)), 1) if to_cube else None
    domain = CUBE if in_cube else Box(Interval(), Interval()) if to_cube else PLANE
    return Case(flow, points, domain, base)


def _one(part, d, rng):
    inner = part.removeprefix("Inverse(").removesuffix(")")
    flow = moved(MAKERS[inner](d, rng), rng)
    return flow if inner == part else Inverse(flow)


SINGLES = [*MAKERS, *(f"Inverse({name})" for name in MAKERS)]
PAIRS = [f"{a} then {b}" for a in MAKERS for b in ON_THE_PLANE] + [
    "Inverse(Planar) then Planar", "Planar then Inverse(QRLinear)", "Planar then Inverse(Logit)"]
EVERY_FLOW = SINGLES + PAIRS
