"""Kernels are kept between processes where that is possible, and run where it is not."""

import errno
import shutil
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core.caching import FunctionCache, IndexDataCacheFile

from minigen.kernels.jit import __file__ as jit_file
from minigen.kernels.jit import jit

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")


def double(x):
    """x <- 2 x"""
    for i in range(x.size):
        x[i] *= 2


def run(kernel):
    x = np.ones(5, np.float32)
    kernel(x)
    return x


def test_compiled_code_is_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert (run(jit(double)) == 2).all()
    assert list(tmp_path.rglob("*.nbi")) and list(tmp_path.rglob("*.nbc"))
    again = jit(double)
    assert (run(again) == 2).all() and sum(again.stats.cache_hits.values()) == 1


def test_compiled_code_is_stale_when_a_function_inlined_from_another_file_changes(tmp_path):
    (tmp_path / "room").mkdir()
    shutil.copy(jit_file, tmp_path / "room" / "jit.py")
    (tmp_path / "room" / "outer.py").write_text("from .jit import jit\nfrom .inner import step\n\n"
                                                "@jit\ndef kernel(x):\n    x[0] = step(x[0])\n")
    found = []
    for change in ("+ 1.0", "+ 1.0", "+ 2.0"):
        inner = f"from .jit import inline\n\n@inline\ndef step(x):\n    return x {change}\n"
        (tmp_path / "room" / "inner.py").write_text(inner)
        script = ("import numpy as np; from room.outer import kernel; x = np.zeros(1); kernel(x);"
                  "print(x[0], sum(kernel.stats.cache_hits.values()))")
        told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        found.append(told.stdout.split())
    assert found == [["1.0", "0"], ["1.0", "1"], ["2.0", "0"]]


def test_a_cache_folder_that_cannot_be_made_does_not_stop_a_kernel(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert (run(jit(double)) == 2).all()


def test_no_folder_for_a_cache_at_all_does_not_stop_a_kernel(monkeypatch):
    monkeypatch.setattr(FunctionCache._impl_class, "_locator_classes", [])
    assert (run(jit(double)) == 2).all()


def test_a_full_disk_does_not_stop_a_kernel(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert (run(jit(double)) == 2).all()


def test_a_kernel_does_not_hide_nan():
    def count_nan(x):
        found = 0
        for i in range(x.size):
            found += x[i] != x[i]
        return found

    assert jit(count_nan)(np.array([1, np.nan, np.inf, np.nan], np.float32)) == 2
