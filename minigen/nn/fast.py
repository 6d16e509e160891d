"""Hands the engine its compiled kernels."""

from __future__ import annotations


def compiles() -> bool:
    """Whether Numba compiles; NUMBA_DISABLE_JIT=1 tells it not to."""
    import numba

    return not numba.config.DISABLE_JIT


def use_kernels() -> None:
    """Let fused operations on contiguous float32 arrays run as compiled kernels from now on; `fit` calls this.

    It costs Numba's import (0.2 s), which programs that only evaluate need not pay. With NUMBA_DISABLE_JIT=1 nothing
    changes: an interpreted kernel is no gain.
    """
    import numba

    from minigen.autodiff import fast
    from minigen.kernels import fused, patches, rows

    if not compiles():
        return
    for room in (fused, patches, rows):
        fast.FAST.update((name, f) for name, f in vars(room).items()
                         if isinstance(f, numba.core.dispatcher.Dispatcher) and f.__module__ == room.__name__)
