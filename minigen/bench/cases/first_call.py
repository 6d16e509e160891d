"""From nothing to the end of the first training step of the VAE 784-400-20: import, build, compile, step.

Cold: the folder of compiled kernels is empty. Warm: an earlier process has filled it. For the other engines the clock
starts when NumPy and minigen, which this bench needs and they do not, have been imported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from ..case import Case
from .fresh import importing, seconds_of

LINES = "from minigen.bench.cases import vae; vae.{peer}()()"
OTHER_LINES = "from minigen.bench.cases import vae; start = time.perf_counter(); vae.{peer}()()"


def cold() -> Callable[[], float]:
    """Ours on the tape, kernels compiled anew."""
    return _cold("eager")


def warm() -> Callable[[], float]:
    """Ours on the tape, kernels found on disk."""
    return _warm("eager")


def cold_replay() -> Callable[[], float]:
    """Ours recorded, everything compiled anew."""
    return _cold("replay")


def warm_replay() -> Callable[[], float]:
    """Ours recorded, kernels found on disk."""
    return _warm("replay")


def torch() -> Callable[[], float]:
    """torch eager."""
    importing("torch")
    return lambda: seconds_of(OTHER_LINES.format(peer="torch"))


def jax() -> Callable[[], float]:
    """jax under jit."""
    importing("jax")
    return lambda: seconds_of(OTHER_LINES.format(peer="jax"))


def _cold(peer: str) -> Callable[[], float]:
    def step() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return seconds_of(LINES.format(peer=peer), {"NUMBA_CACHE_DIR": folder})

    return step


def _warm(peer: str) -> Callable[[], float]:
    folder = tempfile.TemporaryDirectory()

    def step() -> float:
        return seconds_of(LINES.format(peer=peer), {"NUMBA_CACHE_DIR": folder.name})

    step()
    return step


PEERS = ("torch", "jax")
CASE = Case("first-call", "import, build and first step of the VAE 784-400-20, seconds in a fresh process", __name__,
            races={"cold": PEERS, "warm": PEERS, "cold_replay": PEERS, "warm_replay": PEERS}, times_itself=True)
