"""Rules of products: matmul and einsum, and what is made of them: diagonal, trace, norm."""

from __future__ import annotations

from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from .elementwise import where
from .indexing import getitem
from .reductions import Axis, expand
from .reductions import sum as total
from .rules import primitive
from .shapes import broadcast_to, expand_dims, moveaxis, reshape, swapaxes
from .tensor import value


def mT(x: Any) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def _matmul_left_vjp(g: Any, y: Any, a: Any, b: Any) -> Any:
    """d (A B) = dA B + A dB, so dA gets g B'"""
    if a.ndim == 1 and b.ndim == 1:
        return g * b
    if a.ndim == 1:
        return matmul(expand_dims(g, -2), mT(b))[..., 0, :]
    if b.ndim == 1:
        return expand_dims(g, -1) * b
    return matmul(g, mT(b))


def _matmul_right_vjp(g: Any, y: Any, a: Any, b: Any) -> Any:
    """d (A B) = dA B + A dB, so dB gets A' g"""
    if a.ndim == 1 and b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return expand_dims(a, -1) * expand_dims(g, -2)
    if b.ndim == 1:
        return matmul(mT(a), expand_dims(g, -1))[..., 0]
    if b.ndim == 2:  # one product over all rows, where a stack of them would have to be summed
        rows = prod(a.shape[:-1])
        return matmul(mT(reshape(a, (rows, a.shape[-1]))), reshape(g, (rows, g.shape[-1])))
    return matmul(mT(a), g)


matmul = primitive("matmul", np.matmul, _matmul_left_vjp, _matmul_right_vjp)


def _einsum_forward(subscripts: str, *operands: np.ndarray) -> np.ndarray:
    """Products of the operands, summed over the letters that the output lacks."""
    return np.einsum(subscripts, *operands, optimize=len(operands) > 1)


def _einsum_joint(g: Any, y: Any, wanted: list[bool], subscripts: str, *operands: Any) -> list:
    """y is linear in each operand: its cotangent is the einsum of g with the others, constant along unused letters"""
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    cotangents: list = [None]
    for i, (term, x) in enumerate(zip(terms, operands)):
        if not wanted[i + 1]:
            cotangents.append(None)
            continue
        others = terms[:i] + terms[i + 1:]
        kept = "".join(c for c in term if c in output or any(c in other for other in others))
        part = _einsum(f"{','.join([output, *others])}->{kept}", g, *operands[:i], *operands[i + 1:])
        lengths = iter(part.shape)
        part = reshape(part, tuple(next(lengths) if c in kept else 1 for c in term))
        cotangents.append(broadcast_to(part, np.broadcast_shapes(part.shape, x.shape)))
    return cotangents


_einsum = primitive("einsum", _einsum_forward, joint=_einsum_joint)


def einsum(subscripts: str, *operands: Any) -> Any:
    """y[output] = sum over the other letters of the product of the operands, as np.einsum with a string.

    Any subscripts: traces ("ii"), diagonals ("ii->i"), sums ("ij->"), ellipses, implicit output, axes of length 1
    that broadcast. Raises ValueError where letters and shapes do not fit.
    """
    terms, output = _spell_out(subscripts, [np.shape(value(x)) for x in operands])
    for i, term in enumerate(terms):
        for c in sorted({c for c in term if term.count(c) > 1}):
            while terms[i].count(c) > 1:
                first, second = terms[i].index(c), terms[i].rindex(c)
                operands = (*operands[:i], diagonal(operands[i], 0, first, second), *operands[i + 1:])
                terms[i] = terms[i][:first] + terms[i][first + 1:second] + terms[i][second + 1:] + c
    return _einsum(f"{','.join(terms)}->{output}", *operands)


def _spell_out(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, ellipses replaced by letters and lengths checked."""
    wrong = f"einsum({subscripts!r})"
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f"{wrong}: {len(shapes)} operands were given; expected {len(terms)}")
    unnamed = [len(shape) - len(term.replace("...", "")) if "..." in term else 0 for term, shape in zip(terms, shapes)]
    unused = [c for c in ascii_letters if c not in subscripts]
    ellipsis = "".join(unused[:max(0, *unnamed)])
    terms = [term.replace("...", ellipsis[len(ellipsis) - n:]) for term, n in zip(terms, unnamed)]
    if arrow:
        output = output.replace("...", ellipsis)
    else:
        letters = "".join(terms)
        output = ellipsis + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in ellipsis))
    lengths: dict[str, int] = {}
    for i, (term, shape) in enumerate(zip(terms, shapes)):
        if len(term) != len(shape):
            raise ValueError(f"{wrong}: operand {i} has shape {shape}; its subscripts name {len(term)} axes")
        own: dict[str, int] = {}
        for c, n in zip(term, shape):
            known = lengths.setdefault(c, n)
            if own.setdefault(c, n) != n or n != known and 1 not in (n, known):
                raise ValueError(f"{wrong}: {c!r} is an axis of length {known} and of length {n}")
            lengths[c] = known if n == 1 else n
    for c in output:
        if c not in lengths or output.count(c) > 1:
            raise ValueError(f"{wrong}: output names {c!r}; expected letters of the operands, each once")
    return terms, output


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """y[..., i] = x[..., i, i + offset] for the two axes, as np.diagonal."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    row, column = max(-offset, 0), max(offset, 0)
    i = np.arange(max(0, min(x.shape[-2] - row, x.shape[-1] - column)))
    return getitem(x, (Ellipsis, i + row, i + column))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """sum_i x[..., i, i + offset] for the two axes, as np.trace."""
    return total(diagonal(x, offset, axis1, axis2), axis=-1)


def _norm(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> np.ndarray:
    """sqrt(sum x^2) over the axes (Frobenius over all); its gradient at 0 is taken as 0, one of its subgradients."""
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def _norm_vjp(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """d |x| = x . dx / |x|"""
    g, y = expand(g, x, axis), expand(y, x, axis)
    at_zero = value(y) == 0
    return where(at_zero, 0.0, g / where(at_zero, 1.0, y)) * x


norm = primitive("norm", _norm, _norm_vjp)
