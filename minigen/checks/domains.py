"""Where a density lives: intervals and boxes for quadrature, binary vectors and integers for enumeration.

A domain gives its points with weights, chunk by chunk, so that a mass is sum_i w_i exp log_prob(x_i). It also
sorts samples into cells and gives the cells' probabilities; `check_density` and `check_sampler` need no more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from minigen.checks.oracles import binary_chunks
from minigen.checks.quadrature import Rule, interval_rule, product_rule

_CHUNK = 2**16
_PER_CELL = 32


@dataclass(frozen=True)
class Interval:
    """Numbers in (a, b), either end infinite if left out; an event has shape ().

    loc, scale: roughly where the mass of an infinite interval is. rule: as in `interval_rule`.
    """

    a: float = -np.inf
    b: float = np.inf
    loc: float = 0.0
    scale: float = 1.0
    rule: str = "gauss"

    event_shape = ()
    resolutions = tuple(2**k for k in range(7, 18))

    @property
    def axes(self) -> tuple["Interval", ...]:
        """The intervals whose product this is."""
        return (self,)

    def nodes(self, n: int) -> Rule:
        """About n points and weights."""
        return interval_rule(self.a, self.b, n, rule=self.rule, loc=self.loc, scale=self.scale)

    def chunks(self, n: int) -> Iterator[Rule]:
        """Points (m,) and weights (m,) of the rule with n points."""
        yield from pieces(*self.nodes(n))

    def events(self, columns: np.ndarray) -> np.ndarray:
        """Points (m, 1) in the shape that the density takes."""
        return columns[:, 0]

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Events as columns (n, number of axes)."""
        return x[:, None]

    def __str__(self) -> str:
        return f"({self.a:g}, {self.b:g})"


@dataclass(frozen=True)
class Box:
    """Vectors in an interval or a rectangle; an event has shape (1,) or (2,). `Box((-1, 1), Interval())` mixes."""

    sides: tuple[Interval, ...]

    def __init__(self, *sides: Interval | tuple[float, float]):
        if not 1 <= len(sides) <= 2:
            raise ValueError(f"Box: {len(sides)} sides; expected 1 or 2, quadrature costs n^d")
        object.__setattr__(self, "sides", tuple(s if isinstance(s, Interval) else Interval(*s) for s in sides))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)"""
        return (len(self.sides),)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Points an axis, from a first look to the most that is affordable."""
        return Interval.resolutions if len(self.sides) == 1 else (64, 128, 256, 512, 1024)

    @property
    def axes(self) -> tuple[Interval, ...]:
        """The intervals whose product this is."""
        return self.sides

    def chunks(self, n: int) -> Iterator[Rule]:
        """Points (m, d) and weights (m,) of the product rule with n points an axis."""
        yield from pieces(*product_rule(*(side.nodes(n) for side in self.sides)))

    def events(self, columns: np.ndarray) -> np.ndarray:
        """Points (m, d) in the shape that the density takes."""
        return columns

    columns = events

    def __str__(self) -> str:
        return " x ".join(map(str, self.sides))


@dataclass(frozen=True)
class Binary:
    """All binary vectors of length d; an event has shape (d,)."""

    d: int

    resolutions = (0,)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)"""
        return (self.d,)

    def chunks(self, n: int) -> Iterator[Rule]:
        """Every vector, with weight 1."""
        for x in binary_chunks(self.d):
            yield x, np.ones(len(x))

    def index(self, x: np.ndarray) -> np.ndarray:
        """Place of each event in the enumeration; -1 for an event outside."""
        inside = np.isin(x, (0, 1)).all(axis=1)
        return np.where(inside, np.where(x == 1, 1, 0) @ (1 << np.arange(self.d - 1, -1, -1)), -1)

    def __str__(self) -> str:
        return f"{{0,1}}^{self.d}"


@dataclass(frozen=True)
class Integers:
    """The integers low, ..., high - 1 (event shape ()), or vectors of d of them (event shape (d,))."""

    low: int
    high: int
    d: int | None = None

    resolutions = (0,)

    def __post_init__(self):
        if self.high <= self.low or self.size > 2**25:
            raise ValueError(f"Integers: {self} has {self.size} points; expected 1 to 2^25")

    @property
    def size(self) -> int:
        """Number of points."""
        return max(self.high - self.low, 0) ** (self.d or 1)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """() or (d,)"""
        return () if self.d is None else (self.d,)

    def chunks(self, n: int) -> Iterator[Rule]:
        """Every point, with weight 1."""
        for start in range(0, self.size, _CHUNK):
            flat = np.arange(start, min(start + _CHUNK, self.size))
            digits = np.stack(np.unravel_index(flat, (self.high - self.low,) * (self.d or 1)), axis=-1)
            x = digits.astype(float) + self.low
            yield (x[:, 0] if self.d is None else x), np.ones(len(x))

    def index(self, x: np.ndarray) -> np.ndarray:
        """Place of each event in the enumeration; -1 for an event outside."""
        x = x.reshape(len(x), -1)
        inside = ((x == np.round(x)) & (x >= self.low) & (x < self.high)).all(axis=1)
        digits = np.where(inside[:, None], x - self.low, 0).astype(int)
        return np.where(inside, np.ravel_multi_index(digits.T, (self.high - self.low,) * x.shape[1]), -1)

    def __str__(self) -> str:
        return f"{{{self.low}..{self.high - 1}}}" + (f"^{self.d}" if self.d else "")


Domain = Interval | Box | Binary | Integers


def pieces(x: np.ndarray, w: np.ndarray) -> Iterator[Rule]:
    """Both arrays in slices of at most 2^16 rows, so that a network's activations fit."""
    for start in range(0, len(x), _CHUNK):
        yield x[start : start + _CHUNK], w[start : start + _CHUNK]


def rectangular_cells(
    domain: Interval | Box, density: Callable[[np.ndarray], np.ndarray], n: int, cells: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Cuts each axis at quantiles of its marginal; gives the inner edges of each axis and each cell's probability.

    density maps events to p(x). n: resolution at which its mass was found to converge; cells: number per axis.
    """
    axes = domain.axes
    rules = [axis.nodes(n) for axis in axes]
    points, weights = product_rule(*rules)
    mass = (weights * density(domain.events(points))).reshape([len(x) for x, _ in rules])
    edges = []
    for j, (x, _) in enumerate(rules):
        marginal = mass.sum(axis=tuple(k for k in range(len(axes)) if k != j))
        below = np.cumsum(marginal) / marginal.sum()
        edges.append(np.unique(np.interp(np.arange(1, cells) / cells, below, x)))
    fine = [_cut(axis, inner) for axis, inner in zip(axes, edges)]
    points, weights = product_rule(*fine)
    probability = (weights * density(domain.events(points))).reshape([len(x) for x, _ in fine])
    for j, (inner, (x, _)) in enumerate(zip(edges, fine)):
        per_cell = len(x) // (len(inner) + 1)
        probability = np.add.reduceat(probability, np.arange(0, len(x), per_cell), axis=j)
    return edges, probability


def _cut(axis: Interval, inner: np.ndarray) -> Rule:
    """One rule over all cells of an axis, the same number of points in each."""
    ends = np.concatenate([[axis.a], inner, [axis.b]])
    spread = float(inner[-1] - inner[0]) if len(inner) > 1 else axis.scale
    pieces = []
    for a, b in zip(ends[:-1], ends[1:]):
        loc, scale = (axis.loc, axis.scale) if np.isinf(a) and np.isinf(b) else (0.0, spread)
        pieces.append(interval_rule(a, b, _PER_CELL, rule=axis.rule, loc=loc, scale=scale))
    return np.concatenate([x for x, _ in pieces]), np.concatenate([w for _, w in pieces])
