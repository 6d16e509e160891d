"""What a student uses: a folder to work in, and the public checks as pytest tests."""
import ast
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .folder import Exercise, find_exercise, load_exercise
from .results import Result
from .score import check


def start(which: str | int, folder: Path, root: Path | None = None) -> Path:
    """Make `folder/NN_topic/` with the stub, the public tests and a README; returns it.

    Nothing that exists is touched: FileExistsError where the folder is there already. It appears whole or not at all.
    """
    exercise = find_exercise(which, root)
    folder = Path(folder)
    target = folder / exercise.id
    if target.exists():
        raise FileExistsError(f"{target} is there already; nothing was changed")
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{exercise.id}-", dir=folder))
    try:
        for name, content in student_files(exercise).items():
            (draft / name).write_bytes(content)
        draft.chmod(0o777 & ~_umask())
        os.rename(draft, target)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if target.exists():
            raise FileExistsError(f"{target} is there already; nothing was changed") from error
        raise
    return target


def student_files(exercise: Exercise) -> dict[str, bytes]:
    """All that a student gets, name -> content: stub, public tests, README. Solution, mutants and records stay."""
    sources = (exercise.stub_path, exercise.folder / f"test_{exercise.name}.py")
    return {**{path.name: path.read_bytes() for path in sources}, "README.md": task(exercise).encode()}


def task(exercise: Exercise) -> str:
    """The README of one exercise: the task, the functions with their points, and how to run the checks."""
    stub = ast.parse(exercise.stub_path.read_text(encoding="utf-8"))
    text = ast.get_docstring(stub) or exercise.name
    title, _, rest = text.partition("\n")
    docs = {n.name: ast.get_docstring(n) or "" for n in stub.body if isinstance(n, ast.FunctionDef)}
    rows = []
    for name in exercise.functions:
        points = [sum(c.points for c in exercise.checks if c.function == name and c.public == public)
                  for public in (True, False)]
        rows.append(f"| `{name}` | {docs.get(name, '').partition(chr(10))[0]} | {points[0]:g} | {points[1]:g} |")
    return "\n".join([
        f"# Exercise {exercise.number:02d}: {title}", "", rest.strip(), "",
        f"Write the functions of `{exercise.name}.py`; each docstring says what is wanted.", "",
        "| function | what it computes | points here | points at grading |", "|---|---|---|---|", *rows, "",
        f"Run `pytest` in this folder to see where you stand, or `minigen exercise check {exercise.name}.py`.",
        "A failed check says what was tried, what came out, which property is violated, and where to look.", ""])


def pytest_checks(file: str) -> Callable:
    """For `test_topic.py`: one parametrised test per public check of the exercise that `file` belongs to.

    The exercise is the folder of `file` where it holds the records, else the installed one of that topic; the
    submission is `topic.py` beside `file`. It runs once, in one child, when the first test asks.
    """
    import pytest

    here = Path(file).resolve()
    own = (here.parent / "checks.py").is_file()
    exercise = load_exercise(here.parent) if own else find_exercise(here.stem.removeprefix("test_"))
    results: list[Result] = []

    @pytest.mark.parametrize("name", [c.name for c in exercise.checks if c.public])
    def test(name: str) -> None:
        if not results:
            results.append(check(here.parent / f"{exercise.name}.py", exercise))
        [row] = [c for c in results[0].checks if c.name == name]
        if not row.passed:
            said = [f"  feedback  {sentence}" for sentence in results[0].feedback_for(row.function)]
            pytest.fail("\n".join([row.message(), *said]), pytrace=False)

    return test


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
