"""Four pieces of an automatic differentiator, and one of a compiler.

Two cotangent rules, a reverse pass, a check that tells right gradients from wrong ones, and the removal of repeated
work and dead code. NumPy is all you need. In the first four the cotangent g of y = f(x) has the shape of y, and the
vector-Jacobian product (vjp) sends it to the cotangent of x: entry j is the sum over i of g_i dy_i/dx_j.
"""
import numpy as np


def softmax_vjp(y, g, axis=-1):
    """The cotangent of x, given y = softmax(x) along `axis` and the cotangent g of y.

    softmax(x)_i = exp(x_i) / sum_k exp(x_k), the sum along `axis` only. y, g: float arrays of one shape, any number of
    axes. Entries of y may be exactly 0 or 1. Returns an array of that shape. x itself is not at hand, nor needed.
    """
    raise NotImplementedError("exercise autodiff.softmax_vjp: your lines go here")


def matmul_vjp(g, A, B):
    """The cotangents (of A, of B), given the cotangent g of y = A @ B.

    A: (..., n, k), B: (..., k, m), g: (..., n, m). The leading axes are a stack of matrices; A and B broadcast against
    each other there, as in NumPy: one of them may have an axis of length 1, or lack it, where the other has many.
    Returns two arrays, of the shapes of A and of B.
    """
    raise NotImplementedError("exercise autodiff.matmul_vjp: your lines go here")


def reverse_pass(links, output):
    """d v_output / d v_k for every value v_k of a scalar program.

    links: a list with one entry per value. links[k] is the list of pairs (j, slope): v_k was computed from v_j, and
    slope is the partial derivative of that one step. A value that was computed from nothing has the empty list. One
    value may be used twice by the same step: u * u has two pairs with the same j.
    The numbers of the values say nothing about the order in which they were computed, and there may be thousands of
    them in a row. Some may not lead to the output at all; theirs is 0.
    Returns a float array (len(links),).
    """
    raise NotImplementedError("exercise autodiff.reverse_pass: your lines go here")


def accepts(f, pullback, x, rng):
    """True where pullback is the vjp of f at x, False where it is not.

    f: takes an array of the shape of x, gives an array; smooth, computed in float64. pullback(g), g of the shape of
    f(x), claims to be the vjp, an array of the shape of x. rng: a numpy.random.Generator, for what you want to draw.
    A pullback that is off by 0.1 % must be found, also where f or x is tiny or huge: f may be of size 1e-9, x of size
    1e6 (then f changes on the scale of x). A right pullback must be accepted every time. Returns a bool.
    """
    raise NotImplementedError("exercise autodiff.accepts: your lines go here")


def worth_computing(program, results):
    """The numbers of the values that a compiler computes, when nothing is done twice and nothing in vain.

    program: a list of pairs (operation, arguments) in the order of computation; value number k is made by program[k].
    ("subtract", [4, 1]) is v_4 - v_1, of two earlier values, in this order. ("x", []) reads an input, here the one
    called x. ("draw", []) takes the next random number from a generator.
    results: a list of numbers of values, those that somebody wants to have.

    Values are equal if one operation made them from equal arguments; of equal values only the first is computed. Draws
    are no two of them equal, and all of them happen, used or not: or else those after them would be other numbers.
    What no result needs is not computed. There may be thousands of values, made one from the other.
    Returns an increasing array of ints.
    """
    raise NotImplementedError("exercise autodiff.worth_computing: your lines go here")
