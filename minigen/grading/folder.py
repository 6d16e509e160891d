"""Exercises on disk: one folder `NN_topic` each, read into one record.

solution.py   functions with marked regions            mutants.py    wrong versions (may be absent)
topic.py      the stub, built from it                  drivers.py    functions that run in the child (may be absent)
checks.py     CHECKS, and optionally MAY_IMPORT, WITHHELD
test_topic.py two lines that hand the public checks to pytest
"""
import ast
import importlib.util
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from minigen import resources

from . import stubs
from .records import Check, Mutant

_fresh = itertools.count()


@dataclass(frozen=True)
class Exercise:
    """Everything about one exercise; `id` is its folder's name, `name` that without the number.

    may_import  minigen modules that a submission may import (packages with all below them); no others
    withheld    dotted functions inside those that hold the answer: calling them raises in the child
    """

    folder: Path
    checks: tuple[Check, ...]
    mutants: tuple[Mutant, ...]
    drivers: str
    may_import: tuple[str, ...]
    withheld: tuple[str, ...]

    @property
    def id(self) -> str:
        """Folder name, such as `11_vae`."""
        return self.folder.name

    @property
    def number(self) -> int:
        """Number of its lecture."""
        return int(self.id.split("_")[0])

    @property
    def name(self) -> str:
        """Topic, such as `vae`: the name of the student's file without `.py`."""
        return self.id.split("_", 1)[1]

    @property
    def stub_path(self) -> Path:
        """The file that students fill in."""
        return self.folder / f"{self.name}.py"

    @property
    def solution(self) -> str:
        """Source text of the solution."""
        return (self.folder / "solution.py").read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """First line of the stub's docstring."""
        doc = ast.get_docstring(ast.parse(self.stub_path.read_text(encoding="utf-8"))) or self.name
        return doc.splitlines()[0]

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions under test, in the order of the checks."""
        return tuple(dict.fromkeys(check.function for check in self.checks))

    def points(self, visibility: str | None = None) -> float:
        """Points of all checks, or of the public or hidden ones."""
        return sum(c.points for c in self.checks if visibility in (None, c.visibility))

    def with_mutant(self, mutant: Mutant) -> str:
        """The solution's source with one function replaced by a wrong one."""
        return stubs.replace_function(self.solution, mutant.function, mutant.source)


def load_exercise(folder: Path) -> Exercise:
    """Read one exercise folder; ValueError when its records contradict each other."""
    folder = Path(folder)
    if not re.fullmatch(r"\d\d_[a-z][a-z0-9_]*", folder.name):
        raise ValueError(f"load_exercise: the folder is named {folder.name!r}; expected NN_topic")
    module = _execute(folder / "checks.py")
    checks = tuple(getattr(module, "CHECKS", ()))
    if not checks or not all(isinstance(c, Check) for c in checks):
        raise ValueError(f"{folder.name}/checks.py: CHECKS is {checks!r:.60}; expected a list of Check records")
    names = [c.name for c in checks]
    if len(set(names)) < len(names):
        raise ValueError(f"{folder.name}/checks.py: two checks are named {max(names, key=names.count)!r}")
    drivers = folder / "drivers.py"
    text = drivers.read_text(encoding="utf-8") if drivers.exists() else ""
    for check in checks:
        if check.driver and check.driver not in stubs.functions(text):
            raise ValueError(f"{folder.name}: check {check.name!r} names driver {check.driver!r}; "
                             f"drivers.py has {sorted(stubs.functions(text))}")
    return Exercise(folder, checks, _mutants(folder, checks), text,
                    tuple(getattr(module, "MAY_IMPORT", ())), tuple(getattr(module, "WITHHELD", ())))


def list_exercises(root: Path | None = None) -> list[Exercise]:
    """All exercises, by number."""
    root = Path(root) if root else resources.exercises_dir()
    return [load_exercise(p.parent) for p in sorted(root.glob("[0-9][0-9]_*/checks.py"))]


def find_exercise(which: str | int, root: Path | None = None) -> Exercise:
    """By number (11), folder (11_vae) or topic (vae); ValueError that lists what there is."""
    root = Path(root) if root else resources.exercises_dir()
    folders = sorted(p.parent for p in root.glob("[0-9][0-9]_*/checks.py"))
    for folder in folders:
        number, name = folder.name.split("_", 1)
        if str(which) in (folder.name, name, number, number.lstrip("0")):
            return load_exercise(folder)
    raise ValueError(f"no exercise is called {which!r}; there are {', '.join(f.name for f in folders) or 'none'}")


def _mutants(folder: Path, checks: tuple[Check, ...]) -> tuple[Mutant, ...]:
    path = folder / "mutants.py"
    if not path.exists():
        return ()
    found = tuple(v for v in vars(_execute(path)).values() if isinstance(v, Mutant))
    for mutant in found:
        if mutant.function not in {c.function for c in checks}:
            raise ValueError(
                f"{folder.name}/mutants.py: {mutant.name} replaces {mutant.function!r}, which no check tests")
    return found


def _execute(path: Path) -> ModuleType:
    """Run a file of the exercise's author as a module of its own; nothing is left in sys.modules."""
    spec = importlib.util.spec_from_file_location(f"_minigen_exercise_{next(_fresh)}", path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module
