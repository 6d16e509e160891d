"""Records refuse what makes no sense; seeds are published or secret, and always the same."""
import hmac

import numpy as np
import pytest

from minigen.grading import Check, Value, grading_seed, load_exercise, local_seed, mutant

GOOD = dict(name="n", function="f", states="s", inputs=lambda rng: (rng.normal(),), expected=lambda x: x, hint="h")


@pytest.mark.parametrize(("change", "said"), [
    ({"points": 0}, "points is 0; expected a positive number"),
    ({"visibility": "secret"}, "expected 'public' or 'hidden'"),
    ({"draws": 0}, "draws is 0; expected at least 1"), ({"hint": ""}, "hint is empty"),
    ({"expected": None}, "expected is missing; Value needs a reference")])
def test_a_check_that_makes_no_sense_is_refused(change, said):
    assert Check(**GOOD).public
    with pytest.raises(ValueError, match=said):
        Check(**{**GOOD, **change})


def test_draws_depend_on_seed_and_name_only():
    one, same, other = Check(**GOOD), Check(**GOOD, compare=Value(rtol=1)), Check(**{**GOOD, "name": "m"})
    assert one.draw(5) == same.draw(5)
    assert one.draw(5) != one.draw(6) and one.draw(5) != other.draw(5)
    assert len({x for (x,) in one.draw(5)}) == 3


def test_inputs_are_a_tuple():
    with pytest.raises(TypeError, match="gave ndarray; expected a tuple"):
        Check(**{**GOOD, "inputs": lambda rng: rng.normal(size=3)}).draw(0)


def test_seeds():
    assert local_seed("11_vae") == local_seed("11_vae") != local_seed("02_bayes")
    seeds = {grading_seed(s, e, n) for s in (b"a", b"b") for e, n in [("1", "12"), ("11", "2"), ("11", "3")]}
    assert len(seeds) == 6 and all(0 <= s < 2**128 for s in seeds)
    digest = hmac.digest(b"key", b"6:11_vae3:ada", "sha256")
    assert grading_seed(b"key", "11_vae", "ada") == int.from_bytes(digest[:16], "big")
    assert np.random.default_rng([grading_seed(b"key", "e", "s"), 1]).random() < 1
    with pytest.raises(ValueError, match="secret is empty"):
        grading_seed(b"", "e", "s")


def test_a_mutant_takes_the_name_of_what_it_replaces(exercise):
    [first, *_] = exercise.mutants
    assert first.name == "half_of_mu_only" and first.source.startswith("def gaussian_kl(mu, log_sigma):\n    return")
    assert "half_of_mu_only" not in first.source and "@mutant" not in first.source
    for bad, said in (({"at_most": 1.0}, "at_most is 1.0"), ({"feedback": ""}, "feedback is empty")):
        with pytest.raises(ValueError, match=said):
            mutant("f", **{"feedback": "x", **bad})


@pytest.mark.parametrize(("file", "old", "new", "said"), [
    ("checks.py", "CHECKS = [", "OTHER = [", "CHECKS is"),
    ("checks.py", '"kl has a gradient in log sigma"', '"kl against quadrature"', "two checks are named"),
    ("checks.py", 'driver="slope_at_zero"', 'driver="slope"', "names driver 'slope'"),
    ("mutants.py", '@mutant("wrong_gradient"', '@mutant("right_gradient"', "which no check tests"),
])
def test_records_that_contradict_each_other_are_refused(folder, file, old, new, said):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=said):
        load_exercise(folder)


def test_the_folder_has_a_number_and_a_topic(folder):
    with pytest.raises(ValueError, match="expected NN_topic"):
        load_exercise(folder.rename(folder.with_name("demo")))
