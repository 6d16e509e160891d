"""A training step recorded once and replayed: no tape, and gradients written where the optimiser reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff.containers import leaves
from minigen.nn import Module
from minigen.optim import Optimiser
from minigen.record.program import Program
from minigen.record.record import RecordError, structure, trace_twice

from .records import Loss


class Replay:
    """{"loss": total, **parts}, and the gradient of the total in `.grad` of every parameter of the optimiser.

    loss: (batch, rng) -> Loss; model: whose Tensors it reads. A batch of another shape is recorded anew, and so is
    everything after an attribute of any Module was set: what a loss reads from there is part of the program.
    Raises RecordError where the loss cannot be recorded (see `minigen.record.record`).
    """

    def __init__(self, loss: Callable[[Any, np.random.Generator], Loss], optimizer: Optimiser, model: Module):
        self.loss, self.optimizer, self.model = loss, optimizer, model
        self.gradients = optimizer.gradients()
        self.programs: dict[Any, Program] = {}
        self.changes = Module.changes

    def __call__(self, batch: Any, rng: np.random.Generator) -> dict[str, float]:
        if self.changes != Module.changes:
            self.programs.clear()
        given = leaves(batch)
        key = structure(batch)
        if key not in self.programs or not self.programs[key].trace.is_current():
            self.programs[key] = self._record(batch, rng)
            self.changes = Module.changes
        values, reached = self.programs[key].run(given, [rng])
        for p, gradient, has_one in zip(self.optimizer.parameters, self.gradients, reached):
            p.grad = None if has_one is None else gradient
        return {name: float(value) for name, value in values.items()}

    def _record(self, batch: Any, rng: np.random.Generator) -> Program:
        kept = [(module, dict(vars(module))) for module in self.model.submodules()]
        changes = Module.changes
        try:
            found = trace_twice(self._step, (batch, rng), [tensor for _, tensor in self.model.named_tensors()])
            if Module.changes != changes:
                raise RecordError(f"record: {type(self.model).__name__}.loss sets an attribute of a module, which a "
                                  "replay would not do; hand such numbers over as arguments")
        except RecordError:
            raise
        except Exception as error:  # what is wrong with the loss itself comes up again without recording
            raise RecordError(f"record: {type(error).__name__} while {type(self.model).__name__}.loss was recorded: "
                              f"{error}") from error
        finally:
            for module, attributes in kept:
                vars(module).clear()
                vars(module).update(attributes)
        places = [(value, place) for value, place in zip(found.results[1], self.gradients) if value is not None]
        return Program(found, places)

    def _step(self, batch: Any, rng: np.random.Generator) -> tuple[dict, list]:
        """What is recorded: forward and backward."""
        loss = self.loss(batch, rng)
        if not isinstance(loss, Loss) or loss.total.size != 1:
            raise TypeError(f"fit: {type(self.model).__name__}.loss gave {loss!r:.80}; expected a Loss whose total is "
                            "a number")
        loss.total.backward()
        gradients = [p.grad for p in self.optimizer.parameters]
        for p in [*self.optimizer.parameters, *self.model.parameters()]:
            p.grad = None
        parts = {name: part for name, part in loss.parts.items() if name != "loss"}
        return {"loss": ad.value(loss.total), **parts}, gradients
