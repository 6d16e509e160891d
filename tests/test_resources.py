"""Lectures and exercises are found in a checkout and in a wheel, and an installation without them says so."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from minigen import resources

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with three lectures, and the package of `resources` in it."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "minigen").mkdir()
    (tmp_path / "exercises").mkdir()
    (tmp_path / "lectures").mkdir()
    for name in ("11_vae.py", "01_autodiff.py", "15_coupling_flows.py", "11_vae.ipynb", "notes.py", "conftest.py"):
        (tmp_path / "lectures" / name).touch()
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "minigen")
    return tmp_path


def test_a_checkout_has_them_beside_the_package(checkout):
    assert resources.lectures_dir() == checkout / "lectures"
    assert resources.exercises_dir() == checkout / "exercises"


def test_a_wheel_has_them_inside_whatever_lies_beside_it(checkout):
    for name in ("lectures", "exercises"):
        (checkout / "minigen" / "_bundle" / name).mkdir(parents=True)
    assert resources.lectures_dir() == checkout / "minigen" / "_bundle" / "lectures"
    assert resources.exercises_dir() == checkout / "minigen" / "_bundle" / "exercises"


def test_an_installation_without_them_is_one_clear_error(checkout):
    (checkout / "pyproject.toml").unlink()
    with pytest.raises(FileNotFoundError, match="no exercises: neither .*_bundle.* install it again with pip"):
        resources.exercises_dir()


def test_lectures_come_in_the_order_of_the_course(checkout):
    names = [path.name for path in resources.lecture_files()]
    assert names == ["01_autodiff.py", "11_vae.py", "15_coupling_flows.py"]


@pytest.mark.parametrize(
    "asked, found",
    [("11", "11_vae"), ("vae", "11_vae"), ("11_vae", "11_vae"), ("11_vae.ipynb", "11_vae"), ("1", "01_autodiff"),
     (1, "01_autodiff"), ("coupling_flows", "15_coupling_flows")],
)
def test_a_lecture_is_found_by_number_topic_or_name(checkout, asked, found):
    assert resources.find_lecture(asked) == checkout / "lectures" / f"{found}.py"


@pytest.mark.parametrize("asked", ["12", "va", "", "111", "flows", "../11_vae"])
def test_an_unknown_lecture_lists_what_there_is(checkout, asked):
    with pytest.raises(ValueError, match="does not exist; there are: 01_autodiff, 11_vae, 15_coupling_flows"):
        resources.find_lecture(asked)


def test_the_wheel_carries_lectures_and_exercises(tmp_path):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    sources = [path for folder in ("lectures", "exercises") for path in (ROOT / folder).rglob("*") if _travels(path)]
    assert {f"minigen/_bundle/{path.relative_to(ROOT).as_posix()}" for path in sources} <= held
    assert not [name for name in held if "__pycache__" in name]

    # Outside the repository, with that wheel alone, a student gets the lectures and exercises.
    said = subprocess.run(
        [sys.executable, "-c", "import minigen.lab as lab; print(lab.__file__); print(lab.student_copy('mine'))"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True, capture_output=True, text=True, timeout=120,
    ).stdout.split("\n")
    assert said[0] == str(tmp_path / "site" / "minigen" / "lab.py")
    copied = {p.relative_to(tmp_path / "mine").as_posix() for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    stubs = {f"exercises/{p.parent.name}/{p.parent.name[3:]}.py" for p in sources if p.name == "solution.py"}
    assert stubs | {f"lectures/{p.name}" for p in sources if p.suffix == ".ipynb"} <= copied
    assert stubs and not [name for name in copied if name.endswith(("solution.py", "mutants.py", "checks.py"))]


def _travels(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return path.is_file() and not any(part.startswith((".", "__")) for part in parts)
