"""What training hands from one place to another: a loss with its parts, a history, the error that stops a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minigen.autodiff import Tensor


@dataclass(slots=True)
class Loss:
    """total = the number that is minimised; parts = what it is made of. Nats per datum.

    total: Tensor without axes, the mean over the batch of sums over the event. parts: {name: number}, reported but not
    differentiated, as {"reconstruction": 80.1, "kl": 21.3}. Leave numbers that were computed from the batch as NumPy or
    the engine give them: `float()` would keep the loss from being recorded.
    """

    total: Tensor
    parts: dict[str, Any] = field(default_factory=dict)


class TrainingError(RuntimeError):
    """A loss or a gradient was not finite; the model has its last good parameters again.

    step: the update that failed (from 1); parameter: the name of the first parameter whose gradient is not finite, or
    None; value: the number found; checkpoint: the file of the last good one, or None when there was no `out`.
    """

    def __init__(self, message: str, step: int, parameter: str | None, value: float, checkpoint: Path | None):
        super().__init__(message)
        self.step, self.parameter, self.value, self.checkpoint = step, parameter, value, checkpoint


@dataclass(slots=True)
class History:
    """What happened, epoch by epoch: `records` are the lines of metrics.jsonl.

    A record is {"epoch", "step", "seconds", "train": {"loss", parts ...}} and, where there was validation, "valid".
    best_epoch: the epoch of the smallest validation loss, or None. stopped: "epochs" or "patience". not_replayed: why
    the steps were not recorded and replayed, where the loss does not allow it.
    """

    records: list[dict[str, Any]]
    best_epoch: int | None = None
    stopped: str = "epochs"
    not_replayed: str | None = None

    def curve(self, split: str = "train", name: str = "loss") -> np.ndarray:
        """(epochs,): the values of `name` in `split`, "train" or "valid". Raises KeyError for what was not recorded."""
        try:
            return np.array([record[split][name] for record in self.records])
        except KeyError:
            known = sorted({f"{s}/{n}" for r in self.records for s in ("train", "valid") if s in r for n in r[s]})
            raise KeyError(f"History: {split}/{name} was not recorded; there are {', '.join(known)}") from None

    def __repr__(self) -> str:
        if not self.records:
            return "History(no epochs)"
        last = self.records[-1]
        best = f", best epoch {self.best_epoch}" if self.best_epoch is not None else ""
        return f"History({describe(last)}{best}, stopped by {self.stopped})"


def describe(record: dict[str, Any]) -> str:
    """One line for one epoch: `epoch 3, step 1200, train 101.2, valid 103.4 nats, 12.3 s`."""
    losses = ", ".join(f"{split} {record[split]['loss']:.4g}" for split in ("train", "valid") if split in record)
    return f"epoch {record['epoch']}, step {record['step']}, {losses} nats, {record['seconds']:.1f} s"
