"""500 random programs over the whole table: values, gradients and gradients of gradients are those of jax."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff.backward import reachable

from .programs import STEPS, draw_program, jax_library

PROGRAMS, BLOCKS = 500, 20


def referee(program, o):
    """Value, gradients and Hessian-vector products by jax, forward over reverse."""
    import jax

    inputs, directions = tuple(program.inputs), tuple(program.directions)
    both = jax.value_and_grad(lambda *x: program.run(o, *x), tuple(range(len(inputs))))
    (value, gradients), (_, along) = jax.jvp(both, inputs, directions)
    return value, gradients, along


def ours(program):
    """The same by minigen, reverse over reverse."""
    both = ad.value_and_grad(lambda x: program.run(ad, *x))
    value, gradients = both(program.inputs)
    return value, gradients, ad.hvp(lambda x: program.run(ad, *x))(program.inputs, program.directions)


def agree(ours, theirs, tolerance):
    """Whether the largest difference is within tolerance times the largest number."""
    row, their_row = (np.concatenate([np.ravel(x) for x in arrays]) for arrays in (ours, theirs))
    return np.abs(row - their_row).max() <= tolerance * np.abs(their_row).max()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_programs_agree_with_jax(block):
    pytest.importorskip("jax", reason="jax is the referee of values and gradients")
    o = jax_library()
    for seed in range(block, PROGRAMS, BLOCKS):
        program = draw_program(seed)
        value, gradients, along = ours(program)
        their_value, their_gradients, their_along = referee(program, o)
        assert agree([value], [their_value], 1e-9), f"value of program {seed}"
        assert agree(gradients, their_gradients, 1e-9), f"gradient of program {seed}"
        assert agree(along, their_along, 1e-7), f"second derivative of program {seed}"


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
