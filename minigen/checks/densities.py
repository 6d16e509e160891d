"""check_density: a density is a density when its mass is 1. check_sampler: samples belong to their density."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autodiff import value
from minigen.checks.domains import Binary, Box, Domain, Integers, Interval, pieces, rectangular_cells
from minigen.checks.oracles import evaluate
from minigen.checks.result import CheckResult, fail, passed
from minigen.checks.special import chi_square_tail

FEWEST = 10.0  # expected samples in a cell; below it the chi-square law is not yet a good guide


def total_mass(log_prob: Callable, domain: Domain, tol: float, name: str) -> tuple[float, float, int]:
    """(mass, error estimate, resolution): doubles the resolution until two of them agree to tol / 10."""
    before, mass, error = None, np.nan, 0.0
    for n in domain.resolutions:
        mass = sum(float(w @ densities(log_prob, x, domain, name)) for x, w in domain.chunks(n))
        if before is not None:
            error = abs(mass - before)
            if error <= tol / 10:
                break
        before = mass
    return mass, error, n


def densities(log_prob: Callable, x: np.ndarray, domain: Domain, name: str) -> np.ndarray:
    """exp log_prob(x) with the shape and the values of a density, or CheckError."""
    logs = evaluate(log_prob, x)
    if logs.shape != (len(x),):
        fail(name, np.nan, 0, f"log_prob of events of shape {domain.event_shape} gave shape {logs.shape} "
             f"for {len(x)} events; expected ({len(x)},): sum the event, keep the batch")  # fmt: skip
    bad = np.isnan(logs) | (logs == np.inf)
    if bad.any():
        fail(name, np.nan, 0, f"log_prob is {logs[bad][0]} at x = {x[bad][0]} and at {bad.sum() - 1} other "
             f"points of {domain}; a log-density is finite or -inf")  # fmt: skip
    with np.errstate(under="ignore"):
        return np.exp(logs)


def check_density(log_prob: Callable, domain: Domain, *, tol: float = 1e-6, name: str = "check_density") -> CheckResult:
    """sum_x exp log_prob(x) = 1 by enumeration (Binary, Integers), or int exp log_prob = 1 by quadrature.

    log_prob maps events (n, *event_shape) of the domain to (n,), in nats, arrays or Tensors. tol bounds |mass - 1|;
    the quadrature refines itself until two resolutions agree to tol / 10. A mass of 1 does not say that the
    density belongs to a given sampler: that is `check_sampler`.
    Raises CheckError for another mass, a NaN or +inf, a wrong shape, or a quadrature that does not settle.
    """
    mass, error, n = total_mass(log_prob, domain, tol, name)
    how = f"over {domain}, " + (f"by quadrature with {n} points an axis" if n else "by enumeration")
    off = abs(mass - 1)
    if off > tol:
        settled = f"; two resolutions differ by {error:.1e}" if error > tol / 10 else ""
        fail(name, off, tol, f"the mass {how} is {mass:.8g}{settled}; a density has mass 1 (tolerance {tol:.0e})")
    if error > tol / 10:
        fail(name, error, tol, f"the mass {how} is {mass:.8g}, but two resolutions differ by {error:.1e}: this "
             "quadrature cannot tell; give the domain ends where the density has edges, or loc and scale")  # fmt: skip
    return passed(name, off, tol, f"mass {mass:.8f} {how} (tolerance {tol:.0e})")


def check_sampler(
    sample: Callable | Any,
    log_prob: Callable,
    domain: Domain,
    *,
    rng: np.random.Generator | None = None,
    n: int = 200_000,
    alpha: float = 1e-6,
    cells: int | None = None,
    name: str = "check_sampler",
) -> CheckResult:
    """Samples against their density by a chi-square test; a right sampler fails with probability alpha.

    sample: a function (n, rng) -> events (n, *event_shape), or the events themselves. Cells are the enumerated
    states of a Binary or Integers domain, or a grid cut at quantiles of the marginals, whose probabilities come
    from quadrature of log_prob. Cells with fewer than 10 expected samples are pooled. cells: per axis, 24 in one
    dimension and 10 in two unless given. With n = 200 000 samples and alpha = 1e-6, a standard
    deviation that is off by 2 % is rejected in one dimension with probability above 0.99, a mean that is off by
    3 % of it above 0.99.
    Raises CheckError for a p-value below alpha, events outside the domain or of a wrong shape, NaN, or a log_prob
    without mass 1; ValueError where n leaves fewer than two cells.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"{name}: alpha = {alpha}; expected a probability in (0, 1)")
    x = np.asarray(value(sample(n, rng) if callable(sample) else sample), dtype=float)
    if callable(sample) and len(x) != n or x.shape[1:] != domain.event_shape:
        fail(name, np.nan, alpha, f"the sampler gave shape {x.shape} for {n} events of shape {domain.event_shape}")
    if np.isnan(x).any():
        fail(name, np.nan, alpha, f"{np.isnan(x).sum()} of {x.size} sampled numbers are NaN")
    mass, _, resolution = total_mass(log_prob, domain, 1e-4, name)
    if abs(mass - 1) > 1e-3:
        fail(name, abs(mass - 1), 1e-3, f"exp log_prob has mass {mass:.6g} over {domain}; samples can only be held "
             "against a density of mass 1 (see check_density)")  # fmt: skip
    if isinstance(domain, (Binary, Integers)):
        index = domain.index(x)
        expected = np.concatenate([densities(log_prob, points, domain, name) for points, _ in domain.chunks(0)])
    else:
        index, expected = _grid(x, log_prob, domain, resolution, cells, name)
    if (index < 0).any():
        fail(name, (index < 0).sum(), 0, f"{(index < 0).sum()} of {len(x)} samples lie outside {domain}, "
             f"for example {x[index < 0][0]}")  # fmt: skip
    observed = np.bincount(index, minlength=expected.size)
    statistic, degrees = pooled_chi_square(observed, expected * (len(x) / expected.sum()), name)
    p = chi_square_tail(statistic, degrees)
    seen = (f"{len(x)} samples in {degrees + 1} cells of {domain}: chi-square {statistic:.1f} with {degrees} "
            f"degrees of freedom, p = {p:.2g}")  # fmt: skip
    if p < alpha:
        fail(name, p, alpha, f"{seen}; samples of this density would do so with probability below {alpha:g}: the "
             "sampler and the density disagree")  # fmt: skip
    return passed(name, p, alpha, f"{seen} (false alarm at {alpha:g})")


def _grid(
    x: np.ndarray, log_prob: Callable, domain: Interval | Box, resolution: int, cells: int | None, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each sample (-1 outside the domain) and probability of each cell."""
    cells = cells or (24 if len(domain.axes) == 1 else 10)

    def density(events: np.ndarray) -> np.ndarray:
        return np.concatenate([densities(log_prob, part, domain, name) for part, _ in pieces(events, events)])

    edges, probability = rectangular_cells(domain, density, resolution, cells)
    columns = domain.columns(x)
    places = [np.searchsorted(inner, column) for inner, column in zip(edges, columns.T)]
    index = np.ravel_multi_index(places, probability.shape)
    ends = np.array([(axis.a, axis.b) for axis in domain.axes])
    outside = ((columns < ends[:, 0]) | (columns > ends[:, 1])).any(axis=1)
    return np.where(outside, -1, index), probability.ravel()


def pooled_chi_square(observed: np.ndarray, expected: np.ndarray, name: str = "pooled_chi_square") -> tuple[float, int]:
    """sum (observed - expected)^2 / expected and its degrees of freedom, with the rarest cells put together until
    each cell expects at least `FEWEST`."""
    order = np.argsort(expected, kind="stable")
    observed, expected = observed[order], expected[order]
    rare = int(np.searchsorted(expected, FEWEST))
    while rare < len(expected) and 0 < expected[:rare].sum() < FEWEST:
        rare += 1
    if rare:
        observed = np.append(observed[rare:], observed[:rare].sum())
        expected = np.append(expected[rare:], expected[:rare].sum())
        if expected[-1] == 0 and observed[-1] == 0:  # impossible cells that were not hit carry no information
            observed, expected = observed[:-1], expected[:-1]
    if len(expected) < 2:
        raise ValueError(f"{name}: fewer than two cells expect {FEWEST:g} samples; draw more than {observed.sum()}")
    with np.errstate(divide="ignore"):
        return float(np.sum((observed - expected) ** 2 / expected)), len(expected) - 1
