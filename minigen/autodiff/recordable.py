"""What rules need where they leave NumPy's plain ways, so that they can still be recorded: checks, whole functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tensor as tape
from .tensor import value


def ensure(good: Any, error: Callable[..., Exception], *values: Any) -> None:
    """Raise error(*values) unless all of `good` is true. good: a boolean array; values: arrays handed to `error`.

    A recorded program cannot branch on a number, but it may stop: there the check is an operation like others.
    """
    arrays = [value(v) for v in values]
    if tape.recorder is not None and tape.recorder.check(good, error, arrays):
        return
    if not np.all(good):
        raise error(*arrays)


def whole(function: Callable, *args: Any) -> Any:
    """function(*args, scratch) on plain arrays; while a program is recorded, one operation of it.

    scratch: a dict for workspaces, which every replay of that operation finds again.
    """
    if tape.recorder is None:
        return function(*args, {})
    return tape.recorder.whole(function, args)
