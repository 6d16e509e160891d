"""Who sees what: a bar in a terminal, one output in a notebook, few lines in a pipe; nothing on standard error."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigen.training import progress
from minigen.training.progress import Bar, Lines, Notebook, Silent

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import Setting
Setting(progress=True, epochs=int(sys.argv[2])).fit()
"""


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("CI", "MINIGEN_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def chosen(**more):
    return type(progress.choose(**(dict(on=True, total=10, epochs=2, step=0) | more)).display)


def test_what_is_shown_depends_on_who_watches(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert chosen() is Lines and chosen(on=False) is Silent and chosen(step=10) is Silent
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert chosen() is Bar
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    assert chosen() is Notebook
    monkeypatch.setenv("CI", "true")
    assert chosen() is Lines
    monkeypatch.setenv("MINIGEN_PROGRESS", "0")
    assert chosen() is Silent


def test_a_terminal_gets_one_bar_that_ends_at_the_last_step(setting, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    setting(progress=True, epochs=3).fit()
    text = terminal.getvalue()
    assert "epoch 3/3" in text and "step 15/15" in text and "valid" in text and text.count("\n") <= 2
    assert capsys.readouterr().err == ""


def test_an_error_closes_the_bar(setting, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(ZeroDivisionError):
        setting(progress=True).fit(callback=lambda record: 1 / 0)
    assert "\x1b[?25h" in terminal.getvalue(), "the cursor must be back"


def test_a_notebook_gets_one_output_that_is_updated(setting, monkeypatch):
    shown = []

    class Handle:
        def update(self, table):
            shown.append(table)

    def display(table, display_id):
        assert display_id is True
        shown.append(table)
        return Handle()

    pytest.importorskip("IPython.display", reason="no notebook software here")
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    setting(progress=True).fit()
    bundle = shown[-1]._repr_mimebundle_(include=[], exclude=[])
    assert len(shown) >= 2 and "step 20/20" in bundle["text/plain"] and "text/html" in bundle


def test_a_pipe_gets_few_lines_and_standard_error_none():
    done = subprocess.run([sys.executable, "-c", RUN, str(Path(__file__).parent), "47"], capture_output=True,
                          text=True, timeout=60)
    told = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert len(told) == 16 and told[-1].startswith("epoch 47, step 235, train ")


def test_a_short_run_gets_a_line_per_epoch(setting, capsys):
    setting(progress=True, epochs=3).fit()
    told = capsys.readouterr()
    assert [line[:8] for line in told.out.splitlines()] == ["epoch 1,", "epoch 2,", "epoch 3,"] and told.err == ""


def test_silence_on_demand(setting, monkeypatch, capsys):
    monkeypatch.setenv("MINIGEN_PROGRESS", "0")
    setting(progress=True).fit()
    monkeypatch.delenv("MINIGEN_PROGRESS")
    setting(progress=False).fit()
    assert capsys.readouterr() == ("", "")


def test_a_broken_pipe_does_not_end_the_training(setting, monkeypatch):
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, os.strerror(32))

    monkeypatch.setattr(sys, "stdout", Broken())
    assert len(setting(progress=True).fit().records) == 4


def test_the_display_does_not_change_the_bits(setting, monkeypatch):
    quiet, shown = setting(), setting(progress=True)
    quiet.fit()
    monkeypatch.setattr(sys, "stdout", Terminal())
    shown.fit()
    assert quiet.bits() == shown.bits()
