"""The one training loop.

An uninterrupted run and one that was killed and resumed take the same path: the same permutation (the state of the
generator at the start of the epoch is kept), the same batches left, the same draws, and so the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.nn import Module, compiles, use_kernels
from minigen.optim import EMA, NonFiniteGradient, Optimiser
from minigen.record import RecordError

from .checkpoints import decode_generator, encode_generator
from .doors import Data, Plan, rows
from .interrupts import Interrupts
from .keeper import Keeper, State, where
from .progress import choose
from .records import History, Loss, TrainingError
from .replay import Replay

REPLAY_FROM = 200
"""The update from which on steps are replayed: compiling one takes as long as some hundred small steps."""


def fit(model: Module, train: Data, *, optimizer: Optimiser, epochs: int, batch_size: int, rng: np.random.Generator,
        valid: Data | None = None, out: str | Path | None = None, resume: bool = False, patience: int | None = None,
        clip: float | None = None, schedule: Callable[[int], float] | None = None, ema: EMA | None = None,
        save_steps: int | None = None, save_seconds: float | None = None, progress: bool = True,
        callback: Callable[[dict], Any] | None = None) -> History:
    """theta <- theta - step(d/dtheta mean_i loss_i) over shuffled minibatches, `epochs` times through the data.

    model: a Module with loss(batch, rng) -> Loss; where it also has loss_and_gradients(batch, rng, into), which fills
    {name of parameter: array} and gives {"loss": number, **parts}, steps are taken by that, without a tape; where it
    has validate(valid, rng) -> {"loss": number, **parts}, that is what validates, and patience waits for. train, valid:
    an array, or a tuple of arrays with equally many rows, which are then cut alike. optimizer: made from the
    model's parameters. rng: orders the data and is handed to the loss; validation has a generator of its own, with the
    same noise in every epoch, and does not disturb the training.

    From update REPLAY_FROM on, steps are recorded and replayed (`minigen.record`) where the loss allows it; where not,
    they stay on the tape, and the history says why. A loss is run twice while it is recorded, and its Python not again.

    out: folder of `checkpoint.npz` and `metrics.jsonl` (a JSON object per epoch). resume=True goes on from there, bit
    for bit, and begins where nothing is there; all but epochs, patience and the learning rate must then be as before.
    Checkpoints are written after every epoch, or every save_steps updates or save_seconds seconds, inside epochs too.
    patience: stop after so many epochs without a smaller validation loss; the model then gets its best parameters.
    clip: largest global norm of the gradient. schedule: update t = 0, 1, ... -> factor of the learning rate.
    ema: an optim.EMA of the model; it is what is validated and, unless patience chose, left in the model at the end.
    progress: a bar or lines on standard output (MINIGEN_PROGRESS=0 in the environment switches it off).
    callback: called with every record of the history.

    Raises ValueError or TypeError for arguments that make no sense; FileExistsError when `out` holds a run and resume
    is False; CheckpointError when one cannot be written, read or used; TrainingError when a loss or a gradient is not
    finite. Ctrl-C finishes the step, writes the checkpoint and raises KeyboardInterrupt, which says how to go on.
    """
    plan = Plan(model, train, optimizer, epochs, batch_size, rng, valid, out, resume, patience, clip, schedule, ema,
                save_steps, save_seconds, progress, callback)
    _fast_engine()
    return _Run(plan).go()


def _fast_engine() -> None:
    """What makes steps fast without changing what they mean; once per process is enough, more does no harm."""
    use_kernels()


@dataclass(slots=True)
class _Failure:
    """What was not finite, the first parameter that it reached, and the number found."""

    what: str
    parameter: str | None
    value: float


class _Run:
    """A plan under way."""

    def __init__(self, plan: Plan):
        self.plan, self.keeper = plan, Keeper(plan)
        self.at, self.best = self.keeper.begin()
        self.began = time.perf_counter() - self.at.seconds
        self.saved_at = time.perf_counter()
        self.saved = None if plan.resume else (0, 0)
        self.good, self.good_step = plan.model.state_dict(), self.at.step
        self.replay: Replay | None = None
        self.not_replayed = None if compiles() else "compilation is switched off"
        self.places = self._places() if hasattr(plan.model, "loss_and_gradients") else None
        self.parameters = plan.model.parameters()

    def go(self) -> History:
        """Every epoch that is left, then the weights that the run was for."""
        plan, at = self.plan, self.at
        self.shown = choose(plan.progress, plan.epochs * plan.batches, plan.epochs, at.step)
        self.shown("start")
        try:
            with Interrupts() as self.interrupts:
                while at.epoch < plan.epochs and not self._out_of_patience():
                    self._epoch()
                self._save()
        finally:
            self.shown("close")
        if self._choice() == "best":
            plan.model.load_state_dict(self.best)
        elif self._choice() == "ema":
            plan.model.load_state_dict(self._validated_weights())
        return History(at.records, at.best["epoch"] if at.best else None,
                       "patience" if self._out_of_patience() else "epochs", self.not_replayed)

    # ------------------------------------------------------------------------------------------------- training

    def _epoch(self) -> None:
        plan, at = self.plan, self.at
        for batch in self._batches_left():
            if failure := self._step(batch):
                raise self._stopped(failure, at.step + 1)
            self._mind_interrupts()
            if at.batch < plan.batches and self._due():
                self._save()
        record = {"epoch": at.epoch + 1, "step": at.step, "seconds": time.perf_counter() - self.began,
                  "train": {name: total / rows(plan.train) for name, total in at.sums.items()}}
        if plan.valid is not None:
            record["valid"] = self._validate()
            self._mind_best(record)
        at.epoch, at.batch, at.sums, at.epoch_rng = at.epoch + 1, 0, {}, None
        at.records.append(record)
        if (plan.save_steps is None and plan.save_seconds is None) or self._due():
            self._save()
        self.keeper.append(record)
        self.shown("epoch", record)
        if plan.callback is not None:
            plan.callback(record)

    def _batches_left(self) -> Iterator[Any]:
        """This epoch's minibatches without those already done, the generator standing where it stood after them."""
        from minigen.data import minibatches

        plan, at = self.plan, self.at
        if at.batch == 0:
            at.epoch_rng = encode_generator(plan.rng)
            return minibatches(plan.train, plan.batch_size, plan.rng)
        now = encode_generator(plan.rng)
        decode_generator(at.epoch_rng, plan.rng)
        batches = minibatches(plan.train, plan.batch_size, plan.rng)
        decode_generator(now, plan.rng)
        return islice(batches, at.batch, None)

    def _step(self, batch: Any) -> _Failure | None:
        """One update, or what was not finite instead."""
        plan, at = self.plan, self.at
        values, loss = self._loss_and_gradients(batch)
        if not math.isfinite(sum(values.values())):
            return self._loss_failure(loss, values)
        try:
            plan.optimizer.step(1.0 if plan.schedule is None else plan.schedule(at.step), max_norm=plan.clip)
        except NonFiniteGradient as error:
            name = next(n for n, p in plan.model.named_parameters() if p is error.parameter)
            return _Failure(f"the gradient of {name} holds {error.value}", name, error.value)
        if plan.ema is not None:
            plan.ema.update()
        for name, value in values.items():
            at.sums[name] = at.sums.get(name, 0.0) + value * rows(batch)
        at.batch, at.step = at.batch + 1, at.step + 1
        self.shown("step", at.step)
        return None

    def _loss_and_gradients(self, batch: Any) -> tuple[dict[str, float], Loss | None]:
        """The loss and its parts, and `.grad` of every parameter; the Loss itself where it came from the tape.

        From update REPLAY_FROM on the step is replayed, where the model allows it: a short run does not wait for a
        compiler, and a run that was killed and resumed changes over at the same update as one that was not.
        """
        plan = self.plan
        if self.places is not None:
            values = plan.model.loss_and_gradients(batch, plan.rng, self.places)
            for p, place in zip(self.parameters, self.places.values()):
                p.grad = place
            return values, None
        if self.at.step >= REPLAY_FROM and self.not_replayed is None:
            try:
                self.replay = self.replay or Replay(plan.model.loss, plan.optimizer, plan.model)
                return self.replay(batch, plan.rng), None
            except RecordError as error:
                self.not_replayed = str(error)
        loss = plan.model.loss(batch, plan.rng)
        values = _values(loss, plan.model)
        if math.isfinite(sum(values.values())):
            loss.total.backward()
        return values, loss

    def _places(self) -> dict[str, np.ndarray]:
        """{name: array} for the gradient of every parameter, those that are trained beside each other in memory."""
        trained = {id(p): place for p, place in zip(self.plan.optimizer.parameters, self.plan.optimizer.gradients())}
        return {name: trained.get(id(p), np.empty_like(p.data)) for name, p in self.plan.model.named_parameters()}

    def _loss_failure(self, loss: Loss | None, values: dict[str, float]) -> _Failure:
        """The loss, its parts, and the first parameter that it gives a gradient that is not finite."""
        name = None
        if loss is not None and loss.total.requires_grad:
            with np.errstate(all="ignore"):
                loss.total.backward()
        if loss is None or loss.total.requires_grad:
            name = next((n for n, p in self.plan.model.named_parameters()
                         if p.grad is not None and not np.isfinite(p.grad).all()), None)
        what = f"the loss is not finite ({_told(values)})"
        return _Failure(f"{what}, nor is the gradient of {name}" if name else what, name, _first_bad(values))

    def _stopped(self, failure: _Failure, step: int) -> TrainingError:
        """Give the model its last good parameters and say what happened."""
        file = self.keeper.file
        for p in self.plan.model.parameters():
            p.grad = None
        self.plan.model.load_state_dict(self.good)
        return TrainingError(
            f"training stopped at step {step}, epoch {self.at.epoch + 1}: {failure.what}; the model has its parameters "
            f"of step {self.good_step} again; {where(file)}", step, failure.parameter, failure.value, file)

    # ----------------------------------------------------------------------------------------------- validation

    def _validate(self) -> dict[str, float]:
        """Mean loss and parts over the validation data, without a tape, under noise of its own."""
        plan, rng = self.plan, np.random.default_rng(self.at.valid_seed)
        with ad.no_grad(), self._averaged():
            means = plan.model.validate(plan.valid, rng) if hasattr(plan.model, "validate") else self._mean_loss(rng)
        self._mind_interrupts()
        if not math.isfinite(sum(means.values())):
            what = f"the validation loss is not finite ({_told(means)})"
            raise self._stopped(_Failure(what, None, _first_bad(means)), self.at.step)
        return means

    def _mean_loss(self, rng: np.random.Generator) -> dict[str, float]:
        plan, sums = self.plan, {}
        for start in range(0, rows(plan.valid), plan.batch_size):
            batch = _rows_from(plan.valid, start, plan.batch_size)
            for name, value in _values(plan.model.loss(batch, rng), plan.model).items():
                sums[name] = sums.get(name, 0.0) + value * rows(batch)
            if self.interrupts.asked:
                break
        return {name: total / rows(plan.valid) for name, total in sums.items()}

    def _averaged(self) -> Any:
        return nullcontext() if self.plan.ema is None else self.plan.ema.swapped_in()

    def _validated_weights(self) -> State:
        with self._averaged():
            return self.plan.model.state_dict()

    def _mind_best(self, record: dict[str, Any]) -> None:
        loss = record["valid"]["loss"]
        if self.at.best is None or loss < self.at.best["loss"]:
            self.at.best = {"epoch": record["epoch"], "loss": loss}
            self.best = self._validated_weights()

    def _out_of_patience(self) -> bool:
        at, patience = self.at, self.plan.patience
        return patience is not None and at.best is not None and at.epoch - at.best["epoch"] >= patience

    def _choice(self) -> str:
        """Which weights the run is for: the best, the average, or the last."""
        if self.plan.patience is not None and self.best:
            return "best"
        return "model" if self.plan.ema is None else "ema"

    # --------------------------------------------------------------------------------------------------- saving

    def _due(self) -> bool:
        plan = self.plan
        return (plan.save_steps is not None and self.at.step - self.good_step >= plan.save_steps
                or plan.save_seconds is not None and time.perf_counter() - self.saved_at >= plan.save_seconds)

    def _save(self) -> None:
        """Remember the parameters as good and write the checkpoint, unless that was done at this very place."""
        at = self.at
        if self.saved == (at.epoch, at.batch):
            return
        at.seconds = time.perf_counter() - self.began
        self.keeper.write(at, self.best, self._choice())
        self.good, self.good_step = self.plan.model.state_dict(), at.step
        self.saved, self.saved_at = (at.epoch, at.batch), time.perf_counter()

    def _mind_interrupts(self) -> None:
        """After Ctrl-C: write the checkpoint, say how to go on, and stop."""
        if not self.interrupts.asked:
            return
        self._save()
        file, step = self.keeper.file, self.at.step
        raise KeyboardInterrupt(f"stopped after step {step}; " + (
            f"the same call with resume=True goes on from {file}" if file else "nothing was written, as out is None"))


def _values(loss: Any, model: Module) -> dict[str, float]:
    """{"loss": total, **parts} as floats; TypeError when a model's loss is not what a loss is."""
    if not isinstance(loss, Loss) or np.size(ad.value(loss.total)) != 1:
        raise TypeError(f"fit: {type(model).__name__}.loss gave {loss!r:.80}; expected a Loss whose total is a number")
    values = {"loss": float(ad.value(loss.total))}
    for name, part in loss.parts.items():
        values.setdefault(name, float(ad.value(part)))
    return values


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in values.items())


def _first_bad(values: dict[str, float]) -> float:
    return next((value for value in values.values() if not math.isfinite(value)), math.inf)


def _rows_from(data: Data, start: int, size: int) -> Data:
    return tuple(a[start : start + size] for a in data) if isinstance(data, tuple) else data[start : start + size]
