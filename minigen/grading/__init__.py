"""Exercises: records, stubs, an isolated runner, verdicts and their writers.

Begin with `records.py` (what a check is), then `compare.py` (how an answer is judged), `child.py` and `runner.py`
(how a student's file is run), `score.py` (one submission) and `verify.py` (the exercises themselves).
"""
from .compare import Bijection, Density, Gradient, Mismatch, Property, Sampler, Value
from .folder import Exercise, find_exercise, list_exercises, load_exercise
from .records import Check, Mutant, grading_seed, local_seed, mutant
from .wire import Seed

__all__ = [
    "Bijection", "Check", "Density", "Exercise", "Gradient", "Mismatch", "Mutant", "Property", "Sampler", "Seed",
    "Value", "find_exercise", "grading_seed", "list_exercises", "load_exercise", "local_seed", "mutant",
]
