"""Binary Markov random fields: tables over cliques, a temperature, and Gibbs sampling whose kernel can be written down.

Everything here is exact and small: the joint of n sites is an array of 2^n numbers, the kernel of a sampler a matrix
of 4^n. What larger models only claim (that a sampler leaves p as it is, that a gradient is a difference of moments)
can be looked at, entry by entry.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigen.nn.checking import whole

MOST_SITES = 20  # of a joint: 2^20 numbers
MOST_KERNEL_SITES = 11  # of a kernel: 2^22 numbers, 34 MB

Sites = tuple[int, ...]


class MarkovField:
    """p(x) = (1/Z) prod_c psi_c(x_c)^(1/T) = exp(-E(x)/T) / Z,  E(x) = -sum_c log psi_c(x_c),  x in {0,1}^n.

    potentials: {sites of a clique: table psi_c >= 0 of shape (2,) * len(sites)}; an entry 0 forbids a configuration.
    temperature: T > 0 in the units of E. ValueError for sites outside 0..n-1, tables of another shape, entries that
    are negative or not finite. S4:53 (where 1/Z is missing) and S4:69-90.
    """

    def __init__(self, n: int, potentials: Mapping[Sequence[int], Any], *, temperature: float = 1.0):
        if n < 1:
            raise ValueError(f"MarkovField: n is {n}; expected at least one site")
        self.n, self.temperature = n, positive(temperature, "MarkovField: temperature")
        self.log_potentials = {tuple(sites): _log_table(n, tuple(sites), table) for sites, table in potentials.items()}

    @classmethod
    def pairwise(cls, couplings: Any, biases: Any, *, temperature: float = 1.0) -> MarkovField:
        """E(x) = -sum_{i<j} J_ij x_i x_j - sum_i b_i x_i: the Boltzmann machine (Ackley, Hinton and Sejnowski 1985).

        couplings: J (n, n), symmetric with a zero diagonal; biases: b (n,). A coupling of 0 makes no clique.
        """
        J, b = np.asarray(couplings, float), np.asarray(biases, float)
        if J.shape != (len(b), len(b)) or not np.array_equal(J, J.T) or np.diagonal(J).any():
            raise ValueError(f"MarkovField.pairwise: couplings of shape {J.shape} for {len(b)} biases; expected a "
                             f"symmetric matrix ({len(b)}, {len(b)}) with a zero diagonal")
        pairs = {(int(i), int(j)): np.exp([[0, 0], [0, J[i, j]]]) for i, j in np.argwhere(np.triu(J))}
        return cls(len(b), pairs | {(i,): np.exp([0, b[i]]) for i in range(len(b))}, temperature=temperature)

    def at(self, temperature: float) -> MarkovField:
        """The same energies at another temperature."""
        field = copy.copy(self)
        field.temperature = positive(temperature, "MarkovField.at: temperature")
        return field

    def energy(self, x: Any) -> np.ndarray:
        """E(x) = -sum_c log psi_c(x_c); infinite where a clique forbids x. x: (..., n) of 0 and 1; result (...)."""
        return -self._log_product(self._read(x), self.log_potentials)

    def joint(self) -> np.ndarray:
        """p(x) of every state, an array of shape (2,) * n; ValueError above 20 sites or where every state has weight 0.

        One axis per site: a marginal is a sum over axes.
        """
        log_weights, log_z = self._log_weights(), self.log_z()
        return np.exp(log_weights - log_z)

    def log_z(self) -> float:
        """log Z = log sum_x exp(-E(x)/T), nats, by enumeration of 2^n states."""
        log_weights = self._log_weights()
        top = log_weights.max()
        if top == -np.inf:
            raise ValueError("MarkovField: the cliques forbid every state; Z is 0")
        return float(top + np.log(np.exp(log_weights - top).sum()))

    def log_prob(self, x: Any) -> np.ndarray:
        """log p(x) = -E(x)/T - log Z, nats. x: (..., n); result (...)."""
        return -self.energy(x) / self.temperature - self.log_z()

    def marginal(self, sites: Sequence[int]) -> np.ndarray:
        """p(x_sites), an array of shape (2,) * len(sites) whose axes are in the order of `sites`."""
        return _marginal(self.joint(), tuple(sites))

    def gradient(self, x: Any) -> dict[Sites, np.ndarray]:
        """d mean_n log p(x_n) / d log psi_c(s) = (share of data with x_c = s - p(x_c = s)) / T, table by table.

        It is zero where data and model agree on every clique: maximum likelihood matches moments. x: (n_data, n).
        """
        x, joint = self._read(x), self.joint()
        gradient = {}
        for sites in self.log_potentials:
            counts = np.zeros((2,) * len(sites))
            np.add.at(counts, tuple(x[:, i] for i in sites), 1 / len(x))
            gradient[sites] = (counts - _marginal(joint, sites)) / self.temperature
        return gradient

    def conditional(self, x: Any, site: int) -> np.ndarray:
        """p(x_site = 1 | all other sites of x) = sigmoid((E(x with 0) - E(x with 1)) / T). x: (..., n); result (...).

        Only cliques that hold the site count. ValueError where both values are forbidden.
        """
        return self._conditional(self._read(x), site)

    def gibbs(self, x: Any, sweeps: int, rng: np.random.Generator,
              blocks: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """x after `sweeps` passes over the blocks: each draws its sites from p(sites | all others).

        x: (chains, n) of 0 and 1. blocks: sites that are drawn at once, by default one after the other in order;
        ValueError where two sites of a block share a clique, for these are not independent given the others.
        """
        blocks = self._blocks(blocks)
        for block in blocks:
            for sites in self.log_potentials:
                if len(shared := sorted(set(sites) & set(block))) > 1:
                    raise ValueError(f"MarkovField.gibbs: sites {shared} share a clique; they cannot be drawn at once")
        x = self._read(x)
        for _ in range(whole(sweeps, "sweeps", "MarkovField.gibbs", least=0)):
            for block in blocks:
                p = np.stack([self._conditional(x, site) for site in block], axis=-1)
                x[:, block] = rng.random(p.shape) < p
        return x

    def kernel(self, blocks: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """K[s, t] = P(next state t | state s) of one pass over the blocks, (2^n, 2^n); states in binary order.

        blocks as in `gibbs`, but any: a kernel that draws neighbours at once can be written down as well, and does
        not leave p as it is. ValueError above 11 sites.
        """
        if self.n > MOST_KERNEL_SITES:
            raise ValueError(f"MarkovField.kernel: {self.n} sites have 4^{self.n} transitions; at most "
                             f"{MOST_KERNEL_SITES} sites are possible")
        states = binary_states(self.n)
        total = np.eye(len(states))
        for block in self._blocks(blocks):
            total = total @ self._block_kernel(states, list(block))
        return total

    def _block_kernel(self, states: np.ndarray, block: list[int]) -> np.ndarray:
        p = np.stack([self._conditional(states, site) for site in block], axis=-1)
        kernel, rows, target = np.zeros((len(states),) * 2), np.arange(len(states)), states.copy()
        for values in binary_states(len(block)):
            target[:, block] = values
            kernel[rows, state_index(target)] = np.prod(np.where(values, p, 1 - p), axis=1)
        return kernel

    def _blocks(self, blocks: Sequence[Sequence[int]] | None) -> list[list[int]]:
        blocks = [[i] for i in range(self.n)] if blocks is None else [list(block) for block in blocks]
        for block in blocks:
            if not block or len(set(block)) < len(block) or not set(block) <= set(range(self.n)):
                raise ValueError(f"MarkovField: block {block}; expected different sites of 0..{self.n - 1}")
        return blocks

    def _conditional(self, x: np.ndarray, site: int) -> np.ndarray:
        cliques = [sites for sites in self.log_potentials if site in sites]
        off, on = x.copy(), x.copy()
        off[..., site], on[..., site] = 0, 1
        off, on = self._log_product(off, cliques), self._log_product(on, cliques)
        if (np.maximum(off, on) == -np.inf).any():
            raise ValueError(f"MarkovField: the cliques forbid both values of site {site} in a given state; start "
                             "from a state of positive probability")
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp((off - on) / self.temperature))

    def _log_product(self, x: np.ndarray, cliques: Any) -> np.ndarray:
        total = np.zeros(x.shape[:-1])
        for sites in cliques:
            total += self.log_potentials[sites][tuple(x[..., i] for i in sites)]
        return total

    def _log_weights(self) -> np.ndarray:
        if self.n > MOST_SITES:
            raise ValueError(f"MarkovField: {self.n} sites have 2^{self.n} states; at most {MOST_SITES} sites can be "
                             "enumerated")
        total = np.zeros((2,) * self.n)
        for sites, table in self.log_potentials.items():
            shape = [1] * self.n
            for i in sites:
                shape[i] = 2
            total = total + table.transpose(np.argsort(sites)).reshape(shape)
        return total / self.temperature

    def _read(self, x: Any) -> np.ndarray:
        """x as whole numbers, in an array of its own."""
        return binary(x, self.n, "MarkovField").astype(np.intp)


def binary_states(n: int) -> np.ndarray:
    """All 2^n states of n sites in binary order, the first site most significant: (2^n, n) of 0 and 1."""
    return np.arange(1 << n)[:, None] >> np.arange(n)[::-1] & 1


def state_index(x: np.ndarray) -> np.ndarray:
    """Row of `binary_states` that holds x. x: (..., n) of 0 and 1; result (...)."""
    return x.astype(np.int64) @ (1 << np.arange(x.shape[-1])[::-1])


def stationary(kernel: np.ndarray) -> np.ndarray:
    """pi with pi K = pi and sum pi = 1, of a kernel K (m, m) that reaches every state from every state: (m,).

    Solves the linear equations, one of them replaced by the sum. ValueError where rows do not sum to 1.
    """
    m = len(kernel)
    if kernel.shape != (m, m) or not np.allclose(kernel.sum(1), 1):
        raise ValueError(f"stationary: kernel of shape {kernel.shape}; expected a square matrix whose rows sum to 1")
    equations = kernel.T - np.eye(m)
    equations[-1] = 1
    return np.linalg.solve(equations, np.eye(m)[-1])


def binary(x: Any, n: int, name: str) -> np.ndarray:
    """x as an array (..., n) of 0 and 1; ValueError for another width, nothing at all, NaN or any other number."""
    x = np.asarray(x)
    if x.ndim < 1 or x.shape[-1] != n or x.size == 0:
        raise ValueError(f"{name}: x has shape {x.shape}; expected (..., {n}), not empty")
    wrong = ~((x == 0) | (x == 1))
    if wrong.any():
        raise ValueError(f"{name}: x has the value {x[wrong][0]}; expected 0 and 1 alone")
    return x


def positive(number: float, name: str) -> float:
    """The number; ValueError unless it is positive and finite."""
    if not 0 < number < np.inf:
        raise ValueError(f"{name} is {number}; expected a positive number")
    return float(number)


def _log_table(n: int, sites: Sites, table: Any) -> np.ndarray:
    table = np.asarray(table, float)
    if not sites or len(set(sites)) < len(sites) or not set(sites) <= set(range(n)):
        raise ValueError(f"MarkovField: clique {sites}; expected different sites of 0..{n - 1}")
    if table.shape != (2,) * len(sites):
        raise ValueError(f"MarkovField: the table of {sites} has shape {table.shape}; expected {(2,) * len(sites)}")
    if not ((table >= 0) & (table < np.inf)).all():
        raise ValueError(f"MarkovField: the table of {sites} has an entry that is negative or not finite; expected "
                         "psi >= 0")
    with np.errstate(divide="ignore"):
        return np.log(table)


def _marginal(joint: np.ndarray, sites: Sites) -> np.ndarray:
    rest = tuple(i for i in range(joint.ndim) if i not in sites)
    return joint.sum(axis=rest).transpose(np.argsort(np.argsort(sites)))
