"""Readers of IDX, npz and CSV that refuse whatever is not exactly what it declares.

A data file is untrusted: nothing is unpickled, nothing is allocated on the word of a header alone, and every
failure is one `DataError` that names the file and the reason.
"""

import gzip
import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

MAX_BYTES = 1 << 30
"""Limit on the unpacked size of one file (1 GiB), so that a small bomb cannot fill the memory."""

GZIP = b"\x1f\x8b"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LOOKS_LIKE = {
    b"\x80": "a pickle",
    b"\x93NUMPY": "an npy file",
    b"PK": "a zip or npz archive",
    b"<": "an HTML or XML page",
}
CHUNK = 1 << 20


class DataError(ValueError):
    """A data file is missing, damaged, over-sized or not what it should be; names the file and the reason."""


@contextmanager
def refusals(name: object) -> Iterator[None]:
    """Turn every way in which reading or writing `name` can fail into one DataError that names it."""
    try:
        yield
    except DataError:
        raise
    except EOFError as error:
        raise DataError(f"{name}: truncated gzip stream") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: damaged gzip stream ({error})") from error
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}") from error


def unpacked(file: BinaryIO) -> BinaryIO:
    """The gunzipped stream of a file that begins as gzip does, else the file itself.

    Names are not trusted: browsers and proxies unpack a `.gz` on the way and keep its name.
    """
    start = file.read(2)
    file.seek(0)
    return gzip.GzipFile(fileobj=file, mode="rb") if start == GZIP else file


def take(stream: BinaryIO, size: int) -> bytearray:
    """The next `size` bytes, fewer where the stream ends; memory grows with what comes, not with `size`."""
    held = bytearray()
    while len(held) < size and (chunk := stream.read(min(CHUNK, size - len(held)))):
        held += chunk
    return held


def read_idx(path: str | Path, *, max_bytes: int = MAX_BYTES, sha256: str | None = None) -> np.ndarray:
    """x = the one array of an IDX file, raw or gzip: magic (0, 0, type, ndim), big-endian sizes, then the data.

    Returns a writable array in native byte order. `sha256` is compared with the unpacked bytes, header
    included, since the same data gzipped anew has another checksum. Raises DataError for a missing, damaged or
    truncated file, a wrong magic, trailing bytes, more than `max_bytes` of data, or a wrong checksum.
    Source: LeCun, Cortes and Burges, "The MNIST database", section on file formats.
    """
    with refusals(path), open(path, "rb") as file:
        stream = unpacked(file)
        magic = take(stream, 4)
        if len(magic) < 4:
            raise DataError(f"{path}: holds {len(magic)} bytes, too short for an IDX file")
        if magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or magic[3] == 0:
            raise DataError(f"{path}: wrong magic 0x{magic.hex()}; not an IDX file{_guess(magic)}")
        dtype, ndim = np.dtype(IDX_TYPES[magic[2]]), magic[3]
        sizes = take(stream, 4 * ndim)
        if len(sizes) < 4 * ndim:
            raise DataError(f"{path}: truncated within the {ndim} sizes of its header")
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        declared = math.prod(shape) * dtype.itemsize
        if declared > max_bytes:
            raise DataError(f"{path}: declares shape {shape}, {declared} bytes; the limit is {max_bytes}")
        # One byte past the end is asked for: it shows trailing data, and makes gzip verify its checksum.
        data = take(stream, declared + 1)
        if len(data) < declared:
            raise DataError(f"{path}: declares shape {shape}, {declared} bytes, but holds {len(data)}: truncated")
        if len(data) > declared:
            raise DataError(f"{path}: declares shape {shape}, {declared} bytes, but holds more")
    if sha256 is not None:
        found = hashlib.sha256(magic + sizes + data).hexdigest()
        if found != sha256:
            raise DataError(f"{path}: its unpacked bytes have SHA-256 {found}; expected {sha256}")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_npz(path: str | Path, *, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """{name: array} of an npz archive, never unpickled; arrays are writable copies.

    Raises DataError for a missing or damaged file, a member that is no npy, an array of Python objects (a
    pickle), a declared shape that does not match the bytes held, or more than `max_bytes` unpacked.
    """
    with refusals(path):
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
                total = sum(member.file_size for member in members)
                if total > max_bytes:
                    raise DataError(f"{path}: unpacks to {total} bytes; the limit is {max_bytes}")
                return {
                    member.filename.removesuffix(".npy"): _member(archive, member, f"{path}[{member.filename}]")
                    for member in members
                }
        except (DataError, OSError):
            raise
        # The formats nest (zip, deflate, npy, a Python literal) and each fails in its own ways, from struct.error
        # to SyntaxError; to the reader of the message they are one thing: damage.
        except Exception as error:
            with open(path, "rb") as file:
                guess = _guess(file.read(8))
            raise DataError(f"{path}: damaged or no npz archive{guess} ({error})") from error


def read_table(path: str | Path, columns: tuple[str, ...], *, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """x of shape (rows, len(columns)), float64, of a CSV file, raw or gzip, whose first line names the columns.

    Raises DataError for a missing or damaged file, other columns, a cell that is not a finite number, no rows.
    """
    with refusals(path), open(path, "rb") as file:
        content = take(unpacked(file), max_bytes + 1)
    if len(content) > max_bytes:
        raise DataError(f"{path}: unpacks to more than the limit of {max_bytes} bytes")
    header, *rows = content.decode("utf-8", errors="replace").splitlines() or [""]
    if header != ",".join(columns):
        raise DataError(f"{path}: its first line is {header[:80]!r}; expected {','.join(columns)!r}")
    if not rows:
        raise DataError(f"{path}: holds no rows")
    try:
        table = np.loadtxt(rows, delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        raise DataError(f"{path}: a row is not {len(columns)} numbers ({error})") from error
    if table.shape[1] != len(columns) or not np.isfinite(table).all():
        raise DataError(f"{path}: shape {table.shape}; expected rows of {len(columns)} finite numbers")
    return table


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> np.ndarray:
    # NumPy writes no comments; a damaged length makes one, which swallows the members listed after it.
    if member.comment:
        raise DataError(f"{where}: has a comment in the directory of the archive; expected none")
    # Only these two hold a decompressor to the size that the member declares.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{where}: compression type {member.compress_type}; expected stored or deflated")
    raw = archive.read(member)
    stream = io.BytesIO(raw)
    version = npy.read_magic(stream)
    header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if header is None:
        raise DataError(f"{where}: npy version {version}; expected (1, 0) or (2, 0)")
    shape, fortran_order, dtype = header(stream)
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, that is a pickle; refused")
    declared, held = math.prod(shape) * dtype.itemsize, len(raw) - stream.tell()
    if declared != held:
        raise DataError(f"{where}: declares shape {shape}, {declared} bytes, but holds {held}")
    order = "F" if fortran_order else "C"
    return np.ndarray(shape, dtype, buffer=raw, offset=stream.tell(), order=order).copy(order)


def _guess(start: bytes) -> str:
    looks = [what for prefix, what in LOOKS_LIKE.items() if start and prefix[: len(start)] == start[: len(prefix)]]
    return f" (it starts as {looks[0]})" if looks else ""
