"""Peers that behave, and peers that do not, for the tests of the bench; a worker process imports this file."""

import os
import sys
import time

from minigen.bench.case import Absent


def quick():
    """A step of two milliseconds."""
    return lambda: time.sleep(0.002)


def slow():
    """A step of six milliseconds."""
    return lambda: time.sleep(0.006)


def talkative():
    """A library that prints where the answers go, through Python and past it."""
    def step():
        print("downloading the internet")
        os.write(1, b"0.001\n")
        time.sleep(0.002)

    return step


def missing():
    """A package that is not installed."""
    import a_package_that_nobody_has  # noqa: F401


def refused():
    """A peer that knows why it cannot run."""
    raise Absent("no compiler on this machine")


def broken():
    """A step that fails the first time."""
    def step():
        raise ZeroDivisionError("nothing to divide by")

    return step


def crashes():
    """A process that ends while it builds its step."""
    print("Illegal instruction (core dumped)", file=sys.stderr, flush=True)
    os._exit(132)


def dies():
    """A process that ends in its second block, with a last word."""
    turns = iter(range(8))

    def step():
        if next(turns, None) is None:
            print("Illegal instruction (core dumped)", file=sys.stderr, flush=True)
            os._exit(132)
        time.sleep(0.2)

    return step


def vanishes():
    """A process that ends in its first block and says nothing."""
    turns = iter(range(1))
    return lambda: next(turns, None) is None and os._exit(9)


def tired():
    """A step of two milliseconds, of half a second under setting B."""
    return lambda: time.sleep(0.002 if "OPENBLAS_CORETYPE" in os.environ else 0.5)


def threads():
    """The number of threads that it is told, as its own seconds."""
    return lambda: float(os.environ["OMP_NUM_THREADS"])


def processors():
    """The number of processors that it may use, as its own seconds."""
    return lambda: float(len(os.sched_getaffinity(0)))


def held():
    """1 where OpenBLAS is held to AVX2, 2 where it chooses, 3 where something else is said, as its own seconds."""
    return lambda: {"Haswell": 1.0, None: 2.0}.get(os.environ.get("OPENBLAS_CORETYPE"), 3.0)
