"""Fetch against a server on the loopback: what arrives whole and right is kept, all else leaves no trace."""

import errno
import gzip
import http.server
import logging
import threading
import tracemalloc

import numpy as np
import pytest

from minigen import data
from minigen.data import DataError, download


class Server:
    """A web server on this machine that serves `files` by path and notes what was asked for."""

    def __init__(self):
        self.files, self.asked, self.extra = {}, [], 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                body = server.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body) + server.extra))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/mirror"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(mnist, monkeypatch):
    """A server of the small MNIST's four .gz files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    server.files = {f"/mirror/{name}.gz": packed for name, packed in mnist.packed.items()}
    yield server
    server.close()


def held(folder):
    """{name: content} of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_fetch_fills_the_cache_once(server, mnist, folders):
    folder = data.fetch("mnist", server.url + "/", progress=False)
    assert folder == folders[1] / "mnist" == data.path("mnist")
    assert held(folder) == mnist.raw
    np.testing.assert_array_equal(data.load("mnist").train, mnist.arrays[0])
    assert server.asked == [f"/mirror/{name}.gz" for name in mnist.names]
    data.fetch("mnist", server.url, progress=False)
    assert len(server.asked) == 4


def test_checksums_are_those_of_the_raw_bytes(server, mnist):
    name = mnist.names[0]
    for body in (gzip.compress(mnist.raw[name], 1, mtime=1), mnist.raw[name]):
        server.files[f"/mirror/{name}.gz"] = body
        folder = data.fetch("mnist", server.url, progress=False)
        assert held(folder) == mnist.raw
        (folder / name).unlink()


def other_content(raw):
    return gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1]))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_content, "hash of downloaded file .* does not match"),
        (lambda raw: gzip.compress(raw)[:-4], "truncated gzip stream"),
        (lambda raw: gzip.compress(raw)[:-6] + b"\0" * 6, "damaged gzip stream"),
        (lambda raw: gzip.compress(raw[:-1]), r"t10k-images-idx3-ubyte has 64 bytes; the download holds 63 bytes"),
        (lambda raw: gzip.compress(raw + bytes(8 << 20)), "has 64 bytes; the download holds more"),
        (lambda raw: bytes(1 << 20), "the server sends more than 65600 bytes"),
        (lambda raw: b"<html>not here</html>", "the download holds 21 bytes"),
        (lambda raw: None, "404"),
    ],
)
def test_a_wrong_download_is_deleted_and_touches_nothing(spoil, reason, server, mnist, folders):
    name = mnist.names[2]
    server.files[f"/mirror/{name}.gz"] = spoil(mnist.raw[name])
    with pytest.raises(DataError, match=f"{server.url}/{name}.gz.*{reason}"):
        data.fetch("mnist", server.url, progress=False)
    folder = folders[1] / "mnist"
    assert held(folder) == {name: mnist.raw[name] for name in mnist.names[:2]}
    (folder / name).write_bytes(b"what the user had")
    with pytest.raises(DataError, match=reason):
        data.fetch("mnist", server.url, progress=False)
    assert held(folder)[name] == b"what the user had"


def test_a_gzip_bomb_is_not_unfolded(server, mnist):
    server.files[f"/mirror/{mnist.names[0]}.gz"] = gzip.compress(mnist.raw[mnist.names[0]] + bytes(32 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="the download holds more"):
        data.fetch("mnist", server.url, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_connection_that_breaks_is_refused(server, mnist, folders):
    server.extra = 10
    with pytest.raises(DataError, match=f"{server.url}/{mnist.names[0]}.gz"):
        data.fetch("mnist", server.url, progress=False)
    assert held(folders[1] / "mnist") == {}


def test_a_damaged_file_in_the_cache_is_fetched_anew(server, mnist):
    folder = data.fetch("mnist", server.url, progress=False)
    name = mnist.names[1]
    (folder / name).write_bytes(mnist.raw[name][:-1])
    with pytest.raises(DataError, match=f"{folder / name}: .*truncated"):
        data.load("mnist")
    data.fetch("mnist", server.url, progress=False)
    assert held(folder) == mnist.raw and len(server.asked) == 5


def test_no_server(server, mnist):
    server.close()
    with pytest.raises(DataError, match=f"{server.url}/{mnist.names[0]}.gz"):
        data.fetch("mnist", server.url, progress=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.fetch("digits"), "only 'mnist' is fetched"),
        (lambda: data.fetch("binary_uci:dna"), "only 'mnist' is fetched"),
        (lambda: data.fetch("mnits"), "did you mean 'mnist'"),
        (lambda: data.fetch("mnist", "ftp://somewhere"), "base_url is 'ftp://somewhere'; expected http"),
        (lambda: data.fetch("mnist", ""), "base_url is ''; expected http"),
    ],
)
def test_bad_arguments_are_named(call, message, folders):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_cache_that_cannot_be_written_is_named(server, folders):
    folders[1].write_text("a file where the folder should be")
    with pytest.raises(DataError, match=f"{folders[1]}/mnist/train-images-idx3-ubyte: Not a directory|File exists"):
        data.fetch("mnist", server.url, progress=False)
    assert folders[1].read_text() == "a file where the folder should be"


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_whole_files_only(trouble, server, mnist, folders, monkeypatch):
    write = download._Received.write

    def broken(self, chunk):
        write(self, chunk)
        if mnist.names[1] in self.url:
            raise trouble

    monkeypatch.setattr(download._Received, "write", broken)
    with pytest.raises(KeyboardInterrupt if isinstance(trouble, KeyboardInterrupt) else DataError) as caught:
        data.fetch("mnist", server.url, progress=False)
    assert isinstance(trouble, KeyboardInterrupt) or f"{mnist.names[1]}: No space left" in str(caught.value)
    assert held(folders[1] / "mnist") == {mnist.names[0]: mnist.raw[mnist.names[0]]}


@pytest.mark.parametrize("progress", [True, False])
def test_progress_is_told_on_standard_error_and_by_nobody_else(progress, server, mnist, capsys):
    import pooch

    told_by_pooch, logger = [], pooch.get_logger()
    handler = logging.Handler()
    handler.emit = told_by_pooch.append
    level = logger.level
    logger.addHandler(handler)
    data.fetch("mnist", server.url, progress=progress)
    logger.removeHandler(handler)
    told = capsys.readouterr()
    lines = [f"{server.url}/{name}.gz  0.0 MB" for name in mnist.names]
    assert told.out == "" and told.err.splitlines() == (lines if progress else [])
    assert told_by_pooch == [] and logger.level == level != logging.WARNING
