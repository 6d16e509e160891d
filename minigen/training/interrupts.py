"""Ctrl-C during training: the step under way is finished first."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Inside the block Ctrl-C only sets `asked`; a second one acts at once. Handlers of others are left alone."""

    def __init__(self):
        self.asked = False
        self.before: Any = None

    def __enter__(self) -> Interrupts:
        on_main = threading.current_thread() is threading.main_thread()  # only there may handlers be set
        if on_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, *_: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.before)

    def __exit__(self, *_: Any) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
