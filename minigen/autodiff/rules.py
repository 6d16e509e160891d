"""The table of gradient rules. A rule is one entry: how a value is made, and how a cotangent flows to each argument.

`primitive("exp", np.exp, lambda g, y, x: g * y)` reads: y = exp(x); the cotangent g of y sends g * y to x.
Rules are written in the engine's own operations. On plain arrays those are NumPy, so a first-order backward pass
makes no Tensor; on Tensors they are recorded, so gradients of gradients need no further rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import tensor as tape
from .tensor import Node, Placeholder, Tensor, wrap

RULES: dict[str, Rule] = {}


@dataclass(slots=True)
class Rule:
    """y = forward(*args, **kwargs). `vjps[i](g, y, *args, **kwargs)` is the cotangent of argument i.

    `joint(g, y, wanted, *args, **kwargs)` gives all cotangents at once (None where `wanted[i]` is false), for rules
    whose arguments share work or whose number of arguments varies. Shapes that were broadcast are summed back by the
    driver, so a rule may return the broadcast shape.

    `into(out, scratch, *values, **kwargs)`, where a rule has it, writes the value into the C-contiguous array `out`;
    `scratch` is a dict that keeps its workspaces from one call to the next on values of the same shapes.
    """

    name: str
    forward: Callable
    vjps: tuple[Callable | None, ...] = ()
    joint: Callable | None = None
    into: Callable | None = None

    def cotangents(self, g: Any, y: Any, wanted: list[bool], args: Any, kwargs: dict) -> list:
        """The cotangent of each argument that is wanted, None for the others."""
        if self.joint is not None:
            return self.joint(g, y, wanted, *args, **kwargs)
        try:
            return [self.vjps[i](g, y, *args, **kwargs) if want else None for i, want in enumerate(wanted)]
        except (IndexError, TypeError):
            for i, want in enumerate(wanted):
                if want and (i >= len(self.vjps) or self.vjps[i] is None):
                    raise TypeError(f"{self.name}: there is no gradient with respect to argument {i}; hand it over "
                                    "as a plain array, value(x)") from None
            raise


def primitive(name: str, forward: Callable, *vjps: Callable | None, joint: Callable | None = None,
              into: Callable | None = None) -> Callable:
    """Enter a rule in the table; returns the operation: arrays in, an array out; any Tensor in, a Tensor out."""
    if name in RULES:
        raise ValueError(f"primitive: there is a rule named {name!r} already")
    rule = RULES[name] = Rule(name, forward, vjps, joint, into)

    def operation(*args, **kwargs):
        return apply(rule, args, kwargs)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = forward.__doc__
    return operation


def apply(rule: Rule, args: tuple, kwargs: dict) -> Any:
    """Compute the value and, where an argument requires a gradient, record the node."""
    if tape.recorder is None:
        values = [arg.data if type(arg) is Tensor else arg for arg in args]
        y = rule.forward(*values, **kwargs)
    else:
        values, y = tape.recorder.forward(rule, args, kwargs)
    wanted = [arg.requires_grad if type(arg) is Tensor else None for arg in args]
    if True not in wanted and False not in wanted:  # no argument is a Tensor
        return y
    if type(y) is not np.ndarray and not isinstance(y, Placeholder):
        y = np.asarray(y)
    if tape._recording and True in wanted:
        return wrap(y, Node(rule, args, values, wanted, kwargs, y))
    return wrap(y)
