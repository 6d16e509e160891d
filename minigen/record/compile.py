"""Generated source to machine code, kept on disk between processes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numba
import numpy as np

from minigen.data.places import cache_folder
from minigen.kernels import math32
from minigen.kernels.jit import kept

STRICT = {"contract"}
"""Products and sums may be joined (one rounding instead of two); nothing is reordered, as compensated sums need."""
SUMS = {"reassoc", "contract", "nsz"}
"""A sum whose order the compiler may choose: only so does it become vector instructions."""
_compiled: dict[str, Callable] = {}


def plus(total, x):
    """total + x"""
    return total + x


def greater(a, b):
    """The larger; nan where either is"""
    return a if (a >= b) | (a != a) else b


def smaller(a, b):
    """The smaller; nan where either is"""
    return a if (a <= b) | (a != a) else b


def sign(x):
    """-1, 0 or 1; nan of nan"""
    return type(x)(1) if x > 0 else (type(x)(-1) if x < 0 else x)


def _helper(function: Callable, flags: set[str] = STRICT) -> Callable:
    """Compiled once, on its first use, and merged into every loop by LLVM: far quicker than merging its source."""
    function = getattr(function, "py_func", function)
    return kept(numba.njit(fastmath=flags, error_model="numpy", forceinline=True)(function), function)


NAMES = {"f32": np.float32, "f64": np.float64, "inf": np.inf, "nan": np.nan, "sqrt": np.sqrt, "floor": np.floor,
         "plus": _helper(plus, SUMS), "greater": _helper(greater), "smaller": _helper(smaller), "sign": _helper(sign),
         "exp": _helper(math32.exp32), "log": _helper(math32.log32_any), "tanh": _helper(math32.tanh32),
         "log1p": _helper(math32.log1p32), "expm1": _helper(math32.expm1_32)}


def compiled(source: str) -> Callable:
    """The function `loops` of a source; one for every text, however often a program has these loops."""
    if source not in _compiled:
        path = _kept(source)
        code = {"__name__": __name__, **NAMES}  # Numba looks a cached function's module up by its name
        exec(compile(source, str(path or "<recorded>"), "exec"), code)
        loops = numba.njit(fastmath=STRICT, error_model="numpy")(code["loops"])
        _compiled[source] = kept(loops, code["loops"]) if path else loops
    return _compiled[source]


@cache
def _library() -> str:
    """The sources that generated loops call: compiled code of another version of them is not to be found again."""
    return "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (math32, sys.modules[__name__]))


def _kept(source: str) -> Path | None:
    """A file with the source, which Numba's cache needs to know it by; None where no folder can be written."""
    try:
        folder = Path(numba.config.CACHE_DIR or cache_folder()) / "loops"
        path = folder / f"{hashlib.sha256((_library() + source).encode()).hexdigest()[:32]}.py"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            unfinished.write_text(source, encoding="utf-8")
            os.replace(unfinished, path)
    except (OSError, RuntimeError):
        return None
    return path
