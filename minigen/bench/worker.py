"""The worker's side: a process that builds one step, then runs blocks of it when asked, until its input closes."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time

from .case import Absent

WARM_STEPS, WARM_SECONDS = 2, 0.1  # steps before a block that are not counted, fewer where they are slow


def main(module: str, peer: str, threads: int, times_itself: bool) -> None:
    """Answer in lines of JSON: first the seconds of the first step or why there is none, then seconds per step."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that temporary folders are removed
    answers = _take_standard_output()
    _keep_to(threads)
    try:
        step = getattr(importlib.import_module(module), peer)()
        start = time.perf_counter()
        own = step()
        first = own if times_itself else time.perf_counter() - start
    except Exception as error:  # of any library: the race goes on without this peer
        print(json.dumps({"absent": _why(error)}), file=answers)
        return
    print(json.dumps({"first": first}), file=answers)
    for line in sys.stdin:
        print(_own_block(step, int(line)) if times_itself else _block(step, int(line)), file=answers)


def _why(error: Exception) -> str:
    """One line: the first that the error has, with the next where that only announces it."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    said = " ".join(lines[:2] if lines[0].endswith(":") else lines[:1])
    return said if isinstance(error, Absent) else f"failed: {type(error).__name__}: {said}"


def _block(step, steps: int) -> float:
    """Seconds per step."""
    start = time.perf_counter()
    for _ in range(WARM_STEPS):
        step()
        if time.perf_counter() - start > WARM_SECONDS:
            break
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def _own_block(step, steps: int) -> float:
    """Seconds per step as the steps themselves say."""
    return sum(step() for _ in range(steps)) / steps


def _take_standard_output():
    """The pipe to the coordinator; what a library prints goes to the error stream instead."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def _keep_to(threads: int) -> None:
    """Hold the process to as many processors as it may have threads: jax asks the machine, not the environment."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "times-itself")
