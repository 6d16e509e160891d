"""Running a function once to write down what it does."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.autodiff import tensor as tape
from minigen.autodiff.containers import leaves, tree_map
from minigen.autodiff.rules import Rule
from minigen.autodiff.tensor import Placeholder, Tensor

from .graph import Graph, RecordError, Value, Whole
from .traced import Traced, record_call

TRANSPARENT = frozenset("""
    where add subtract multiply divide negative power square sqrt abs sign exp log log1p expm1 sin cos arctan sinh cosh
    tanh sigmoid softplus silu relu leaky_relu elu maximum minimum clip sum mean max min logsumexp log_softmax softmax
    reshape squeeze expand_dims broadcast_to astype transpose swapaxes moveaxis concatenate getitem matmul linear
    masked_linear bernoulli_logits gaussian_kl layer_norm norm""".split())
"""Rules whose forward is recorded operation by operation; that of every other rule is one operation of its own."""
SIZED = {"random", "standard_normal", "standard_exponential"}
"""Draws of which only the shape and the precision are chosen, and which write where they are told."""


class Source:
    """The generator that a recorded program draws from: another one in every replay."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng


def _draws(source: Source, graph: Graph) -> np.random.Generator:
    """A generator whose numbers are recorded arrays: rng.method(...) is an operation, in the order of the calls."""
    def recorded(method: str) -> Callable:
        def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("out") is not None:
                _refused(f"{method} with out=")()
            if any(isinstance(x, Traced) for x in leaves([args, kwargs] if method in SIZED else kwargs.get("size"))):
                _refused(f"{method} of a size that was computed")()
            into = draw_into if method in SIZED and len(args) <= 2 and set(kwargs) <= {"size", "dtype"} else None
            return record_call(graph, Whole(f"draw {method}", draw_anew, "draw", into), args, kwargs)

        def draw_anew(*args: Any, **kwargs: Any) -> Any:
            return getattr(source.rng, method)(*args, **kwargs)

        def draw_into(out: np.ndarray, args: tuple, kwargs: dict) -> None:
            getattr(source.rng, method)(out=out, dtype=out.dtype)

        return draw

    methods = {name: recorded(name) for name, method in vars(np.random.Generator).items()
               if callable(method) and name[0] != "_"}
    methods |= {name: _refused(name) for name in ("shuffle", "spawn")}
    methods |= {"bit_generator": property(_refused("bit_generator")), "__reduce__": _refused("copy")}
    return type("Draws", (np.random.Generator,), methods)(np.random.PCG64(0))  # which nothing draws from


def _refused(name: str) -> Callable:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RecordError(f"record: rng.{name} has no recorded form; call it outside the recorded function")

    return refuse


class Recorder:
    """What the engine hands every rule to while a function is recorded."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.lifted: list[tuple[Tensor, np.ndarray, np.ndarray | None]] = []

    def __enter__(self) -> Recorder:
        if tape.recorder is not None:
            raise RecordError("record: a function that is being recorded called another recorded function; record "
                              "only the outer one")
        tape.recorder = self
        return self

    def __exit__(self, *error: Any) -> None:
        tape.recorder = None
        for tensor, array, gradient in self.lifted:
            tensor.data, tensor.grad = array, gradient

    def lift(self, tensor: Tensor) -> Any:
        """The recorded array of a Tensor; that of a parameter is read anew in every replay."""
        if not isinstance(tensor.data, Placeholder):
            self.lifted.append((tensor, tensor.data, tensor.grad))
            tensor.data = Traced(self.graph, self.graph.outside(tensor.data))
        return tensor.data

    def forward(self, rule: Rule, args: tuple, kwargs: dict) -> tuple[list, Any]:
        """The arguments as arrays, and y."""
        values = [self.lift(arg) if type(arg) is Tensor else arg for arg in args]
        if rule.name == "identity" and isinstance(values[0], Traced):
            return values, values[0].copy()
        if rule.name in TRANSPARENT or not _recorded(values, kwargs):
            return values, rule.forward(*values, **kwargs)
        function = rule.forward
        if rule.into is not None:
            function = Whole(rule.name, rule.forward, into=_kept_room(rule), alike=rule.name)
        return values, record_call(self.graph, function, tuple(values), kwargs)

    def whole(self, function: Callable, args: tuple) -> Any:
        """A function that is not looked into; its workspaces are the same in every replay."""
        scratch: dict = {}
        if not _recorded(args):
            return function(*args, scratch)
        return record_call(self.graph, Whole(function.__name__, lambda *a: function(*a, scratch)), args, {})

    def check(self, good: Any, error: Callable, values: list) -> bool:
        """Write down: raise error(*values) unless all of `good`. False where there is nothing recorded about it."""
        def checked(good: np.ndarray, *values: np.ndarray) -> np.ndarray:
            if not good.all():
                raise error(*values)
            return good

        if isinstance(good, Traced):
            record_call(self.graph, Whole("ensure", checked, "check"), (good, *values), {})
        return isinstance(good, Traced)


def _kept_room(rule: Rule) -> Callable:
    """The form of a rule that writes into a given array; its workspaces are the same in every replay."""
    scratch: dict = {}
    return lambda out, args, kwargs: rule.into(out, scratch, *args, **kwargs)


def _recorded(*args: Any) -> bool:
    """Whether there is a recorded array among them."""
    return any(isinstance(x, Traced) for x in leaves(args))


@dataclass
class Trace:
    """A recorded run: all values in order, those of the arguments, and the results as a nest of values.

    repeated: how many operations were asked for again on the same values, and are not among the values twice.
    tensors: the Tensors that are read anew, and the arrays that they held.
    """

    values: list[Value]
    inputs: list[Value]
    sources: list[Source]
    results: Any
    repeated: int
    tensors: list[tuple[weakref.ref, np.ndarray]]

    def is_current(self) -> bool:
        """Whether every Tensor still holds the array that it held; numbers written into that are read anew."""
        return all((tensor := ref()) is None or tensor.data is array for ref, array in self.tensors)


def trace(function: Callable, args: tuple, tensors: list[Tensor] = ()) -> Trace:
    """Run function(*args) on recorded arrays. `tensors` are read anew in every replay even before a rule meets them.

    The generators among the arguments stand afterwards where they stood before.
    """
    recorder, sources, inputs = Recorder(), [], []
    graph = recorder.graph
    states = [(rng, rng.bit_generator.state) for rng in leaves(list(args)) if isinstance(rng, np.random.Generator)]

    def stand_in(arg: Any) -> Any:
        if isinstance(arg, np.random.Generator):
            sources.append(Source(arg))
            return _draws(sources[-1], graph)
        if isinstance(arg, np.ndarray):  # a copy: two arguments may be one array now, and not later
            inputs.append(graph.outside(arg.copy()))
            return Traced(graph, inputs[-1])
        return arg

    def result(y: Any) -> Value:
        array = recorder.lift(y) if isinstance(y, Tensor) else y
        return array.value if isinstance(array, Traced) else graph.outside(np.array(array))

    try:
        with recorder:
            for tensor in tensors:
                recorder.lift(tensor)
            results = tree_map(result, function(*(tree_map(stand_in, arg) for arg in args)))
            if any(isinstance(tensor.grad, Placeholder) for tensor, *_ in recorder.lifted):
                raise RecordError("record: the function leaves a gradient in .grad of a Tensor, where a replay would "
                                  "not write it; hand it back as a result, as value_and_grad does")
    finally:
        for rng, state in states:
            rng.bit_generator.state = state
    read = [(weakref.ref(tensor), array) for tensor, array, _ in recorder.lifted]
    return Trace(graph.values, inputs, sources, results, graph.repeated, read)
