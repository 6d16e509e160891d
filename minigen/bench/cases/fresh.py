"""Steps that start a fresh Python, let it run a few lines, and read from it how many seconds they took."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec

from ..case import Absent

TIMED = """
import time
start = time.perf_counter()
{lines}
print(time.perf_counter() - start, flush=True)
"""


def seconds_of(lines: str, env: Mapping[str, str] | None = None) -> float:
    """Seconds of the lines in a fresh process; Absent with the last line of its errors where it failed."""
    done = subprocess.run([sys.executable, "-c", TIMED.format(lines=lines)], env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Absent(said[-1].removeprefix(f"{Absent.__module__}.{Absent.__name__}: "))
    return float(done.stdout.split()[-1])


def importing(module: str) -> Callable[[], float]:
    """Seconds of importing a module; ModuleNotFoundError where it is not installed."""
    if find_spec(module) is None:
        raise ModuleNotFoundError(name=module)
    return lambda: seconds_of(f"import {module}")
