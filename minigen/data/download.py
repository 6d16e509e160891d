"""Fetch the full MNIST into the user's cache, held to the checksums of its raw bytes."""

import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from minigen.data.catalogue import MNIST_FILES, RawFile, record_of
from minigen.data.places import cache_folder
from minigen.data.readers import DataError, refusals, take, unpacked

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""A public mirror of the four .gz files."""

SLACK = 1 << 16
"""Bytes by which a gzip file that cannot be compressed may exceed its content."""


def fetch(name: str = "mnist", base_url: str | None = None, progress: bool = True) -> Path:
    """Download the files of `name` that are not yet in the user's cache; returns the folder that holds them all.

    base_url: the folder of the four `.gz` files on an http(s) server, the mirror MIRROR unless told. Files are
    kept unpacked, and a file appears under its name only when whole and when the SHA-256 of its raw bytes is
    right: a wrong download is deleted and never touches what is there. A file in the cache that is damaged is
    fetched anew. `progress` writes to standard error. ValueError for other names and addresses; DataError, with
    the address and the reason, when a file does not arrive, is the wrong one, or cannot be written.
    """
    if record_of(name).place != "fetched":
        raise ValueError(f"fetch({name!r}): only 'mnist' is fetched; see `minigen data list` for the others")
    base = MIRROR if base_url is None else base_url
    if not base.startswith(("http://", "https://")):
        raise ValueError(f"fetch({name!r}): base_url is {base!r}; expected http://... or https://...")
    import pooch

    folder = cache_folder() / name
    urls = {file.name: f"{base.rstrip('/')}/{file.name}.gz" for file in MNIST_FILES}
    checksums = {file.name: f"sha256:{file.sha256}" for file in MNIST_FILES}
    cache = pooch.create(path=folder, base_url=base, registry=checksums, urls=urls)
    for file in MNIST_FILES:
        url = urls[file.name]
        with refusals(f"{url} -> {folder / file.name}"), _quiet(pooch.get_logger()):
            try:
                cache.fetch(file.name, downloader=partial(_download_unpacked, file, progress))
            except DataError:
                raise
            except ValueError as error:
                raise DataError(f"{url}: {error}") from error
    return folder


def _download_unpacked(file: RawFile, progress: bool, url: str, output_file: str, cache: object) -> None:
    """Write the raw bytes behind `url` to `output_file`, which pooch then checks and moves to its name."""
    import pooch

    with tempfile.TemporaryFile(dir=Path(output_file).parent) as packed:
        received = _Received(packed, file.size + SLACK, url, progress)
        pooch.HTTPDownloader(chunk_size=1 << 16)(url, received, cache)
        received.end()
        packed.seek(0)
        raw = take(unpacked(packed), file.size + 1)
    if len(raw) != file.size:
        held = f"{len(raw)} bytes" if len(raw) < file.size else "more"
        raise DataError(f"{url}: {file.name} has {file.size} bytes; the download holds {held}")
    Path(output_file).write_bytes(raw)


class _Received:
    """The file that a download is written to: refuses more than `limit` bytes, and shows how far it is."""

    def __init__(self, file: BinaryIO, limit: int, url: str, progress: bool) -> None:
        self.file, self.limit, self.url, self.progress = file, limit, url, progress
        self.count = 0

    def write(self, chunk: bytes) -> None:
        self.count += len(chunk)
        if self.count > self.limit:
            raise DataError(f"{self.url}: the server sends more than {self.limit} bytes")
        self.file.write(chunk)
        if self.progress and sys.stderr.isatty():
            sys.stderr.write(f"\r{self}")

    def flush(self) -> None:
        self.file.flush()

    def end(self) -> None:
        if self.progress:
            sys.stderr.write(f"\r{self}\n" if sys.stderr.isatty() else f"{self}\n")

    def __str__(self) -> str:
        return f"{self.url}  {self.count / 1e6:.1f} MB"


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Hold back the logger's notes of what it fetches, which `progress` tells better, and let warnings through."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
