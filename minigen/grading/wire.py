"""Plain data over a pipe: numbers, text, arrays, tuples, lists and dicts as JSON with base64 arrays; never pickle.

Stands alone (NumPy only), because the child process loads this file by its path.
"""
import base64
import math
import struct
from typing import Any

import numpy as np

ARRAY_LIMIT = 4 << 20
"""Most bytes of one array on the wire."""

REPLY_LIMIT = 8 << 20
"""Most bytes of one message from the child."""

_DTYPES = ("<f4", "<f8", "<i8", "|b1")


class Seed(int):
    """An input that the student's function receives as `numpy.random.default_rng(seed)`."""


def encode(value: Any) -> Any:
    """Turn plain data into what `json.dumps` takes; TypeError for what is not plain, ValueError for too much."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is Seed:
        return {"seed": int(value)}
    if type(value) is list:
        return [encode(v) for v in value]
    if type(value) is tuple:
        return {"tuple": [encode(v) for v in value]}
    if type(value) is dict:
        return {"dict": {str(k): encode(v) for k, v in value.items()}}
    return _encode_array(value)


def decode(data: Any, *, seeds: bool = False) -> Any:
    """Inverse of `encode`; ValueError for anything malformed. Seeds become generators only where `seeds` is set."""
    if data is None or type(data) in (bool, int, float, str):
        return data
    if type(data) is list:
        return [decode(v, seeds=seeds) for v in data]
    if type(data) is dict and len(data) == 1:
        [(kind, body)] = data.items()
        if kind == "array":
            return _decode_array(body)
        if kind == "tuple" and type(body) is list:
            return tuple(decode(v, seeds=seeds) for v in body)
        if kind == "dict" and type(body) is dict:
            return {k: decode(v, seeds=seeds) for k, v in body.items()}
        if kind == "float" and body in ("nan", "inf", "-inf"):
            return float(body)
        if kind == "seed" and seeds:
            return np.random.default_rng(body)
    raise ValueError(f"malformed message: {str(data)[:80]}")


def _encode_array(value: Any) -> Any:
    """Copy into a base-class ndarray first: a subclass or an object with tricks arrives as bare numbers."""
    size = getattr(value, "nbytes", 0) if isinstance(value, np.ndarray | np.generic) else 0
    if size > ARRAY_LIMIT:
        raise ValueError(f"an array of {size} bytes; at most {ARRAY_LIMIT} bytes may be returned")
    array = np.array(value, subok=False)
    if array.dtype.kind in "iu":
        array = array.astype("<i8")
    elif array.dtype.kind == "f":
        array = array.astype("<f4" if array.dtype.itemsize <= 4 else "<f8")
    elif array.dtype.kind != "b":
        kind = type(value).__name__
        raise TypeError(f"{kind} is not a number, an array of numbers, or a tuple, list or dict of them")
    if array.nbytes > ARRAY_LIMIT:
        raise ValueError(f"an array of {array.nbytes} bytes; at most {ARRAY_LIMIT} bytes may be returned")
    if isinstance(value, np.generic) and array.dtype.itemsize == 8:
        return encode(array.item())
    return {"array": [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]}


def _decode_array(body: Any) -> np.ndarray:
    try:
        dtype, shape, text = body
        if dtype not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"dtype {dtype!r}, shape {shape!r}")
        flat = np.frombuffer(base64.b64decode(text, validate=True), dtype=dtype)
        return flat.reshape(shape).copy()
    except (TypeError, ValueError, struct.error) as error:
        raise ValueError(f"malformed array: {str(error)[:80]}") from None
