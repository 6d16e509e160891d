"""The arguments of `fit`, checked before anything is touched: one clear sentence each."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.nn import Module
from minigen.optim import EMA, Optimiser

Data = np.ndarray | tuple[np.ndarray, ...]


@dataclass(slots=True)
class Plan:
    """The arguments of `fit`, as it documents them."""

    model: Module
    train: Data
    optimizer: Optimiser
    epochs: int
    batch_size: int
    rng: np.random.Generator
    valid: Data | None
    out: Path | None
    resume: bool
    patience: int | None
    clip: float | None
    schedule: Callable[[int], float] | None
    ema: EMA | None
    save_steps: int | None
    save_seconds: float | None
    progress: bool
    callback: Callable[[dict], Any] | None

    def __post_init__(self) -> None:
        self._check_model()
        self.train = _data(self.train, "train")
        self.epochs = _whole(self.epochs, "epochs", 0)
        self.batch_size = _whole(self.batch_size, "batch_size", 1)
        if not isinstance(self.rng, np.random.Generator):
            raise TypeError(f"fit: rng is {self.rng!r}; expected a numpy.random.Generator, as np.random.default_rng(0)")
        if self.valid is not None:
            self.valid = _data(self.valid, "valid")
            if events(self.valid) != events(self.train):
                raise ValueError(f"fit: a row of valid has shape {events(self.valid)}; expected that of a row of "
                                 f"train, {events(self.train)}")
        if self.patience is not None:
            self.patience = _whole(self.patience, "patience", 1)
            if self.valid is None:
                raise ValueError("fit: patience is given without valid; early stopping needs validation data")
        for name in ("clip", "save_seconds"):
            number = getattr(self, name)
            if number is not None and not (isinstance(number, int | float) and 0 < number < math.inf):
                raise ValueError(f"fit: {name} is {number!r}; expected a positive number or None")
        if self.save_steps is not None:
            self.save_steps = _whole(self.save_steps, "save_steps", 1)
        for name in ("schedule", "callback"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise TypeError(f"fit: {name} is {getattr(self, name)!r}; expected a function or None")
        if self.ema is not None and (not isinstance(self.ema, EMA) or self.ema.model is not self.model):
            raise TypeError("fit: ema must be an optim.EMA of the model that is trained")
        if self.resume and self.out is None:
            raise ValueError("fit: resume is True without out; expected the folder that holds the checkpoint")
        self.out = None if self.out is None else Path(self.out)
        if self.out is not None and self.out.exists() and not self.out.is_dir():
            raise ValueError(f"fit: out is {self.out}, which is a file; expected a folder, or the name of a new one")

    def _check_model(self) -> None:
        if not isinstance(self.model, Module) or not hasattr(self.model, "loss"):
            raise TypeError(f"fit: model is {type(self.model).__name__}; expected a Module with loss(batch, rng)")
        if not isinstance(self.optimizer, Optimiser):
            raise TypeError(f"fit: optimizer is {type(self.optimizer).__name__}; expected one of minigen.optim")
        own = {id(p) for p in self.model.parameters()}
        if any(id(p) not in own for p in self.optimizer.parameters):
            raise ValueError("fit: optimizer updates a Tensor that is no parameter of model; expected one made from "
                             "model.parameters()")
        try:
            json.dumps(self.config)
        except TypeError as error:
            raise TypeError(f"fit: model.config cannot be written as JSON: {error}") from None

    @property
    def config(self) -> dict[str, Any] | None:
        """The model's own record of its constructor arguments, if it keeps one."""
        return getattr(self.model, "config", None)

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-rows(self.train) // self.batch_size)


def rows(data: Data) -> int:
    """How many data there are."""
    return len(data[0] if isinstance(data, tuple) else data)


def events(data: Data) -> Any:
    """The shape of one datum, or of its parts."""
    return [a.shape[1:] for a in data] if isinstance(data, tuple) else data.shape[1:]


def _data(data: Any, argument: str) -> Data:
    """Arrays of finite numbers with as many rows each, at least one."""
    arrays = [np.asarray(ad.value(a)) for a in (data if isinstance(data, tuple) else (data,))]
    shapes = [a.shape for a in arrays]
    told = shapes if isinstance(data, tuple) else shapes[0]
    if not arrays or any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) > 1 or shapes[0][0] == 0:
        raise ValueError(f"fit: {argument} has shape {told}; expected at least one row, and equally many in each array")
    for a in arrays:
        if a.dtype.kind not in "buif":
            raise TypeError(f"fit: {argument} has dtype {a.dtype}; expected real numbers")
        if a.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                suspicious = not np.isfinite(a.sum())  # one pass without a temporary; a large finite sum may overflow
            if suspicious and not np.isfinite(a).all():
                row = np.argwhere(~np.isfinite(a))[0][0]
                raise ValueError(f"fit: {argument} holds {np.sum(~np.isfinite(a))} nan or inf, the first in row {row}; "
                                 "expected finite numbers")
    return tuple(arrays) if isinstance(data, tuple) else arrays[0]


def _whole(value: Any, argument: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(f"fit: {argument} is {value!r}; expected a whole number of at least {least}")
    return number
