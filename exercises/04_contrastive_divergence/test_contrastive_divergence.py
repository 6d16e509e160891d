"""Public checks: run `pytest` in this folder."""
from minigen.grading import pytest_checks

test_contrastive_divergence = pytest_checks(__file__)
