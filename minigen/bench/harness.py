"""Paired timing: every peer is a process of its own, and the peers take short turns, so a slow minute slows them all.

A worker builds its step, then waits. The coordinator wakes the workers in turn, round after round, and asks each for a
block of steps. What counts is the ratio of two peers within one round; its median over the rounds is reported.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

BLOCK_SECONDS = 0.15
PAUSE_SECONDS = 0.05  # the threads of a peer spin for a while after its turn; they must be asleep in the next one's
SETTINGS = {"A": {"OPENBLAS_CORETYPE": "Haswell"}, "B": {}}
"""BLAS settings: A holds NumPy's products to AVX2 on every x86 processor, B leaves the choice to the library."""


@dataclass
class Timing:
    """Seconds per step of one peer, one number per round; `absent` says why there are none."""

    peer: str
    absent: str = ""
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median seconds per step."""
        return float(np.median(self.seconds))

    def ratio(self, other: Timing) -> tuple[float, float, float]:
        """Median and quartiles of this peer's time over the other's, round by round."""
        low, middle, high = np.quantile(np.divide(self.seconds, other.seconds), [0.25, 0.5, 0.75])
        return float(middle), float(low), float(high)


class Worker:
    """A process that builds one step and runs blocks of it when asked."""

    def __init__(self, step: str, threads: int, setting: str):
        counts = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(counts, str(threads))}
        env.pop("OPENBLAS_CORETYPE", None)
        env.update(SETTINGS[setting])
        self.process = subprocess.Popen([sys.executable, "-m", __name__, step], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ready(self) -> dict:
        """Seconds of the first step, or why the peer is absent."""
        line = self.process.stdout.readline()
        if not line:
            return {"absent": f"it ended: {self.process.stderr.read().strip().splitlines()[-1:]}"}
        return json.loads(line)

    def block(self, steps: int) -> float:
        """Seconds per step of a block, after two steps that are not counted."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def compare(steps: dict[str, str], *, threads: int = 2, rounds: int = 15, setting: str = "A",
            report: Callable[[str], None] = lambda line: None) -> list[Timing]:
    """Time the peers against each other. steps: name of the peer -> "module:function" that builds its step."""
    timings, awake = [], []
    for peer, step in steps.items():
        worker, timing = Worker(step, threads, setting), Timing(peer)
        answer = worker.ready()
        timing.absent, timing.first = answer.get("absent", ""), answer.get("first", 0.0)
        timings.append(timing)
        report(f"{peer}: {timing.absent or f'first step {timing.first:.2f} s'}")
        if timing.absent:
            worker.close()
        else:
            awake.append((timing, worker))
    try:
        counts = [max(1, int(BLOCK_SECONDS / min(worker.block(3) for _ in range(3)))) for _, worker in awake]
        for _ in range(rounds):
            for (timing, worker), count in zip(awake, counts):
                time.sleep(PAUSE_SECONDS)
                timing.seconds.append(worker.block(count))
    finally:
        for _, worker in awake:
            worker.close()
    return timings


def work(step: str) -> None:
    """The worker's side: build the step, say how long the first took, then answer blocks until the pipe closes."""
    module, function = step.split(":")
    try:
        run = getattr(importlib.import_module(module), function)()
    except ImportError as error:
        print(json.dumps({"absent": f"not installed ({error.name})"}), flush=True)
        return
    start = time.perf_counter()
    run()
    print(json.dumps({"first": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        run()
        run()
        start = time.perf_counter()
        for _ in range(int(line)):
            run()
        print(json.dumps((time.perf_counter() - start) / int(line)), flush=True)


if __name__ == "__main__":
    work(sys.argv[1])
