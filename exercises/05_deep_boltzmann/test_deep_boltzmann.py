"""Public checks: run `pytest` in this folder."""
from minigen.grading import pytest_checks

test_deep_boltzmann = pytest_checks(__file__)
