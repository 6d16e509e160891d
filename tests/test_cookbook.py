"""The recipes of the large Boltzmann machines on small pictures: a run cut short goes on to the same bits; scores."""

from dataclasses import replace

import numpy as np
import pytest

from minigen import cookbook, recipes
from minigen.energy.redrawn import Redrawn


@pytest.fixture(autouse=True)
def few_temperatures(monkeypatch):
    """AIS takes 500, whatever a recipe asks for."""
    def quick(estimator):
        return lambda *arguments, **settings: estimator(*arguments, **settings | {"betas": 500})

    for estimator in ("ais", "reverse_ais"):
        monkeypatch.setattr(cookbook, estimator, quick(getattr(cookbook, estimator)))


@pytest.fixture(params=["rbm-500", "dbm"])
def name(request, monkeypatch):
    """A recipe that takes digits of 8x8."""
    recipe = replace(recipes.RECIPES[request.param], data=("digits",), epochs=2)
    monkeypatch.setitem(recipes.RECIPES, request.param, recipe)
    return request.param


def test_a_run_cut_short_goes_on_to_the_same_bits_and_is_scored(name, tmp_path, monkeypatch):
    _, prepared, _ = recipes.train(name, out=tmp_path / "whole", progress=False)
    step, steps = Redrawn.loss_and_gradients, []

    def interrupted(*arguments):
        steps.append(arguments)
        if len(steps) == 20:
            raise KeyboardInterrupt
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Redrawn, "loss_and_gradients", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recipes.train(name, out=tmp_path / "cut", progress=False)
    recipes.train(name, out=tmp_path / "cut", resume=True, progress=False)
    whole, cut = (np.load(tmp_path / folder / "checkpoint.npz") for folder in ("whole", "cut"))
    assert len(whole.files) > 5 and all(np.array_equal(whole[n], cut[n]) for n in whole.files if "meta" not in n)

    run, trainer, _ = recipes.open_run(tmp_path / "cut")
    found = recipes.scores(run, trainer, prepared)
    assert found[0].kind == ("bound" if name == "dbm" else "estimate") and 0 < found[0].shared_error < 1
    assert -34 < found[0].mean() < -15, "coin flips have -44; two epochs are few, but no picture is certain"


def test_a_model_that_is_known_exactly_is_scored_by_ais_too():
    recipe, rng = recipes.RECIPES["rbm-suite"], np.random.default_rng(0)
    rows = (rng.random((300, 30)) < 0.3).astype(np.float32)
    trainer = recipe.build((30,), None, rng)
    for p in trainer.model.parameters():
        p.data[...] = 0.7 * rng.standard_normal(p.shape)
    exact, estimate = recipe.score(trainer, cookbook.Prepared(rows, rows, rows, (30,), None), rng)
    assert (exact.kind, estimate.kind) == ("exact", "estimate")
    assert 0 < estimate.shared_error < 0.5
    assert abs(exact.mean() - estimate.mean()) < 3 * estimate.shared_error
