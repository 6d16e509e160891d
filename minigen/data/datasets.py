"""Datasets by name: load one, or list what there is."""

from dataclasses import dataclass

import numpy as np

from minigen.data.catalogue import MNIST_FILES, RECORDS, Record, record_of
from minigen.data.places import idx_file, path
from minigen.data.readers import DataError, read_idx, read_npz, read_table
from minigen.data.toys import TOYS

DIGITS_TRAIN = 1500
TOY_POINTS = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Arrays of shape (n, *event_shape) by split, labels of shape (n,), and the record that says what they are.

    Pixels are uint8 grey levels 0..levels-1; continuous data is float64, levels None. `valid` and `test` are None
    where the data has no such split (`train_valid_split` makes one), labels where it has none.
    """

    record: Record
    train: np.ndarray
    test: np.ndarray | None = None
    valid: np.ndarray | None = None
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None

    @property
    def name(self) -> str:
        """The name it was loaded by."""
        return self.record.name

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum: (28, 28) for MNIST, (2,) for a toy."""
        return self.train.shape[1:]

    @property
    def levels(self) -> int | None:
        """Number of grey levels of discrete data; None for continuous data."""
        return self.record.levels

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coordinates of continuous data; empty for images."""
        return self.record.columns

    @property
    def description(self) -> str:
        """One line: what the data is, with its units."""
        return self.record.what

    def __repr__(self) -> str:
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        sizes = " + ".join(f"{len(x)} {name}" for name, x in parts.items() if x is not None)
        kind = "continuous" if self.levels is None else f"{self.levels} levels"
        return f"{self.name}: {sizes} of shape {self.event_shape}, {kind}"


@dataclass(frozen=True)
class Listed:
    """One row of `describe()`: where it lies, or how to get it when it is not available."""

    name: str
    what: str
    shape: str
    licence: str
    source: str
    available: bool
    where: str


def load(name: str, *, n: int | None = None, rng: np.random.Generator | None = None) -> Dataset:
    """x_1 .. x_N and what they are: the dataset called `name`, one of `RECORDS`.

    Toys are drawn: `rng` is required, `n` (2000 unless told) is the number of training points, and as many test
    points are drawn after them. Stored data ignores `rng` and refuses `n`. ValueError for an unknown name,
    DataError for files that are missing, damaged or not the right ones (the full MNIST is held to its checksums).
    """
    record = record_of(name)
    if record.place == "drawn":
        draw, n = TOYS[name], TOY_POINTS if n is None else n
        return Dataset(record, train=draw(n, rng), test=draw(n, rng))
    if n is not None:
        raise ValueError(f"load({name!r}): n is {n}; only toys are drawn in any number")
    if record.columns:
        return Dataset(record, train=read_table(path(name), record.columns))
    if record.place == "directory":
        return _load_suite(record)
    return _load_digits(record) if name == "digits" else _load_mnist(record)


def describe() -> list[Listed]:
    """Every dataset with what it is, its shape, licence and source, and where it lies or how to get it."""
    return [_listed(record) for record in RECORDS.values()]


def _listed(record: Record) -> Listed:
    try:
        where = "in the package" if record.place in ("bundled", "drawn") else str(path(record.name))
        available = True
    except DataError as missing:
        where, available = str(missing), False
    return Listed(record.name, record.what, record.shape, record.licence, record.source, available, where)


def _load_digits(record: Record) -> Dataset:
    images, labels = (read_idx(path("digits") / f"{part}.gz") for part in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return Dataset(
        record,
        train=images[:DIGITS_TRAIN],
        test=images[DIGITS_TRAIN:],
        train_labels=labels[:DIGITS_TRAIN],
        test_labels=labels[DIGITS_TRAIN:],
    )


def _load_mnist(record: Record) -> Dataset:
    folder, full = path(record.name), record.place == "fetched"
    train, train_labels, test, test_labels = (
        read_idx(idx_file(folder, file.name), max_bytes=file.size, sha256=file.sha256 if full else None)
        for file in MNIST_FILES
    )
    return Dataset(record, train=train, test=test, train_labels=train_labels, test_labels=test_labels)


def _load_suite(record: Record) -> Dataset:
    """Rows packed eight to a byte, as np.packbits(rows, axis=1) makes them; `n_features` is the number of bits."""
    file = path(record.name)
    arrays = read_npz(file)
    if set(arrays) != {"train", "valid", "test", "n_features"}:
        raise DataError(f"{file}: holds {sorted(arrays)}; expected n_features, test, train, valid")
    features = arrays.pop("n_features")
    if features.shape != () or features.dtype.kind not in "ui":
        raise DataError(f"{file}: n_features is {features!r}; expected an integer")
    features = int(features)
    for name, packed in arrays.items():
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != -(-features // 8):
            raise DataError(
                f"{file}: {name} has dtype {packed.dtype} and shape {packed.shape}; "
                f"expected uint8 and (rows, {-(-features // 8)}) for {features} bits"
            )
    return Dataset(record, **{name: np.unpackbits(packed, axis=1, count=features) for name, packed in arrays.items()})
