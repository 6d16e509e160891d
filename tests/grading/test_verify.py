"""`verify` accepts the worked example and names every way in which an exercise can be wrong; what students get."""
import json
import subprocess
import sys

import pytest
from rich.console import Console

from minigen.grading import build_stubs, find_exercise, list_exercises, start, verify, write_list, write_report
from minigen.grading.records import local_seed
from minigen.grading.score import score_seeds


def edit(path, old, new):
    """Replace text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_example_holds(folder):
    report = verify(root=folder.parent)
    [row] = report.exercises
    assert report.passed and report.exit_code == 0, row.problems
    assert (row.public, row.hidden, row.stub, row.solution) == (3.0, 1.0, 0.0, 1.0)
    assert all(k.rejected and k.told and k.kept == 0.0 for k in row.kills) and len(row.kills) == 6
    assert row.kills[0].killed_by == ("kl against quadrature", "kl has a gradient in log sigma")
    assert json.loads(report.to_json())["passed"] is True
    console = Console(record=True, width=120)
    write_report(report, console)
    text = console.export_text()
    assert "6 of 6" in text and "mean_for_sum" in text and "all hold" in text


def problems_after(folder, *edits):
    """What `verify` says of the example after replacing texts in its files."""
    for file, old, new in edits:
        edit(folder / file, old, new)
    report = verify(["90"], root=folder.parent)
    assert report.passed == (not report.exercises[0].problems) and report.exit_code == int(not report.passed)
    return "\n".join(report.exercises[0].problems)


def test_bad_mutants_bad_records_and_a_stale_stub_are_named(folder):
    (folder / "test_demo.py").unlink()
    said = problems_after(
        folder, ("demo.py", "your lines go here", "go ahead"), ("mutants.py", "atol=1.0)", "atol=1e-7)"),
        ("mutants.py", "np.mean(mu**2", "np.sum(mu**2"),
        ("mutants.py", "0.5 * np.sum(mu**2 + np.exp(log_sigma)", "np.random.default_rng().random() + np.sum(mu**2"),
        ("mutants.py", '@mutant("wrong_gradient", feedback="Every gradient is called right',
         '@mutant("gaussian_kl", feedback="Every gradient is called right'),
        ("checks.py", 'driver="judge_quadratics"', 'driver="judge_quadratics", visibility="hidden"'))
    for problem in ("demo.py is not what solution.py gives; build the stubs again", "test_demo.py is missing",
                    "mutant loose survives: it keeps 100 % of wrong_gradient, at most 0 % is allowed",
                    "mutant mean_for_sum survives", "mutant log_variance is rejected, but not told its sentence",
                    "wrong_gradient has 2 mutants; 3 to 8 are needed",
                    "wrong_gradient is for students to write, but no public check tests it"):
        assert problem in said, said
    assert "half_of_mu_only" not in said and "solution" not in said.replace("solution.py", "")


def test_a_wrong_solution_and_a_leak_are_named(folder):
    formula = "0.5 * np.sum(mu**2 + 2 * variance - 1 - 2 * log_sigma, axis=-1)"
    said = problems_after(folder, ("solution.py", "mu**2 + variance", "mu**2 + 2 * variance"),
                          ("solution.py", "summed over the last axis.", formula))
    assert f"the stub shows a line of the solution: return {formula}" in said
    assert "the solution fails: gaussian_kl: kl against quadrature [failed, 0 of 2 points]" in said


def test_a_mutant_may_keep_what_its_record_allows(folder):
    """Half of mu only is wrong in mu alone: the check of the slope in log sigma passes it."""
    edit(folder / "mutants.py", "np.sum(0.5 * mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)",
         "np.sum(mu**2 + 0.5 * (np.exp(2 * log_sigma) - 1 - 2 * log_sigma), axis=-1)")
    assert "mutant half_of_mu_only survives: it keeps 33 % of gaussian_kl" in problems_after(folder)
    assert problems_after(folder, ("mutants.py", "to the square of mu alone.\"", "to mu.\", at_most=0.34")) == ""


def test_a_stub_that_does_something_is_named(folder):
    edit(folder / "solution.py", "    # BEGIN SOLUTION\n    step", "    return np.any(gradient(x) - 0)\n    step")
    edit(folder / "solution.py", "atol=1e-7)\n    # END SOLUTION", "atol=1e-7)")
    build_stubs(root=folder.parent)
    said = problems_after(folder)
    assert "the stub earns 0 on 'finds a slip of one percent' (failed)" in said
    assert "wrong_gradient is tested, but has no marked region" in said


@pytest.mark.parametrize(("settings", "count"), [({}, 3), ({"seeds": 1}, 1)])
def test_every_text_faces_the_published_seed_and_others(folder, monkeypatch, settings, count):
    room, faced = sys.modules["minigen.grading.verify"], []

    def noted(exercise, text, seeds, **more):
        faced.append(seeds)
        return score_seeds(exercise, text, seeds, **more)

    monkeypatch.setattr(room, "score_seeds", noted)
    verify(["90"], root=folder.parent, **settings)
    assert len(faced) > 2 and all(len(set(seeds)) == len(seeds) == count for seeds in faced)
    assert all(seeds[0] == local_seed(find_exercise("90", folder.parent).id) for seeds in faced)


def test_nothing_to_verify_is_no_success(tmp_path):
    assert not verify(root=tmp_path).passed


def test_find_and_list(folder):
    root = folder.parent
    assert [e.id for e in list_exercises(root)] == ["90_demo"]
    for which in ("90", 90, "demo", "90_demo"):
        found = find_exercise(which, root)
        assert (found.number, found.name, found.title) == (90, "demo", "The Gaussian KL, and checking a gradient.")
    console = Console(record=True, width=120)
    write_list(list_exercises(root), console)
    assert "The Gaussian KL, and checking a gradient." in console.export_text()
    with pytest.raises(ValueError, match="no exercise is called '7'; there are 90_demo"):
        find_exercise("7", root)


def test_start_makes_a_folder_whole_and_touches_nothing_that_exists(folder, tmp_path):
    home = tmp_path / "home"
    made = start("demo", home, root=folder.parent)
    assert made == home / "90_demo"
    assert sorted(p.name for p in made.iterdir()) == ["README.md", "demo.py", "test_demo.py"]
    assert (made / "demo.py").read_text() == (folder / "demo.py").read_text()
    readme = (made / "README.md").read_text()
    for part in ("# Exercise 90: The Gaussian KL", "| `gaussian_kl` | KL(N(mu, sigma^2)", "| 2 | 1 |"):
        assert part in readme
    (made / "demo.py").write_text("my work")
    with pytest.raises(FileExistsError, match="is there already; nothing was changed"):
        start("demo", home, root=folder.parent)
    assert (made / "demo.py").read_text() == "my work" and [p.name for p in home.iterdir()] == ["90_demo"]
    (tmp_path / "other" / "90_demo").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is there already; nothing was changed"):
        start("demo", tmp_path / "other", root=folder.parent)


def test_a_start_that_fails_leaves_nothing(folder, tmp_path):
    (folder / "test_demo.py").unlink()
    with pytest.raises(FileNotFoundError):
        start("demo", tmp_path / "home", root=folder.parent)
    assert list((tmp_path / "home").iterdir()) == []


def test_pytest_in_the_exercise_folder(folder):
    """On the stub every test fails with `not done`; a misconception is named; the solution passes."""
    def run():
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
                              capture_output=True, text=True, cwd=folder, timeout=60)
        return done.returncode, done.stdout

    code, text = run()
    assert code == 1 and "2 failed" in text and "not implemented yet: exercise demo.gaussian_kl" in text
    assert "Traceback" not in text and "hidden" not in text
    exercise = find_exercise("demo", folder.parent)
    exercise.stub_path.write_text(exercise.with_mutant(exercise.mutants[2]))
    code, text = run()
    assert code == 1 and "1 failed, 1 passed" in text
    assert "feedback  The KL of independent dimensions is the sum" in text
    exercise.stub_path.write_text(exercise.solution)
    assert run()[0] == 0
