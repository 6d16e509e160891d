"""Pictures of a tape, for looking at what was recorded: a tree in text, a graph for Graphviz."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .backward import reachable, vertex
from .tensor import Node, Tensor, value

TINY = 4  # arrays of at most so many numbers are shown with their values


def draw(t: Tensor, **names: Tensor) -> str:
    """The tape of t as a tree: each result stands above what it was made from, a shared one is spelled out once.

    names: `draw(loss, x=x, W=W)` writes x and W where those Tensors stand. Raises RuntimeError when the tape was freed.
    """
    known = {_key(named): name for name, named in names.items()}
    users = Counter(_key(x) for node in reachable(t)[0] for x in _inputs(node))
    lines, tags = [], {}
    stack: list[tuple[Any, str, str]] = [(t, "", "")]
    while stack:
        x, first, rest = stack.pop()
        key, inputs = _key(x), _inputs(x)
        if key in tags:
            lines.append(f"{first}{tags[key]} again")
            continue
        if inputs and users[key] > 1:
            tags[key] = f"#{len(tags) + 1}"
        lines.append(f"{first}{_label(x, known)}{'   ' + tags[key] if key in tags else ''}")
        for i, below in reversed(list(enumerate(inputs, start=1))):
            last = i == len(inputs)
            stack.append((below, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")))
    return "\n".join(lines)


def dot(t: Tensor, **names: Tensor) -> str:
    """The tape of t in the DOT language of Graphviz: results are boxes, leaves ellipses, constants plain text.

    names as in `draw`. Raises RuntimeError when the tape was freed.
    """
    known = {_key(named): name for name, named in names.items()}
    ids: dict[Any, str] = {}
    vertices, arrows = [], []

    def identify(x: Any) -> str:
        key = _key(x)
        if key not in ids:
            ids[key] = f"v{len(ids)}"
            shape = "box" if isinstance(key, Node) else "ellipse" if isinstance(key, Tensor) else "plaintext"
            text = _label(x, known).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            vertices.append(f'  {ids[key]} [label="{text}", shape={shape}];')
        return ids[key]

    nodes, _ = reachable(t)
    identify(t)
    for node in nodes:
        arrows += [f"  {identify(x)} -> {identify(node)};" for x in _inputs(node)]
    return "\n".join(["digraph tape {", "  rankdir=BT;", *vertices, *arrows, "}"])


def _key(x: Any) -> Any:
    """What tells one vertex of a picture from another: the node, the leaf, or the array of a constant."""
    if isinstance(x, Tensor):
        return vertex(x) if x.requires_grad else id(x.data)
    return x if isinstance(x, Node) else id(x)


def _inputs(x: Any) -> list:
    """The Tensors and arrays a result was made from; its other arguments are settings."""
    node = _key(x)
    return [a for a in node.args if isinstance(a, Tensor | np.ndarray)] if isinstance(node, Node) else []


def _label(x: Any, known: dict[Any, str]) -> str:
    """name = operation(settings) shape value"""
    key = _key(x)
    array = key.y if isinstance(key, Node) else value(x)
    name = known.get(key)
    if isinstance(key, Node):
        settings = [_short(a) for a in key.args if a is not None and not isinstance(a, Tensor | np.ndarray)]
        settings += [f"{setting}={_short(a)}" for setting, a in key.kwargs.items()]
        made = key.rule.name + (f"({', '.join(settings)})" if settings else "")
        name = made if name is None else f"{name} = {made}"
    elif name is None:
        name = "leaf" if isinstance(key, Tensor) else "constant"
    shown = np.array2string(array, precision=4, separator=", ").replace("\n", "") if array.size <= TINY else ""
    return f"{name} {array.shape} {shown}".rstrip()


def _short(a: Any) -> str:
    """A setting as it was written: slices as start:stop:step."""
    if not isinstance(a, slice):
        return "..." if a is Ellipsis else str(a)
    parts = [a.start, a.stop] if a.step is None else [a.start, a.stop, a.step]
    return ":".join("" if part is None else str(part) for part in parts)
