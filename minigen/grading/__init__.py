"""Exercises: records, stubs, an isolated runner, verdicts and their writers.

Begin with `records.py` (what a check is), then `compare.py` (how an answer is judged), `child.py` and `runner.py`
(how a student's file is run), `score.py` (one submission) and `verify.py` (the exercises themselves).
"""
from .compare import Bijection, Density, Gradient, Mismatch, Property, Sampler, Value
from .folder import Exercise, find_exercise, list_exercises, load_exercise
from .records import Check, Mutant, grading_seed, local_seed, mutant
from .results import CheckResult, Result
from .runner import Limits
from .score import check, score
from .students import pytest_checks, start
from .verify import Report, build_stubs, verify
from .wire import Seed
from .writers import write_list, write_report, write_result

__all__ = [
    "Bijection", "Check", "CheckResult", "Density", "Exercise", "Gradient", "Limits", "Mismatch", "Mutant",
    "Property", "Report", "Result", "Sampler", "Seed", "Value", "build_stubs", "check", "find_exercise",
    "grading_seed", "list_exercises", "load_exercise", "local_seed", "mutant", "pytest_checks", "score", "start",
    "verify", "write_list", "write_report", "write_result",
]
