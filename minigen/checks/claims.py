"""`claim` and `erratum`: one equation, two independent routes, a tolerance that could fail."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autodiff import value
from minigen.checks.errata_table import ERRATA
from minigen.checks.ledger import Row, VacuousError, current_ledger
from minigen.checks.required import erratum_row

KINDS = ("equal", "at_most", "at_least", "z_score")


def claim(
    id: str,
    statement: str,
    *,
    lhs: Any,
    rhs: Any,
    source: str = "",
    kind: str | None = None,
    tol: float | None = None,
    rtol: float = 0.0,
    standard_error: Any = None,
    threshold: float = 4.5,
    size: float | None = None,
    note: str = "",
) -> Row:
    r"""Records lhs = rhs (or <=, >=) with its error and verdict in the current ledger, and prints the line.

    kind "equal":    |lhs - rhs| <= tol + rtol |rhs| in every entry (tol 1e-9 if not given);
    kind "at_most":  lhs <= rhs + tol + rtol |rhs| (tol 0); "at_least": the same with the sides swapped;
    kind "z_score":  |lhs - rhs| <= threshold * standard_error, the default where a standard error is given. At
                     4.5 standard errors a true claim fails with probability 6.8e-6 per entry. A one-sided claim
                     with a standard error gets threshold * standard_error on top of its tolerance.
    lhs, rhs: numbers, arrays or Tensors of one shape, or one of them a number. A non-finite side fails.
    statement: LaTeX. source: "S2:61" (document:line) or a paper and its equation.
    size: size of the terms that cancel, for sides that are near zero; the tolerance is judged against it.

    Raises ValueError for a malformed claim or a used id; VacuousError where lhs and rhs are one object, or where
    the tolerance is more than a tenth of the numbers (for a z-score: where it cannot tell the value from 0).
    """
    kind = kind or ("equal" if standard_error is None else "z_score")
    if kind not in KINDS:
        raise ValueError(f"{id}: kind {kind!r}; expected one of {', '.join(KINDS)}")
    if kind == "z_score" and standard_error is None:
        raise ValueError(f"{id}: a z_score claim needs standard_error=")
    if kind == "equal" and standard_error is not None:
        raise ValueError(f"{id}: kind 'equal' takes no standard_error; leave kind out for a z-score")
    _refuse_same(id, lhs, rhs, "lhs and rhs")
    left, right = _sides(id, lhs=lhs, rhs=rhs)
    tol = tol if tol is not None else 1e-9 if kind == "equal" else 0.0
    noise = np.zeros(left.shape) if standard_error is None else threshold * _standard_error(id, standard_error, left)
    with np.errstate(invalid="ignore"):
        allowed = noise if kind == "z_score" else tol + rtol * np.abs(right) + noise
    finite = np.isfinite(left).all() and np.isfinite(right).all() and np.isfinite(allowed).all()
    if finite:
        _refuse_loose(id, left, right, allowed, size, statistical=standard_error is not None)
    with np.errstate(invalid="ignore"):
        difference = {"at_most": left - right, "at_least": right - left}.get(kind, np.abs(left - right))
        excess = difference / allowed - 1 if kind == "z_score" else difference - allowed
    excess = np.where(np.isnan(excess), np.inf, excess)
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    error, tolerance = max(float(difference[worst]), 0.0), float(allowed[worst])
    if kind == "z_score":
        error, tolerance = error * threshold / tolerance, threshold
    if not finite:
        note = f"a side is not finite. {note}".strip()
    elif left.size > 1:
        note = f"worst of {left.size} entries. {note}".strip()
    ledger = current_ledger()
    row = Row(
        id=id,
        kind=kind,
        statement=statement,
        source=source,
        lhs=float(left[worst]),
        rhs=float(right[worst]),
        error=error,
        tolerance=tolerance,
        holds=bool(finite and excess[worst] <= 0),
        lecture=ledger.lecture,
        note=note,
    )
    return ledger.record(row)


def erratum(
    id: str,
    *,
    printed: Any | Callable[[], Any],
    right: Any,
    truth: Any,
    tol: float = 1e-9,
    clear: float | None = None,
    raises: type[Exception] | None = None,
    statement: str | None = None,
    correction: str | None = None,
    source: str | None = None,
    note: str = "",
) -> Row:
    """Records that the printed form of a slip fails and the right form holds.

    Holds iff |right - truth| <= tol in every entry and |printed - truth| > clear in at least one (clear: 100 tol
    unless given, at least 3 tol). A printed form of another shape than the truth, or a non-finite one, fails as it
    should. `printed` may be a function of no arguments: with raises=ValueError it must raise that error.
    id: a row of `errata_table` ("D9"), or several experiments on one row ("C2-plu", "C2-qr"); statement (the
    printed form), correction (the right one) and source come from that row unless given.
    Raises ValueError for an unknown or used id, VacuousError where two of the three forms are one object.
    """
    row = next((row for row in ERRATA if row.id == erratum_row(id)), None)
    if row is None:
        raise ValueError(f"{id}: no row {erratum_row(id)!r} in the errata table; expected one of A1 to E39")
    clear = 100 * tol if clear is None else clear
    if clear < 3 * tol:
        raise VacuousError(f"{id}: clear = {clear:g} is within reach of tol = {tol:g}; expected at least 3 tol")
    _refuse_same(id, right, truth, "right and truth")
    _refuse_same(id, printed, right, "printed and right")
    _refuse_same(id, printed, truth, "printed and truth")
    good, true = _sides(id, right=right, truth=truth)
    shown, printed_error, worst, word = _printed_form(printed, true, raises)
    with np.errstate(invalid="ignore"):
        difference = np.abs(good - true)
    error = float(np.max(difference))  # NaN stays NaN, and does not hold
    ledger = current_ledger()
    executed = Row(
        id=id,
        kind="erratum",
        statement=statement or row.printed,
        correction=correction or row.right,
        source=source or row.source,
        lhs=float(good[worst]),
        rhs=float(true[worst]),
        error=error,
        tolerance=tol,
        holds=bool(error <= tol and printed_error > clear),
        lecture=ledger.lecture,
        printed=shown,
        printed_error=printed_error,
        note=f"{word} {note}".strip(),
    )
    return ledger.record(executed)


def _printed_form(printed: Any, truth: np.ndarray, raises: type[Exception] | None) -> tuple:
    """(what to show, its error, worst entry, sentence) of the printed form; an error of 0 means it did not fail."""
    first = (0,) * truth.ndim
    if callable(printed):
        try:
            printed = printed()
        except Exception as exception:
            if raises is not None and isinstance(exception, raises):
                return type(exception).__name__, np.inf, first, ""
            name = getattr(raises, "__name__", "no error")
            return type(exception).__name__, 0.0, first, f"raised {exception!r}, expected {name}."
    if raises is not None:
        return "no error", 0.0, first, f"the printed form did not raise {raises.__name__}."
    form = np.asarray(value(printed), dtype=float)
    if form.shape not in ((), truth.shape):
        return f"shape {form.shape}", np.inf, first, f"printed shape {form.shape}, true shape {truth.shape}."
    form = np.broadcast_to(form, truth.shape)
    with np.errstate(invalid="ignore"):
        off = np.abs(form - truth)
    off = np.where(np.isfinite(form), off, np.inf)
    worst = np.unravel_index(np.argmax(off), off.shape)
    return float(form[worst]), float(off[worst]), worst, ""


def _sides(id: str, **named: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as float64 arrays of one shape."""
    arrays = []
    for name, x in named.items():
        array = np.asarray(value(x))
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{id}: {name} has dtype {array.dtype}; expected real numbers")
        if array.size == 0:
            raise VacuousError(f"{id}: {name} is empty, shape {array.shape}")
        arrays.append(array.astype(float))
    a, b = arrays
    if a.shape != b.shape and a.ndim and b.ndim:
        one, other = named
        raise ValueError(f"{id}: {one} has shape {a.shape}, {other} has shape {b.shape}; expected one shape")
    shape = np.broadcast_shapes(a.shape, b.shape)
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def _standard_error(id: str, standard_error: Any, like: np.ndarray) -> np.ndarray:
    se = np.broadcast_to(np.asarray(value(standard_error), dtype=float), like.shape)
    if not (se > 0).all():
        raise ValueError(f"{id}: standard_error has smallest entry {se.min()}; expected positive numbers")
    return se


def _refuse_same(id: str, a: Any, b: Any, names: str) -> None:
    """Two routes are two computations: one object on both sides proves nothing (small integers are one object)."""
    same = a is b and not isinstance(a, (int, bool, np.integer))
    x, y = value(a) if not callable(a) else None, value(b) if not callable(b) else None
    both = isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.size and np.shares_memory(x, y)
    if same or both:
        raise VacuousError(f"{id}: {names} are one object; compute them by two routes")


def _refuse_loose(
    id: str, left: np.ndarray, right: np.ndarray, allowed: np.ndarray, size: float | None, statistical: bool
) -> None:
    """Refuses a tolerance that a wrong answer of the right size would meet."""
    numbers = max(np.abs(left).max(), np.abs(right).max()) if size is None else abs(size)
    share = 1.0 if statistical else 0.1
    if allowed.max() > share * numbers:
        raise VacuousError(
            f"{id}: a tolerance of {allowed.max():.2g} on numbers of size {numbers:.2g} would pass almost anything; "
            "make it smaller, or for sides near zero give size=, the size of the terms that cancel"
        )
