"""The runner: every way in which a lecture can end, and what `minigen check` says and returns."""

import json
import re

import pytest

from minigen.checks import Ledger, check_command, run_ledger
from minigen.checks import runner as room
from minigen.checks.required import CLAIMS, required_ids
from minigen.checks.runner import lecture_number, run_files

GOOD = """
import os
from minigen.checks import claim, erratum

open("scratch", "w").write(os.getcwd())
claim("one", r"\\theta = 1", lhs=1 + 1e-12, rhs=1)
erratum("D9", printed=2, right=1 + 1e-12, truth=1)
"""
ENDINGS = {
    "05_good.py": GOOD + "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()\n",
    "06_false.py": GOOD + 'claim("two", "x", lhs=1.5, rhs=1)\nclaim("three", "x", lhs=2, rhs=2)\n',
    "07_raises.py": GOOD + "\n\n1 / 0\n",
    "08_twice.py": GOOD + 'claim("one", "x", lhs=1, rhs=1)\n',
    "09_exits.py": GOOD + "raise SystemExit(0)\n",
    "10_dies.py": GOOD + "os._exit(3)\n",
    "13_syntax.py": "def f(:\n",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lectures")
    for name, text in ENDINGS.items():
        (folder / name).write_text(text, encoding="utf-8")
    ledger = run_files(sorted(folder.iterdir()), jobs=2)
    assert sorted(p.name for p in folder.iterdir()) == sorted(ENDINGS)  # scratch files went elsewhere
    return ledger


def rows(ledger, lecture):
    return [row for row in ledger.rows if row.lecture == lecture]


def test_a_good_lecture_gives_its_rows_in_order_and_its_time(ledger):
    assert [(row.id, row.holds) for row in rows(ledger, 5)] == [("one", True), ("D9", True)]
    run = ledger.runs[0]
    assert run.name == "05_good" and run.error == "" and 0 < run.seconds < 60


def test_a_false_claim_does_not_stop_the_lecture(ledger):
    assert [row.holds for row in rows(ledger, 6)] == [True, True, False, True]


@pytest.mark.parametrize(
    "lecture, note, kept",
    [
        (7, r"ZeroDivisionError: division by zero \(07_raises.py, line 10\)", 2),
        (8, "ValueError: one: this id is in the ledger already", 2),
        (9, "SystemExit: 0", 2),
        (10, "the process ended with code 3 before its ledger was written", 0),
        (13, "SyntaxError", 0),
    ],
)
def test_a_lecture_that_does_not_end_well_is_a_failed_row(ledger, lecture, note, kept):
    *before, last = rows(ledger, lecture)
    assert len(before) == kept and not last.holds and last.kind == "run"
    assert re.search(note, last.note), last.note
    assert not ledger.passed


def test_a_lecture_that_hangs_is_stopped(tmp_path):
    path = tmp_path / "12_hangs.py"
    path.write_text("import time\nprint('x' * 200_000)\ntime.sleep(60)\n")
    ledger = run_files([path], deadline=1.5)
    assert ledger.failures[0].note == "stopped after 1.5 s" and ledger.runs[0].seconds < 30


def put(monkeypatch, tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(room, "lecture_files", lambda: sorted(tmp_path.glob("[0-9][0-9]_*.py")))
    monkeypatch.setattr(room, "find_lecture", lambda name: tmp_path / name)


def test_a_required_lecture_without_a_file_fails(monkeypatch, tmp_path):
    put(monkeypatch, tmp_path, {"33_good.py": GOOD})
    ledger = run_ledger()
    assert {row.lecture for row in ledger.failures} == set(CLAIMS)
    assert all("there is no file" in row.note for row in ledger.failures)
    assert ledger.missing() == [(n, id) for n in sorted(CLAIMS) for id in required_ids(n)]
    assert run_ledger(["33_good.py"]).passed


def test_check_command_exits_0_or_1_and_writes_json(monkeypatch, tmp_path, capsys):
    put(monkeypatch, tmp_path, {"33_good.py": GOOD, "34_false.py": ENDINGS["06_false.py"], "02_short.py": GOOD})
    out = tmp_path / "out.json"
    monkeypatch.setenv("COLUMNS", "150")
    assert check_command(["33_good.py"], out) == 0
    shown = capsys.readouterr().out
    assert "θ = 1" in shown and "holds" in shown and "right: log q(z)" in shown
    monkeypatch.setenv("COLUMNS", "80")
    assert check_command(["33_good.py"], out) == 0
    assert "right: log q(z) -" in capsys.readouterr().out
    data = json.loads(out.read_text(encoding="utf-8"))
    assert data["passed"] and len(data["rows"]) == 2 and data["lectures"][0]["name"] == "33_good"
    assert check_command(["34_false.py"], out) == 1
    assert "FAILS" in capsys.readouterr().out
    assert not Ledger.read_json(out).passed
    assert check_command(["02_short.py"]) == 1
    assert "lecture 02 must execute and did not: evidence-closed-form" in capsys.readouterr().out


def test_check_command_exits_2_with_one_line(tmp_path, capsys, monkeypatch):
    assert check_command(["no_such_lecture"]) == 2
    assert "lecture 'no_such_lecture' does not exist" in capsys.readouterr().err
    assert check_command(["01"], tmp_path / "none" / "out.json") == 2
    assert "not a file in an existing folder" in capsys.readouterr().err
    put(monkeypatch, tmp_path, {"33_good.py": GOOD})

    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "write_json", full)
    assert check_command(["33_good.py"], tmp_path / "out.json") == 2
    assert "No space left on device" in capsys.readouterr().err


def test_a_lecture_file_has_a_number(tmp_path):
    assert lecture_number(tmp_path / "11_vae.py") == 11
    with pytest.raises(ValueError, match="named NN_topic.py"):
        lecture_number(tmp_path / "vae.py")
