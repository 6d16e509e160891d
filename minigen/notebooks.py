"""Lectures in percent format `NN_topic.py` -> executed notebooks `NN_topic.ipynb`, the same bytes each time.

The `.py` is what people edit and review; the `.ipynb` beside it, with outputs and figures, is what students
open. Cells begin at `# %%` (code) or `# %% [markdown]`. Run `python -m minigen.notebooks build [NN ...]`
after an edit and `python -m minigen.notebooks check` to see, without executing, that both are in step.
"""

import argparse
import asyncio
import base64
import hashlib
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from minigen import resources

SIZE_LIMIT = 500_000  # bytes of one notebook
CELL_TIMEOUT = 300  # seconds; a lecture should need 60 in all
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
    "language_info": {"name": "python"},
}
# One thread and one hash seed: the order of sums and of sets is then the same in each build.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MINIGEN_PROGRESS": "0",  # a saved progress bar shows a stale 0 %
    "COLUMNS": "100",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
MATPLOTLIBRC = "figure.dpi: 100\n"  # matplotlib's own, so that students see figures of the same size
# Importing the fonts here keeps what matplotlib says while it builds their cache out of the first cell.
KERNEL_CONFIG = """
c.IPKernelApp.exec_lines = ["__import__('matplotlib.font_manager');"]
"""
MACHINE = re.compile(
    r"\bat 0x[0-9a-fA-F]+"  # <object at 0x7f...>
    r"|(?<![\w./])/(?:home|Users|root|tmp|var|private|opt|usr|mnt)/[^\s'\"]*"
    r"|\b[A-Z]:\\[^\s'\"]*"
)


class NotebookError(RuntimeError):
    """A lecture that cannot become a notebook; the message names the lecture, the cell and the reason."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lecture: kind "code" or "markdown", its source, the line of its marker in the `.py`."""

    kind: str
    source: str
    line: int


@dataclass(frozen=True)
class Built:
    """One notebook that was written: its path, seconds of execution, bytes."""

    path: Path
    seconds: float
    size: int

    def __str__(self) -> str:
        return f"{self.path.name}: {self.seconds:.1f} s, {self.size / 1000:.0f} kB"


def parse(text: str, name: str = "lecture") -> list[Cell]:
    """The cells of a percent-format text; NotebookError names the line of what is not percent format."""
    text = re.sub(r"\A# ---\n.*?^# ---\n", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)
    cells, kind, start, body = [], None, 1, []

    def close() -> None:
        source = "\n".join(body).strip("\n")
        if kind is None and source:
            raise NotebookError(f"{name}, line 1: text before the first cell marker `# %%`")
        if kind is not None and not source.strip():
            raise NotebookError(f"{name}, line {start}: empty cell")
        if kind is not None:
            cells.append(Cell(kind, source, start))

    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"# %%(\s|$)", line):
            close()
            if line.rstrip() not in ("# %%", "# %% [markdown]"):
                raise NotebookError(
                    f"{name}, line {number}: cell marker {line!r}; expected `# %%` or `# %% [markdown]`"
                )
            kind, start, body = "markdown" if "[" in line else "code", number, []
        elif kind == "markdown" and line.strip():
            if not line.startswith("#"):
                raise NotebookError(f"{name}, line {number}: markdown {line!r} does not begin with `#`")
            body.append(re.sub(r"^# ?", "", line))
        else:
            body.append(line)
    close()
    if not cells:
        raise NotebookError(f"{name}: no cell marker `# %%` in it")
    return cells


def notebook(lecture: Path) -> tuple:
    """(notebook without outputs, cells) of the lecture at this path; NotebookError if it is unreadable."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    try:
        text = lecture.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookError(f"{lecture.name}: cannot be read: {error}") from error
    cells = parse(text, lecture.name)
    make = {"code": new_code_cell, "markdown": new_markdown_cell}
    node = new_notebook(
        cells=[make[cell.kind](cell.source, id=f"cell-{i:03d}") for i, cell in enumerate(cells)],
        metadata={**METADATA, "minigen": {"source_sha256": hashlib.sha256(text.encode()).hexdigest()}},
    )
    return node, cells


def build(paths: Iterable[Path], jobs: int = 2, report: Callable[[Built], None] | None = None) -> list[Built]:
    """Execute each lecture in a kernel of its own, `jobs` at a time, and write the notebook beside it.

    `report` is called as each notebook is written. The first lecture that fails (a cell raises, writes to
    stderr or shows an address or a path of this machine; the notebook passes 500 kB) stops the build with a
    NotebookError; its notebook of an earlier build stays as it was.
    """
    if jobs < 1:
        raise ValueError(f"build: jobs is {jobs}; expected at least 1")
    return asyncio.run(_build([Path(p) for p in paths], jobs, report or (lambda built: None)))


def check(paths: Iterable[Path]) -> list[str]:
    """What is out of step, a sentence each, without executing: missing, edited, stale, not run, too big."""
    return [problem for path in paths if (problem := _problem(Path(path)))]


def write_whole(path: Path, data: bytes) -> None:
    """All of the file or none of it: a full disk or a kill leaves what was there before. Raises OSError."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


async def _build(paths: list[Path], jobs: int, report: Callable[[Built], None]) -> list[Built]:
    slots = asyncio.Semaphore(jobs)

    async def one(path: Path) -> Built:
        async with slots:
            built = await _build_one(path)
        report(built)
        return built

    tasks = [asyncio.create_task(one(path)) for path in paths]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # each ends its kernel before we leave


async def _build_one(lecture: Path) -> Built:
    import nbformat

    begin = time.perf_counter()
    node, cells = notebook(lecture)
    async with _kernel(node) as client:
        for i, cell in enumerate(cells):
            where = f"{lecture.name}, cell {i + 1} of {len(cells)} (line {cell.line})"
            try:
                await client.async_execute_cell(node.cells[i], i)
            except Exception as error:
                if asyncio.current_task().cancelling():  # nbclient calls a cancelled cell a dead kernel
                    raise asyncio.CancelledError from error
                raise NotebookError(f"{where}: {_reason(error)}\n\n{_indent(cell.source)}") from error
            if cell.kind == "code":
                outputs = node.cells[i].outputs = _coalesce(node.cells[i].outputs)
                _refuse_machine_traces(outputs, where)
                for output in outputs:
                    if "image/png" in output.get("data", {}):
                        output.data["image/png"] = _lighter(output.data["image/png"])
    nbformat.validate(node)
    data = (nbformat.writes(node) + "\n").encode()
    if len(data) > SIZE_LIMIT:
        sizes = [len(nbformat.v4.writes(nbformat.v4.new_notebook(cells=[c]))) for c in node.cells]
        most = max(range(len(sizes)), key=sizes.__getitem__)
        raise NotebookError(
            f"{lecture.stem}.ipynb: {len(data) / 1000:.0f} kB; expected at most {SIZE_LIMIT // 1000} kB; "
            f"most of it, {sizes[most] / 1000:.0f} kB, is cell {most + 1} (line {cells[most].line})"
        )
    path = lecture.with_suffix(".ipynb")
    try:
        write_whole(path, data)
    except OSError as error:
        raise NotebookError(f"{path}: cannot be written: {error}") from error
    return Built(path, time.perf_counter() - begin, len(data))


@asynccontextmanager
async def _kernel(node):
    """A client of a fresh kernel that sees neither the user's configuration nor the lectures folder."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="minigen-", ignore_cleanup_errors=True) as folder:
        home, desk = Path(folder, "home"), Path(folder, "desk")
        profile = home / "profile_default"
        profile.mkdir(parents=True)
        desk.mkdir()
        (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIG)
        (home / "matplotlibrc").write_text(MATPLOTLIBRC)
        # The minigen that builds is the one that the lecture imports, installed or not.
        search = [str(resources.PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {
            **os.environ,
            **ENVIRONMENT,
            "IPYTHONDIR": str(home),
            "MATPLOTLIBRC": str(home / "matplotlibrc"),
            "PYTHONPATH": os.pathsep.join(search),
        }
        # No kernel folders: the kernel is this Python, not a "python3" that somebody registered by hand.
        # Sockets in our folder rather than ports: no other user can connect, no two builds collide.
        manager = AsyncKernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            connection_file=str(home / "kernel.json"),
            transport="ipc" if os.name == "posix" else "tcp",
        )
        await manager.start_kernel(cwd=str(desk), env=env)
        client = NotebookClient(node, km=manager, timeout=CELL_TIMEOUT, record_timing=False)
        try:
            try:
                await client.async_start_new_kernel_client()
            except RuntimeError as error:
                raise NotebookError(f"the kernel of a lecture did not start: {error}") from error
            yield client
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            await manager.shutdown_kernel(now=True)


def _reason(error: Exception) -> str:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    if isinstance(error, CellTimeoutError):
        return f"still running after {CELL_TIMEOUT} s"
    if isinstance(error, DeadKernelError):
        return "the kernel died"
    return f"{type(error).__name__}: {error}"


def _indent(source: str) -> str:
    return "\n".join("    " + line for line in source.split("\n"))


def _coalesce(outputs: list) -> list:
    """How a kernel cuts its prints into messages depends on the clock: neighbours become one again."""
    joined = []
    for output in outputs:
        if joined and output.get("name") and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _lighter(png: str) -> str:
    """The picture in 256 colours of its own: half the bytes, to the eye the same, no version inside."""
    from PIL import Image

    figure = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    flat = Image.new("RGB", figure.size, "white")
    flat.paste(figure, mask=figure.getchannel("A"))
    held = io.BytesIO()
    flat.quantize(256, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    return base64.b64encode(held.getvalue()).decode() + "\n"


def _refuse_machine_traces(outputs: list, where: str) -> None:
    for output in outputs:
        if output.get("name") == "stderr":
            raise NotebookError(f"{where}: wrote to stderr: {output.text.strip()}")
        shown = [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
        for text in [output.get("text", ""), *shown]:
            if found := MACHINE.search(text):
                raise NotebookError(
                    f"{where}: its output holds an address or a path of this machine: {found[0]!r}"
                )


def _problem(lecture: Path) -> str | None:
    import nbformat

    path = lecture.with_suffix(".ipynb")
    try:
        source, _ = notebook(lecture)
        built = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except NotebookError as error:
        return str(error)
    except FileNotFoundError:
        return f"{path.name}: missing; build it"
    except Exception as error:
        return f"{path.name}: is not a notebook: {error}"
    for i, (mine, its) in enumerate(zip(source.cells, built.cells), 1):
        if (mine.cell_type, mine.source) != (its.cell_type, its.source):
            return f"{path.name}: cell {i} differs from {lecture.name}; build it again"
    if len(source.cells) != len(built.cells):
        return f"{path.name}: {len(built.cells)} cells, not {len(source.cells)}; build it again"
    if source.metadata != built.metadata:
        return f"{path.name}: its outputs are of another version of {lecture.name}; build it again"
    code = [cell for cell in built.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        return f"{path.name}: not executed from top to bottom; build it again"
    if path.stat().st_size > SIZE_LIMIT:
        return f"{path.name}: {path.stat().st_size / 1000:.0f} kB; expected at most {SIZE_LIMIT // 1000} kB"
    return None


def main(argv: list[str] | None = None) -> int:
    """`python -m minigen.notebooks build|check [NN ...]`; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m minigen.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["build", "check"])
    parser.add_argument("lectures", nargs="*", metavar="NN", help="11, vae or 11_vae; all when none is given")
    parser.add_argument("--jobs", type=int, default=2, help="kernels at a time (build)")
    options = parser.parse_args(argv)
    try:
        paths = [resources.find_lecture(name) for name in options.lectures] or resources.lecture_files()
        if options.command == "build":
            build(paths, options.jobs, report=print)
            return 0
    except (NotebookError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; notebooks not yet reported are as they were", file=sys.stderr)
        return 130
    problems = check(paths)
    print("\n".join(problems) or f"{len(paths)} notebooks are in step")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
