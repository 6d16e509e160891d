"""Public checks: run `pytest` in this folder."""
from minigen.grading import pytest_checks

test_change_of_variables = pytest_checks(__file__)
