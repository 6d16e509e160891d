"""Recorded programs whose loops are run as Python, so that a test need not wait for a compiler."""

import numpy as np
import pytest

from minigen.record import compile as compilation


def interpreted(source):
    """The function of a generated source as it is written, its helpers compiled."""
    code = dict(compilation.NAMES)
    exec(source, code)
    return np.errstate(all="ignore")(code["loops"])


@pytest.fixture
def interpreted_loops(monkeypatch):
    """Generated loops are run by Python: for small arrays only."""
    monkeypatch.setattr(compilation, "compiled", interpreted)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
