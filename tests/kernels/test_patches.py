"""Cutting images into patches and laying them back: kernels against their twins, and adjoint to each other."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from minigen.kernels import patches, reference_patches

GEOMETRIES = list(itertools.product([(1, 1), (1, 3), (1, 16), (2, 1), (3, 4), (2, 13)], [(1, 1), (3, 2), (4, 4)],
                                    [(1, 1), (2, 3)], [(1, 1), (2, 1), (1, 2)]))


def draw(groups, c, kernel, stride, dilation, rows=(3, 2), n=2):
    """An image one pixel larger than the patches reach, and columns, of small whole numbers: sums are exact."""
    rng = np.random.default_rng(0)
    height, width = ((m - 1) * s + d * (k - 1) + 2 for m, s, d, k in zip(rows, stride, dilation, kernel))
    image = rng.integers(-9, 10, (n, height, width * groups * c)).astype(np.float32)
    columns = rng.integers(-9, 10, (n * rows[0] * rows[1], groups * kernel[0] * kernel[1] * c)).astype(np.float32)
    return image, columns, (groups, c, rows, kernel, stride, dilation)


@pytest.mark.parametrize("channels, kernel, stride, dilation", GEOMETRIES)
def test_kernels_are_their_twins_bit_for_bit(channels, kernel, stride, dilation):
    image, columns, where = draw(*channels, kernel, stride, dilation)
    both = []
    for room in (patches, reference_patches):
        cut, laid = columns.copy(), image.copy()
        room.im2col(image, cut, *where)
        room.col2im(columns, laid, *where)
        both.append((cut, laid))
    assert np.array_equal(both[0][0], both[1][0])
    assert np.array_equal(both[0][1], both[1][1])


@pytest.mark.parametrize("room", [patches, reference_patches])
@pytest.mark.parametrize("channels", [(1, 2), (2, 13)])
def test_laying_is_adjoint_to_cutting(room, channels):
    """<im2col(u), v> = <u, col2im(v)>, exactly, in whole numbers"""
    image, columns, where = draw(*channels, (3, 2), (2, 1), (1, 2))
    cut, laid = np.empty_like(columns), np.zeros_like(image)
    room.im2col(image, cut, *where)
    room.col2im(columns, laid, *where)
    assert np.vdot(cut, columns) == np.vdot(image, laid) != 0


def test_the_twin_is_the_formula():
    image, columns, where = draw(2, 3, (2, 3), (2, 1), (1, 2))
    reference_patches.im2col(image, columns, *where)
    m, r, q, g, a, b, k = 1, 2, 1, 1, 0, 2, 1
    column = ((g * 2 + a) * 3 + b) * 3 + k
    assert columns[(m * 3 + r) * 2 + q, column] == image[m, r * 2 + a, (q + b * 2) * 6 + g * 3 + k]


def test_kernels_run_where_nothing_is_compiled():
    code = """
import numpy as np
from tests.kernels.test_patches import test_kernels_are_their_twins_bit_for_bit as twins
twins((1, 1), (3, 2), (2, 3), (1, 2))
twins((2, 13), (3, 2), (2, 3), (1, 2))
"""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
