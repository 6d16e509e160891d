"""The reverse pass: cotangents flow from the value asked about to the leaves, newest node first.

Nodes are numbered in the order in which they were made, so sorting the reachable ones by that number is a topological
order without recursion. A first-order pass computes on plain arrays; `create_graph` computes on Tensors.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from .reductions import unbroadcast
from .tensor import Node, Tensor, recording, value, wrap

Vertex = Node | Tensor  # a Tensor made by a rule is known by its node, a leaf by itself


def vertex(t: Tensor) -> Vertex:
    """What the cotangent of a Tensor is filed under."""
    return t.node if t.node is not None else t


def backward_to_leaves(root: Tensor, cotangent: Any, *, retain: bool, accumulate: bool) -> None:
    """Set `.grad` of every leaf that `root` depends on (see `Tensor.backward`)."""
    if not root.requires_grad:
        raise RuntimeError("backward: nothing was recorded; no argument required a gradient, or no_grad was on")
    nodes, leaves = reachable(root)
    found = reverse(root, seed(root, cotangent), nodes, set(leaves), None, free=not retain)
    given = set()
    for leaf in leaves:
        g = found.get(leaf)
        if g is None:
            continue
        if accumulate and leaf.grad is not None:
            leaf.grad = leaf.grad + g
            continue
        # a rule may hand the same array, or a view, to several leaves; each leaf owns its gradient
        if id(g) in given or g.base is not None or not g.flags.writeable or g is cotangent:
            g = g.copy()
        given.add(id(g))
        leaf.grad = g


def pull_back(root: Tensor, cotangent: Any, targets: list[Tensor], *, create_graph: bool, retain: bool) -> list:
    """The cotangents of `targets`, zeros where `root` does not depend on one."""
    wanted = [vertex(t) for t in targets]
    found = {}
    if root.requires_grad:
        nodes, _ = reachable(root)
        with recording(create_graph):
            g = value(cotangent)
            if create_graph:  # rules may tell the two kinds of pass apart by the type of g
                g = cotangent if isinstance(cotangent, Tensor) else wrap(g)
            useful = leads_to(set(wanted), nodes)
            found = reverse(root, g, nodes, set(wanted), useful, free=not retain, create_graph=create_graph)
    zeros = (lambda t: wrap(np.zeros_like(t.data))) if create_graph else (lambda t: np.zeros_like(t.data))
    return [found[v] if v in found else zeros(t) for v, t in zip(wanted, targets)]


def seed(root: Tensor, cotangent: Any) -> np.ndarray:
    """The cotangent that starts the pass: 1 for a scalar, else what the caller gives."""
    if cotangent is None:
        if root.size != 1:
            raise TypeError(f"backward: a value of shape {root.shape} needs a cotangent of that shape; only a scalar "
                            "has a gradient by itself")
        return np.ones_like(root.data)
    g = value(cotangent).astype(root.dtype, copy=False)
    if g.shape != root.shape:
        raise ValueError(f"backward: cotangent has shape {g.shape}; expected {root.shape}")
    return g


def reachable(root: Tensor) -> tuple[list[Node], list[Tensor]]:
    """Every node that `root` was made from, newest first, and every leaf that requires a gradient."""
    if root.node is None:
        return [], [root]
    nodes, leaves, seen, stack = [], [], {root.node}, [root.node]
    while stack:
        node = stack.pop()
        if node.args is None:
            raise RuntimeError(f"backward: the tape of {node.rule.name!r} was freed by an earlier backward; "
                               "call backward(retain=True) the first time to keep it")
        nodes.append(node)
        for arg, want in zip(node.args, node.wanted):
            if want:
                v = arg.node or arg
                if v not in seen:
                    seen.add(v)
                    (leaves if v is arg else stack).append(v)
    nodes.sort(key=attrgetter("tick"), reverse=True)
    return nodes, leaves


def leads_to(targets: set[Vertex], nodes: list[Node]) -> set[Vertex]:
    """The vertices from which a target can be reached: only there does a cotangent need to flow."""
    useful = set(targets)
    for node in reversed(nodes):
        if node not in useful and any(want and vertex(arg) in useful for arg, want in zip(node.args, node.wanted)):
            useful.add(node)
    return useful


def reverse(root: Tensor, g: Any, nodes: list[Node], targets: set[Vertex], useful: set[Vertex] | None, *,
            free: bool, create_graph: bool = False) -> dict[Vertex, Any]:
    """Send `g` from `root` to `targets` through the `useful` vertices (None: all); the cotangents that arrive."""
    cotangents: dict[Vertex, Any] = {vertex(root): g}
    owned: set[Vertex] = set()  # sums made here may be added to in place, what a rule returned may be shared
    # a shielded branch may divide by zero or overflow before it is masked; what is not shielded arrives as inf or nan
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        for node in nodes:
            if node in targets or node not in cotangents:
                continue
            g = cotangents.pop(node)
            wanted = node.wanted
            if useful is not None:
                wanted = [want and vertex(arg) in useful for arg, want in zip(node.args, wanted)]
            args, y = (_as_recorded(node), wrap(node.y, node)) if create_graph else (node.values, node.y)
            for arg, cotangent in zip(node.args, node.rule.cotangents(g, y, wanted, args, node.kwargs)):
                if cotangent is not None:
                    _deliver(arg, cotangent, cotangents, owned)
            if free:
                node.free()
    return {v: cotangents[v] for v in targets if v in cotangents}


def _deliver(arg: Tensor, cotangent: Any, cotangents: dict[Vertex, Any], owned: set[Vertex]) -> None:
    """Add a cotangent to what its vertex has received so far."""
    v, data = arg.node or arg, arg.data
    if cotangent.shape != data.shape:
        cotangent = unbroadcast(cotangent, data.shape)
    if cotangent.dtype != data.dtype:
        cotangent = cotangent.astype(data.dtype)
    if v not in cotangents:
        cotangents[v] = cotangent
    elif v in owned and type(cotangent) is np.ndarray:
        cotangents[v] += cotangent
    else:
        cotangents[v] = cotangents[v] + cotangent
        if type(cotangents[v]) is np.ndarray:
            owned.add(v)


def _as_recorded(node: Node) -> tuple:
    """The arguments as Tensors; their arrays must still be those that were recorded."""
    for arg, array in zip(node.args, node.values):
        if type(arg) is Tensor and arg.data is not array:
            raise RuntimeError(f"backward: .data of an argument of {node.rule.name!r} was replaced after it was "
                               "recorded; take the gradient first, then write the new value")
    return node.args
