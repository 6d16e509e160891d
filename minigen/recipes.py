"""What `minigen train` trains: a model, the data it is meant for, and the settings that suit them.

A trained folder holds `run.json` (which recipe, which data, which seed) beside the checkpoint, so it can be evaluated
and sampled from without being told again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigen import data as datasets
from minigen import optim
from minigen.distributions.likelihood import Likelihood
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.rbm import RBM
from minigen.flows import Affine, Compose, Dequantised, FlowModel, Logit, Planar, PLULinear
from minigen.latent.vae import VAE
from minigen.nn import Module
from minigen.training import History, fit, load_weights

FORMAT = "minigen.run/1"
RUN_FILE = "run.json"
IMAGES = ("mnist-small", "mnist", "digits")
PLANE = tuple(datasets.TOYS)
Score = Callable[[Any, np.ndarray, np.random.Generator], list[Likelihood]]


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained. `build(shape, levels, rng)`; `prepare(images, levels, rng)` gives float rows."""

    what: str
    data: tuple[str, ...]
    build: Callable[[tuple[int, ...], int | None, np.random.Generator], Module]
    prepare: Callable[[np.ndarray, int | None, np.random.Generator], np.ndarray]
    optimizer: Callable[[Module], optim.Optimiser]
    epochs: int
    batch_size: int
    score: Score


def _binary(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Each pixel is 1 with its grey value as probability, drawn once ("fixed stochastic binarisation")."""
    return datasets.binarise(x, levels, rng=rng).reshape(len(x), -1)


def _threshold(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Each pixel is 1 above half of the grey range."""
    return datasets.binarise(x, levels, threshold=0.5).reshape(len(x), -1)


def _grey(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers; the model adds the noise, anew for every batch."""
    return x.reshape(len(x), -1).astype(np.float32)


def _plane(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    return x.astype(np.float32)


def _vae(net: str, hidden: tuple[int, ...]) -> Callable[..., VAE]:
    return lambda shape, levels, rng: VAE(int(np.prod(shape)), 20, hidden, net=net, rng=rng)


def _digit_flow(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> Dequantised:
    """Logit, then linear maps by PLU with planar ridges between them."""
    d = int(np.prod(shape))
    layers = [Logit(d, margin=0.05), Affine(d), PLULinear(d, rng=rng)]
    for _ in range(8):
        layers += [*(Planar(d, rng=rng) for _ in range(4)), PLULinear(d, rng=rng)]
    return Dequantised(FlowModel(Compose(layers)), levels or 2)


def _plane_flow(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> FlowModel:
    """Sixteen planar flows with linear maps between them, data to noise."""
    layers = []
    for _ in range(16):
        layers += [PLULinear(2, rng=rng), Planar(2, rng=rng)]
    return FlowModel(Compose(layers))


def _small_rbm(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> ContrastiveDivergence:
    return ContrastiveDivergence(RBM(int(np.prod(shape)), 20, rng=rng))


def _score_vae(model: VAE, x: np.ndarray, rng: np.random.Generator) -> list[Likelihood]:
    some = x[:1000]
    return [model.bound(some, rng, 10), model.log_likelihood(some, rng, 500)]


def _adam(lr: float) -> Callable[[Module], optim.Optimiser]:
    return lambda model: optim.Adam(model.parameters(), lr=lr)


RECIPES = {
    "vae": Recipe("VAE 784-400-20, Bernoulli decoder", IMAGES, _vae("mlp", (400,)), _binary, _adam(1e-3), 30, 128,
                  _score_vae),
    "conv-vae": Recipe("VAE with two convolutions each way, Bernoulli decoder", IMAGES, _vae("conv", (256,)), _binary,
                       _adam(1e-3), 15, 128, _score_vae),
    "flow": Recipe("flow of linear (PLU) and planar layers on dequantised grey values", ("digits",), _digit_flow,
                   _grey, _adam(2e-3), 60, 100, lambda model, x, rng: [model.log_likelihood(x, rng)]),
    "flow-2d": Recipe("flow of linear (PLU) and planar layers in the plane", PLANE, _plane_flow, _plane, _adam(3e-3),
                      150, 200, lambda model, x, rng: [model.log_likelihood(x)]),
    "rbm": Recipe("RBM with 20 hidden units, CD-1", ("digits",),
                  _small_rbm, _threshold, lambda model: optim.SGD(model.parameters(), lr=0.05, momentum=0.5),
                  100, 50, lambda trainer, x, rng: [trainer.model.log_likelihood(x)]),
}


@dataclass(frozen=True)
class Run:
    """What `run.json` says."""

    recipe: str
    data: str
    seed: int


@dataclass(frozen=True)
class Prepared:
    """Float rows of training, validation and test data, the shape of one datum and its grey levels."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    shape: tuple[int, ...]
    levels: int | None


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
    train_rows, valid_rows = datasets.train_valid_split(rows, fraction=0.1, rng=rng)
    return Prepared(train_rows, valid_rows, test, loaded.event_shape, loaded.levels)


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
    try:
        history = fit(module, prepared.train, optimizer=recipe.optimizer(module),
                      epochs=recipe.epochs if epochs is None else epochs, batch_size=recipe.batch_size, rng=rng,
                      valid=prepared.valid, out=out, resume=resume, progress=progress)
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
    return find(run.recipe).score(module, prepared.test, np.random.default_rng([seed, 2]))


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
