"""The referee of the rules: jax in float64."""

import numpy as np
import pytest

from minigen import autodiff as ad


@pytest.fixture(scope="session")
def agrees_with_jax():
    """check(f, reference, *arrays): f and the jax function agree in values, gradients and gradients of gradients.

    Gradients are contracted with a random cotangent, second derivatives with random directions. Tolerances: 1e-9
    relative to the largest entry of each result, 1e-7 at second order. The float32 results must be float32.
    """
    jax = pytest.importorskip("jax", reason="jax is the referee of values and gradients")
    jax.config.update("jax_enable_x64", True)

    def close(ours, theirs, tolerance, what):
        theirs = np.asarray(theirs)
        assert np.shape(ours) == theirs.shape, f"{what}: shape {np.shape(ours)}, jax {theirs.shape}"
        if theirs.size:
            error = np.max(np.abs(ours - theirs))
            assert error <= tolerance * max(1.0, np.max(np.abs(theirs))), f"{what}: off by {error:.1e}"

    def check(f, reference, *arrays, second_order=True):
        rng = np.random.default_rng(0)
        directions = [rng.normal(size=x.shape) for x in arrays]
        y, pullback = ad.vjp(f, *arrays)
        g = rng.normal(size=y.shape)
        their_y, their_pullback = jax.vjp(reference, *arrays)
        close(y, their_y, 1e-9, "value")
        for i, (ours, theirs) in enumerate(zip(pullback(g), their_pullback(jax.numpy.asarray(g)))):
            close(ours, theirs, 1e-9, f"gradient of argument {i}")
        if second_order:
            def slope(vjp, f, g):
                return lambda *x: sum((c * v).sum() for c, v in zip(vjp(f, *x)[1](g), directions))

            every = tuple(range(len(arrays)))
            ours = ad.grad(slope(ad.vjp, f, g), every)(*arrays)
            theirs = jax.grad(slope(jax.vjp, reference, jax.numpy.asarray(g)), every)(*arrays)
            for i, (a, b) in enumerate(zip(ours, theirs)):
                close(a, b, 1e-7, f"second derivative in argument {i}")
        y, pullback = ad.vjp(f, *(x.astype(np.float32) for x in arrays))
        assert y.dtype == np.float32 and all(c.dtype == np.float32 for c in pullback(g.astype(np.float32)))

    return check
