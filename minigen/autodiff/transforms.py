"""Functional transforms: each is a line or two over the reverse pass.

Arguments are arrays, numbers or nested dicts, lists and tuples of them. A transform of plain arrays answers plain
arrays; inside another transform, or where the function is given or captures a Tensor that requires a gradient, it
answers Tensors, so that transforms compose and a gradient in a loss reaches the parameters. Under `no_grad`: arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backward import pull_back, reachable
from .containers import leaves, rebuild, tree_map
from .reductions import sum as total
from .rules import RULES
from .shapes import identity, reshape, stack
from .tensor import Node, Tensor, is_recording, recording, value, wrap

_running = 0


@contextmanager
def _transform() -> Iterator[Callable[..., bool]]:
    """Record inside; yields the question whether anybody may ask for the gradient of what comes out.

    An enclosing transform may, or whoever put a Tensor that f was given or captures on a tape; nobody under no_grad.
    """
    global _running
    outside = is_recording()
    _running += 1
    inside = _running > 1

    def is_asked_for(y: Tensor) -> bool:
        return outside and (inside or y.requires_grad and len(reachable(y)[1]) > 0)

    try:
        with recording(True):
            yield is_asked_for
    finally:
        _running -= 1


def _variable(x: Any, name: str) -> Tensor:
    """A fresh vertex with the value of x, through which cotangents still reach x where x is on a tape itself."""
    if isinstance(x, Tensor):
        if x.requires_grad:
            return identity(x)
        x = x.data
    array = value(x)
    if array.dtype.kind in "iub" and isinstance(x, int | float):
        array = array.astype(np.float64)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: differentiated arguments must be float32 or float64, got {array.dtype}")
    return _vertex(array)


def _vertex(array: np.ndarray) -> Tensor:
    """A place on the tape that depends on nothing: unlike a leaf, nobody outside can ask for its gradient."""
    return wrap(array, Node(RULES["identity"], (array,), [array], [False], {}, array))


def _trace(name: str, f: Callable, args: tuple, argnums: int | tuple[int, ...]) -> tuple[Any, list[Tensor], list]:
    """f(*args) with fresh variables at argnums: the result, the variables, the trees they stand in."""
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in chosen:
        if not -len(args) <= i < len(args):
            raise ValueError(f"{name}: argnums names argument {i}, but only {len(args)} were given")
    args, trees = list(args), []
    for i in chosen:
        args[i] = tree_map(lambda x: _variable(x, name), args[i])
        trees.append(args[i])
    return f(*args), leaves(trees), trees


def _one_array(name: str, y: Any) -> Tensor:
    """The result of a function as a Tensor; a constant one depends on nothing."""
    if isinstance(y, dict | list | tuple):
        raise TypeError(f"{name}: the function must give one array, it gave a {type(y).__name__}")
    return y if isinstance(y, Tensor) else wrap(value(y).astype(float, copy=False))


def value_and_grad(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """x -> (f(x), df/dx) of a scalar function; raises TypeError where f is not scalar."""

    def value_and_gradient(*args: Any) -> tuple[Any, Any]:
        with _transform() as is_asked_for:
            y, variables, trees = _trace("grad", f, args, argnums)
            y = _one_array("grad", y)
            create = is_asked_for(y)
            if y.size != 1:
                raise TypeError(f"grad: the function must give a scalar, it gave shape {y.shape}; use jacobian or vjp")
            found = pull_back(y, np.ones_like(y.data), variables, create_graph=create, retain=create)
        gradients = rebuild(trees, found)
        return (y if create else y.data[()]), (gradients[0] if isinstance(argnums, int) else tuple(gradients))

    return value_and_gradient


def grad(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """x -> df/dx of a scalar function."""
    both = value_and_grad(f, argnums)
    return lambda *args: both(*args)[1]


def vjp(f: Callable, *args: Any) -> tuple[Any, Callable]:
    """(f(x), g -> g' J): the pullback gives one cotangent per argument and may be called many times."""
    with _transform() as is_asked_for:
        y, variables, trees = _trace("vjp", f, args, tuple(range(len(args))))
        y = _one_array("vjp", y)
        create = is_asked_for(y)

    def pullback(g: Any) -> tuple:
        if np.shape(value(g)) != y.shape:
            raise ValueError(f"vjp: cotangent has shape {np.shape(value(g))}; expected {y.shape}")
        with _transform() as is_asked_for:
            g = g if isinstance(g, Tensor) else wrap(value(g).astype(y.dtype, copy=False))
            graph = is_asked_for(g) or is_asked_for(y)
            found = pull_back(y, g, variables, create_graph=graph, retain=True)
        return tuple(rebuild(trees, found))

    return (y if create else y.data), pullback


def jvp(f: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """(f(x), J v). The pullback u -> u'J is linear, so its own pullback at any u sends v to J v."""
    with _transform() as is_asked_for:
        y, variables, _ = _trace("jvp", f, tuple(primals), tuple(range(len(primals))))
        y = _one_array("jvp", y)
        u = _vertex(np.zeros_like(y.data))
        rows = pull_back(y, u, variables, create_graph=True, retain=True)
        directions = leaves(list(tangents))
        if len(directions) != len(variables):
            raise ValueError(f"jvp: {len(directions)} arrays of tangents were given; expected {len(variables)}")
        for x, v in zip(variables, directions):
            if np.shape(value(v)) != x.shape:
                raise ValueError(f"jvp: tangent has shape {np.shape(value(v))}; expected {x.shape}")
        along = total(stack([total(row * v) for row, v in zip(rows, directions)]))
        create = is_asked_for(y) or is_asked_for(along)
        out, = pull_back(along, np.ones((), along.dtype), [u], create_graph=create, retain=create)
    return (y if create else y.data), out


def jacobian(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """x -> J, J[i, j] = df_i/dx_j, of shape f(x).shape + x.shape: one pullback per number of f(x).

    Containers give containers: first that of f(x), in the place of each of its arrays that of x.
    """

    def rows(y: Tensor, variables: list[Tensor], create: bool) -> list:
        basis = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        found = [pull_back(y, e, variables, create_graph=create, retain=True) for e in basis]
        return [reshape(stack(row), (*y.shape, *x.shape)) if found else np.zeros((*y.shape, *x.shape), y.dtype)
                for x, row in zip(variables, zip(*found) if found else variables)]

    def jacobian_at(*args: Any) -> Any:
        with _transform() as is_asked_for:
            y, variables, trees = _trace("jacobian", f, args, argnums)

            def of_part(part: Any) -> Any:
                part = _one_array("jacobian", part)
                blocks = rebuild(trees, rows(part, variables, is_asked_for(part)))
                return blocks[0] if isinstance(argnums, int) else tuple(blocks)

            return tree_map(of_part, y)

    return jacobian_at


def hessian(f: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """x -> H, H[i, j] = d^2 f / dx_i dx_j, of shape x.shape + x.shape; of containers, the blocks of `jacobian`."""
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable) -> Callable:
    """(x, v) -> H(x) v without forming H: the gradient of <grad f, v>. x and v are arrays or containers alike."""

    def along(x: Any, v: Any) -> Any:
        slopes, directions = leaves(grad(f)(x)), leaves(v)
        if [g.shape for g in slopes] != [np.shape(value(u)) for u in directions]:
            raise ValueError(f"hvp: v has shapes {[np.shape(value(u)) for u in directions]}; expected those of x, "
                             f"{[g.shape for g in slopes]}")
        return sum(total(g * u) for g, u in zip(slopes, directions))

    return lambda x, v: grad(along)(x, v)
