"""A random generator whose whole state is a key and a counter, drawn by the kernels of `random.py`.

Any code that takes a `numpy.random.Generator` takes a `Stream`. `random` and `standard_normal` are kernels; every other
method of the Generator uses up one block of the stream and draws from NumPy's Philox keyed by its 64 bits: slower, but
from this stream alone, so that key and counter tell everything that is still to come.
"""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

if numba.config.DISABLE_JIT:
    from . import reference_random as kernels  # the same bits
else:
    from . import random as kernels

UNUSED = np.random.Philox(0)  # the base class asks for a bit generator; nothing draws from it
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


class Philox2x32:
    """Where a stream stands: a key of 32 and a counter of 64 bits. `state` reads and sets both."""

    def __init__(self, key: int, counter: int):
        self.key, self.counter = np.uint32(key), int(counter)

    @property
    def state(self) -> dict[str, Any]:
        """{"bit_generator": "Philox2x32", "key": int, "counter": int}, as plain numbers for JSON."""
        return {"bit_generator": "Philox2x32", "key": int(self.key), "counter": self.counter}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        if state.get("bit_generator") != "Philox2x32":
            raise ValueError(f"Philox2x32: state is of a {state.get('bit_generator')}; expected Philox2x32")
        for name, bits in (("key", 32), ("counter", 64)):
            if not 0 <= state[name] < 2**bits:
                raise ValueError(f"Philox2x32: {name} is {state[name]}; expected 0 <= {name} < 2^{bits}")
        self.key, self.counter = np.uint32(state["key"]), int(state["counter"])


class Stream(np.random.Generator):
    """Random numbers of one key from a counter on. 64 bits of rng become the key and the high word of the counter.

    Two streams share numbers only where all 64 bits agree, as long as neither draws more than 2^32 blocks (8.6e9
    numbers in single precision): chance 5.4e-20 for a pair, 2.7e-8 among a million streams. Draws do not depend on
    threads or machine; n numbers at once equal n numbers in pieces of even length, in single precision and for normals.
    """

    def __init__(self, rng: np.random.Generator):
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"Stream: rng is {type(rng).__name__}; expected a numpy.random.Generator")
        key, high = rng.integers(2**32, size=2, dtype=np.uint64)
        self._begin(int(key), int(high) << 32)

    def _begin(self, key: int, counter: int) -> None:
        super().__init__(UNUSED)
        self._place = Philox2x32(key, counter)
        self._lock = threading.Lock()

    @property
    def bit_generator(self) -> Philox2x32:
        """Key and counter, as `state` for checkpoints."""
        return self._place

    def take(self, blocks: int) -> tuple[np.uint32, np.uint64]:
        """(key, counter) of the next so many blocks, for a kernel; nobody else gets them."""
        with self._lock:
            key, start = self._place.key, self._place.counter
            self._place.counter = (start + blocks) % 2**64
        return key, np.uint64(start)

    def random(self, size: Any = None, dtype: Any = np.float64, out: np.ndarray | None = None) -> Any:
        """Uniform on [0, 1), multiples of 2^-53 or in float32 of 2^-24. Arguments and errors as in NumPy."""
        return self._draw("random", kernels.uniforms, kernels.uniforms64, size, dtype, out)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: np.ndarray | None = None) -> Any:
        """N(0, 1), at most 8.66 or in float32 6.77 from 0. Arguments and errors as in NumPy."""
        return self._draw("standard_normal", kernels.normals, kernels.normals64, size, dtype, out)

    def _draw(self, name: str, single: Any, double: Any, size: Any, dtype: Any, out: np.ndarray | None) -> Any:
        dtype = np.dtype(dtype)
        if dtype not in (SINGLE, DOUBLE):
            raise TypeError(f"{name}: dtype is {dtype}; expected float32 or float64")
        made = np.empty(() if size is None else size, dtype) if out is None else _checked(name, out, size, dtype)
        key, counter = self.take((made.size + 1) // 2 if dtype == SINGLE else made.size + made.size % 2)
        (single if dtype == SINGLE else double)(key, counter, made.reshape(-1))
        return float(made) if size is None and out is None else made

    def spawn(self, n_children: int) -> list[Stream]:
        """So many streams keyed from this one."""
        return [Stream(self) for _ in range(n_children)]

    def __reduce__(self) -> tuple:
        return _resumed, (type(self), int(self._place.key), self._place.counter)

    def __repr__(self) -> str:
        return f"Stream(key={int(self._place.key):#010x}, counter={self._place.counter:#018x})"

    __str__ = __repr__


def _resumed(kind: type[Stream], key: int, counter: int) -> Stream:
    stream = kind.__new__(kind)
    stream._begin(key, counter)
    return stream


def _checked(name: str, out: Any, size: Any, dtype: np.dtype) -> np.ndarray:
    """out, if a draw of that size and dtype can be written there"""
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"{name}: out is {getattr(out, 'dtype', type(out).__name__)}; expected an array of {dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(f"{name}: out is not contiguous and writeable")
    if size is not None and out.shape != _shape(size):
        raise ValueError(f"{name}: out has shape {out.shape}; expected size {size}")
    return out


def _shape(size: Any) -> tuple[int, ...]:
    return (int(size),) if np.ndim(size) == 0 else tuple(int(n) for n in size)


def _through_numpy(name: str) -> Any:
    """The method of NumPy's Generator, on a generator keyed by the next block."""
    method = getattr(np.random.Generator, name)

    def drawn(self: Stream, *args: Any, **kwargs: Any) -> Any:
        key, counter = self.take(1)
        block = np.empty(2, np.uint32)
        kernels.words(key, counter, block)
        return method(np.random.Generator(np.random.Philox(key=int(block[0]) | int(block[1]) << 32)), *args, **kwargs)

    drawn.__name__, drawn.__doc__ = name, method.__doc__
    return drawn


for _name in set(vars(np.random.Generator)) - set(vars(Stream)):
    if not _name.startswith("_"):
        setattr(Stream, _name, _through_numpy(_name))
