"""`record(f)`: f, written down once per shape and replayed without Python's share of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autodiff.containers import leaves

from .graph import RecordError, difference
from .program import Program
from .tracing import Trace, trace


def record(function: Callable) -> Recorded:
    """y = function(*args), recorded at the first call for each shape and precision of the arrays, replayed afterwards.

    args: arrays, generators, nests of them, and anything else as it is. What comes back are the program's own arrays:
    read-only, and overwritten by the next call; copy what should stay. Parameters (Tensors that require a gradient)
    are read anew in every call; what else the function computes in Python is computed once. Draws are taken from the
    generator of the call, in the same order as without recording.

    Raises RecordError where Python looks at a value (an `if`, a `float`) or computes numbers by other means.
    """
    return Recorded(function)


class Recorded:
    """A function with the programs that it became, by the shapes of its arguments."""

    def __init__(self, function: Callable):
        self.function = function
        self.programs: dict[Any, Program] = {}

    def __call__(self, *args: Any) -> Any:
        given = leaves(list(args))
        program = self.program(*args)
        return program.run([x for x in given if isinstance(x, np.ndarray)],
                           [x for x in given if isinstance(x, np.random.Generator)])

    def program(self, *args: Any) -> Program:
        """The program for arguments of these shapes, recorded now if there is none yet."""
        key = tuple(form(x) for x in leaves(list(args)))
        if key not in self.programs:
            self.programs[key] = Program(trace_twice(self.function, args))
        return self.programs[key]


def trace_twice(function: Callable, args: tuple, tensors: list = ()) -> Trace:
    """The recorded run, if a second one does the same."""
    first, second = trace(function, args, tensors), trace(function, args, tensors)
    if (how := difference(first.values, second.values)) is not None:
        raise RecordError(f"record: two recordings of the same call differ: {how}. Something changes in Python from "
                          "call to call (a counter, a generator that is not an argument): hand it over as an "
                          "argument, or run this function without recording it")
    return first


def form(x: Any) -> Any:
    """What a program depends on of an argument: shape and precision of an array, the value of anything else."""
    if isinstance(x, np.ndarray):
        return (x.shape, x.dtype)
    return type(x) if isinstance(x, np.random.Generator) else ("static", repr(x) if isinstance(x, float) else x)
