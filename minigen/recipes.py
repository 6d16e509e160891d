"""What `minigen train`, `evaluate` and `sample` do with a recipe of the cookbook.

A trained folder holds `run.json` (which recipe, which data, which seed) beside the checkpoint, so it can be evaluated
and sampled from without being told again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigen import data as datasets
from minigen.cookbook import RECIPES, Prepared, Recipe
from minigen.distributions.likelihood import Likelihood
from minigen.nn import Module
from minigen.training import History, fit, load_weights

FORMAT = "minigen.run/1"
RUN_FILE = "run.json"


@dataclass(frozen=True)
class Run:
    """What `run.json` says."""

    recipe: str
    data: str
    seed: int


def find(name: str) -> Recipe:
    """The recipe of that name; ValueError that lists them otherwise."""
    if name not in RECIPES:
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(RECIPES)}")
    return RECIPES[name]


def prepare(run: Run) -> Prepared:
    """The data of a run, the same every time: what is drawn is drawn from its seed."""
    recipe = find(run.recipe)
    if run.data not in recipe.data:
        raise ValueError(f"model {run.recipe} is not for data {run.data!r}; expected one of {', '.join(recipe.data)}")
    rng = np.random.default_rng([run.seed, 1])
    loaded = datasets.load(run.data, rng=rng)
    rows, test = (recipe.prepare(part, loaded.levels, rng) for part in (loaded.train, loaded.test))
    if loaded.valid is None:
        rows, valid = datasets.train_valid_split(rows, fraction=0.1, rng=rng)
    else:
        valid = recipe.prepare(loaded.valid, loaded.levels, rng)
    return Prepared(rows, valid, test, loaded.event_shape, loaded.levels)


def train(model: str, *, out: Path, data: str | None = None, epochs: int | None = None, resume: bool = False,
          seed: int = 0, progress: bool = True) -> tuple[Module, Prepared, History]:
    """Train a recipe into the folder `out`, or go on from the checkpoint there. Data default to the recipe's first."""
    out, recipe = Path(out), find(model)
    run = read_run(out) if resume else Run(model, data or recipe.data[0], seed)
    if run.recipe != model or (data is not None and run.data != data):
        raise ValueError(f"{out} holds a run of {run.recipe} on {run.data}, not of {model} on {data or run.data}")
    prepared = prepare(run)
    rng = np.random.default_rng(run.seed)
    module = recipe.build(prepared.shape, prepared.levels, rng)
    if hasattr(module, "fit_to"):
        module.fit_to(prepared.train, rng)
    if not resume:
        _write_run(out, run)
    epochs = recipe.epochs if epochs is None else epochs
    settings = recipe.settings(module, epochs * -(-len(prepared.train) // recipe.batch_size))
    try:
        history = fit(module, prepared.train, optimizer=recipe.optimizer(module), epochs=epochs,
                      batch_size=recipe.batch_size, rng=rng, valid=prepared.valid, out=out, resume=resume,
                      progress=progress, **settings)
    except BaseException:
        if not (out / "checkpoint.npz").exists():  # nothing was trained: the folder is free for another try
            (out / RUN_FILE).unlink(missing_ok=True)
        raise
    return module, prepared, history


def open_run(folder: Path) -> tuple[Run, Module, Prepared]:
    """A trained folder: what was run, the model with its parameters, its data."""
    run = read_run(Path(folder))
    prepared = prepare(run)
    module = find(run.recipe).build(prepared.shape, prepared.levels, np.random.default_rng(run.seed))
    load_weights(module, Path(folder) / "checkpoint.npz")
    return run, module, prepared


def scores(run: Run, module: Module, prepared: Prepared, seed: int = 0) -> list[Likelihood]:
    """Likelihoods of the test data, each saying what it is."""
    return find(run.recipe).score(module, prepared, np.random.default_rng([seed, 2]))


def evaluate(folder: Path, *, seed: int = 0) -> None:
    """Print the likelihoods of a trained folder on its test data, in nats and bits/dim."""
    run, module, prepared = open_run(folder)
    print(f"{find(run.recipe).what}; {run.data}, {prepared.test.shape[1]} dimensions")
    for likelihood in scores(run, module, prepared, seed):
        print(f"  mean over {len(likelihood)} test data: {likelihood}")
        print(f"    {likelihood.bits_per_dimension(prepared.test.shape[1])}")


def sample(folder: Path, *, n: int, out: Path, seed: int = 0) -> None:
    """Draw n samples of a trained folder into an image file."""
    from minigen import plots

    if n < 1:
        raise ValueError(f"sample: n is {n}; expected at least 1")
    run, module, prepared = open_run(folder)
    rng = np.random.default_rng([seed, 3])
    title = f"{n} samples: {run.recipe} trained on {run.data}"
    drawn = module.sample(n, rng)
    if len(prepared.shape) == 1:
        figure = plots.scatter(drawn, title)
    else:
        top = 1 if prepared.test.max() <= 1 else prepared.levels - 1
        figure = plots.image_grid(drawn.reshape(n, *prepared.shape) / top, title)
    plots.save(figure, out)
    print(out)


def read_run(folder: Path) -> Run:
    """`run.json` of a folder; one error that names the file where it is missing or of another kind."""
    path = folder / RUN_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format", None) != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return Run(**content)
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no trained model: {RUN_FILE} is missing") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not a description of a run: {error}") from None


def _write_run(folder: Path, run: Run) -> None:
    path = folder / RUN_FILE
    if path.exists():
        raise ValueError(f"{folder} holds a run already; resume it, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps({"format": FORMAT, **asdict(run)}, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
