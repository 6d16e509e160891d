"""A folder of its own for each test of the data room, and a small MNIST to fill it with."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from minigen.data import datasets, download, places
from minigen.data.catalogue import RawFile

SIZES = ((6, 4, 4), (6,), (3, 4, 4), (3,))


def idx_of(array):
    """The IDX file of an array of uint8, as bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """(data directory, user's cache) of this test, both still empty; nothing of the user's is read or written."""
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "data"))
    for module in (places, download):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "data", tmp_path / "cache"


class Mnist:
    """Four small files in the place of MNIST's: `raw` and `packed` by name, `arrays` in their order."""

    def __init__(self, files, arrays):
        self.names = [file.name for file in files]
        self.arrays = arrays
        self.raw = {name: idx_of(array) for name, array in zip(self.names, arrays)}
        self.packed = {name: gzip.compress(raw) for name, raw in self.raw.items()}

    def write(self, folder, packed=True):
        """Put the four files into a folder, as .gz or raw."""
        folder.mkdir(parents=True)
        for name in self.names:
            file = folder / (f"{name}.gz" if packed else name)
            file.write_bytes(self.packed[name] if packed else self.raw[name])


@pytest.fixture
def mnist(monkeypatch, folders):
    """A small MNIST with its checksums in the place of the real ones."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(256, size=size, dtype=np.uint8) for size in SIZES]
    files = tuple(
        RawFile(file.name, array.shape, hashlib.sha256(idx_of(array)).hexdigest())
        for file, array in zip(places.MNIST_FILES, arrays)
    )
    for module in (places, download, datasets):
        monkeypatch.setattr(module, "MNIST_FILES", files)
    return Mnist(files, arrays)
