"""What `minigen bench` prints and writes: verdicts, JSON, summary, figure, mistakes, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minigen.bench import machine, tables
from minigen.bench.case import Case, targets
from minigen.bench.figure import ratios
from minigen.bench.harness import Race, Timing
from minigen.bench.report import run
from minigen.bench.verdicts import verdicts

RACES = {"ours": ("torch", "jax", "floor")}


def raced(setting="A", interrupted=False, **seconds):
    """A race that was not run: seconds of every peer, or why it is absent."""
    case = Case("case", "a title", "nowhere", races=RACES,
                targets=targets("ours", A={"torch": 0.5, "jax": 1.0, "floor": 1.2}, B={"torch": 0.25}))
    timings = {name: Timing(name, absent=s) if isinstance(s, str) else Timing(name, first=1.0, seconds=s)
               for name, s in seconds.items()}
    return Race(case, setting, 2, timings, interrupted)


@pytest.fixture
def race():
    return raced(ours=[1.0, 2.0, 3.0], torch=[2.0, 4.0, 6.0], jax="not installed: jax", floor=[0.5, 1.0, 3.0])


def test_verdicts(race):
    met, unknown, missed = verdicts(race)
    assert (met.word, tuple(met.ratio)) == ("met", (0.5, 0.5, 0.5))  # at most: equal is met
    assert (unknown.word, unknown.ratio, unknown.absent) == ("not measured", None, "jax: not installed: jax")
    assert (missed.word, tuple(missed.ratio)) == ("missed", (2.0, 1.5, 2.0))
    spread = raced(ours=[0.4, 0.6, 0.6], torch=[1.0] * 3, jax="", floor=[9.0] * 3)
    spread.timings["jax"].seconds = [0.5] * 3
    assert [v.word for v in verdicts(spread)] == ["missed", "missed", "met"]  # by the median, not the best quarter
    assert [v.word for v in verdicts(raced("B", ours=[1.0], torch=[2.0], jax=[1.0], floor=[1.0]))] == ["missed", "", ""]


def test_the_ratio_is_the_median_of_paired_rounds():
    drifting = raced(ours=[1.0, 10.0, 4.0], torch=[4.0, 20.0, 16.0], jax=[1.0] * 3, floor=[1.0] * 3)
    assert verdicts(drifting)[0].ratio.median == 0.25  # of the medians it would be 4 / 16, of the means 15 / 40
    drifting.timings["torch"].seconds = [2.0, 5.0, 40.0]
    assert verdicts(drifting)[0].ratio.median == 0.5  # of the medians 4 / 5


@pytest.mark.parametrize(("x", "text"), [(None, ""), (0.3525, "0.352"), (1.0, "1"), (12.345, "12.3"),
                                         (1 / 500, "1/500"), (0.0199, "1/50"), (0.02, "0.02")])
def test_numbers(x, text):
    assert tables.number(x) == text


def test_summary_is_a_markdown_table(race):
    lines = tables.summary([race, raced("B", ours=[1.0], torch=[8.0], jax="gone", floor=[1.0])]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(line) for line in lines} == {len(lines[0])} and {len(row) for row in cells} == {4}
    assert set("".join(cells[1])) == {"-"} and cells[0][2:] == ["setting A", "setting B"]
    assert cells[2][1:] == ["ours / torch eager", "0.5 (0.5-0.5), at most 0.5: met",
                            "0.125 (0.125-0.125), at most 0.25: met"]
    assert cells[3][1:] == ["ours / jax jit", "absent, at most 1: not measured", "absent"]
    assert cells[4][2:] == ["2 (1.5-2), at most 1.2: missed", "1 (1-1)"]


def test_figure_draws_every_measured_pair_and_target(race):
    drawn = ratios([race, raced("B", ours=[1.0], torch=[8.0], jax=[2.0], floor=[1.0])])
    (axes,) = drawn.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "ours / torch eager", "ours / floor: products alone", "ours / jax jit"]
    ends = sorted(round(bar.get_x() + bar.get_width(), 6) for bar in axes.patches)
    assert ends == [0.125, 0.5, 0.5, 1.0, 2.0] and all(bar.get_x() == 1 for bar in axes.patches)
    drawn_targets = sorted(line.get_xdata()[0] for line in axes.lines if line.get_markeredgewidth() == 2.5)
    assert drawn_targets == [0.25, 0.5, 1.2]
    whiskers = {tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2}
    assert (1.5, 2.0) in whiskers
    told = " ".join([drawn.get_suptitle(), axes.get_xlabel(), axes.get_title(loc="left"),
                     *(t.get_text() for t in drawn.legends[0].get_texts())])
    assert all(word in told for word in ("Time of minigen", "threads: 2", "no unit", "faster", "a title", "setting A",
                                         "setting B", "quartiles", "target"))


def test_a_run_prints_and_writes_all_of_it(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    case = fake({"quick": ("slow", "missing")}, {"B": {"slow": 0.9, "missing": 0.5}, "A": {"slow": 0.001}})
    races = run(["fake", "fake"], cases={"fake": case}, rounds=1, threads=1, settings="BAB",
                json_path=tmp_path / "bench.json", figure_path=tmp_path / "bench.png")
    out = capsys.readouterr().out
    assert [race.setting for race in races] == ["B", "A"]
    assert all(words in out for words in ("vector sets", "threads: 1, rounds: 1", "at most 1/1000: missed", ": met"))
    assert "absent: missing: not installed: a_package_that_nobody_has" in out
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["format"] == "minigen.bench/1" and not written["interrupted"] and written["machine"]["cores"] >= 1
    first = written["results"][0]
    assert (first["case"], first["setting"], first["threads"]) == ("fake", "B", 1)
    quick, slow, missing = first["peers"]
    assert len(quick["rounds"]) == 1 and quick["seconds"] == quick["rounds"][0] and quick["first"] > 0
    assert missing == {"peer": "missing", "absent": "not installed: a_package_that_nobody_has"}
    pair = first["ratios"][0]
    assert pair["ratio"] == pytest.approx(quick["seconds"] / slow["seconds"])
    assert (pair["ours"], pair["peer"], pair["at_most"], pair["verdict"]) == ("quick", "slow", 0.9, "met")
    assert (tmp_path / "bench.png").read_bytes()[:4] == b"\x89PNG"
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.png"}


def test_fresh_processes_race_under_one_setting_only(fake):
    races = run(cases={"fake": fake({"threads": ("held",)}, times_itself=True)}, rounds=9, threads=1, settings="AB")
    assert [race.setting for race in races] == ["B"] and len(races[0].timings["held"].seconds) == 5


@pytest.mark.parametrize(("options", "told"), [
    ({"names": ["gan"]}, "'gan' is not a case; there are: fake"),
    ({"threads": 0}, "threads and rounds must be at least 1, got 0 and 15"),
    ({"rounds": 0}, "got 2 and 0"),
    ({"settings": "C"}, "settings is 'C'; expected A, B or AB"),
    ({"settings": ""}, "settings is ''"),
    ({"json_path": Path("nowhere") / "bench.json"}, "its folder does not exist"),
    ({"figure_path": Path("nowhere") / "bench.png"}, "its folder does not exist"),
])
def test_mistakes_are_named_before_anything_runs(fake, options, told):
    with pytest.raises(ValueError, match="bench: ") as error:
        run(cases={"fake": fake({"broken": ()})}, **options)
    assert told in str(error.value)


def test_nothing_measured_is_said(fake, tmp_path, capsys):
    run(cases={"fake": fake({"missing": ("refused",)}, {"A": {"refused": 1.0}})}, rounds=1, threads=1, settings="A",
        figure_path=tmp_path / "bench.png")
    out = capsys.readouterr().out
    assert "nothing was measured" in out and "no figure" in out and not (tmp_path / "bench.png").exists()


INTERRUPTED = """
import minigen.bench.harness as harness
from minigen import cli
from minigen.bench.case import Case
from minigen.bench.catalogue import CASES
harness.BLOCK_SECONDS = harness.PAUSE_SECONDS = 0.02
CASES["fake"] = Case("fake", "sleepers", "fake_peers", races={"quick": ("tired",)})
cli.main()
"""


def test_ctrl_c_on_the_command_line(fake, tmp_path):
    fake({"quick": ()})  # the fake peers can be imported
    file = tmp_path / "bench.json"
    words = [sys.executable, "-c", INTERRUPTED, *"bench fake --rounds 10 --threads 1 --json".split(), str(file)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:  # then the first setting is done
        time.sleep(0.02)
    time.sleep(0.2)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal sends it: to the whole group
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and err.strip().endswith("what had been measured by then is above")
    assert "Traceback" not in err and "| case" in out
    written = json.loads(file.read_text())
    assert written["interrupted"] and len(written["results"][0]["peers"][0]["rounds"]) == 10


@pytest.mark.parametrize(("vendor", "sets", "told"), [
    ("GenuineIntel", ["AVX2", "AVX-512"], "to our disadvantage"),
    ("AuthenticAMD", ["AVX2", "AVX-512"], "as torch's own library holds itself"),
    ("", [], "not told by this system"),
])
def test_the_machine_in_words(vendor, sets, told):
    found = machine.describe() | {"vendor": vendor, "vector_sets": sets, "cores": 2, "load": 0.5}
    text = " ".join(machine.lines(found, 4))
    assert "load" not in text and "(load 0.7)" in " ".join(machine.lines(found | {"load": 0.7}, 4))
    assert told in text and "numpy" in text and "4 threads share 2 cores" in text
    assert ("Setting A holds" in text) == bool(sets)


def test_a_family_stands_for_its_cases(monkeypatch):
    monkeypatch.setattr("minigen.bench.report.FAMILIES", {"kin": ("one", "two")})
    with pytest.raises(ValueError, match="'one' is not a case"):
        run(["kin"], cases={"two": None})
