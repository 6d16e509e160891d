"""The Ising model on a grid: drawn site by site or colour by colour, exact where a transfer matrix is small enough."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen.nn import compiles
from minigen.nn.checking import whole

from .boltzmann import MarkovField, binary_states, positive
from .sampling import stream

WIDEST = 10  # columns of a transfer matrix: 2^10 states of a row
CRITICAL_TEMPERATURE = 2 / np.log(1 + np.sqrt(2))  # of the infinite square lattice, J = 1; Onsager 1944


class Ising:
    """p(s) = exp(-E(s)/T) / Z,  E(s) = -J sum_<ij> s_i s_j - h sum_i s_i,  s in {-1, +1}^(rows x columns).

    coupling: J, field: h, temperature: T > 0. periodic: the grid closes to a torus (both sides at least 3);
    otherwise sites on the edge have fewer neighbours. States are int8 arrays (chains, rows, columns).
    """

    def __init__(self, rows: int, columns: int, *, coupling: float = 1.0, field: float = 0.0,
                 temperature: float = 1.0, periodic: bool = True):
        if min(rows, columns) < (3 if periodic else 1):
            raise ValueError(f"Ising: a grid {rows} x {columns}; expected sides of at least {3 if periodic else 1}"
                             f"{' where it is periodic' if periodic else ''}")
        if not np.isfinite([coupling, field]).all():
            raise ValueError(f"Ising: coupling is {coupling}, field is {field}; expected finite numbers")
        self.shape, self.periodic = (rows, columns), periodic
        self.coupling, self.field = float(coupling), float(field)
        self.temperature = positive(temperature, "Ising: temperature")

    def energy(self, s: Any) -> np.ndarray:
        """E(s), every bond once. s: (chains, rows, columns) of -1 and 1; result (chains,)."""
        s = self._read(s)
        bonds = (s[:, 1:] * s[:, :-1]).sum((1, 2)) + (s[:, :, 1:] * s[:, :, :-1]).sum((1, 2))
        if self.periodic:
            bonds += (s[:, 0] * s[:, -1]).sum(1) + (s[:, :, 0] * s[:, :, -1]).sum(1)
        return -self.coupling * bonds - self.field * s.sum((1, 2))

    def hot(self, chains: int, rng: np.random.Generator) -> np.ndarray:
        """States of infinite temperature: coin flips, (chains, rows, columns)."""
        return (2 * rng.integers(0, 2, (chains, *self.shape)) - 1).astype(np.int8)

    def cold(self, chains: int) -> np.ndarray:
        """States of temperature zero: all +1, (chains, rows, columns)."""
        return np.ones((chains, *self.shape), np.int8)

    def sequential(self, s: Any, sweeps: int, rng: np.random.Generator) -> np.ndarray:
        """s after `sweeps` sweeps of Gibbs sampling, each site after the other in the order of reading."""
        return self._swept("sequential", s, sweeps, rng)

    def checkerboard(self, s: Any, sweeps: int, rng: np.random.Generator) -> np.ndarray:
        """s after `sweeps` sweeps: all sites of one colour of a chess board at once, then all of the other.

        Sites of one colour are no neighbours, hence independent given the other colour. ValueError on a torus with
        an odd side, which has no two colours.
        """
        if self.periodic and (self.shape[0] % 2 or self.shape[1] % 2):
            raise ValueError(f"Ising: a torus of {self.shape[0]} x {self.shape[1]} sites has no two colours; expected "
                             "even sides")
        return self._swept("checkerboard", s, sweeps, rng)

    def log_z(self) -> float:
        """log Z in nats, exact: from the transfer matrix V of one row to the next, at most 10 columns.

        V(s, t) = exp((inside(s)/2 + J s't + inside(t)/2) / T), `inside` for the bonds and the field within a row:
        Z = tr V^rows on a torus, Z = w'V^(rows-1) w with w = exp(inside/2T) on a free grid. Kramers and Wannier 1941.
        """
        rows, columns = self.shape
        if columns > WIDEST:
            raise ValueError(f"Ising.log_z: {columns} columns make a transfer matrix of 2^{columns} rows; at most "
                             f"{WIDEST} columns are possible")
        s = 1 - 2 * binary_states(columns)
        inside = self.coupling * (s[:, 1:] * s[:, :-1]).sum(1) + self.field * s.sum(1)
        if self.periodic:
            inside = inside + self.coupling * s[:, 0] * s[:, -1]
        log_v = ((inside[:, None] + inside) / 2 + self.coupling * (s @ s.T)) / self.temperature
        top = log_v.max()
        values, vectors = np.linalg.eigh(np.exp(log_v - top))
        if self.periodic:
            largest, shares, power = values[-1], 1.0, rows
        else:
            start = inside.max() / 2 / self.temperature
            shares = (np.exp(inside / 2 / self.temperature - start) @ vectors) ** 2
            largest, power = values[-1], rows - 1
        log_sum = np.log(np.sum(shares * (values / largest) ** power)) + power * (np.log(largest) + top)
        return float(log_sum if self.periodic else log_sum + 2 * start)

    def as_field(self) -> MarkovField:
        """The same distribution over x = (s + 1) / 2 in {0,1}^(rows columns), sites in the order of reading."""
        number = np.arange(self.shape[0] * self.shape[1]).reshape(self.shape)
        tables: dict = {(int(i),): np.exp(self.field * np.array([-1.0, 1.0])) for i in number.ravel()}
        for axis in (0, 1):
            for i, j in zip(number.ravel(), np.roll(number, -1, axis).ravel()):
                if self.periodic or j > i:
                    tables[int(i), int(j)] = np.exp(self.coupling * np.array([[1.0, -1.0], [-1.0, 1.0]]))
        return MarkovField(number.size, tables, temperature=self.temperature)

    def _swept(self, order: str, s: Any, sweeps: int, rng: np.random.Generator) -> np.ndarray:
        from minigen.kernels import ising, reference_ising  # here, because they cost Numba's import

        s, rng, sweeps = self._read(s).copy(), stream(rng), whole(sweeps, "sweeps", f"Ising.{order}", least=0)
        if not sweeps:
            return s
        blocks = getattr(ising, f"{order}_blocks")(*s.shape, sweeps)
        up = ising.thresholds(self.coupling, self.field, self.temperature)
        sweep = getattr(ising if compiles() else reference_ising, order)
        sweep(*rng.take(blocks), s, up, self.periodic, sweeps)
        return s

    def _read(self, s: Any) -> np.ndarray:
        s = np.asarray(s)
        if s.ndim != 3 or s.shape[1:] != self.shape or s.size == 0:
            raise ValueError(f"Ising: s has shape {s.shape}; expected (chains, {self.shape[0]}, {self.shape[1]})")
        wrong = ~((s == 1) | (s == -1))
        if wrong.any():
            raise ValueError(f"Ising: s has the value {s[wrong][0]}; expected -1 and 1 alone")
        return np.ascontiguousarray(s, np.int8)


def onsager_energy(temperature: float, coupling: float = 1.0) -> float:
    """Mean energy per site of the infinite square lattice without field, J > 0. Onsager 1944.

    u = -J coth(2K) [1 + (2/pi)(2 tanh^2(2K) - 1) K1(k)], K = J/T, k = 2 sinh(2K)/cosh^2(2K), K1 the complete elliptic
    integral of the first kind, by the arithmetic-geometric mean: K1(k) = pi / (2 agm(1, sqrt(1 - k^2))).
    """
    K = positive(coupling, "onsager_energy: coupling") / positive(temperature, "onsager_energy: temperature")
    tanh = np.tanh(2 * K)
    one, other = 1.0, abs(2 * tanh**2 - 1)  # sqrt(1 - k^2); at T_c it is 0, and so is what stands before K1
    if other < 1e-12:
        return -coupling / tanh
    while abs(one - other) > 1e-15:
        one, other = (one + other) / 2, np.sqrt(one * other)
    return float(-coupling / tanh * (1 + (2 * tanh**2 - 1) / one))


def onsager_magnetisation(temperature: float, coupling: float = 1.0) -> float:
    """|<s>| = (1 - sinh(2J/T)^-4)^(1/8) below T_c = 2J / log(1 + sqrt 2), and 0 above; infinite lattice, no field.

    Yang 1952 (announced by Onsager in 1949).
    """
    ratio = np.sinh(2 * positive(coupling, "onsager_magnetisation: coupling")
                    / positive(temperature, "onsager_magnetisation: temperature"))
    return float((1 - ratio**-4) ** 0.125) if ratio > 1 else 0.0
