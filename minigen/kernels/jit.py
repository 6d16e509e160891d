"""The one decorator of all kernels. Importing it costs Numba's import, so rooms import kernels where they use them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

# Everything that lets a loop become vector instructions, except the promise that no number is nan or infinite:
# a nan must come out where a nan went in.
FAST_MATH = {"contract", "reassoc", "nsz", "arcp", "afn"}


@cache
def _room() -> str:
    """What all files of this folder say: kernels inline functions of each other's files."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


class _Cache(FunctionCache):
    """Compiled code kept on disk between processes, where there is room for it, until a file of this folder changes."""

    def __init__(self, kernel: Callable):
        super().__init__(kernel)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _room())  # Numba's own is of one file

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, or a folder that went away: the next process compiles again, this one goes on
            pass


def jit(kernel: Callable) -> Callable:
    """Compile serially, without the interpreter; kept on disk between processes where a folder can be written."""
    return kept(numba.njit(fastmath=FAST_MATH, error_model="numpy")(kernel), kernel)


def jit_exact(kernel: Callable) -> Callable:
    """As `jit`, but every operation is rounded by itself, as in NumPy: the same bits on every machine."""
    return kept(numba.njit(error_model="numpy")(kernel), kernel)


def kept(compiled: Callable, kernel: Callable) -> Callable:
    """Let the compiled code of a kernel be kept on disk, where its own folder or the user's cache can be written."""
    if numba.config.DISABLE_JIT:
        return compiled
    try:
        compiled._cache = _Cache(kernel)
    except RuntimeError:  # neither the package's own folder nor the user's cache folder can be written
        pass
    return compiled


def inline(kernel: Callable) -> Callable:
    """A small function merged into the kernels that call it, so that their loops stay vectorised; it follows their
    arithmetic, fast in `jit` and exact in `jit_exact`."""
    return numba.njit(inline="always", fastmath=FAST_MATH, error_model="numpy")(kernel)
