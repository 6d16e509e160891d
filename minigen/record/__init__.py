"""Record and replay: a function of arrays, run once, becomes a flat list of loops and matrix products.

Read `traced.py` (how NumPy code is written down), `plan.py` (what is stored and what shares a loop), `loops.py` (the
source of the loops), `program.py` (memory, and the list of calls that a replay is).
"""

from .graph import RecordError
from .program import Program
from .record import Recorded, record
