"""Makes the fake peers importable in worker processes."""

import os
from pathlib import Path

import pytest

from minigen.bench import harness
from minigen.bench.case import Case, targets


@pytest.fixture
def fake(monkeypatch):
    """fake(races, ...) -> a Case of peers in `fake_peers.py`, whose blocks are short."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    monkeypatch.setattr(harness, "BLOCK_SECONDS", 0.02)
    monkeypatch.setattr(harness, "PAUSE_SECONDS", 0.0)

    def make(races, asked=None, **options):
        chosen = targets(next(iter(races)), **(asked or {}))
        return Case("fake", "a race of sleepers", "fake_peers", races=races, targets=chosen, **options)

    return make
