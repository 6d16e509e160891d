"""Nested containers of arrays: the arguments of functional transforms may be dicts, lists and tuples of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leaves(tree: Any) -> list:
    """The arrays of a nested dict, list or tuple, in order (dicts by insertion)."""
    if isinstance(tree, dict):
        return [x for v in tree.values() for x in leaves(v)]
    if isinstance(tree, list | tuple):
        return [x for v in tree for x in leaves(v)]
    return [] if tree is None else [tree]


def rebuild(tree: Any, values: list) -> Any:
    """A container like `tree`, its arrays replaced by `values` in order."""
    left = iter(values)
    return tree_map(lambda _: next(left), tree)


def tree_map(f: Callable, tree: Any) -> Any:
    """f of every array of a nested container, in a container of the same form."""
    if isinstance(tree, dict):
        return {k: tree_map(f, v) for k, v in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(tree_map(f, v) for v in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(tree_map(f, v) for v in tree)
    return None if tree is None else f(tree)
