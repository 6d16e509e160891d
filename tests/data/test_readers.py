"""The readers: what is whole is read exactly, and whatever is not is refused with one DataError."""

import gzip
import hashlib
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from minigen.data import DataError, read_idx, read_npz, read_table

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array, code=None):
    kind = array.dtype.str[1:]
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code or CODES[kind], array.ndim]) + sizes + array.astype(f">{kind}").tobytes()


def npz_bytes(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def flips(content, rng):
    """`content` with one random bit flipped, at each of its bytes in turn."""
    for position, bit in enumerate(rng.integers(8, size=len(content))):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(bit)
        yield position, bytes(damaged)


@pytest.fixture
def file(tmp_path):
    """Write bytes under one name and give the path."""

    def write(content, name="some.file"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", CODES)
def test_idx_gives_the_array(kind, pack, file):
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(kind)
    read = read_idx(file(pack(idx_bytes(array))))
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.dtype(kind) and read.dtype.isnative and read.flags.writeable


@pytest.mark.parametrize("pack", [bytes, lambda raw: gzip.compress(raw, mtime=0)], ids=["raw", "gzip"])
def test_idx_refuses_every_truncation_and_trailing_bytes(pack, file):
    content = pack(idx_bytes(IMAGES))
    for end in range(len(content)):
        with pytest.raises(DataError, match="some.file: "):
            read_idx(file(content[:end]))
    with pytest.raises(DataError, match="some.file: .*(more|damaged)"):
        read_idx(file(content + b"x"))
    with pytest.raises(DataError, match="holds more"):
        read_idx(file(pack(idx_bytes(IMAGES) + b"x")))


def test_idx_header_flips_are_refused_or_change_the_sign_only(file):
    content = idx_bytes(IMAGES)
    for position, damaged in flips(content[:16], np.random.default_rng(0)):
        try:
            read = read_idx(file(damaged + content[16:]))
        except DataError as refusal:
            assert "some.file: " in str(refusal)
        else:  # type 0x08 turned into 0x09: the same bytes read as signed, and these are below 128
            assert position == 2 and read.dtype == np.int8 and np.array_equal(read, IMAGES)


def test_gzip_flips_are_refused_or_harmless(file):
    refused = 0
    for _, damaged in flips(gzip.compress(idx_bytes(IMAGES), mtime=0), np.random.default_rng(1)):
        try:
            assert np.array_equal(read_idx(file(damaged)), IMAGES)
        except DataError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds 0 bytes"),
        (b"\0\0\x07\x01\0\0\0\0", "wrong magic 0x00000701"),
        (b"\0\0\x08\0", "wrong magic"),
        (b"\x80\x04\x95.....", "starts as a pickle"),
        (b"<!DOCTYPE html>", "starts as an HTML"),
        (npz_bytes(a=IMAGES), "starts as a zip"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "the limit is 1073741824"),
        (b"\0\0\x08\x02\0\0\0\x05\0\0\0\x04" + b"x" * 19, r"declares shape \(5, 4\), 20 bytes, but holds 19"),
    ],
)
def test_idx_names_file_and_reason(content, reason, file):
    with pytest.raises(DataError, match=f"some.file: .*{reason}"):
        read_idx(file(content))


@pytest.mark.parametrize("read", [read_idx, read_npz, lambda path: read_table(path, ("a",))])
def test_missing_files_and_folders_are_refused(read, tmp_path):
    with pytest.raises(DataError, match="nowhere: No such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"{tmp_path}: Is a directory"):
        read(tmp_path)


def test_idx_checksum_is_that_of_the_raw_bytes(file):
    raw = idx_bytes(IMAGES)
    right = hashlib.sha256(raw).hexdigest()
    for level in (0, 1, 9):
        np.testing.assert_array_equal(read_idx(file(gzip.compress(raw, level)), sha256=right), IMAGES)
    other = raw[:-1] + b"\xff"
    with pytest.raises(DataError, match=f"SHA-256 {hashlib.sha256(other).hexdigest()}; expected {right}"):
        read_idx(file(gzip.compress(other)), sha256=right)


@pytest.mark.parametrize("read", [read_idx, lambda path: read_table(path, ("a",), max_bytes=1 << 20)])
def test_a_gzip_bomb_is_refused_before_it_unfolds(read, file):
    start = b"\0\0\x08\x01\0\0\0\x04" if read is read_idx else b"a\n"
    bomb = file(gzip.compress(start + bytes(64 << 20), 6))
    tracemalloc.start()
    with pytest.raises(DataError, match="more"):
        read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(7), "f": np.asfortranarray(np.eye(2, 3, dtype=np.float32))}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_the_arrays(save, file):
    read = read_npz(file(npz_bytes(save, none=np.empty((0, 3), np.uint8), **ARRAYS)))
    assert read.pop("none").shape == (0, 3)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype and read[name].flags.writeable


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_refuses_every_truncation_and_no_flip_changes_a_value(save, file):
    content = npz_bytes(save, a=ARRAYS["a"], b=ARRAYS["b"])
    for end in range(len(content)):
        with pytest.raises(DataError, match="some.file"):
            read_npz(file(content[:end]))
    refused = 0
    for _, damaged in flips(content, np.random.default_rng(2)):
        try:
            read = read_npz(file(damaged))
        except DataError:
            refused += 1
        else:
            assert list(read) == ["a", "b"]
            assert all(np.array_equal(read[name], ARRAYS[name]) for name in read)
    assert refused > len(content) // 3


class Trap:
    """Unpickling this is noticed."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_npz_never_unpickles(file):
    content = npz_bytes(a=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match=r"some.file\[a.npy\]: holds Python objects, that is a pickle"):
        read_npz(file(content))
    with pytest.raises(DataError, match="no npz archive .it starts as a pickle"):
        read_npz(file(b"\x80\x04\x95....."))
    assert not Trap.sprung


def npz_of(member, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("a.npy", member)
    return file.getvalue()


def npy_bytes(array, version=(1, 0)):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def test_npz_refuses_a_shape_that_the_bytes_do_not_fill(file):
    good = npy_bytes(np.zeros((10, 10)))
    for shape in [(10, 11), (10, 9), (99, 99)]:
        lying = good.replace(b"(10, 10)", repr(shape).encode().ljust(8))
        with pytest.raises(DataError, match="declares shape .* but holds 800"):
            read_npz(file(npz_of(lying)))
    huge = good.replace(b"(10, 10), }" + b" " * 20, b"(10, 1000000000000000000), }" + b" " * 3)
    with pytest.raises(DataError, match="declares shape .* but holds 800"):
        read_npz(file(npz_of(huge)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npz_of(b"no npy at all"), "magic"),
        (npz_of(npy_bytes(IMAGES), zipfile.ZIP_BZIP2), "compression type 12; expected stored or deflated"),
        (npz_of(npy_bytes(IMAGES, version=(3, 0))), "npy version"),
        (b"", "damaged or no npz archive"),
        (npy_bytes(IMAGES), "starts as an npy file"),
    ],
)
def test_npz_names_file_and_reason(content, reason, file):
    with pytest.raises(DataError, match=f"some.file.*{reason}"):
        read_npz(file(content))


def test_npz_is_held_to_its_limit(file):
    content = npz_bytes(np.savez_compressed, a=np.zeros(1 << 20, np.uint8), b=np.zeros(1 << 20, np.uint8))
    assert len(content) < 5000
    assert set(read_npz(file(content), max_bytes=(2 << 20) + 1000)) == {"a", "b"}
    with pytest.raises(DataError, match=r"unpacks to \d+ bytes; the limit is 2097152"):
        read_npz(file(content), max_bytes=2 << 20)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_table_gives_the_numbers(pack, file):
    table = read_table(file(pack(b"x,y\n1,2.5\n-3e2,4\r\n")), ("x", "y"))
    np.testing.assert_array_equal(table, [[1, 2.5], [-300, 4]])
    assert table.dtype == np.float64


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "first line is ''"),
        (b"x,z\n1,2\n", "first line is 'x,z'; expected 'x,y'"),
        (b"x,y\n", "no rows"),
        (b"x,y\n1,2\n3\n", "a row is not 2 numbers"),
        (b"x,y\n1,2\nthree,4\n", "a row is not 2 numbers"),
        (b"x,y\n1,2,3\n", "expected rows of 2 finite numbers"),
        (b"x,y\n1,nan\n", "expected rows of 2 finite numbers"),
        (b"x,y\n1,inf\n", "expected rows of 2 finite numbers"),
        (gzip.compress(b"x,y\n1,2\n", mtime=0)[:-3], "truncated gzip stream"),
    ],
)
def test_table_names_file_and_reason(content, reason, file):
    with pytest.raises(DataError, match=f"some.file: .*{reason}"):
        read_table(file(content), ("x", "y"))
