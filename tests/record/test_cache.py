"""Compiled loops: found again by other processes, made anew where nothing can be kept, Python without a compiler."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from minigen.record import compile as compilation
from minigen.record import record

SCRIPT = """
import numpy as np
from minigen import autodiff as ad
from minigen.record import record
f = ad.value_and_grad(lambda w, x: ad.mean(ad.tanh(x @ w) ** 2))
w, x = np.ones((3, 2), np.float32) / 3, np.arange(12, dtype=np.float32).reshape(4, 3) / 7
recorded = record(f)
for a, b in zip(recorded(w, x), f(w, x)):
    np.testing.assert_allclose(a, b, rtol=1e-5)
print(float(recorded(w, x)[0]))
"""
FIT = SCRIPT + """
from minigen import nn, optim
from minigen.training import Loss, fit, loop
loop.REPLAY_FROM = 1
class Mean(nn.Module):
    def __init__(self):
        self.config, self.mu = {}, ad.Tensor(np.zeros(2), requires_grad=True)
    def loss(self, x, rng):
        return Loss(ad.mean(ad.sum((self.mu - x) ** 2, axis=-1)))
model = Mean()
history = fit(model, np.ones((4, 2)), optimizer=optim.SGD(model.parameters(), 0.1), epochs=3, batch_size=4,
              rng=np.random.default_rng(0), progress=False)
print(history.not_replayed, model.mu.data)
"""


def start(script, **env):
    """A process of its own."""
    paths = os.pathsep.join([str(Path(compilation.__file__).parents[2]), *sys.path])
    return subprocess.Popen([sys.executable, "-W", "error::RuntimeWarning", "-c", script], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": paths, **env})


def answer(process):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out.split("\n")[:-1]


def test_two_processes_compile_the_same_loops_and_a_third_finds_them(tmp_path):
    both = [start(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    found = [answer(process) for process in both]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ci]")}
    sources = list((tmp_path / "loops").glob("*.py"))
    assert found[0] == found[1] and sources and any("loops" in str(path) for path in kept)
    assert not list((tmp_path / "loops").glob(".*.py*")), "unfinished files are left"
    assert answer(start(SCRIPT, NUMBA_CACHE_DIR=str(tmp_path))) == found[0]
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ci]")}
    assert all(path.read_text().startswith("def loops(") for path in sources)


def test_without_a_compiler_loops_are_run_by_python_and_fit_does_not_replay():
    value, told = answer(start(FIT, NUMBA_DISABLE_JIT="1"))
    assert told.startswith("compilation is switched off [")
    assert float(value) > 0


@pytest.fixture
def fresh(monkeypatch):
    """Nothing compiled yet, and no folder said by the environment."""
    monkeypatch.setattr(compilation, "_compiled", {})
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


@pytest.mark.parametrize("folder", ["a file", "nobody's"])
def test_a_folder_that_cannot_be_written_costs_only_time(folder, fresh, tmp_path, monkeypatch):
    def nowhere():
        if folder == "nobody's":
            raise RuntimeError("no home")
        (tmp_path / "file").write_text("")
        return tmp_path / "file"

    monkeypatch.setattr(compilation, "cache_folder", nowhere)
    x = np.arange(5.0)
    assert np.array_equal(record(lambda x: x * 3 - 1)(x), x * 3 - 1)
    assert not list(tmp_path.rglob("*.py"))


def test_one_source_is_compiled_once_and_another_batch_size_is_the_same_source(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "cache_folder", lambda: tmp_path)
    recorded = record(lambda x: (x * 3 - 1) * x)
    for n in (5, 6, 7):
        recorded(np.arange(float(n)))
    assert len(recorded.programs) == 3 and len(compilation._compiled) == 1
    assert len(list((tmp_path / "loops").glob("*.py"))) == 1


def test_loops_of_another_library_are_other_loops(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "cache_folder", lambda: tmp_path)
    first = compilation._kept("def loops(): pass\n")
    assert first == compilation._kept("def loops(): pass\n") != compilation._kept("def loops(): return\n")
    monkeypatch.setattr(compilation, "_library", lambda: "changed")
    assert compilation._kept("def loops(): pass\n") not in (None, first)
