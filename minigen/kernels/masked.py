"""Masked autoregressive nets without their zeros: block-triangular density, sampling by degree.

A hidden unit of degree m sees the first m inputs of the order (and units of degree <= m), the outputs of input i the
units of degree < i. Once units are sorted by degree, every weight matrix is a staircase with zeros above it; a density
pass skips the blocks of zeros, and sampling computes every unit once, like the solution of a triangular system, where
the plain way is a whole pass for each input. Germain et al. 2015 (MADE); Papamakarios et al. 2017 (MAF).

`prepare` sorts and masks once; `density` and `sample` take its record. Large products are NumPy's, with serial kernels
between them, so that one pool of threads is at work. Plain twins: `reference_masked.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .masked_activations import CODES
from .masked_density import bias_activate, standardise
from .masked_sampling import sample_block, sample_rows

FEW = 10  # data below which sampling goes row by row
UNITS = 64  # of one layer, at most, that are computed without a product between them
DENSITY_BLOCKS = 8  # pieces into which a density pass cuts the order: 1/2 + 1/16 of the dense work
LEAST = 16  # inputs of such a piece, below which calls cost more than zeros
PANEL = 1024  # data at a time: wide products are fast ones, and memory has a bound
_scratch = threading.local()


@dataclass(frozen=True, eq=False)
class MaskedNet:
    """A masked net as the kernels read it. Later changes of the weights it was made from do not reach it.

    W: the weights (out, in) of all layers, sorted by degree and masked, end to end; b: their biases; order: (d,), the
    inputs in the order of the net; first: (layers + 1, d + 1), rows, at: the tables that `masked_sampling.py` explains.
    Outputs 2 i and 2 i + 1 are mu and alpha of the i-th input of the order.
    """

    W: np.ndarray
    b: np.ndarray
    order: np.ndarray
    first: np.ndarray
    activation: str | None
    rows: np.ndarray = field(init=False)
    at: np.ndarray = field(init=False)
    layers: tuple[tuple[np.ndarray, np.ndarray], ...] = field(init=False, repr=False)
    plan: tuple[tuple[int, int, list], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.W.flags.writeable = self.b.flags.writeable = False
        sizes = self.first[:, -1]
        areas = np.concatenate([[0, 0], sizes[1:] * sizes[:-1]])
        rows, at = np.concatenate([[0], np.cumsum(sizes)]), np.cumsum(areas)[:-1]
        layers = tuple((self.W[a:a + m * n].reshape(m, n), self.b[r - sizes[0]:r - sizes[0] + m])
                       for a, m, n, r in zip(at[1:], sizes[1:], sizes[:-1], rows[1:]))
        for name, found in (("rows", rows), ("at", at), ("layers", layers)):
            object.__setattr__(self, name, found)
        object.__setattr__(self, "plan", tuple(_plan(self, 0, self.d)))

    @property
    def d(self) -> int:
        """Number of inputs."""
        return len(self.order)


def prepare(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], degrees: Sequence[np.ndarray],
            order: np.ndarray, activation: str | None) -> MaskedNet:
    """Sort every layer by degree, mask, transpose. Costs a few passes over the weights.

    weights: (in, out) of each layer, the last (in, 2 d) with columns 2 i and 2 i + 1 for mu and alpha of input i;
    biases: (out,); all of one precision. degrees: of each hidden layer, (units,) within 0..d-1. order: (d,), which
    input comes first, second, ... ValueError for another shape, degree, order or activation.
    """
    order = np.array(order, np.int64)
    d, depth = order.size, len(degrees)
    _check(weights, biases, degrees, order, activation)
    first = np.empty((depth + 2, d + 1), np.int64)
    first[0] = np.arange(d + 1)
    first[-1] = 2 * first[0]
    sorting, steps = [order], []  # of each layer: how it is sorted, and then the step at which each unit is final
    for l, m in enumerate(degrees, start=1):
        sorting.append(np.argsort(m, kind="stable"))
        steps.append(np.sort(m))
        first[l] = np.searchsorted(steps[-1], first[0])
    sorting.append((2 * order[:, None] + np.arange(2)).ravel())
    steps.append(np.repeat(first[0, :-1], 2))
    flat, start = np.empty(sum(W.size for W in weights), weights[0].dtype), 0
    for l, W in enumerate(weights):
        out = flat[start:start + W.size].reshape(W.shape[::-1])
        start += W.size
        out[...] = W[np.ix_(sorting[l], sorting[l + 1])].T
        for row, seen in zip(out, first[l, steps[l] + (l > 0)]):
            row[seen:] = 0
    return MaskedNet(flat, np.concatenate([b[s] for b, s in zip(biases, sorting[1:])]), order, first, activation)


def density(net: MaskedNet, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z_i = (x_i - mu_i) exp(-alpha_i) and log|det dz/dx| = -sum_i alpha_i. x, z: (n, d); log-det: (n,)."""
    x = _read(net, x, "density", "x")
    z, log_det = np.empty_like(x), np.zeros(len(x), x.dtype)
    for rows in _cuts(len(x), -(-len(x) // PANEL)):
        _density_panel(net, x[rows], z[rows], log_det[rows])
    return z, log_det


def _density_panel(net: MaskedNet, x: np.ndarray, z: np.ndarray, log_det: np.ndarray) -> None:
    S, Z, _ = _units(net, len(x))
    S[:net.d] = x[:, net.order].T
    for block in _cuts(net.d, max(1, min(DENSITY_BLOCKS, net.d // LEAST))):
        d0, d1 = block.start, block.stop
        for l, (W, b) in enumerate(net.layers, start=1):
            j0, j1, k = net.first[l, d0], net.first[l, d1], net.first[l - 1, d1]
            X, H = S[net.rows[l - 1]:net.rows[l - 1] + k], S[net.rows[l] + j0:net.rows[l] + j1]
            np.matmul(W[j0:j1, :k], X, out=H)
            if l < len(net.layers):
                bias_activate(H, b[j0:j1], CODES[net.activation])
            else:
                standardise(H, b[j0:j1], S[block], Z[block], log_det)
    z[:, net.order] = Z.T


def sample(net: MaskedNet, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x_i = z_i exp(alpha_i) + mu_i and log|det dx/dz| = sum_i alpha_i. z, x: (n, d); log-det: (n,)."""
    z = _read(net, z, "sample", "z")
    x, log_det = np.empty_like(z), np.zeros(len(z), z.dtype)
    for rows in _cuts(len(z), -(-len(z) // PANEL)):
        panel = _sample_few if rows.stop - rows.start < FEW else _sample_panel
        panel(net, z[rows], x[rows], log_det[rows])
    return x, log_det


def _sample_panel(net: MaskedNet, z: np.ndarray, x: np.ndarray, log_det: np.ndarray) -> None:
    S, Z, T = _units(net, len(z))
    Z[...] = z[:, net.order].T
    S[net.d:] = net.b[:, None]
    tables = net.W, net.first, net.rows, net.at, CODES[net.activation]
    for d0, d1, products in net.plan:
        sample_block(S, Z, log_det, *tables, d0, d1)
        for W, below, above in products:
            H = S[above]
            np.add(H, np.matmul(W, S[below], out=T[:len(H)]), out=H)
    x[:, net.order] = S[:net.d].T


def _plan(net: MaskedNet, d0: int, d1: int) -> Iterator[tuple[int, int, list]]:
    """How to take the steps d0 <= d < d1: some one by one, then the products (W, units below, units above) that add
    what these give to later ones, then further steps, and so on.

    One half is taken, what it gives is added to the other half, then that is taken, each by the same rule: half of all
    multiplications are then in one product for each layer, a quarter in two, an eighth in four.
    """
    if d1 - d0 == 1 or (net.first[:, d1] - net.first[:, d0]).max() <= UNITS:
        yield d0, d1, []
        return
    middle = (d0 + d1) // 2
    *others, (a, b, products) = _plan(net, d0, middle)
    yield from others
    for l, (W, _) in enumerate(net.layers, start=1):
        (j0, j1), (k0, k1) = net.first[l, [middle, d1]].tolist(), net.first[l - 1, [d0, middle]].tolist()
        below, above = int(net.rows[l - 1]), int(net.rows[l])
        if j0 < j1 and k0 < k1:
            products.append((W[j0:j1, k0:k1], slice(below + k0, below + k1), slice(above + j0, above + j1)))
    yield a, b, products
    yield from _plan(net, middle, d1)


def _sample_few(net: MaskedNet, z: np.ndarray, x: np.ndarray, log_det: np.ndarray) -> None:
    S = _buffer((len(z), net.rows[-1]), z.dtype)
    noise, code = np.take(z, net.order, axis=1), CODES[net.activation]
    sample_rows(S, noise, log_det, net.W, net.b, net.first, net.rows, net.at, code)
    x[:, net.order] = S[:, :net.d]


def _read(net: MaskedNet, x: np.ndarray, who: str, name: str) -> np.ndarray:
    """x in the precision of the net, contiguous."""
    if np.ndim(x) != 2 or np.shape(x)[1] != net.d:
        raise ValueError(f"{who}: {name} has shape {np.shape(x)}; expected (batch, {net.d})")
    return np.ascontiguousarray(x, net.W.dtype)


def _cuts(n: int, pieces: int) -> list[slice]:
    """0..n in so many pieces of about equal length."""
    return [slice(n * i // pieces, n * (i + 1) // pieces) for i in range(pieces)]


def _units(net: MaskedNet, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, Z, T): room for all units, for the noise and for one product, of n data."""
    total = net.rows[-1]
    room = _buffer((total + net.d + net.first[1:, -1].max(), n), net.W.dtype)
    return room[:total], room[total:total + net.d], room[total + net.d:]


def _buffer(shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Memory that is used again by the next call of the same thread: fresh pages would cost as much as the kernels."""
    held = getattr(_scratch, dtype.name, None)
    if held is None or held.size < shape[0] * shape[1]:
        held = np.empty(shape[0] * shape[1], dtype)
        setattr(_scratch, dtype.name, held)
    return held[:shape[0] * shape[1]].reshape(shape)


def _check(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], degrees: Sequence[np.ndarray],
           order: np.ndarray, activation: str | None) -> None:
    d = order.size
    if order.ndim != 1 or not d or not np.array_equal(np.sort(order), np.arange(d)):
        raise ValueError(f"prepare: order is {order.tolist()}; expected a permutation of 0..{max(d, 1) - 1}")
    if activation not in CODES:
        raise ValueError(f"prepare: activation is {activation!r}; expected None or one of "
                         f"{', '.join(filter(None, CODES))}")
    for l, m in enumerate(degrees):
        if np.ndim(m) != 1 or not len(m) or np.asarray(m).dtype.kind not in "iu" or np.min(m) < 0 or np.max(m) > d - 1:
            raise ValueError(f"prepare: degrees[{l}] is {m}; expected whole numbers within 0..{d - 1}")
    sizes = [d, *map(len, degrees), 2 * d]
    expected, found = list(zip(sizes, sizes[1:])), [np.shape(W) for W in weights]
    if found != expected or [np.shape(b) for b in biases] != [(m,) for m in sizes[1:]]:
        raise ValueError(f"prepare: weights have shapes {found}, biases {[np.shape(b) for b in biases]}; expected "
                         f"{expected} and the widths of those")
    types = {a.dtype for a in (*weights, *biases)}
    if len(types) > 1 or types - {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ValueError(f"prepare: weights and biases are {', '.join(sorted(map(str, types)))}; expected all float32 "
                         "or all float64")
