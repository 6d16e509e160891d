"""Running a function once to write down what it does."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.autodiff import tensor as tape
from minigen.autodiff.containers import leaves, tree_map
from minigen.autodiff.rules import Rule
from minigen.autodiff.tensor import Placeholder, Tensor

from .graph import Graph, RecordError, Value
from .traced import Traced, record_call

TRANSPARENT = frozenset("""
    where add subtract multiply divide negative power square sqrt abs sign exp log log1p expm1 sin cos arctan sinh cosh
    tanh sigmoid softplus silu relu leaky_relu elu maximum minimum clip sum mean max min logsumexp log_softmax softmax
    reshape squeeze expand_dims broadcast_to astype transpose swapaxes moveaxis concatenate getitem matmul linear
    masked_linear bernoulli_logits gaussian_kl layer_norm norm""".split())
"""Rules whose forward is recorded operation by operation; that of every other rule is one operation of its own."""


class Source:
    """The generator that a recorded program draws from: another one in every replay."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng


class Draw:
    """numbers = rng.method(*args): the draws of a program, in the order in which it makes them."""

    INTO = {"random", "standard_normal", "standard_exponential"}

    def __init__(self, source: Source, method: str):
        self.source, self.method, self.__name__ = source, method, f"draw {method}"

    def __call__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return getattr(self.source.rng, self.method)(*args, **kwargs)


def _draws(source: Source, graph: Graph) -> np.random.Generator:
    """A generator whose numbers are recorded arrays."""
    def draws(method: str) -> Callable:
        def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("out") is not None:
                _refused(f"{method} with out=")(self)
            sizes = [args, kwargs] if method in Draw.INTO else [kwargs.get("size")]
            if any(isinstance(x, Traced) for x in leaves(sizes)):
                _refused(f"{method} of a size that was computed")(self)
            return record_call(graph, Draw(source, method), args, kwargs, "draw")

        return draw

    methods = {name: draws(name) for name, method in vars(np.random.Generator).items()
               if callable(method) and name[0] != "_"}
    for name in ("shuffle", "spawn"):
        methods[name] = _refused(name)
    methods["bit_generator"], methods["__reduce__"] = property(_refused("bit_generator")), _refused("copy")
    return type("Draws", (np.random.Generator,), methods)(np.random.PCG64(0))  # which nothing draws from


def _refused(name: str) -> Callable:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise RecordError(f"record: rng.{name} has no recorded form; call it outside the recorded function")

    return refuse


class Recorder:
    """What the engine hands every rule to while a function is recorded."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.lifted: list[tuple[Tensor, np.ndarray, np.ndarray | None]] = []

    def lift(self, tensor: Tensor) -> Any:
        """The recorded array of a Tensor; that of a parameter is read anew in every replay."""
        if not isinstance(tensor.data, Placeholder):
            self.lifted.append((tensor, tensor.data, tensor.grad))
            tensor.data = Traced(self.graph, self.graph.outside(tensor.data))
            tensor.data.flags.writeable = False
        return tensor.data

    def forward(self, rule: Rule, args: tuple, kwargs: dict) -> tuple[list, Any]:
        """The arguments as arrays, and y."""
        values = [self.lift(arg) if type(arg) is Tensor else arg for arg in args]
        if not any(isinstance(value, Traced) for value in leaves([values, kwargs])):
            return values, rule.forward(*values, **kwargs)
        if rule.name == "identity":
            return values, values[0].copy()
        if rule.name in TRANSPARENT:
            return values, rule.forward(*values, **kwargs)
        return values, record_call(self.graph, rule.forward if rule.into is None else WholeRule(rule), values, kwargs)

    def whole(self, function: Callable, args: tuple) -> Any:
        """A function that is not looked into."""
        if not any(isinstance(x, Traced) for x in leaves(list(args))):
            return function(*args, {})
        return record_call(self.graph, Whole(function), args, {})

    def check(self, good: Any, error: Callable, values: list) -> bool:
        """Write a check down; False where there is nothing recorded about it."""
        if not isinstance(good, Traced):
            return False
        record_call(self.graph, Check(error), (good, *values), {}, "check")
        return True


class WholeRule:
    """A rule that knows how to write into a given buffer."""

    def __init__(self, rule: Rule):
        self.rule, self.__name__ = rule, rule.name

    def __call__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.rule.forward(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WholeRule) and other.rule is self.rule

    def __hash__(self) -> int:
        return id(self.rule)


class Whole:
    """A function that is not looked into and wants a dict for its workspaces, the same one in every replay."""

    def __init__(self, function: Callable):
        self.function, self.__name__, self.scratch = function, function.__name__, {}

    def __call__(self, *args: Any) -> Any:
        return self.function(*args, self.scratch)


class Check:
    """Raises error(*values) unless all of `good` is true."""

    __name__ = "ensure"

    def __init__(self, error: Callable[..., Exception]):
        self.error = error

    def __call__(self, good: np.ndarray, *values: np.ndarray) -> np.ndarray:
        if not good.all():
            raise self.error(*values)
        return good


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


@contextmanager
def _recording(recorder: Recorder) -> Iterator[None]:
    if tape.recorder is not None:
        raise RecordError("record: a function that is being recorded called another recorded function; record only "
                          "the outer one")
    tape.recorder = recorder
    try:
        yield
    finally:
        tape.recorder = None
        for tensor, array, gradient in recorder.lifted:
            tensor.data, tensor.grad = array, gradient


def trace(function: Callable, args: tuple, tensors: list[Tensor] = ()) -> Trace:
    """Run function(*args) on recorded arrays. `tensors` are read anew in every replay even before a rule meets them.

    The generators among the arguments stand afterwards where they stood before.
    """
    recorder, sources, inputs = Recorder(), [], []
    states = [(rng, rng.bit_generator.state) for rng in leaves(list(args)) if isinstance(rng, np.random.Generator)]

    def stand_in(arg: Any) -> Any:
        if isinstance(arg, np.random.Generator):
            sources.append(Source(arg))
            return _draws(sources[-1], recorder.graph)
        if isinstance(arg, np.ndarray):
            value = recorder.graph.outside(arg.copy())  # a copy: two arguments may be one array now, and not later
            inputs.append(value)
            return Traced(recorder.graph, value)
        return arg

    def result(y: Any) -> Value:
        array = recorder.lift(y) if isinstance(y, Tensor) else y
        return array.value if isinstance(array, Traced) else recorder.graph.outside(np.array(array))

    try:
        with _recording(recorder):
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
    return Trace(recorder.graph.values, inputs, sources, results, recorder.graph.repeated, read)
