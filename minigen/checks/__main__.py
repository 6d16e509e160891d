"""`python -m minigen.checks LECTURE.py LEDGER.json`: the child process in which the runner executes a lecture."""

import sys
from pathlib import Path

from minigen.checks.runner import run_here

if __name__ == "__main__":
    run_here(Path(sys.argv[1]), Path(sys.argv[2]))
