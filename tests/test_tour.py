"""The tour with short trainings: its files, its page, and that nothing of the user's is lost on the way."""

import json
import math
import re
from dataclasses import replace

import pytest

from minigen import recipes, tour
from minigen.checks import claim
from minigen.checks.ledger import Ledger
from minigen.tour import stops


@pytest.fixture(scope="module")
def short():
    """Recipes of one epoch; a ledger of one row instead of the lectures."""
    ledger = Ledger(2, echo=False)
    with ledger:
        claim("sines", r"\sin^2 \frac{1}{2} + \cos^2 \frac{1}{2} = 1", source="S2:1",
              lhs=math.sin(0.5) ** 2 + math.cos(0.5) ** 2, rhs=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGEN_PROGRESS", "0")
        for name, recipe in recipes.RECIPES.items():
            patch.setitem(recipes.RECIPES, name, replace(recipe, epochs=1))
        few = replace(recipes.RECIPES["vae"], score=lambda model, data, rng: [
            model.bound(data.test[:50], rng), model.log_likelihood(data.test[:50], rng, 10)])
        patch.setitem(recipes.RECIPES, "vae", few)
        patch.setattr("minigen.tour.walk.run_ledger", lambda jobs: ledger)
        yield patch


@pytest.fixture(scope="module")
def reports(short, tmp_path_factory):
    """Two reports of one seed: the first with required claims missing, the second without."""
    folder = tmp_path_factory.mktemp("tour")
    codes = [tour.run(folder / "a", seed=3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "missing", lambda self, lectures=None: [])
        codes.append(tour.run(folder / "b", seed=3))
    return folder / "a", folder / "b", codes


def test_the_tour_leaves_one_page_that_needs_no_network(reports):
    page = (reports[1] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=['\"]?https?:", page), "the page asks the network"
    assert page.count("data:image/png;base64,") >= 10
    assert "<math" in page and "holds" in page
    for kind in ("exact", "bound", "estimate"):
        assert f"<span class='kind {kind}'>" in page
    table = json.loads((reports[1] / "likelihoods.json").read_text())
    assert {row["kind"] for row in table} == {"exact", "bound", "estimate"}
    assert {p.name for p in (reports[1] / "models").iterdir()} == {"vae", "flow", "flow-2d", "rbm"}


def test_the_same_seed_gives_the_same_numbers(reports):
    first, second, _ = reports
    assert (first / "likelihoods.json").read_bytes() == (second / "likelihoods.json").read_bytes()
    pictures = [[p.read_bytes() for p in sorted((folder / "figures").iterdir())] for folder in (first, second)]
    assert pictures[0] == pictures[1]


def test_a_missing_claim_fails_the_tour(reports):
    assert reports[2] == [1, 0]
    assert "must execute" in (reports[0] / "report.html").read_text(encoding="utf-8")


def test_a_folder_with_other_files_is_not_touched(short, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="holds files but no report"):
        tour.run(tmp_path / "letters")
    assert [p.name for p in tmp_path.iterdir()] == ["letters"]


def test_an_interrupted_tour_keeps_the_old_report(short, tmp_path, monkeypatch):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(stops.STOPS, "vae", stop)
    with pytest.raises(KeyboardInterrupt):
        tour.run(tmp_path / "report")
    assert (tmp_path / "report" / "report.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
