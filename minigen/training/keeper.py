"""The folder of a run: writing its checkpoint and its metrics, and setting everything back to what they say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import (
    NAME,
    Checkpoint,
    CheckpointError,
    decode_generator,
    encode_generator,
    read_checkpoint,
    write_checkpoint,
)
from .doors import Plan, events, rows

METRICS = "metrics.jsonl"
State = dict[str, np.ndarray]


@dataclass(slots=True)
class Position:
    """Where a run is, beside its arrays and its generator; goes into the checkpoint as it stands.

    epoch: finished epochs; batch: finished batches of the next one; step: updates so far; epoch_rng: the generator
    when the epoch under way began, from which its permutation can be drawn again; sums: of loss and parts times rows
    in that epoch; best: {"epoch", "loss"} of the smallest validation loss.
    """

    valid_seed: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_rng: dict[str, Any] | None = None
    sums: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    records: list[dict[str, Any]] = field(default_factory=list)


class Keeper:
    """Keeps a run in `plan.out`; without a folder it keeps nothing."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.file = None if plan.out is None else plan.out / NAME
        self.metrics = None if plan.out is None else plan.out / METRICS

    def begin(self) -> tuple[Position, State]:
        """The position and the best weights to go on from: those of the checkpoint, else the beginning."""
        if self.plan.resume and self.file.exists():
            return self._resume()
        at = Position(valid_seed=int(self.plan.rng.integers(2**63)))  # drawn with or without validation data
        if self.file is not None:
            for path in (self.file, self.metrics):
                if path.exists():
                    hint = "but there is no checkpoint beside it" if self.plan.resume else "pass resume=True to go on"
                    raise FileExistsError(f"fit: {path} exists already; {hint}, or choose another out")
            self.write(at, {}, "model")  # also shows, before anything is trained, that the folder can be written
        return at, {}

    def write(self, at: Position, best: State, weights: str) -> None:
        """Write the checkpoint; `weights` says which section `fit` would leave in the model."""
        if self.file is None:
            return
        plan = self.plan
        arrays = {f"model/{name}": tensor.data for name, tensor in plan.model.named_tensors()}
        arrays |= {f"optimizer/{name}": array for name, array in plan.optimizer.state_dict().items()}
        arrays |= {f"best/{name}": array for name, array in best.items()}
        if plan.ema is not None:
            arrays |= {f"ema/{name}": array for name, array in plan.ema.state_dict().items()}
        meta = {**self._identity(), "weights": weights, "rng": encode_generator(plan.rng), "position": asdict(at)}
        write_checkpoint(self.file, Checkpoint(meta, arrays))

    def append(self, record: dict[str, Any]) -> None:
        """One more line of the metrics."""
        if self.metrics is not None:
            with self._writing(), open(self.metrics, "a") as file:
                file.write(json.dumps(record) + "\n")

    def _resume(self) -> tuple[Position, State]:
        """Set model, optimiser, average and generator to what they were; let the metrics end where the run does."""
        plan, checkpoint = self.plan, read_checkpoint(self.file)
        for what, now in self._identity().items():
            if checkpoint.meta[what] != now:
                raise CheckpointError(f"{self.file}: was written with {what} {json.dumps(checkpoint.meta[what])}; this "
                                      f"run has {json.dumps(now)}")
        try:
            at = Position(**checkpoint.meta["position"])
            plan.model.load_state_dict(checkpoint.section("model"))
            plan.optimizer.load_state_dict(checkpoint.section("optimizer"))
            if plan.ema is not None:
                plan.ema.load_state_dict(checkpoint.section("ema"))
            decode_generator(checkpoint.meta["rng"], plan.rng)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{self.file}: {error}") from error
        part = self.metrics.with_name(METRICS + ".part")
        with self._writing():
            part.write_text("".join(json.dumps(record) + "\n" for record in at.records))
            os.replace(part, self.metrics)
        return at, checkpoint.section("best")

    def _identity(self) -> dict[str, Any]:
        """What must not differ between a run and its resumption, as JSON gives it back."""
        plan = self.plan
        data = {"rows": rows(plan.train), "event": events(plan.train), "batch_size": plan.batch_size}
        precisions = sorted({str(p.dtype) for p in plan.model.parameters()})
        return json.loads(json.dumps({"model": type(plan.model).__name__, "config": plan.config, "dtype": precisions,
                                      "optimizer": type(plan.optimizer).__name__, "ema": plan.ema is not None,
                                      "data": data}))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a failure to write the metrics into one CheckpointError."""
        try:
            yield
        except OSError as error:
            raise CheckpointError(f"{self.metrics}: cannot be written ({error.strerror or error}); the checkpoint in "
                                  "the same folder is intact") from error


def where(file: Path | None) -> str:
    """What to tell about the last good checkpoint."""
    return f"last good checkpoint: {file}" if file else "no checkpoint, as out is None"
