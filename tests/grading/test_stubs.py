"""Stub building: what is cut, what is kept, what counts as a leak, what is refused."""
import ast

import pytest

from minigen.grading import stubs

from .conftest import SOLUTION


def test_stub_keeps_the_task_and_raises_by_name():
    stub = stubs.strip(SOLUTION, "demo")
    assert '    raise NotImplementedError("exercise demo.gaussian_kl: your lines go here")' in stub
    assert "KL(N(mu, sigma^2) || N(0, 1)) in nats" in stub
    assert "SOLUTION" not in stub and "variance" not in stub and "numeric" not in stub
    assert stubs.leaked_lines(SOLUTION, stub) == []
    assert stubs.marked_functions(SOLUTION) == ["gaussian_kl", "wrong_gradient"]


def test_two_regions_in_one_function_and_code_around_them():
    source = """def f(x):
    y = x + 1
    # BEGIN SOLUTION
    y = y * 2
    # END SOLUTION
    for _ in range(3):
        # BEGIN SOLUTION
        y = y - 1
        # END SOLUTION
    return y
"""
    stub = stubs.strip(source, "t")
    assert stub.count("exercise t.f") == 2 and "y = x + 1" in stub and "return y" in stub
    assert "        raise NotImplementedError" in stub
    ast.parse(stub)


@pytest.mark.parametrize(("told", "line"), [
    ("So variance  = np.exp(2*log_sigma).", "variance = np.exp(2 * log_sigma)"),
    ("0.5 * np.sum(mu**2 + variance - 1 - 2*log_sigma, axis=-1)",
     "return 0.5 * np.sum(mu**2 + variance - 1 - 2 * log_sigma, axis=-1)")])
def test_a_line_of_the_solution_in_a_docstring_is_a_leak(told, line):
    source = SOLUTION.replace("Returns an array of shape (...).", told)
    assert source != SOLUTION
    assert stubs.leaked_lines(source, stubs.strip(source, "demo")) == [line]


def test_trivial_lines_and_short_expressions_are_no_leak():
    source = 'def f(x):\n    """Returns y or np.exp(x)."""\n    # BEGIN SOLUTION\n    y = np.exp(x)\n    return y\n'
    source += "    # END SOLUTION\n"
    assert stubs.leaked_lines(source, stubs.strip(source, "t")) == []


@pytest.mark.parametrize(("text", "said"), [
    ("def f():\n    # BEGIN SOLUTION\n    return 1\n", "has no # END SOLUTION"),
    ("def f():\n    return 1\n    # END SOLUTION\n", "does not pair up"),
    ("def f():\n    # BEGIN SOLUTION\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n", "does not pair up"),
    ("def f():\n    # BEGIN SOLUTION\n    # END SOLUTION\n    return 1\n", "empty"),
    ("# BEGIN SOLUTION\nx = 1\n# END SOLUTION\n", "outside a top-level function"),
    ("def f():\n    #BEGIN SOLUTION\n    return 1\n    #END SOLUTION\n", "is not spelled"),
])
def test_markers_that_do_not_fit_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        stubs.strip(text, "t")


def test_a_whole_function_is_replaced_with_its_decorators_and_markers():
    before, after = "import math\n\n\n", "\n\n\ndef g():\n    pass\n"
    old = "@decorated\n@twice\ndef f(x):\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION"
    source = before + old + after
    new = stubs.replace_function(source, "f", "def f(x):\n    return 2\n")
    assert new == before + "def f(x):\n    return 2" + after
    with pytest.raises(ValueError, match="no top-level function 'h'"):
        stubs.replace_function(source, "h", "")
