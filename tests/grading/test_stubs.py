"""Stub building: what is cut, what is kept, what counts as a leak."""
import pytest

from minigen.grading import stubs

from .conftest import SOLUTION


def test_stub_keeps_docstrings_and_raises_by_name():
    stub = stubs.strip(SOLUTION, "demo")
    assert '    raise NotImplementedError("exercise demo.gaussian_kl: your lines go here")' in stub
    assert "KL(N(mu, sigma^2) || N(0, 1)) in nats" in stub
    assert "SOLUTION" not in stub and "variance" not in stub and "numeric" not in stub
    assert stubs.leaked_lines(SOLUTION, stub) == []
    assert stubs.marked_functions(SOLUTION) == ["gaussian_kl", "wrong_gradient"]
