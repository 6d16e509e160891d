"""Training: one loop for every model, whose runs can be killed at any moment and resumed to the same bits.

Read `loop.py`; `checkpoints.py` is the file format, `records.py` what is handed around.
"""

from .checkpoints import Checkpoint, CheckpointError, load_weights, read_checkpoint
from .loop import fit
from .records import History, Loss, TrainingError
