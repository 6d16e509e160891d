"""One submission: points, messages, feedback, what is never told, and what survives a death."""
import json

import numpy as np
import pytest
from rich.console import Console

from minigen.grading import Limits, Result, check, local_seed, score, stubs, write_result

from .conftest import SOLUTION


def submit(exercise, body, hidden=True, **options):
    """The solution with this body of gaussian_kl, scored."""
    source = stubs.replace_function(SOLUTION, "gaussian_kl", f"def gaussian_kl(mu, log_sigma):\n    {body}\n")
    return score(exercise, source.encode(), local_seed(exercise.id), hidden=hidden, **options)


def test_solution_stub_and_mutant(exercise):
    full = score(exercise, SOLUTION.encode(), 1)
    assert full.points == full.out_of == 4.0 and full.passed and full.exit_code == 0 and full.feedback == ()
    stub = score(exercise, exercise.stub_path.read_bytes(), 1)
    assert stub.points == 0.0 and {c.status for c in stub.checks} == {"not done"} and stub.exit_code == 1
    assert "exercise demo.gaussian_kl: your lines go here" in stub.checks[0].message()
    wrong = score(exercise, exercise.with_mutant(exercise.mutants[1]).encode(), 1)
    assert wrong.points == 1.0 and wrong.feedback == (("gaussian_kl", exercise.mutants[1].feedback),)


def test_the_message_of_a_public_check(exercise):
    message = submit(exercise, "return np.zeros(mu.shape[:-1])").checks[0].message()
    for part in ("failed, 0 of 2 points", "KL(q || p) is the integral", "gaussian_kl([[", "[0., 0., 0., 0.]",
                 "wrong in 4 of 4 places", "expected", "write the integrand"):
        assert part in message


def test_a_hidden_check_tells_no_input_no_expectation_and_no_exception_text(exercise):
    row = submit(exercise, "return mu.sum()").checks[1]
    assert (row.status, row.tried, row.came, row.detail) == ("failed", "", "", "") and row.hint and row.violated
    for kind in ("ValueError", "NotImplementedError"):
        said = submit(exercise, f"raise {kind}(repr(mu))").checks
        assert "array" in said[0].violated
        assert "array" not in json.dumps(vars(said[1])) and said[1].hint


def test_another_wrong_answer_is_told_nothing_about_misconceptions(exercise):
    """Half of a mutant is not the mutant: its answers must match on every draw of every check."""
    result = submit(exercise, "return 0.5 * np.sum(mu**2 + np.exp(log_sigma) - 1 - log_sigma, -1) + (mu[0, 0] > 0 if "
                              "mu.ndim > 1 else 0)")
    assert result.checks[0].status == "failed" and result.feedback == ()


def test_an_error_names_the_students_line(exercise):
    result = submit(exercise, "return mu @ mu @ mu")
    line = result.checks[0].violated
    number = SOLUTION.splitlines().index("def gaussian_kl(mu, log_sigma):") + 2
    assert result.checks[0].status == "error" and f"ValueError in line {number}: " in line and "matmul" in line


def test_a_function_that_did_not_return_is_not_asked_again(exercise):
    result = submit(exercise, "while True: pass", limits=Limits(call=0.5))
    assert [c.status for c in result.checks] == ["late", "not run", "passed"]
    assert "0.5 seconds" in result.checks[1].violated and result.points == 1.0


def test_the_total_is_bounded(exercise):
    result = submit(exercise, "while True: pass", limits=Limits(call=5.0, total=0.5))
    assert [c.status for c in result.checks] == ["late", "not run", "late"] and result.seconds < 2.0


def test_inputs_belong_to_the_parent(exercise):
    """A submission that spoils its inputs spoils its own copy."""
    assert submit(exercise, "mu *= 0; log_sigma *= 0; return np.zeros(mu.shape[:-1])").checks[0].status == "failed"


def test_what_is_printed_is_kept_apart(exercise):
    result = submit(exercise, "print('here I am'); return mu")
    assert result.output.count("here I am") >= 2 and result.checks[0].status == "failed"


def test_check_by_file(exercise, folder, tmp_path):
    file = tmp_path / "demo.py"
    file.write_text(SOLUTION)
    public = check(file, exercise)
    assert (public.points, public.out_of, public.withheld, public.seed) == (3.0, 3.0, 1.0, "published")
    graded = check(file, exercise, hidden=True, secret=b"key", student="ada")
    assert (graded.points, graded.withheld, graded.seed, graded.submission) == (4.0, 0.0, "secret", "demo.py")
    with pytest.raises(ValueError, match="no exercise is called 'demo'"):
        check(file)
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "absent.py", exercise)
    file.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ValueError, match="at most 1048576 are read"):
        check(file, exercise)


def test_the_record_survives_json_and_the_terminal(exercise):
    result = submit(exercise, "return np.full(mu.shape[:-1], np.nan)", hidden=False)
    assert Result.from_json(result.to_json()) == result
    assert json.loads(result.to_json())["points"] == 1.0
    with pytest.raises(ValueError, match="not a minigen.result/1"):
        Result.from_json('{"format": "other"}')
    console = Console(record=True, width=100)
    write_result(result, console)
    text = console.export_text()
    for part in ("holds NaN", "1 of 3 points; 1 more at grading", "published seed", "isolation: limits"):
        assert part in text


def test_only_permitted_modules_and_no_withheld_function(folder, exercise):
    from dataclasses import replace

    open_to = replace(exercise, may_import=("minigen.autodiff",))
    body = "from minigen import autodiff as ad; return ad.gaussian_kl(mu, log_sigma)"
    assert submit(exercise, body).checks[0].status == "error"
    assert submit(open_to, body).checks[0].passed
    withheld = replace(open_to, withheld=("minigen.autodiff.gaussian_kl",))
    row = submit(withheld, body).checks[0]
    assert row.status == "not done" and "is what this exercise asks you to write" in row.violated
    by_hand = "return 0.5 * np.sum(mu**2 + ad.exp(2 * log_sigma) - 1 - 2 * log_sigma, -1)"
    assert submit(withheld, f"import minigen.autodiff as ad; {by_hand}").function_points("gaussian_kl") == (3.0, 3.0)
    assert "cannot be imported" in submit(withheld, "import minigen.latent; return mu").checks[0].violated


def test_both_processes_compute_alike(exercise):
    """The child's NumPy is the parent's, to the last bit."""
    assert np.__version__ in submit(exercise, "print(np.__version__); return mu").output
