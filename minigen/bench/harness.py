"""Paired timing: every peer is a process of its own, and the peers take short turns, so a slow minute slows them all.

A worker builds its step, then waits. The coordinator wakes the workers in turn, round after round, and asks each for a
block of steps. What counts is the ratio of two peers within one round; its median over the rounds is reported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .case import Case

BLOCK_SECONDS = 0.15
PAUSE_SECONDS = 0.05  # the threads of a peer spin for a while after its turn; they must be asleep in the next one's
LAST_SECONDS = 2.0
INTERRUPTED = "interrupted"
SETTINGS = {"A": {"OPENBLAS_CORETYPE": "Haswell"}, "B": {}}
"""BLAS settings: A holds NumPy's products to AVX2 on every x86 processor, B leaves the choice to the library."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Spread(NamedTuple):
    """Median and quartiles over the rounds."""

    median: float
    low: float
    high: float


@dataclass
class Timing:
    """Seconds per step of one peer, one number per round, and of its first step; `absent` says why there are none."""

    peer: str
    absent: str = ""
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def spread(self) -> Spread:
        """Of the seconds per step."""
        return _quartiles(self.seconds)

    def ratio(self, other: Timing) -> Spread:
        """Of this peer's time over the other's, round by round."""
        return _quartiles(np.divide(self.seconds, other.seconds))


@dataclass
class Race:
    """What one case gave under one setting; `interrupted` where not every round was run."""

    case: Case
    setting: str
    threads: int
    timings: dict[str, Timing]
    interrupted: bool = False


class Worker:
    """A process that builds one step and runs blocks of it when asked. Ctrl-C in the terminal does not reach it."""

    def __init__(self, case: Case, peer: str, threads: int, setting: str):
        env = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        env.pop("OPENBLAS_CORETYPE", None)
        env.update(SETTINGS[setting])
        words = [sys.executable, "-m", "minigen.bench.worker", case.module, peer, str(threads),
                 "times-itself" if case.times_itself else "timed"]
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(words, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, start_new_session=True)

    def answer(self) -> dict | float:
        """The next line; RuntimeError with the last line of its errors where the process has ended."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.errors.seek(0)
        said = [text for text in self.errors.read().splitlines() if text.strip()]
        raise RuntimeError(said[-1].strip() if said else f"exit code {code}, without a word")

    def block(self, steps: int) -> float:
        """Seconds per step of a block; RuntimeError where the process has ended."""
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; the answer that does not come says why
        return self.answer()

    def close(self) -> None:
        """End the process; it clears up behind itself if it is quick about it."""
        self.process.terminate()
        try:
            self.process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # the process ended before it had read its last order


def compare(case: Case, *, threads: int, rounds: int, setting: str,
            report: Callable[[str], None] = lambda line: None) -> Race:
    """Time the peers of a case against each other. On Ctrl-C the workers end and what was measured is returned."""
    race, awake = Race(case, setting, threads, {peer: Timing(peer) for peer in case.peers}), {}
    try:
        for peer in case.peers:
            report(f"{peer}: first step")
            _wake(race, peer, awake)
        steps = {peer: _steps_of_a_block(race, peer, awake) for peer in list(awake)}
        for i in range(rounds):
            report(f"round {i + 1} of {rounds}")
            for peer in list(awake) if i % 2 else list(awake)[::-1]:  # no peer always follows the same one
                time.sleep(PAUSE_SECONDS)
                _take_turn(race, peer, awake, steps[peer])
    except KeyboardInterrupt:
        race.interrupted = True
        _keep_whole_rounds(race)
    finally:
        for worker in awake.values():
            worker.close()
    return race


def _wake(race: Race, peer: str, awake: dict[str, Worker]) -> None:
    timing = race.timings[peer]
    awake[peer] = Worker(race.case, peer, race.threads, race.setting)
    try:
        answer = awake[peer].answer()
    except RuntimeError as error:
        answer = {"absent": f"ended before its first step: {error}"}
    timing.absent, timing.first = answer.get("absent", ""), answer.get("first", 0.0)
    if timing.absent:
        awake.pop(peer).close()


def _steps_of_a_block(race: Race, peer: str, awake: dict[str, Worker]) -> int:
    """How many steps fill a block; one where the steps time themselves."""
    if race.case.times_itself:
        return 1
    try:
        seconds = awake[peer].block(1)
        if seconds < BLOCK_SECONDS:
            seconds = min(seconds, awake[peer].block(3), awake[peer].block(3))
    except RuntimeError as error:
        _drop(race, peer, awake, f"ended before the first round: {error}")
        return 1
    return max(1, int(BLOCK_SECONDS / seconds))


def _take_turn(race: Race, peer: str, awake: dict[str, Worker], steps: int) -> None:
    """One block of steps."""
    seconds = race.timings[peer].seconds
    try:
        seconds.append(awake[peer].block(steps) * race.case.passes.get(peer, 1))
    except RuntimeError as error:
        _drop(race, peer, awake, f"ended in round {len(seconds) + 1}: {error}")


def _drop(race: Race, peer: str, awake: dict[str, Worker], why: str) -> None:
    """A peer whose process has ended is absent, whatever it did before."""
    race.timings[peer].absent = why
    race.timings[peer].seconds.clear()
    awake.pop(peer).close()


def _keep_whole_rounds(race: Race) -> None:
    """Of an interrupted race, the rounds in which every peer had its turn."""
    present = [timing for timing in race.timings.values() if not timing.absent]
    whole = min((len(timing.seconds) for timing in present), default=0)
    for timing in present:
        del timing.seconds[whole:]
        timing.absent = "" if whole else INTERRUPTED


def _quartiles(values: Sequence[float]) -> Spread:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(middle), float(low), float(high))
