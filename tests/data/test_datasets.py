"""Datasets by name: what the bundled ones hold, where others are looked for, and what is refused."""

import gzip
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigen import data
from minigen.data import DataError
from minigen.data.catalogue import MNIST_FILES, RECORDS
from minigen.data.places import BUNDLED

IMAGES = {"digits": (1500, 297, (8, 8), 17), "mnist-small": (10_000, 2_000, (28, 28), 256)}
TABLES = {"faithful": (272, 2), "cities": (34_006, 2), "earthquakes": (1707, 4)}
FULL = os.environ.get("MINIGEN_DATA")
with_full_data = pytest.mark.skipif(not FULL, reason="MINIGEN_DATA names no folder with the full data")


@pytest.mark.parametrize("name", IMAGES)
def test_bundled_images(name):
    n_train, n_test, shape, levels = IMAGES[name]
    x = data.load(name)
    assert x.train.shape == (n_train, *shape) and x.test.shape == (n_test, *shape) and x.event_shape == shape
    assert x.train.dtype == x.test.dtype == np.uint8
    assert x.levels == levels and x.train.min() == 0 and x.train.max() == levels - 1
    for images, labels in ((x.train, x.train_labels), (x.test, x.test_labels)):
        assert labels.shape == images.shape[:1] and labels.dtype == np.uint8 and set(labels) == set(range(10))
        assert np.bincount(labels).min() > 0.08 * len(labels)
    assert repr(x) == f"{name}: {n_train} train + {n_test} test of shape {shape}, {levels} levels"


def test_bundled_images_are_in_the_order_of_their_source():
    mnist, digits = data.load("mnist-small"), data.load("digits")
    assert list(mnist.train_labels[:10]) == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert list(mnist.test_labels[:10]) == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert list(digits.train_labels[:10]) == list(range(10))
    np.testing.assert_array_equal(digits.train[0, 0], [0, 0, 5, 13, 9, 1, 0, 0])


@pytest.mark.parametrize("name", TABLES)
def test_bundled_tables(name):
    x = data.load(name)
    assert x.train.shape == TABLES[name] and x.train.dtype == np.float64 and np.isfinite(x.train).all()
    assert x.test is x.valid is x.train_labels is None and x.levels is None and len(x.columns) == TABLES[name][1]
    assert repr(x) == f"{name}: {TABLES[name][0]} train of shape {TABLES[name][1:]}, continuous"


def test_tables_are_in_their_units():
    eruptions, waiting = data.load("faithful").train.T
    assert (eruptions.mean(), waiting.mean()) == pytest.approx((3.4878, 70.897), abs=1e-3)  # minutes, as published
    for name in ("cities", "earthquakes"):
        longitude, latitude = data.load(name).train[:, :2].T
        assert np.abs(longitude).max() <= 180 and 90 < np.abs(longitude).max()
        assert np.abs(latitude).max() <= 90
    depth, magnitude = data.load("earthquakes").train[:, 2:].T
    assert -10 < depth.min() and 500 < depth.max() < 700 and magnitude.max() < 9


def test_bundled_data_is_at_most_three_megabytes_and_states_where_it_comes_from():
    files = [file for file in BUNDLED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    stated = (BUNDLED / "SOURCES.md").read_text()
    bundled = [record for record in RECORDS.values() if record.place == "bundled"]
    rows = {row.split("|")[1].strip(" `"): row for row in stated.splitlines() if row.startswith("| `")}
    assert set(rows) == {record.name for record in bundled} == {*IMAGES, *TABLES}
    held = set()
    for record in bundled:
        place = data.path(record.name)
        held |= {place} if place.is_file() else set(place.iterdir())
        assert f"`{place.relative_to(BUNDLED)}" in rows[record.name]
        assert f"| {record.licence} |" in rows[record.name] and record.source in rows[record.name]
    assert held == {file for file in files if file.name != "SOURCES.md"}


def test_loading_is_quick():
    def seconds():
        start = time.perf_counter()
        data.load("mnist-small")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.3


def test_importing_the_room_imports_no_heavy_library():
    code = "import sys, minigen.data; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"pooch", "requests", "matplotlib", "numba", "scipy", "tqdm"} & set(loaded)


def test_every_record_is_described(folders):
    rows = {row.name: row for row in data.describe()}
    assert list(rows) == list(RECORDS)
    for name, row in rows.items():
        assert row.what and row.shape and row.licence and row.source and row.where
        assert row.available == (RECORDS[name].place in ("bundled", "drawn"))
    assert "minigen data fetch mnist" in rows["mnist"].where
    for name in IMAGES:
        assert re.fullmatch(r"(\d+) \+ (\d+) of (\d+)x(\d+) uint8, (\d+) levels", rows[name].shape).groups() == tuple(
            str(n) for n in (*IMAGES[name][:2], *IMAGES[name][2], IMAGES[name][3])
        )
    for name, shape in TABLES.items():
        assert rows[name].shape == f"{shape[0]} of {shape[1]} float64"


def test_mnist_is_found_in_the_data_directory_then_in_the_cache(mnist, folders):
    directory, cache = folders
    with pytest.raises(DataError, match=f"{directory}/mnist or {cache}/mnist; run `minigen data fetch mnist`"):
        data.load("mnist")
    mnist.write(cache / "mnist", packed=False)
    assert data.path("mnist") == cache / "mnist"
    mnist.write(directory / "mnist")
    assert data.path("mnist") == directory / "mnist"
    row = next(row for row in data.describe() if row.name == "mnist")
    assert row.available and row.where == str(directory / "mnist")
    (directory / "mnist" / f"{mnist.names[3]}.gz").unlink()
    assert data.path("mnist") == cache / "mnist"  # three of four files are not MNIST


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_raw_and_gzip(packed, mnist, folders, monkeypatch):
    mnist.write(folders[1] / "mnist", packed)
    monkeypatch.delenv("MINIGEN_DATA")
    x = data.load("mnist")
    for read, array in zip((x.train, x.train_labels, x.test, x.test_labels), mnist.arrays):
        np.testing.assert_array_equal(read, array)


def test_mnist_is_held_to_its_checksums(mnist, folders):
    folder = folders[0] / "mnist"
    mnist.write(folder, packed=False)
    file = folder / mnist.names[2]
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(DataError, match=f"{file}: its unpacked bytes have SHA-256"):
        data.load("mnist")
    file.write_bytes(raw[:-1])
    with pytest.raises(DataError, match=f"{file}: declares shape .*truncated"):
        data.load("mnist")


@pytest.fixture
def suite(folders):
    """Write $MINIGEN_DATA/binary_uci/dna.npz."""
    file = folders[0] / "binary_uci" / "dna.npz"
    file.parent.mkdir(parents=True)

    def write(**arrays):
        np.savez(file, **arrays)
        return file

    return write


BITS = {
    name: np.random.default_rng(0).integers(2, size=(n, 11), dtype=np.uint8)
    for name, n in (("train", 5), ("valid", 2), ("test", 4))
}
PACKED = {name: np.packbits(bits, axis=1) for name, bits in BITS.items()}


def test_suite_unpacks_its_bits(suite):
    file = suite(n_features=11, **PACKED)
    assert data.path("binary_uci:dna") == file
    x = data.load("binary_uci:dna")
    for name, bits in BITS.items():
        np.testing.assert_array_equal(getattr(x, name), bits)
    assert repr(x) == "binary_uci:dna: 5 train + 2 valid + 4 test of shape (11,), 2 levels"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_features": 17}, r"train has dtype uint8 and shape \(5, 2\); expected uint8 and \(rows, 3\) for 17 bits"),
        ({"n_features": -11}, "for -11 bits"),
        ({"n_features": 11.5}, "n_features is .*; expected an integer"),
        ({"n_features": np.array([11])}, "n_features is .*; expected an integer"),
        ({"test": PACKED["test"].astype(int)}, "test has dtype int64"),
        ({"valid": PACKED["valid"][0]}, r"valid has dtype uint8 and shape \(2,\)"),
        ({"more": np.eye(2)}, "holds .*'more'.*; expected n_features, test, train, valid"),
        ({"train": np.array([None])}, "Python objects, that is a pickle"),
    ],
)
def test_suite_refuses_what_it_is_not(change, reason, suite):
    file = suite(**{"n_features": 11, **PACKED, **change})
    with pytest.raises(DataError, match=f"{file}.*{reason}"):
        data.load("binary_uci:dna")


def test_suite_says_where_it_is_looked_for(folders, monkeypatch):
    with pytest.raises(DataError, match=f"there is no file {folders[0]}/binary_uci/nips.npz"):
        data.load("binary_uci:nips")
    monkeypatch.delenv("MINIGEN_DATA")
    with pytest.raises(DataError, match="set MINIGEN_DATA to a folder that holds binary_uci/nips.npz"):
        data.load("binary_uci:nips")


def test_toys_are_drawn_from_the_generator():
    x = data.load("two-moons", n=50, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(x.train, data.two_moons(50, rng))
    np.testing.assert_array_equal(x.test, data.two_moons(50, rng))
    assert x.event_shape == (2,) and x.levels is None
    assert len(data.load("rings", rng=rng).train) == 2000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.load("two_moons"), "unknown dataset 'two_moons'; did you mean 'two-moons'"),
        (lambda: data.load("zzz"), "unknown dataset 'zzz'; expected one of digits, faithful"),
        (lambda: data.load(None), "unknown dataset None"),
        (lambda: data.path("fathful"), "did you mean 'faithful'"),
        (lambda: data.path("rings"), "'rings' is drawn from a generator; it has no file"),
        (lambda: data.load("digits", n=5), "n is 5; only toys are drawn in any number"),
        (lambda: data.load("rings", n=0, rng=np.random.default_rng(0)), "n is 0; expected a positive integer"),
    ],
)
def test_bad_names_and_numbers_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_toy_without_a_generator_is_refused():
    with pytest.raises(TypeError, match="two_moons: rng is None; expected a numpy.random.Generator"):
        data.load("two-moons")


@with_full_data
def test_full_mnist_has_the_published_checksums_and_begins_with_the_subset():
    published = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    for file in MNIST_FILES:
        raw = gzip.decompress((Path(FULL) / "mnist" / f"{file.name}.gz").read_bytes())
        assert hashlib.md5(raw).hexdigest() == published[file.name] and len(raw) == file.size
    full, small = data.load("mnist"), data.load("mnist-small")
    assert full.train.shape == (60_000, 28, 28) and full.test.shape == (10_000, 28, 28)
    for part in ("train", "train_labels", "test", "test_labels"):
        subset = getattr(small, part)
        np.testing.assert_array_equal(subset, getattr(full, part)[: len(subset)])


@with_full_data
def test_bundled_data_is_that_of_the_sources():
    small = Path(FULL) / "small"
    digits = np.loadtxt(small / "digits8x8.csv.gz", delimiter=",", skiprows=1, dtype=int)
    ours = data.load("digits")
    np.testing.assert_array_equal(np.concatenate((ours.train, ours.test)).reshape(1797, 64), digits[:, :64])
    np.testing.assert_array_equal(np.concatenate((ours.train_labels, ours.test_labels)), digits[:, 64])
    for name, file in (("faithful", "old_faithful.csv"), ("earthquakes", "earthquakes.csv")):
        np.testing.assert_array_equal(data.load(name).train, np.loadtxt(small / file, delimiter=",", skiprows=1))
    with gzip.open(small / "cities15000.csv.gz", "rt", encoding="utf-8") as rows:
        places = [row.rstrip("\n").rsplit(",", 3)[1:3] for row in rows][1:]
    np.testing.assert_array_equal(data.load("cities").train, np.array(places, dtype=float))


@with_full_data
@pytest.mark.parametrize(("name", "shape"), [("dna", (1400, 180)), ("mushrooms", (2000, 112)), ("nips", (400, 500))])
def test_the_binary_suite_is_as_described(name, shape):
    x = data.load(f"binary_uci:{name}")
    assert x.train.shape == shape and x.train.max() == 1
    assert x.record.shape == f"{len(x.train)} + {len(x.valid)} + {len(x.test)} of {shape[1]} uint8, 2 levels"
