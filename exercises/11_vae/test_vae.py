"""Public checks: run `pytest` in this folder."""
from minigen.grading import pytest_checks

test_vae = pytest_checks(__file__)
