"""What all optimisers share: parameters side by side in memory, so that an update is one kernel call, not hundreds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from minigen.autodiff import Tensor
from minigen.autodiff.tensor import nothing_held

from .clipping import norm_of, positive

SMALL = 1 << 14
"""Up to this many numbers, copying a gradient beside its neighbours is cheaper than a kernel call of its own."""


class NonFiniteGradient(FloatingPointError):
    """A gradient holds nan or inf; `parameter` is its Tensor, `value` the first such number. Nothing was updated."""

    def __init__(self, message: str, parameter: Tensor, value: float):
        super().__init__(message)
        self.parameter, self.value = parameter, value


class Optimiser:
    """theta <- theta - lr * factor * direction(gradients so far), the direction being what a subclass defines.

    parameters: Tensors that require a gradient; lr: the learning rate, which may be set between steps. A subclass
    names its kernel, its running moments (`slots`), and computes the numbers that its kernel takes.

    From the making of an optimiser on, the `.data` of its parameters are views into arrays that it holds. Write to
    them in place (`p.data[...] = new`); a `.data` that was replaced is copied back in at the next step.
    """

    kernel: str
    slots: tuple[str, ...] = ()

    def __init__(self, parameters: Iterable[Tensor], lr: float):
        name = type(self).__name__
        if not isinstance(parameters, Iterable) or isinstance(parameters, Tensor):
            raise TypeError(f"{name}: parameters is {type(parameters).__name__}; expected a list of Tensors, as "
                            "model.parameters()")
        self.parameters = list({id(p): p for p in parameters}.values())
        if not self.parameters:
            raise ValueError(f"{name}: parameters is empty; expected at least one Tensor")
        for i, p in enumerate(self.parameters):
            if not isinstance(p, Tensor) or not p.requires_grad or p.node is not None:
                raise TypeError(f"{name}: parameters[{i}] is {p!r:.60}; expected a Tensor with requires_grad=True")
        self.lr = positive(lr, "lr", name)
        self.steps = 0
        self._blocks = [_Block(group, len(self.slots)) for group in _groups(self.parameters)]
        self._update = _kernel(self.kernel)

    def coefficients(self, rate: float) -> tuple[float, ...]:
        """The numbers that the kernel takes after its arrays, in step number `self.steps` (from 1)."""
        raise NotImplementedError

    def step(self, factor: float = 1.0, *, max_norm: float | None = None) -> float:
        """Update every parameter that has a gradient, use the gradients up (`.grad` becomes None), return their norm.

        factor: multiplies lr in this step (see `schedules`); max_norm: clip the gradients to this global norm first.
        Raises, before anything is written: NonFiniteGradient; RuntimeError when no parameter has a gradient or a
        living tape holds one; ValueError when a gradient has another shape than its parameter, when lr * factor is
        no number of at least 0, or max_norm no positive one.
        """
        rate = self.lr * factor
        if not 0 <= rate < math.inf:
            raise ValueError(f"{type(self).__name__}.step: lr is {self.lr} and factor {factor}; expected numbers of at "
                             "least 0")
        if max_norm is not None:
            positive(max_norm, "max_norm", f"{type(self).__name__}.step")
        pieces = [piece for block in self._blocks for piece in block.pieces()]
        if not pieces:
            raise RuntimeError(f"{type(self).__name__}.step: no parameter has a gradient; call backward() first, once "
                               "for every step")
        norm = norm_of([g for _, g, *_ in pieces])
        if not math.isfinite(norm):
            raise self._not_finite()
        if max_norm is not None and norm > max_norm:
            for _, g, *_ in pieces:
                g *= max_norm / norm
        self.steps += 1
        numbers = self.coefficients(rate)
        for arrays in pieces:
            self._update(*arrays, *numbers)
        for p in self.parameters:
            p.grad = None
        return norm

    def gradients(self) -> list[np.ndarray]:
        """An array for the gradient of every parameter, beside each other in memory.

        A gradient that is written there and handed over as `.grad` is read by `step` where it is, without a copy.
        """
        places = {id(p): place for block in self._blocks for p, place in zip(block.parameters, block.places())}
        return [places[id(p)] for p in self.parameters]

    def state_dict(self) -> dict[str, np.ndarray]:
        """{"steps": count, "m.0": moment of parameter 0, ...}: copies, shaped as the parameters."""
        state = {"steps": np.array(self.steps)}
        return state | {name: array.copy() for name, array in self._moments()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError, before anything is written, for what does not fit."""
        moments = dict(self._moments())
        expected = {"steps": (), **{name: array.shape for name, array in moments.items()}}
        faults = [f"{name} is missing" for name in expected if name not in state]
        faults += [f"{name} is unexpected" for name in state if name not in expected]
        faults += [f"{name} has shape {np.shape(state[name])}, expected {shape}"
                   for name, shape in expected.items() if name in state and np.shape(state[name]) != shape]
        if faults:
            raise ValueError(f"{type(self).__name__}: the state does not fit: {'; '.join(faults)}")
        self.steps = int(state["steps"])
        for name, array in moments.items():
            array[...] = state[name]

    def _moments(self) -> Iterator[tuple[str, np.ndarray]]:
        """(name, array) of the running moments, in the order of the parameters."""
        where = {id(p): (block, i) for block in self._blocks for i, p in enumerate(block.parameters)}
        for n, p in enumerate(self.parameters):
            block, i = where[id(p)]
            for name, moment in zip(self.slots, block.moments):
                yield f"{name}.{n}", moment[block.spans[i]].reshape(p.shape)

    def _not_finite(self) -> NonFiniteGradient:
        for i, p in enumerate(self.parameters):
            if p.grad is not None and not np.isfinite(p.grad).all():
                at = np.unravel_index(np.argmin(np.isfinite(p.grad)), p.grad.shape)
                value = float(p.grad[at])
                return NonFiniteGradient(f"{type(self).__name__}.step: the gradient of parameter {i}, shape {p.shape}, "
                                         f"holds {value} at {tuple(map(int, at))}", p, value)
        return NonFiniteGradient(f"{type(self).__name__}.step: the norm of the gradients overflows", self.parameters[0],
                                 math.inf)


class _Block:
    """Parameters of one precision in one array, with their moments: one kernel call updates them all."""

    def __init__(self, parameters: list[Tensor], slots: int):
        self.parameters = parameters
        ends = np.cumsum([p.size for p in parameters]).tolist()
        self.spans = [slice(end - p.size, end) for p, end in zip(parameters, ends)]
        self.data = np.empty(ends[-1], parameters[0].dtype)
        self.moments = [np.zeros_like(self.data) for _ in range(slots)]
        self.gradient = np.empty_like(self.data) if len(parameters) > 1 else None  # else only where one is asked for
        self._places: list[np.ndarray] = []
        self.views = [self.data[span].reshape(p.shape) for p, span in zip(parameters, self.spans)]
        for p, view in zip(self.parameters, self.views):
            _adopt(p, view)

    def pieces(self) -> list[tuple[np.ndarray, ...]]:
        """(parameters, gradient, *moments), one-dimensional, of all that have a gradient: one piece when all have."""
        if self._in_place():
            return [(self.data, self.gradient, *self.moments)]
        gradients, missing = [], False
        for p, view in zip(self.parameters, self.views):
            if p.data is not view:
                _adopt(p, view)
            g = p.grad
            if g is None:
                missing = True
            elif g.shape != view.shape:
                raise ValueError(f"step: a gradient has shape {g.shape}; expected that of its parameter, {view.shape}")
            elif not view.flags.writeable:
                raise RuntimeError(f"step: a living tape holds a parameter of shape {view.shape}; drop the Tensors "
                                   "computed from it, or compute them inside no_grad()")
            gradients.append(g)
        if missing:
            return [(self.data[span], self._flat(g), *(m[span] for m in self.moments))
                    for g, span in zip(gradients, self.spans) if g is not None]
        if len(gradients) == 1:
            return [(self.data, self._flat(gradients[0]), *self.moments)]
        np.concatenate(gradients, axis=None, out=self.gradient)
        return [(self.data, self.gradient, *self.moments)]

    def _in_place(self) -> bool:
        """Whether every gradient was written where `places` said, and nothing else stands in the way."""
        if not self._places:
            return False
        for p, view, place in zip(self.parameters, self.views, self._places):
            if p.grad is not place or p.data is not view:
                return False
        return nothing_held() or all(view.flags.writeable for view in self.views)

    def places(self) -> list[np.ndarray]:
        """The gradient of the block, cut into those of its parameters."""
        if not self._places:
            if self.gradient is None:
                self.gradient = np.empty_like(self.data)
            self._places = [self.gradient[span].reshape(view.shape) for span, view in zip(self.spans, self.views)]
        return self._places

    def _flat(self, g: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(g, self.data.dtype).reshape(-1)


def _adopt(p: Tensor, view: np.ndarray) -> None:
    """Move the numbers of a parameter into its place in the block."""
    if p.data.shape != view.shape or p.data.dtype != view.dtype:
        raise RuntimeError(f"step: a parameter was {view.shape} {view.dtype} and is now {p.shape} {p.dtype}; make a "
                           "new optimiser after a change of shape or precision")
    view[...] = p.data
    p.data = view


def _groups(parameters: list[Tensor]) -> list[list[Tensor]]:
    """Small parameters of one precision together, large ones each alone."""
    groups: dict[object, list[Tensor]] = {}
    for p in parameters:
        groups.setdefault(p.dtype if p.size <= SMALL else id(p), []).append(p)
    return list(groups.values())


def _kernel(name: str) -> Callable:
    """The compiled kernel; its NumPy twin where compilation is switched off (interpreted loops would take minutes)."""
    import numba

    from minigen.kernels import optimisers, reference

    return getattr(reference if numba.config.DISABLE_JIT else optimisers, name)
