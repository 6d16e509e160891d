"""Training steps timed beside other engines, in one run: `minigen bench`.

Read `harness.py` for how the timing is kept fair, `cases/race.py` for what is timed, `verdicts.py` for what is asked.
"""

from .report import run

__all__ = ["run"]
