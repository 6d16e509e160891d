"""Training steps timed beside other engines, in one run: `minigen bench`.

Read `harness.py` for how the timing is kept fair, `cases.py` for what is timed, `peers.py` for the same in torch.
"""

from .report import run

__all__ = ["run"]
