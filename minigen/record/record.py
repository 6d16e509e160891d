"""`record(f)`: f, written down once per shape and replayed without Python's share of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autodiff.containers import leaves, tree_map

from .graph import RecordError, difference, frozen
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
        key = structure(args)
        if key not in self.programs or not self.programs[key].trace.is_current():
            self.programs[key] = Program(trace_twice(self.function, args))
        return self.programs[key]


def trace_twice(function: Callable, args: tuple, tensors: list = ()) -> Trace:
    """The recorded run, if a second one does the same."""
    first, second = trace(function, args, tensors), trace(function, args, tensors)
    first.tensors = [(ref, array) for ref, array in first.tensors if ref() is not None]
    how = difference(first.values, second.values)
    if how is None and tree_map(frozen, first.results) != tree_map(frozen, second.results):
        how = "they hand back other results"
    if how is not None:
        raise RecordError(f"record: two recordings of the same call differ: {how}. Something changes in Python from "
                          "call to call (a counter, a generator that is not an argument): hand it over as an "
                          "argument, or run this function without recording it")
    return first


def form(x: Any) -> Any:
    """What a program depends on of an argument: shape and precision of an array, the value of anything else."""
    if isinstance(x, np.ndarray):
        return (x.shape, x.dtype)
    return type(x) if isinstance(x, np.random.Generator) else (type(x), repr(x) if isinstance(x, float) else x)


def structure(args: Any) -> Any:
    """The forms of the arguments, nested as they are."""
    if isinstance(args, dict):
        return ("dict", *((name, structure(x)) for name, x in args.items()))
    if isinstance(args, list | tuple):
        return (type(args), *(structure(x) for x in args))
    return None if args is None else form(args)
