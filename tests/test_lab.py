"""The student's copy never takes anything back; JupyterLab is on loopback and asks nobody for news."""

import importlib.util
import json
import os
import re
import socket
import urllib.error
import urllib.request

import pytest

from minigen import lab, resources
from minigen.lab import LabError, student_copy

SOLUTION = '''"""Doubling.

Write double.
"""


def double(x):
    """2 x."""
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION
'''
CHECKS = """from minigen.grading import Check, Value
CHECKS = [Check("twice", "double", states="f(x) = 2 x", inputs=lambda rng: (rng.normal(size=3),),
                expected=lambda x: x + x, compare=Value(), hint="add x to itself")]
"""
DELIVERED = (
    "lectures/01_try.ipynb", "lectures/02_next.ipynb",
    "exercises/01_try/try.py", "exercises/01_try/test_try.py", "exercises/01_try/README.md",
)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A checkout with two lectures and one exercise, in which the package of `resources` lies."""
    root = tmp_path / "house"
    exercise = root / "exercises" / "01_try"
    for folder in (root / "minigen", root / "lectures" / ".ipynb_checkpoints", exercise / "__pycache__"):
        folder.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    for name in ("01_try.py", "01_try.ipynb", "02_next.ipynb", "notes.ipynb"):
        (root / "lectures" / name).write_text(f"first version of {name}")
    (exercise / "solution.py").write_text(SOLUTION)
    (exercise / "checks.py").write_text(CHECKS)
    (exercise / "mutants.py").write_text("")
    (exercise / "try.py").write_text(SOLUTION.replace("return 2 * x", "raise NotImplementedError"))
    (exercise / "test_try.py").write_text("test = None\n")
    (exercise / "__pycache__" / "solution.pyc").touch()
    (root / "exercises" / "README.md").write_text("for authors")
    monkeypatch.setattr(resources, "PACKAGE", root / "minigen")
    monkeypatch.chdir(tmp_path)
    return root


def files(folder):
    """Every file below a folder but the manifest, name -> text."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != lab.MANIFEST)
    return {p.relative_to(folder).as_posix(): p.read_text() for p in found}


def test_a_first_copy_has_what_students_get_and_nothing_else(house, tmp_path):
    summary = student_copy()
    here = files(tmp_path / lab.DEFAULT_FOLDER)
    assert summary.new == DELIVERED and set(here) == set(DELIVERED)
    assert here["lectures/01_try.ipynb"] == "first version of 01_try.ipynb"
    assert "# Exercise 01: Doubling." in here["exercises/01_try/README.md"]
    assert not [name for name, text in here.items() if "return 2 * x" in text or "expected=" in text]
    assert str(summary) == "minigen-lectures: 5 new, 0 refreshed, 0 unchanged files"


def test_a_changed_file_stays_the_students_and_an_untouched_one_follows(house, tmp_path):
    copy = tmp_path / "mine"
    student_copy(copy)
    (copy / "lectures" / "01_try.ipynb").write_text("my notes")
    (copy / "exercises" / "01_try" / "try.py").write_text("my work")
    (copy / "lectures" / "scratch.ipynb").write_text("my own")
    for name in ("01_try.ipynb", "02_next.ipynb"):
        (house / "lectures" / name).write_text("second version")

    for round in range(2):  # the second time nothing is left to do, and still nothing is taken
        summary = student_copy(copy)
        here = files(copy)
        assert here["lectures/01_try.ipynb"] == "my notes" and here["exercises/01_try/try.py"] == "my work"
        assert here["lectures/scratch.ipynb"] == "my own"
        assert here["lectures/02_next.ipynb"] == "second version"
        assert summary.kept == ("lectures/01_try.ipynb", "exercises/01_try/try.py")
        assert summary.refreshed == (("lectures/02_next.ipynb",) if round == 0 else ())
    assert "yours, left alone (delete one to get it anew): lectures/01_try.ipynb, exercises" in str(summary)

    (copy / "lectures" / "01_try.ipynb").write_text("first version of 01_try.ipynb")  # the notes undone
    assert student_copy(copy).refreshed == ("lectures/01_try.ipynb",)
    (copy / "lectures" / "01_try.ipynb").unlink()
    assert student_copy(copy).new == ("lectures/01_try.ipynb",)
    assert files(copy)["lectures/01_try.ipynb"] == "second version"


def test_a_file_that_was_there_before_us_is_never_overwritten(house, tmp_path):
    (tmp_path / "mine" / "lectures").mkdir(parents=True)
    (tmp_path / "mine" / "lectures" / "01_try.ipynb").write_text("from last year")
    assert student_copy("mine").kept == ("lectures/01_try.ipynb",)
    assert files(tmp_path / "mine")["lectures/01_try.ipynb"] == "from last year"


@pytest.mark.parametrize("damage", ["{", "[]", '{"lectures/01_try.ipynb": 3}', None])
def test_without_its_manifest_a_copy_keeps_whatever_differs(house, tmp_path, damage):
    copy = tmp_path / "mine"
    student_copy(copy)
    (copy / lab.MANIFEST).unlink() if damage is None else (copy / lab.MANIFEST).write_text(damage)
    (house / "lectures" / "01_try.ipynb").write_text("second version")
    assert student_copy(copy).kept == ("lectures/01_try.ipynb",)
    assert json.loads((copy / lab.MANIFEST).read_text())["lectures/02_next.ipynb"]
    assert student_copy(copy).kept == ("lectures/01_try.ipynb",), "nor at the next start"


def test_a_full_disk_leaves_whole_files(house, tmp_path, monkeypatch):
    student_copy("mine")
    for name in ("01_try.ipynb", "02_next.ipynb"):
        (house / "lectures" / name).write_text("second version")

    def full(source, target):
        if "02_next" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    replace = os.replace
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(LabError, match="cannot write lectures and exercises to mine: .*No space left"):
        student_copy("mine")
    here = files(tmp_path / "mine")
    assert set(here) == set(DELIVERED) and here["lectures/02_next.ipynb"] == "first version of 02_next.ipynb"
    monkeypatch.setattr(os, "replace", replace)
    again = student_copy("mine")
    assert again.refreshed == ("lectures/02_next.ipynb",) and not again.kept


def test_folders_that_cannot_hold_a_copy_are_one_clear_error(house, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="file"):
        student_copy("file")
    (tmp_path / "odd" / "lectures" / "01_try.ipynb").mkdir(parents=True)
    with pytest.raises(LabError, match="cannot read odd/lectures/01_try.ipynb"):
        student_copy("odd")
    before = files(house)
    with pytest.raises(LabError, match="holds the lectures themselves; expected another folder"):
        student_copy(house)
    assert files(house) == before


def test_a_missing_jupyterlab_or_a_taken_port_is_said_before_anything_is_written(house, tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port} cannot be used .*; choose another"):
            lab.open_lab("mine", browser=False, port=port)
    with pytest.raises(LabError, match="port is 70000; expected 1 to 65535"):
        lab.open_lab("mine", browser=False, port=70000)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match="JupyterLab is not installed; install it with"):
        lab.open_lab("mine", browser=False)
    assert not (tmp_path / "mine").exists()


def test_lab_looks_for_no_updates_news_or_extensions(tmp_path):
    labapp = pytest.importorskip("jupyterlab.labapp", reason="JupyterLab is not installed")
    app = labapp.LabApp()
    app.parse_command_line(lab._arguments(tmp_path, browser=False, port=8889))
    assert app.check_for_updates_class.__name__ == "NeverCheckForUpdate"
    assert app.news_url is None and app.extension_manager == "readonly"


def test_lab_serves_the_copy_on_loopback_without_news(house, tmp_path, start_lab):
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    server = start_lab(tmp_path / "mine", house / "minigen")
    listing = json.loads(server.ask("/api/contents/lectures"))
    assert sorted(entry["name"] for entry in listing["content"]) == ["01_try.ipynb", "02_next.ipynb"]
    assert json.loads(server.ask("/lab/api/news"))["news"] == []
    page = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', server.ask("/lab"), re.S)
    assert json.loads(page[1])["news"] == {"disabled": True}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(server.url("/api/contents"), timeout=5)
    with pytest.raises(OSError):  # a server on all addresses would answer here
        socket.create_connection(("127.0.0.2", server.port), timeout=1)
    assert "mine: 5 new, 0 refreshed, 0 unchanged files" in server.log.read_text()
