"""Where data lies on this computer: inside the package, in $MINIGEN_DATA, in the user's cache."""

import os
from collections.abc import Iterator
from pathlib import Path

from minigen.data.catalogue import MNIST_FILES, record_of
from minigen.data.readers import DataError

BUNDLED = Path(__file__).parent / "bundled"
_BUNDLED_AS = {
    "digits": "digits",
    "faithful": "old_faithful.csv",
    "cities": "cities.csv.gz",
    "earthquakes": "earthquakes.csv",
    "mnist-small": "mnist",
}


def path(name: str) -> Path:
    """The file, or the folder of several files, that holds a dataset.

    Bundled data lies in the package. "mnist" is looked for in $MINIGEN_DATA/mnist, then in the user's cache; a
    folder counts when it holds all four files, raw or .gz. "binary_uci:NAME" is $MINIGEN_DATA/binary_uci/NAME.npz.
    ValueError for an unknown name or a toy, which has no file; DataError that says how to get what is missing.
    """
    record = record_of(name)
    if record.place == "drawn":
        raise ValueError(f"{name!r} is drawn from a generator; it has no file")
    if record.place == "bundled":
        return BUNDLED / _BUNDLED_AS[name]
    if record.place == "directory":
        return _suite_file(name)
    looked = []
    for folder in _mnist_folders():
        if all(_either(folder, file.name) for file in MNIST_FILES):
            return folder
        looked.append(str(folder))
    raise DataError(f"{name!r}: its four IDX files are not in {' or '.join(looked)}; run `minigen data fetch {name}`")


def idx_file(folder: Path, name: str) -> Path:
    """`name` in `folder`, raw or .gz; the raw one where both are there, since that is the one fetch renews."""
    return _either(folder, name) or folder / name


def cache_folder() -> Path:
    """The user's cache folder of minigen, where fetched data is kept: ~/.cache/minigen on Linux."""
    import pooch

    return Path(pooch.os_cache("minigen"))


def _data_directory() -> list[Path]:
    stated = os.environ.get("MINIGEN_DATA")
    return [Path(stated).expanduser()] if stated else []


def _mnist_folders() -> Iterator[Path]:
    yield from (directory / "mnist" for directory in _data_directory())
    yield cache_folder() / "mnist"


def _suite_file(name: str) -> Path:
    relative = Path("binary_uci", name.partition(":")[2] + ".npz")
    for directory in _data_directory():
        if (directory / relative).is_file():
            return directory / relative
        raise DataError(f"{name!r}: there is no file {directory / relative}")
    raise DataError(f"{name!r} is neither bundled nor fetched; set MINIGEN_DATA to a folder that holds {relative}")


def _either(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)
