"""The timing: turns, absent peers, peers that end, what a worker's process is told, Ctrl-C."""

import os

import pytest

from minigen.bench import harness
from minigen.bench.harness import compare


def test_ratios_of_peers_of_known_speed(fake):
    race = compare(fake({"quick": ("slow", "talkative")}), threads=1, rounds=3, setting="B")
    quick, slow, talkative = (race.timings[name] for name in ("quick", "slow", "talkative"))
    assert [len(t.seconds) for t in (quick, slow, talkative)] == [3, 3, 3]
    assert 0.002 < quick.spread().median < 0.006 <= slow.spread().median
    ratio = quick.ratio(slow)
    assert 0.2 < ratio.low <= ratio.median <= ratio.high < 0.95
    assert 0.002 < talkative.spread().median  # what it prints is not taken for its seconds


def test_absent_peers_say_why(fake):
    case = fake({"quick": ("missing", "refused", "broken", "crashes", "dies", "vanishes")})
    race = compare(case, threads=1, rounds=4, setting="B")
    said = {name: timing.absent for name, timing in race.timings.items()}
    assert said["quick"] == "" and len(race.timings["quick"].seconds) == 4
    assert said["missing"] == "not installed: a_package_that_nobody_has"
    assert said["refused"] == "no compiler on this machine"
    assert said["broken"] == "failed: ZeroDivisionError: nothing to divide by"
    assert said["crashes"] == "ended before its first step: Illegal instruction (core dumped)"
    assert said["dies"].startswith("ended in round ") and said["dies"].endswith(": Illegal instruction (core dumped)")
    assert said["vanishes"] == "ended before the first round: exit code 9, without a word"
    assert not any(race.timings[name].seconds for name in said if said[name])


@pytest.mark.parametrize(("setting", "held"), [("A", 1.0), ("B", 2.0)])
def test_what_a_worker_is_told(fake, monkeypatch, setting, held):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")  # what the user has set decides neither setting
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    race = compare(fake({"threads": ("processors", "held")}, times_itself=True), threads=1, rounds=1, setting=setting)
    assert {name: t.seconds for name, t in race.timings.items()} == {"threads": [1.0], "processors": [1.0],
                                                                     "held": [held]}


def test_passes_multiply(fake):
    case = fake({"threads": ("held",)}, times_itself=True, passes={"held": 50})
    race = compare(case, threads=1, rounds=2, setting="A")
    assert race.timings["held"].seconds == [50.0, 50.0] and race.timings["threads"].seconds == [1.0, 1.0]


@pytest.mark.parametrize(("at", "rounds", "absent"), [("round 3", 2, ""), ("round 1", 0, "interrupted"),
                                                      ("slow: first", 0, "interrupted")])
def test_ctrl_c_keeps_whole_rounds_and_ends_every_worker(fake, monkeypatch, at, rounds, absent):
    started, turns = [], []

    class Watched(harness.Worker):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self.process)

        def block(self, steps):
            turns.append(steps)
            if at == "round 3" and len(turns) == 2 * 3 + 2 * 2 + 2:  # in the middle of the third round
                raise KeyboardInterrupt
            return super().block(steps)

    def report(doing):
        if doing.startswith(at) and at != "round 3":
            raise KeyboardInterrupt

    monkeypatch.setattr(harness, "Worker", Watched)
    race = compare(fake({"quick": ("slow",)}), threads=1, rounds=5, setting="B", report=report)
    assert race.interrupted
    assert [(len(t.seconds), t.absent) for t in race.timings.values()] == [(rounds, absent)] * 2
    assert started and all(process.poll() is not None for process in started)


def test_a_worker_is_out_of_reach_of_ctrl_c(fake):
    worker = harness.Worker(fake({"quick": ("slow",)}), "quick", 1, "B")
    try:
        assert worker.answer()["first"] > 0
        assert os.getpgid(worker.process.pid) != os.getpgid(0)
    finally:
        worker.close()
    assert worker.process.poll() is not None
