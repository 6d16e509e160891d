"""The exercises of the course, each proved: stub 0, solution 100 %, every mutant rejected and told, no leak.

With the seed that students see; `minigen exercise verify` takes the others too.
"""
import pytest

from minigen.grading import verify
from minigen.resources import exercises_dir

FOLDERS = sorted(p.parent.name for p in exercises_dir().glob("[0-9][0-9]_*/checks.py"))


def test_every_lecture_with_exercises_has_its_folder():
    assert {"01_autodiff", "02_bayes", "11_vae", "14_change_of_variables"} <= set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_exercise(name):
    [row] = verify([name], seeds=1).exercises
    assert not row.problems, "\n".join(row.problems)
    assert row.stub == 0.0 and row.solution == 1.0 and all(kill.rejected for kill in row.kills)
    assert len({kill.function for kill in row.kills}) >= 2, "a lecture has at least two exercises"
