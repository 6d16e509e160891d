"""The parent's side of the child process: start it, ask it, and be sure that it ends.

Nothing here trusts the child: it may not read, may not answer, may answer anything, may leave processes behind.
Reading and writing happen in threads, so that every wait has an end on every platform.
"""
import functools
import json
import os
import queue
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minigen
from minigen import resources

from . import wire
from .folder import Exercise
from .isolation import LAYERS

OUTPUT_LIMIT = 20_000
"""Bytes of the student's own printing that are kept."""

START = 60.0
"""Seconds for the child to say hello, before it touches the submission: a busy machine is not the student's fault."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds of wall clock, bytes. Memory counts addresses, libraries included."""

    call: float = 10.0
    total: float = 60.0
    memory: int = 4 << 30
    file_size: int = 16 << 20
    disk: int = 64 << 20


class GraderError(RuntimeError):
    """The machinery failed, not the submission: nothing can be said about points."""


class Raised(Exception):
    """The student's code raised an exception: its kind, its text, and the line of the student's file."""

    def __init__(self, kind: str, text: str, line: int | None, not_done: bool):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.line, self.not_done = kind, text, line, not_done


class Dead(Exception):
    """The child is gone, and with it the answer; `late` when it overran its time."""

    def __init__(self, reason: str, *, late: bool = False):
        super().__init__(reason)
        self.late = late


class Child:
    """One process that holds one submission; a context manager.

    isolation  the layers in force
    problem    Raised or Dead where the file itself could not be executed, else None
    """

    def __init__(self, exercise: Exercise, source: bytes, limits: Limits | None = None,
                 layers: tuple[str, ...] = LAYERS, deadline: float | None = None):
        self.limits = limits or Limits()
        self.deadline = deadline or time.monotonic() + self.limits.total
        self.problem: Raised | Dead | None = None
        self._printed = bytearray()
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=2)
        self._closed = False
        self._folder = Path(tempfile.mkdtemp(prefix="minigen-")).resolve()
        (self._folder / f"{exercise.name}.py").write_bytes(source)
        script = Path(__file__).with_name("child.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-u", str(script)], cwd=self._folder, env=_environment(self._folder),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True)
        for pump in (self._read_replies, self._read_output):
            threading.Thread(target=pump, daemon=True).start()
        try:
            self._greet(_configuration(exercise, self._folder, self.limits, layers))
        except BaseException:  # Ctrl-C too: no process is left behind
            self.close()
            raise

    def call(self, function: str, arguments: tuple, driver: str | None = None) -> Any:
        """function(*arguments), or driver(student, *arguments), as plain data; raises Raised or Dead."""
        if self._closed:
            raise Dead("the process had ended before this call")
        self._say({"function": function, "driver": driver, "arguments": wire.encode(list(arguments))})
        return self._value(self._next(self.limits.call))

    @property
    def output(self) -> str:
        """What the student's code printed so far, its first OUTPUT_LIMIT bytes."""
        return self._printed.decode("utf-8", "replace")

    def close(self) -> None:
        """Kill the whole process group and remove its folder."""
        if self._closed:
            return
        self._closed = True
        if hasattr(os, "killpg"):
            try:
                os.killpg(self._process.pid, signal.SIGKILL)  # before wait(): until then the number is not reused
            except (ProcessLookupError, PermissionError):
                pass
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
        except RecursionError:
            pass  # folders nested a thousand deep, on purpose: left to whoever clears temporary files

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _greet(self, configuration: dict) -> None:
        """Send the configuration; learn the layers, then whether the file could be executed."""
        self._say(configuration)
        try:
            hello = self._next(START)
            self.isolation = tuple(layer for layer in LAYERS if layer in hello["isolation"])
        except (Dead, KeyError) as error:
            raise GraderError(f"the child process did not start: {error}: {self.output}") from None
        try:
            self._value(self._next(self.limits.call))
        except (Raised, Dead) as problem:
            self.problem = problem

    def _say(self, message: dict) -> None:
        data = json.dumps(message).encode() + b"\n"
        threading.Thread(target=self._write, args=(data,), daemon=True).start()

    def _next(self, seconds: float) -> dict:
        """The child's next message; kills the child and raises Dead where there is none in time."""
        end = min(time.monotonic() + seconds, self.deadline)
        while True:
            left = end - time.monotonic()
            try:
                line = self._lines.get(timeout=max(0.0, min(left, 0.25)))
                break
            except queue.Empty:
                if left <= 0:
                    self._die(f"no answer within {seconds:g} seconds", late=True)
                if _size(self._folder, self.limits.disk) > self.limits.disk:
                    self._die("too much was written to disk")
        if line is None:
            self._die("the process ended before it answered (os._exit, a crash, or memory ran out)")
        try:
            message = json.loads(line)
            if type(message) is not dict:
                raise ValueError(line[:80])
            return message
        except (ValueError, RecursionError):
            self._die("the process answered with something that is not data")

    def _die(self, reason: str, *, late: bool = False) -> None:
        self.close()
        raise Dead(reason, late=late)

    def _value(self, message: dict) -> Any:
        try:
            if "error" not in message:
                return wire.decode(message["value"])
            error = message["error"]
            line = error["line"] if type(error["line"]) is int else None
            raised = Raised(str(error["kind"])[:80], str(error["text"])[:300], line, error["not_done"] is True)
        except (ValueError, KeyError, TypeError, RecursionError):
            self._die("the process answered with something that is not data")
        raise raised

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._process.stdin.write(data) :]
        except (OSError, ValueError):
            pass  # the child is gone, or its pipe closed; _next says so

    def _read_replies(self) -> None:
        """Lines into the queue, which holds two: a child that talks too much waits. None at the end."""
        held = b""
        for chunk in _chunks(self._process.stdout):
            held += chunk if len(held) <= wire.REPLY_LIMIT else b""
            while b"\n" in held and not self._closed:
                line, held = held.split(b"\n", 1)
                self._put(line)
            if len(held) > wire.REPLY_LIMIT:
                self._put(b"too long")
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        while not self._closed:
            try:
                return self._lines.put(line, timeout=0.1)
            except queue.Full:
                pass

    def _read_output(self) -> None:
        for chunk in _chunks(self._process.stderr):
            self._printed += chunk[: OUTPUT_LIMIT - len(self._printed)]


def _chunks(stream: Any) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(1 << 16):
            yield chunk


def _size(folder: Path, enough: int) -> int:
    """Bytes under a folder, counted until there are enough; a file counts as one block at least."""
    total, waiting = 0, [str(folder)]
    while waiting and total <= enough:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    total += 4096 + entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # removed meanwhile, or nested too deep to name
    return total


def _environment(folder: Path) -> dict[str, str]:
    """A clean environment: nothing of the parent's but what the system needs to start a program."""
    kept = {k: os.environ[k] for k in ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if k in os.environ}
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    home = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"), str(folder))
    return {**kept, **threads, **home, "PATH": os.defpath, "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}


def _configuration(exercise: Exercise, folder: Path, limits: Limits, layers: tuple[str, ...]) -> dict:
    readable, listable = _granted(exercise.may_import)
    return {"name": exercise.name, "drivers": exercise.drivers, "may_import": exercise.may_import,
            "withheld": exercise.withheld, "package": str(_PACKAGE), "path": _import_path(),
            "readable": readable, "listable": listable, "writable": str(folder), "layers": layers,
            "seconds": limits.total, "memory": limits.memory, "file_size": limits.file_size}


_PACKAGE = Path(minigen.__file__).resolve().parent
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/sys/devices/system/cpu", "/dev/urandom")


@functools.cache
def _import_path() -> list[str]:
    """Where the child imports from: the standard library and installed packages, not the folders of a project."""
    homes = [Path(p).resolve() for p in (sys.prefix, sys.base_prefix, site.getusersitepackages())]
    homes.append(Path(np.__file__).resolve().parent.parent)
    return [p for p in dict.fromkeys([*sys.path, str(homes[-1])])
            if p and any(Path(p).resolve().is_relative_to(home) for home in homes)]


@functools.cache
def _granted(may_import: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """What the child may read, and the folders whose names alone it may list.

    Everything installed except minigen and the exercises; of minigen the permitted modules with their compiled files.
    """
    paths = [*_import_path(), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"),
             *(p for p in _SYSTEM if os.path.exists(p)), *Path(sys.base_prefix, "lib").glob("lib*")]
    try:
        holes = [_PACKAGE, resources.exercises_dir().resolve()]
    except FileNotFoundError:
        holes = [_PACKAGE]
    readable, listable = [], []
    for path in dict.fromkeys(Path(p).resolve() for p in paths):
        _around(path, holes, readable, listable)
    if may_import:
        listable.append(_PACKAGE)
    for module in may_import:
        for parent in Path(*module.split(".")).parents:
            if parent.parts:
                readable += _files_of(_PACKAGE.parent / parent / "__init__.py")
        place = _PACKAGE.parent.joinpath(*module.split("."))
        readable += [place] if place.is_dir() else _files_of(place.with_suffix(".py"))
    return ["/proc/self", *map(str, readable)], list(map(str, listable))  # /proc/self means the child, once it asks


def _around(path: Path, holes: list[Path], readable: list[Path], listable: list[Path]) -> None:
    """Grant a tree, going around the holes in it."""
    if path in holes:
        return
    if not any(hole.is_relative_to(path) for hole in holes):
        readable.append(path)
        return
    listable.append(path)
    for entry in path.iterdir():
        _around(entry, holes, readable, listable)


def _files_of(source: Path) -> list[Path]:
    return [source, *(source.parent / "__pycache__").glob(f"{source.stem}.*")]
