"""Python's operators and NumPy's method names on `Tensor`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import copies, indexing, linalg, reductions, shapes
from . import elementwise as e
from .backward import backward_to_leaves
from .tensor import Tensor, value

Tensor.__add__ = Tensor.__radd__ = lambda a, b: e.add(a, b)
Tensor.__sub__ = lambda a, b: e.subtract(a, b)
Tensor.__rsub__ = lambda a, b: e.subtract(b, a)
Tensor.__mul__ = Tensor.__rmul__ = lambda a, b: e.multiply(a, b)
Tensor.__truediv__ = lambda a, b: e.divide(a, b)
Tensor.__rtruediv__ = lambda a, b: e.divide(b, a)
Tensor.__pow__ = lambda a, b: e.power(a, b)
Tensor.__rpow__ = lambda a, b: e.power(b, a)
Tensor.__matmul__ = lambda a, b: linalg.matmul(a, b)
Tensor.__rmatmul__ = lambda a, b: linalg.matmul(b, a)
Tensor.__neg__ = lambda a: e.negative(a)
Tensor.__pos__ = lambda a: a
Tensor.__abs__ = lambda a: e.abs(a)
Tensor.__getitem__ = lambda a, key: indexing.getitem(a, key)

# comparisons have no gradient: they give plain arrays of booleans
Tensor.__lt__ = lambda a, b: value(a) < value(b)
Tensor.__le__ = lambda a, b: value(a) <= value(b)
Tensor.__gt__ = lambda a, b: value(a) > value(b)
Tensor.__ge__ = lambda a, b: value(a) >= value(b)
Tensor.__eq__ = lambda a, b: value(a) == value(b)
Tensor.__ne__ = lambda a, b: value(a) != value(b)


def _backward(self: Tensor, cotangent: Any = None, *, retain: bool = False, accumulate: bool = False) -> None:
    """Set `.grad` of every leaf to d(self . cotangent)/d(leaf); the graph is freed unless `retain`.

    A later call replaces `.grad`, it does not add to it; `accumulate=True` adds.
    Raises TypeError without a cotangent when self is not a scalar, RuntimeError on a freed or empty tape.
    """
    backward_to_leaves(self, cotangent, retain=retain, accumulate=accumulate)


def _reshape(self: Tensor, *shape: Any) -> Tensor:
    """The same numbers in another shape: t.reshape(2, 3) or t.reshape((2, 3))."""
    return shapes.reshape(self, shape[0] if len(shape) == 1 else shape)


def _transpose(self: Tensor, *axes: Any) -> Tensor:
    """Axes permuted: t.transpose(), t.transpose(1, 0) or t.transpose((1, 0))."""
    return shapes.transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)


Tensor.backward = _backward
Tensor.reshape = _reshape
Tensor.transpose = _transpose
Tensor.T = property(lambda self: shapes.transpose(self))
Tensor.mT = property(lambda self: linalg.mT(self))
for _name in ("sum", "mean", "max", "min", "prod", "var", "cumsum"):
    setattr(Tensor, _name, getattr(reductions, _name))
for _name in ("squeeze", "swapaxes"):
    setattr(Tensor, _name, getattr(shapes, _name))
Tensor.repeat = copies.repeat
Tensor.clip = e.clip
Tensor.astype = lambda self, dtype: self if self.dtype == np.dtype(dtype) else shapes.astype(self, dtype)
Tensor.flatten = lambda self: shapes.reshape(self, (-1,))
