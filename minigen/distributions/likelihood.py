"""A likelihood says what it is: exact, a lower bound, or an estimate with its error; and the helper for bits/dim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = ("exact", "bound", "estimate")


def bits_per_dimension(nats: Any, dimensions: int, *, bin_width: float = 1.0) -> Any:
    """bits/dim = -log p(x) / (D log 2) - log2(bin_width): the code length of discrete data, per dimension.

    nats: log-likelihood of whole data, any shape; dimensions: D, the numbers in one datum. bin_width is the width of
    one grid cell in the units of the density: 1 for a probability mass and for data in {0, ..., 255} + u; 1/256 for a
    density of data scaled to [0, 1), whose constant is therefore + log2 256 = + 8. A uniform model of 8-bit data has
    8 bits/dim either way. The sign turns: a lower bound in nats is an upper bound in bits/dim.
    Raises ValueError unless dimensions >= 1 and bin_width > 0. Theis et al. 2016, section 3.1; S0:19.
    """
    if not dimensions >= 1:
        raise ValueError(f"bits_per_dimension: dimensions is {dimensions}; expected a number >= 1")
    if not 0 < bin_width < np.inf:
        raise ValueError(f"bits_per_dimension: bin_width is {bin_width}; expected a finite number > 0")
    return -np.asarray(nats, float)[()] / (dimensions * np.log(2)) - np.log2(bin_width)


def _show(number: float, error: float | None) -> str:
    """`-86.31 ± 0.04`: as many decimals as the number of that size needs, or as the error shows."""
    decimals = 2 if abs(number) >= 10 else 3
    if error is None:
        return f"{number:.{decimals}f}"
    if 0 < error < 1:
        decimals = max(decimals, int(np.ceil(-np.log10(error))))
    return f"{number:.{decimals}f} ± {error:.{decimals}f}"


@dataclass(frozen=True)
class BitsPerDimension:
    """Mean bits/dim of a set of data with its kind; `float(...)` gives the number. A bound is an upper bound here.

    standard_error: Monte-Carlo error of the value, None where there is none or it is not known.
    """

    value: float
    kind: str
    method: str
    standard_error: float | None = None

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        sign = "≤ " if self.kind == "bound" else ""
        return f"{sign}{_show(self.value, self.standard_error)} bits/dim, {self.kind} ({self.method})"


@dataclass(frozen=True, eq=False, repr=False)
class Likelihood:
    """log p(x_i) in nats for n data, with its kind: "exact", "bound" (value <= log p(x)) or "estimate".

    value: (n,); method: how it was computed, such as "ELBO" or "importance sampling, K = 500";
    standard_error: (n,) Monte-Carlo standard error of each value, or None where the method has none or gives none.
    shared_error: standard error of a number that all values have in common, such as an estimated log Z: it does not
    average out. Raises ValueError for another shape or kind, NaN, a negative error, or an exact value with an error.
    """

    value: np.ndarray
    kind: str
    method: str
    standard_error: np.ndarray | None = None
    shared_error: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Likelihood: kind is {self.kind!r}; expected one of {', '.join(KINDS)}")
        value = self._keep("value", self.value)
        if value.ndim != 1 or not value.size:
            raise ValueError(f"Likelihood: value has shape {value.shape}; expected (n,) with n >= 1")
        if np.isnan(value).any():
            raise ValueError(f"Likelihood: value is NaN for datum {np.isnan(value).argmax()}; expected nats")
        if not self.shared_error >= 0:
            raise ValueError(f"Likelihood: shared_error is {self.shared_error}; expected a number >= 0")
        if self.kind == "exact" and (self.standard_error is not None or self.shared_error):
            raise ValueError("Likelihood: an exact value has no standard_error; the kind must be bound or estimate")
        if self.standard_error is None:
            return
        error = self._keep("standard_error", self.standard_error)
        if error.shape != value.shape:
            raise ValueError(f"Likelihood: standard_error has shape {error.shape}; expected {value.shape} as value")
        if not (error >= 0).all():
            raise ValueError(f"Likelihood: standard_error has the value {np.min(error)}; expected numbers >= 0")

    def _keep(self, name: str, numbers: Any) -> np.ndarray:
        array = np.array(numbers, dtype=np.float64)
        array.flags.writeable = False
        object.__setattr__(self, name, array)
        return array

    def __len__(self) -> int:
        return len(self.value)

    def mean(self) -> float:
        """Mean over the data, in nats."""
        return float(self.value.mean())

    def mean_standard_error(self) -> float | None:
        """sqrt(sum_i se_i^2 / n^2 + shared^2): Monte-Carlo error of `mean()` for *these* data, drawn independently.

        It says how far a repetition on the same data would move, nothing about other data; None where there is
        neither error. The error printed after ± is this one.
        """
        if self.standard_error is None:
            return self.shared_error or None
        return float(np.hypot(np.sqrt(np.square(self.standard_error).sum()) / len(self), self.shared_error))

    def data_standard_error(self) -> float:
        """std(value_i) / sqrt(n): sampling error of `mean()` as the mean over the population that the data come from.

        The Monte-Carlo scatter of the values is part of their spread, so this covers both; never add the two.
        Infinite for a single datum or where a value is.
        """
        if len(self) < 2 or not np.isfinite(self.value).all():
            return float("inf")
        return float(self.value.std(ddof=1) / np.sqrt(len(self)))

    def bits_per_dimension(self, dimensions: int, *, bin_width: float = 1.0) -> BitsPerDimension:
        """The mean in bits/dim (see `bits_per_dimension` for the constant); a bound turns into an upper bound."""
        error = self.mean_standard_error()
        if error is not None:
            error /= dimensions * np.log(2)
        bits = bits_per_dimension(self.mean(), dimensions, bin_width=bin_width)
        return BitsPerDimension(float(bits), self.kind, self.method, error)

    def __str__(self) -> str:
        sign = "≥ " if self.kind == "bound" else ""
        return f"{sign}{_show(self.mean(), self.mean_standard_error())} nats, {self.kind} ({self.method})"

    def __repr__(self) -> str:
        return f"Likelihood({len(self)} data, mean {self})"
