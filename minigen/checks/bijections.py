"""check_bijection: what makes a map with log-determinants a normalising flow."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from minigen.autodiff import no_grad, value
from minigen.checks.oracles import numeric_jacobian
from minigen.checks.result import CheckResult, Report, fail


class Bijection(Protocol):
    """What the check knows of a flow: two directions, each giving the value and log|det J| of the map it applies."""

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x: (batch, ...) -> z, log|det dz/dx| of shape (batch,)"""

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z: (batch, ...) -> x, log|det dx/dz| of shape (batch,)"""


def check_bijection(
    flow: Bijection,
    x: Any,
    *,
    z: Any = None,
    tol: float = 1e-8,
    det_tol: float = 1e-6,
    mask: Any = None,
    reveal: bool = False,
    name: str = "check_bijection",
) -> CheckResult:
    """g(f(x)) = x, f(g(z)) = z; log-dets of both directions = slogdet of the numeric Jacobian of that direction.

    x: (batch, ...) with at least two rows, float64. z: points for the other direction; unless given, f(x) with its
    columns rolled against each other, which leaves the image of a coordinate-wise range alone.
    Also: finite values, float64 kept, log-dets of shape (batch,), rows treated alone (a map that mixes its batch
    has no Jacobian per row). mask: (d, d) booleans, True where dz_i/dx_j may differ from 0 (np.tri(d) claims a
    lower triangular Jacobian of the forward map, and its inverse the same where the mask is triangular).
    tol is relative to 1 + |value|, det_tol to 1 + |log-det|. reveal: print the Jacobian's log-det as well.
    Each direction is held against its own Jacobian, so that log-dets with both signs flipped do not pass.
    Raises CheckError naming the direction and the property.
    """
    x = np.array(value(x), dtype=float)
    if x.ndim < 2 or len(x) < 2:
        raise ValueError(f"{name}: x has shape {x.shape}; expected (batch, ...) with at least 2 rows")
    report = Report(name)
    image, _ = _apply(flow.forward, "forward", x, name)
    z = _rolled(image) if z is None else np.array(value(z), dtype=float)
    for direction, there, back, points in (
        ("forward", flow.forward, flow.inverse, x),
        ("inverse", flow.inverse, flow.forward, z),
    ):
        jacobian = _check_direction(report, direction, there, back, points, tol, det_tol, reveal)
        if mask is not None and direction == "forward":
            _check_mask(report, jacobian, np.asarray(mask, dtype=bool), det_tol)
    return report.result()


def _apply(f: Callable, direction: str, x: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Value and log-det as arrays of the right shapes and of float64, or CheckError."""
    with no_grad():
        y, log_det = f(x.copy())
    y, log_det = value(y), value(log_det)
    if log_det.shape != x.shape[:1]:
        fail(name, np.nan, 0, f"{direction} gave log-dets of shape {log_det.shape} for a batch of {len(x)}; "
             f"expected ({len(x)},), one for each row")  # fmt: skip
    if len(y) != len(x) or y[0].size != x[0].size:
        fail(name, np.nan, 0, f"{direction} maps shape {x.shape} to {y.shape}; a bijection keeps rows and their size")
    if y.dtype != np.float64:
        raise ValueError(f"{name}: {direction} gave {y.dtype} for float64 input; use flow.astype(np.float64)")
    if not (np.isfinite(y).all() and np.isfinite(log_det).all()):
        fail(name, np.nan, 0, f"{direction} gave NaN or infinity for finite input")
    return y, log_det


def _check_direction(
    report: Report, direction: str, there: Callable, back: Callable, x: np.ndarray, tol: float, det_tol: float,
    reveal: bool,
) -> np.ndarray:  # fmt: skip
    """Rows alone, round trip, log-det; gives the numeric Jacobian."""
    y, log_det = _apply(there, direction, x, report.name)
    try:
        alone = [_apply(there, direction, x[i : i + 1], report.name) for i in range(len(x))]
    except Exception as error:  # a flow of a student or a mutant may raise anything here
        fail(report.name, np.inf, tol, f"{direction} takes a batch of {len(x)} but cannot take a row alone: {error}")
    mixing = max(max(_gap(a, y[i : i + 1]), _gap(b, log_det[i : i + 1])) for i, (a, b) in enumerate(alone))
    report.compare(mixing, tol, f"{direction} rows alone", f"a row of the batch given to {direction} alone comes out "
                   f"different by {mixing:.1e} (tolerance {tol:.0e}): the map mixes the rows of its batch")  # fmt: skip
    other = "inverse" if direction == "forward" else "forward"
    returned, log_det_back = _apply(back, other, y, report.name)
    trip = _gap(returned.reshape(x.shape), x)
    report.compare(trip, tol, f"{other} after {direction}", f"{other}({direction}(.)) differs from where it began by "
                   f"{trip:.1e} (tolerance {tol:.0e}): the two directions do not undo each other")  # fmt: skip
    jacobian = numeric_jacobian(lambda p: there(p)[0], x)
    exact = np.linalg.slogdet(jacobian)[1]
    off = _gap(log_det, exact)
    hint = "; its sign is flipped" if _gap(-log_det, exact) <= det_tol < off else ""
    shown = f" (row 0: {log_det[0]:.6f}, numeric {exact[0]:.6f})" if reveal else ""
    report.compare(off, det_tol, f"{direction} log-det", f"the log-det of {direction} differs from log|det| of the "
                   f"numeric Jacobian of {direction} by {off:.1e} (tolerance {det_tol:.0e}){hint}{shown}")  # fmt: skip
    return jacobian


def _check_mask(report: Report, jacobian: np.ndarray, mask: np.ndarray, tol: float) -> None:
    if mask.shape != jacobian.shape[1:] or mask.all():
        raise ValueError(f"{report.name}: mask has shape {mask.shape} and forbids {(~mask).sum()} entries; expected "
                         f"{jacobian.shape[1:]} with at least one False")  # fmt: skip
    forbidden = np.abs(np.where(mask, 0.0, jacobian)).max(axis=0)
    i, j = np.unravel_index(np.argmax(forbidden), mask.shape)
    report.compare(forbidden[i, j], tol, "forbidden Jacobian entries", f"output {i} depends on input {j} (derivative "
                   f"{forbidden[i, j]:.1e}), which the claimed structure forbids")  # fmt: skip


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| / (1 + |b|)"""
    return float(np.max(np.abs(a - b) / (1 + np.abs(b))))


def _rolled(z: np.ndarray) -> np.ndarray:
    """Each coordinate taken from another row: new points inside the box of the old ones."""
    flat = z.reshape(len(z), -1)
    return np.stack([np.roll(column, j + 1) for j, column in enumerate(flat.T)], axis=1).reshape(z.shape)
