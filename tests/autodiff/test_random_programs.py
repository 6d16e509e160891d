"""500 random programs over the whole table: values, gradients and gradients of gradients have independent referees.

jax computes every step and pulls cotangents back through it; that takes one compilation for a step and its shapes,
while whole programs would compile each of jax's operations again for every shape that one of them meets. Between the
steps the cotangents are added up by hand. Second derivatives are those of the gradients just confirmed, so five-point
differences of these along a random direction are the referee.
"""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff.backward import reachable

from .programs import STEPS, draw_program, jax_library

PROGRAMS, BLOCKS, H = 500, 4, 1e-5


@pytest.fixture(scope="module")
def jax_steps():
    """name of a step -> the function (cotangent of y, arguments) -> (y, cotangents of the arguments), by jax."""
    jax = pytest.importorskip("jax", reason="jax is the referee of values and gradients")
    o = jax_library()

    def pulled_back(f):
        def both(g, *arguments):
            y, pullback = jax.vjp(lambda *x: f(o, *x), *arguments)
            return y, pullback(g)

        return jax.jit(both)

    return {name: pulled_back(step.f) for name, step in STEPS.items()}


def referee(program, steps):
    """Value and gradients of a program, forwards and backwards through its steps."""
    values, slopes = list(program.inputs), []
    for name, operands, squash in program.instructions:
        arguments = [values[i] for i in operands]
        y = np.asarray(steps[name](np.zeros(program.shapes[len(values)]), *arguments)[0])
        values.append(np.tanh(y) if squash else y)
        slopes.append(1 - values[-1] ** 2 if squash else 1)
    cotangents = [program.weights.get(i, np.zeros(1)) + np.zeros(y.shape) for i, y in enumerate(values)]
    value = sum((values[i] * w).sum() for i, w in program.weights.items())
    for (name, operands, _), slope in zip(program.instructions[::-1], slopes[::-1]):
        arguments = [values[i] for i in operands]
        for i, c in zip(operands, steps[name](cotangents.pop() * slope, *arguments)[1]):
            cotangents[i] = cotangents[i] + np.asarray(c)
    return value, cotangents


def row(arrays):
    """All numbers of some arrays in one row."""
    return np.concatenate([np.ravel(x) for x in arrays])


def along(program, gradient):
    """d/dh of the gradient at x + h v, v the direction of the program, by five-point differences."""
    def moved(h):
        return row(gradient([x + h * v for x, v in zip(program.inputs, program.directions)]))

    return (8 * (moved(H) - moved(-H)) - (moved(2 * H) - moved(-2 * H))) / (12 * H)


def agree(ours, theirs, tolerance):
    """Whether the largest difference is within tolerance times the largest number."""
    return np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_programs_agree_with_their_referees(block, jax_steps):
    for seed in range(block, PROGRAMS, BLOCKS):
        program = draw_program(seed)

        def function(x, program=program):
            return program.run(ad, *x)

        value, gradients = ad.value_and_grad(function)(program.inputs)
        their_value, their_gradients = referee(program, jax_steps)
        assert agree(value, their_value, 1e-9), f"value of program {seed}"
        assert agree(row(gradients), row(their_gradients), 1e-9), f"gradient of program {seed}"
        second = row(ad.hvp(function)(program.inputs, program.directions))
        assert agree(second, along(program, ad.grad(function)), 1e-7), f"second derivative of program {seed}"


def test_the_programs_use_every_step_and_every_rule():
    programs = [draw_program(seed) for seed in range(PROGRAMS)]
    drawn = [name for program in programs for name, _, _ in program.instructions]
    assert min(drawn.count(name) for name in STEPS) >= 5
    assert {len(program.instructions) for program in programs} == set(range(5, 21))
    applied = set()
    for program in programs:
        y = program.run(ad, *(ad.Tensor(x, requires_grad=True) for x in program.inputs))
        applied |= {node.rule.name for node in reachable(y)[0]}
    met_in_backward_only = {"conv2d_weight", "overlap_add"}
    without_a_twin = {"identity", "astype", "windows"}
    assert set(ad.RULES) - applied == met_in_backward_only | without_a_twin
