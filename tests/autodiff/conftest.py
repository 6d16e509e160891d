"""The referee of the rules: jax in float64."""

import numpy as np
import pytest

from minigen import autodiff as ad


@pytest.fixture(scope="session")
def agrees_with_jax():
    """check(f, reference, *arrays): f and the jax function agree in values and gradients, to 1e-9 of the largest entry.

    Returns True, or raises AssertionError that says what is off. Gradients are contracted with a random cotangent.
    Second derivatives are those of the gradients just confirmed, so five-point differences of them in a random
    direction are the referee (jax takes seconds to compile its own), to 1e-7. Float32 must stay float32.
    """
    jax = pytest.importorskip("jax", reason="jax is the referee of values and gradients")
    jax.config.update("jax_enable_x64", True)

    def close(ours, theirs, tolerance, what):
        theirs = np.asarray(theirs)
        assert np.shape(ours) == theirs.shape, f"{what}: shape {np.shape(ours)}, jax {theirs.shape}"
        if theirs.size:
            error = np.max(np.abs(ours - theirs))
            assert error <= tolerance * max(1.0, np.max(np.abs(theirs))), f"{what}: off by {error:.1e}"

    def check(f, reference, *arrays):
        rng = np.random.default_rng(0)
        y, pullback = ad.vjp(f, *arrays)
        g = rng.normal(size=y.shape)
        their_y, their_gradients = jax.jit(lambda x, g: (reference(*x), jax.vjp(reference, *x)[1](g)))(arrays, g)
        close(y, their_y, 1e-9, "value")
        for i, (ours, theirs) in enumerate(zip(pullback(g), their_gradients)):
            close(ours, theirs, 1e-9, f"gradient of argument {i}")

        weights, along = ([rng.normal(size=x.shape) for x in arrays] for _ in range(2))

        def slope(*x):
            return sum((c * v).sum() for c, v in zip(ad.vjp(f, *x)[1](g), weights))

        def moved(h):
            return slope(*(x + h * v for x, v in zip(arrays, along)))

        h = 1e-3
        differences = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        second = ad.grad(slope, tuple(range(len(arrays))))(*arrays)
        close(sum((c * v).sum() for c, v in zip(second, along)), differences, 1e-7, "second derivative")
        y, pullback = ad.vjp(f, *(x.astype(np.float32) for x in arrays))
        assert y.dtype == np.float32 and all(c.dtype == np.float32 for c in pullback(g.astype(np.float32)))
        return True

    return check
