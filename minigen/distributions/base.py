"""What every distribution is: checked parameters, their batch and event axes, and the methods that follow.

A class states its parameters as data: `event_axes` says how many trailing axes of each belong to one event,
`positive` which must be > 0. Everything else about shapes is worked out here, once.

Parameters that are Python numbers take the float dtype of what they meet (as in NumPy); arrays and Tensors keep
theirs, so float32 stays float32. Shapes are always checked at construction, values as well unless the parameter is a
Tensor on a tape: a training step does not pay for it, and `fit` stops at the first loss that is not finite.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np

from minigen import autodiff as ad

Array = Any  # an ndarray or a Tensor
Shape = int | tuple[int, ...]


class Distribution:
    """p(x) over events of `event_shape`, one per element of `batch_shape`; log-probabilities in nats."""

    event_axes: ClassVar[dict[str, int]] = {}
    event_ndim: ClassVar[int] = 0
    positive: ClassVar[tuple[str, ...]] = ()

    def _take(self, **parameters: Any) -> None:
        """Keep the parameters as attributes, after checking that they are numbers, in range, and broadcast."""
        for name, given in parameters.items():
            setattr(self, name, self._checked(name, given))
        self._settle()

    def _settle(self) -> None:
        """Work out batch_shape and event_shape from the parameters."""
        batch, event = [], []
        for name, axes in self.event_axes.items():
            shape = np.shape(ad.value(getattr(self, name)))
            cut = max(len(shape) - axes, 0)
            batch.append(shape[:cut])
            event.append(shape[cut:] if axes == self.event_ndim else ())
        try:
            self.batch_shape = np.broadcast_shapes(*batch)
            self.event_shape = np.broadcast_shapes(*event)
        except ValueError:
            shapes = ", ".join(f"{name} {np.shape(ad.value(getattr(self, name)))}" for name in self.event_axes)
            raise ValueError(f"{self._name}: parameters have shapes {shapes}; "
                             "expected shapes that broadcast") from None

    def _checked(self, name: str, given: Any) -> Any:
        if isinstance(given, ad.Tensor):
            if given.dtype.kind != "f":
                raise TypeError(f"{self._name}: {name} is a Tensor of {given.dtype}; expected float32 or float64")
            if given.requires_grad and ad.is_recording():
                return given
        elif isinstance(given, int | float):
            given = float(given)
        else:
            given = np.asarray(given)
            if given.dtype.kind not in "fiub":
                raise TypeError(f"{self._name}: {name} holds {given.dtype}; expected numbers")
            if given.dtype.kind != "f":
                given = given.astype(np.float64)
        numbers = ad.value(given)
        positive = name in self.positive
        fine = np.isfinite(numbers) & (numbers > 0) if positive else np.isfinite(numbers)
        if not fine.all():
            wrong = numbers[~fine][0] if numbers.ndim else numbers[()]
            raise ValueError(f"{self._name}: {name} has the value {wrong}; "
                             f"expected finite numbers{' > 0' if positive else ''}")
        return given

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def dtype(self) -> np.dtype:
        """The float dtype of its parameters; float64 when they are Python numbers."""
        return common_dtype(*(getattr(self, name) for name in self.event_axes))

    def _event(self, x: Any) -> Array:
        """x, after checking that it holds events of this distribution."""
        if not isinstance(x, ad.Tensor):
            x = np.asarray(x, self.dtype) if isinstance(x, int | float) else ad.value(x)
        if x.dtype.kind not in "fiub":
            raise TypeError(f"{self._name}: x holds {x.dtype}; expected numbers")
        cut = x.ndim - self.event_ndim
        fits = cut >= 0 and x.shape[cut:] == self.event_shape
        try:
            np.broadcast_shapes(x.shape[:max(cut, 0)], self.batch_shape)
        except ValueError:
            fits = False
        if not fits:
            tail = ", ".join(map(str, (*self.batch_shape, *self.event_shape)))
            raise ValueError(f"{self._name}: x has shape {x.shape}; expected (..., {tail})")
        return x

    def _with(self, x: Any) -> list:
        """x, checked, and the parameters in one float dtype."""
        return together(self._event(x), *(getattr(self, name) for name in self.event_axes))

    def _own(self) -> list:
        """The parameters as arrays of one float dtype."""
        return together(*(getattr(self, name) for name in self.event_axes))

    def _per_batch(self, x: Array) -> Array:
        """A quantity with one number per element of the batch, in that shape."""
        return x if x.shape == self.batch_shape else ad.broadcast_to(x, self.batch_shape)

    def _per_event(self, x: Array) -> Array:
        """A quantity with the shape of a sample, in that shape."""
        shape = self.batch_shape + self.event_shape
        return x if x.shape == shape else ad.broadcast_to(x, shape)

    def _shape(self, shape: Shape) -> tuple[int, ...]:
        """The shape of a sample: (*shape, *batch_shape, *event_shape)."""
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        if any(n < 0 for n in shape):
            raise ValueError(f"{self._name}: shape is {shape}; expected sizes >= 0")
        return (*shape, *self.batch_shape, *self.event_shape)

    def log_prob(self, x: Any) -> Array:
        """log p(x) in nats; shape: x.shape without its event axes, broadcast with batch_shape. -inf off the support.

        Gradients flow to x and to the parameters; they are 0 where x is outside the support.
        """
        raise NotImplementedError(f"{self._name} has no log_prob")

    def sample(self, rng: np.random.Generator, shape: Shape = ()) -> np.ndarray:
        """x ~ p, a plain array of shape (*shape, *batch_shape, *event_shape)."""
        with ad.no_grad():
            return np.asarray(ad.value(self.rsample(rng, shape)))

    def rsample(self, rng: np.random.Generator, shape: Shape = ()) -> Array:
        """x = g(noise, parameters) ~ p, differentiable in the parameters; the same numbers as `sample` for one rng.

        As every `ad` operation: a Tensor where a parameter is one, else a plain array.
        """
        raise NotImplementedError(f"{self._name} has no reparameterised sampler; use sample, and a score-function "
                                  "gradient if one is needed")

    def entropy(self) -> Array:
        """H(p) = -E log p(x) in nats, of shape batch_shape."""
        raise NotImplementedError(f"{self._name} has no closed-form entropy")

    @property
    def mean(self) -> Array:
        """E x, of shape batch_shape + event_shape."""
        raise NotImplementedError(f"{self._name} has no closed-form mean")

    @property
    def variance(self) -> Array:
        """E (x - E x)^2 element by element, of shape batch_shape + event_shape."""
        raise NotImplementedError(f"{self._name} has no closed-form variance")

    def _select(self, batch: tuple, index: tuple) -> Self:
        """The distributions at `index` of the batch axes, broadcast to `batch`; cut off from the tape."""
        chosen = copy.copy(self)
        for name, axes in self.event_axes.items():
            p = ad.value(getattr(self, name))
            cut = max(p.ndim - axes, 0)
            setattr(chosen, name, np.broadcast_to(p, batch + p.shape[cut:])[index])
        chosen._settle()
        return chosen

    def __repr__(self) -> str:
        shapes = f"batch_shape={self.batch_shape}, event_shape={self.event_shape}"
        return f"{self._name}({', '.join(self.event_axes)}; {shapes}, {self.dtype})"


def common_dtype(*args: Any) -> np.dtype:
    """The float dtype of the arrays and Tensors among the arguments; float64 when there is none."""
    kinds = [a.dtype for a in args if not isinstance(a, float) and a.dtype.kind == "f"]
    return np.result_type(*kinds) if kinds else np.dtype(np.float64)


def together(*args: Any) -> list:
    """The arguments with Python numbers and integers brought to the float dtype of the others."""
    dtype = common_dtype(*args)
    return [a if not isinstance(a, float) and a.dtype.kind == "f"
            else ad.astype(a, dtype) if isinstance(a, ad.Tensor) else np.asarray(a, dtype) for a in args]


def supported(outside: np.ndarray, log_prob: Array) -> Array:
    """log_prob, but -inf with gradient 0 where x is outside the support (x itself is made harmless before)."""
    return ad.where(outside, -np.inf, log_prob) if outside.any() else log_prob


def shielded(outside: np.ndarray, x: Array, harmless: Any) -> Array:
    """x, but a point of the support where it is outside."""
    return ad.where(outside, harmless, x) if outside.any() else x
