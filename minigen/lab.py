"""A copy of the lectures and exercises that a student may write to, and JupyterLab opened on it.

The copy never takes anything back: a file that the student has changed stays theirs, an untouched one follows
the installed version, a deleted one comes anew. What was delivered is told from what was written by the
hashes in `.minigen.json`.
"""

import hashlib
import importlib.util
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from minigen import resources
from minigen.notebooks import write_whole

DEFAULT_FOLDER = "minigen-lectures"
MANIFEST = ".minigen.json"


class LabError(RuntimeError):
    """JupyterLab or the student's copy cannot be had; the message says why in one sentence."""


@dataclass(frozen=True)
class CopySummary:
    """What happened to each file of a copy, as names relative to `folder`.

    new: written for the first time, or again after the student deleted it. refreshed: untouched by the
    student, replaced by the installed version. kept: changed by the student, left alone. unchanged: the same.
    """

    folder: Path
    new: tuple[str, ...]
    refreshed: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.folder}: {len(self.new)} new, {len(self.refreshed)} refreshed, "
                 f"{len(self.unchanged)} unchanged files"]
        if self.kept:
            lines.append("yours, left alone (delete one to get it anew): " + ", ".join(self.kept))
        return "\n".join(lines)


def student_copy(folder: str | Path | None = None) -> CopySummary:
    """Bring `folder` (default ./minigen-lectures) up to date with the installed lectures and exercises.

    lectures/NN_topic.ipynb, and of each exercise the stub, its public tests and a README: no solutions, no
    mutants, no hidden checks. LabError when the folder cannot be written or is the one that is copied from.
    """
    folder = Path(folder or DEFAULT_FOLDER)
    if (folder / "lectures").resolve() == resources.lectures_dir():
        raise LabError(f"{folder} holds the lectures themselves; expected another folder, for a copy of them")
    files = _delivery()
    delivered = _read_manifest(folder)
    outcome = {name: _state(folder / name, content, delivered.get(name)) for name, content in files.items()}
    try:
        for name, content in files.items():
            if outcome[name] in ("new", "refreshed"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                write_whole(folder / name, content)
            if outcome[name] != "kept":
                delivered[name] = _hash(content)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / MANIFEST, (json.dumps(delivered, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise LabError(f"cannot write lectures and exercises to {folder}: {error}") from error
    groups = ("new", "refreshed", "kept", "unchanged")
    return CopySummary(folder, *(tuple(n for n in files if outcome[n] == group) for group in groups))


def open_lab(folder: str | Path | None = None, browser: bool = True, port: int | None = None) -> CopySummary:
    """Make or refresh the student's copy, then run JupyterLab on it, on loopback, until Ctrl-C.

    It asks the network for nothing: no news, no look for updates, no extension catalogue. Without `port`,
    8888 or the next free one. LabError when JupyterLab is missing, the port is taken, or the folder cannot be
    written.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed; install it with `pip install jupyterlab`")
    if port is not None:
        _refuse_taken(port)
    summary = student_copy(folder)
    print(summary, flush=True)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(argv=_arguments(summary.folder.resolve(), browser, port))
    return summary


def _arguments(root: Path, browser: bool, port: int | None) -> list[str]:
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={root}",
        "--LabApp.default_url=/lab/tree/lectures",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if not browser:
        arguments.append("--no-browser")
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if getattr(os, "geteuid", lambda: 1)() == 0:  # the usual user inside a container
        arguments.append("--allow-root")
    return arguments


def _delivery() -> dict[str, bytes]:
    """Name in the copy -> content, in the order of the course."""
    from minigen.grading import list_exercises
    from minigen.grading.students import student_files

    notebooks = sorted(resources.lectures_dir().glob("[0-9][0-9]_*.ipynb"))
    files = {f"lectures/{path.name}": path.read_bytes() for path in notebooks}
    for exercise in list_exercises():
        for name, content in student_files(exercise).items():
            files[f"exercises/{exercise.id}/{name}"] = content
    return files


def _state(path: Path, content: bytes, delivered: str | None) -> str:
    try:
        here = _hash(path.read_bytes())
    except FileNotFoundError:
        return "new"
    except OSError as error:
        raise LabError(f"cannot read {path}: {error}") from error
    if here == _hash(content):
        return "unchanged"
    return "refreshed" if here == delivered else "kept"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing is known to be untouched, so nothing that differs is overwritten
    return found if isinstance(found, dict) else {}


def _refuse_taken(port: int) -> None:
    if not 1 <= port <= 65535:
        raise LabError(f"open_lab: port is {port}; expected 1 to 65535")
    with socket.socket() as probe:
        if os.name == "posix":  # as the server does, so that a port just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(f"port {port} cannot be used ({error.strerror}); choose another") from error
