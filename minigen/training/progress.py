"""Progress of a run: a bar for terminals and live notebooks, a few plain lines for pipes, never on standard error."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from .records import describe

LINES = 20
"""At most about this many lines where nobody watches."""


class Silent:
    """Shows nothing; the base of the others. `total` steps and `epochs` in all."""

    def __init__(self, total: int, epochs: int, step: int):
        self.total, self.epochs, self.at = total, epochs, step

    def start(self) -> None:
        """Before the first step."""

    def step(self, step: int) -> None:
        """After every step; must cost next to nothing."""

    def epoch(self, record: dict[str, Any]) -> None:
        """After every epoch, with its line of the metrics."""

    def close(self) -> None:
        """After the last step, also when an error ended the run."""


class Lines(Silent):
    """One plain line per epoch, thinned out where there are many epochs."""

    def epoch(self, record: dict[str, Any]) -> None:
        """`epoch 3/10, step 1200, train 101.2, valid 103.4 nats, 12.3 s`"""
        if record["epoch"] % -(-self.epochs // LINES) == 0 or record["epoch"] == self.epochs:
            print(describe(record), flush=True)


class Bar(Silent):
    """A rich progress bar in a terminal, redrawn ten times a second by the training thread itself."""

    every = 0.1

    def start(self) -> None:
        """Draw the empty bar"""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(TextColumn("epoch {task.fields[epoch]}"), BarColumn(),
                            TextColumn("step {task.completed:.0f}/{task.total:.0f}"), TimeRemainingColumn(),
                            TextColumn("{task.fields[note]}"), console=Console(file=sys.stdout), auto_refresh=False,
                            redirect_stdout=False, redirect_stderr=False)
        self.task = self.bar.add_task("", total=self.total, completed=self.at, epoch=f"1/{self.epochs}", note="")
        self.drawn = 0.0
        self.open()

    def open(self) -> None:
        """Take a line of the terminal"""
        self.bar.start()

    def draw(self) -> None:
        """Redraw that line"""
        self.bar.refresh()

    def step(self, step: int) -> None:
        """Redraw when it is time"""
        now = time.monotonic()
        if now - self.drawn > self.every:
            self.drawn = now
            epoch = (step - 1) * self.epochs // self.total + 1
            self.bar.update(self.task, completed=step, epoch=f"{epoch}/{self.epochs}")
            self.draw()

    def epoch(self, record: dict[str, Any]) -> None:
        """Show the losses of the epoch beside the bar"""
        losses = "  ".join(f"{split} {record[split]['loss']:.4g}" for split in ("train", "valid") if split in record)
        self.bar.update(self.task, completed=record["step"], epoch=f"{record['epoch']}/{self.epochs}",
                        note=f"{losses} nats")
        self.draw()

    def close(self) -> None:
        """Leave the line as it is"""
        self.bar.stop()


class Notebook(Bar):
    """The same bar as one notebook output that is updated in place; the saved file keeps its last state."""

    every = 0.25

    def open(self) -> None:
        """Make the output"""
        from IPython.display import display

        self.handle = display(self.bar.make_tasks_table(self.bar.tasks), display_id=True)

    def draw(self) -> None:
        """Update the output"""
        self.handle.update(self.bar.make_tasks_table(self.bar.tasks))

    def close(self) -> None:
        """Draw the last state"""
        self.draw()


class Shown:
    """A display that the run cannot fail by: when the other side of a pipe goes away, it falls silent."""

    def __init__(self, display: Silent):
        self.display: Silent | None = display

    def __call__(self, what: str, *args: Any) -> None:
        """Do one of start, step, epoch, close."""
        if self.display is not None:
            try:
                getattr(self.display, what)(*args)
            except (OSError, ValueError):  # a broken pipe, a closed file
                self.display = None


def choose(on: bool, total: int, epochs: int, step: int) -> Shown:
    """Nothing when off or MINIGEN_PROGRESS=0; a bar where somebody watches; lines otherwise, as in pipes and CI."""
    if not on or os.environ.get("MINIGEN_PROGRESS") == "0" or step >= total:
        kind: type[Silent] = Silent
    elif os.environ.get("CI"):
        kind = Lines
    elif _in_notebook():
        kind = Notebook
    else:
        kind = Bar if sys.stdout is not None and sys.stdout.isatty() else Lines
    return Shown(kind(total, epochs, step))


def _in_notebook() -> bool:
    """Whether code runs in a Jupyter kernel; looks only at what is imported already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and "ipykernel" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")
