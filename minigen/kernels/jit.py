"""The one decorator of all kernels. Importing it costs Numba's import, so rooms import kernels where they use them."""

from __future__ import annotations

from collections.abc import Callable

import numba

# Everything that lets a loop become vector instructions, except the promise that no number is nan or infinite:
# a nan must come out where a nan went in.
FAST_MATH = {"contract", "reassoc", "nsz", "arcp", "afn"}


def jit(kernel: Callable) -> Callable:
    """Compile serially, without the interpreter; kept on disk between processes where a folder can be written."""
    options = {"fastmath": FAST_MATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(kernel)
    except RuntimeError:  # neither the package's own folder nor the user's cache folder can be written
        return numba.njit(**options)(kernel)


def inline(kernel: Callable) -> Callable:
    """A small function that is merged into the kernels that call it, so that their loops stay vectorised."""
    return numba.njit(inline="always", fastmath=FAST_MATH, error_model="numpy")(kernel)
