"""check_bound: a lower bound lies below, and its gap is the divergence that theory says."""

from typing import Any

import numpy as np

from minigen.autodiff import value
from minigen.checks.result import CheckResult, Report
from minigen.checks.special import normal_threshold


def check_bound(
    bound: Any,
    exact: Any,
    *,
    gap: Any = None,
    tol: float = 1e-8,
    standard_error: Any = None,
    alpha: float = 1e-6,
    reveal: bool = False,
    name: str = "check_bound",
) -> CheckResult:
    """bound <= exact in every entry, and exact - bound = gap, for example KL(q || p(z|x)) for the ELBO.

    bound, exact, gap: numbers or arrays of one shape, nats. Exact sides are compared to tol, relative to
    1 + |exact|. With the standard error of a Monte-Carlo bound both comparisons are z-scores, whose threshold is
    such that a right bound fails with probability at most alpha over all entries and both comparisons.
    An upper bound is checked as check_bound(exact, upper). reveal: print the exact value as well.
    Raises CheckError; ValueError for shapes that differ or a standard error that is not positive.
    """
    b, e = (np.atleast_1d(np.asarray(value(v), dtype=float)) for v in (bound, exact))
    g = None if gap is None else np.atleast_1d(np.asarray(value(gap), dtype=float))
    for what, other in (("exact", e), ("gap", g)):
        if other is not None and other.shape != b.shape:
            raise ValueError(f"{name}: bound has shape {b.shape}, {what} has shape {other.shape}; expected one shape")
    if standard_error is None:
        unit, threshold, words = 1 + np.abs(e), tol, f"tolerance {tol:.0e} relative to 1 + |exact|"
    else:
        unit = np.broadcast_to(np.asarray(value(standard_error), dtype=float), b.shape)
        if not (unit > 0).all():
            raise ValueError(f"{name}: standard_error has smallest entry {unit.min()}; expected positive numbers")
        threshold = normal_threshold(alpha / (b.size * (1 if g is None else 2)))
        words = f"threshold {threshold:.2f} standard errors, false alarm at {alpha:g}"
    report = Report(name)
    over = (b - e) / unit
    worst = int(np.argmax(np.where(np.isnan(over), np.inf, over)))
    shown = f"; bound {b.flat[worst]:.8g}, exact {e.flat[worst]:.8g}" if reveal else ""
    report.compare(max(over.flat[worst], 0.0), threshold, "excess", f"entry {worst} of the bound lies above "
                   f"the exact value by {over.flat[worst]:.2g} ({words}): it is no lower bound{shown}")  # fmt: skip
    if g is not None:
        off = np.abs(e - b - g) / unit
        worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        shown = f"; gap {e.flat[worst] - b.flat[worst]:.8g}, expected {g.flat[worst]:.8g}" if reveal else ""
        report.compare(off.flat[worst], threshold, "gap", f"exact - bound differs from the divergence that it should "
                       f"be by {off.flat[worst]:.2g} at entry {worst} ({words}){shown}")  # fmt: skip
    return report.result()
