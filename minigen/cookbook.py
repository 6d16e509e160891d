"""The table of recipes: a model, the data it is meant for, and the settings that suit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import data as datasets
from minigen import optim
from minigen.distributions.likelihood import Likelihood
from minigen.energy.ais import ais, base_logits, estimated_likelihood, reverse_ais
from minigen.energy.contrastive_divergence import Contrast, ContrastiveDivergence, PersistentCD
from minigen.energy.dbm import DBM
from minigen.energy.dbm_training import VariationalPCD
from minigen.energy.rbm import RBM
from minigen.energy.redrawn import Redrawn
from minigen.flows import Affine, Compose, Dequantised, FlowModel, Logit, Planar, PLULinear
from minigen.latent.vae import VAE
from minigen.nn import Module

IMAGES = ("mnist-small", "mnist", "digits")
MNIST = ("mnist", "mnist-small")
PLANE = tuple(datasets.TOYS)
SUITE = ("binary_uci:dna", "binary_uci:mushrooms")


@dataclass(frozen=True)
class Prepared:
    """Float rows of training, validation and test data, the shape of one datum and its grey levels."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    shape: tuple[int, ...]
    levels: int | None


Build = Callable[[tuple[int, ...], int | None, np.random.Generator], Module]
Score = Callable[[Any, Prepared, np.random.Generator], list[Likelihood]]


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained. `build(shape, levels, rng)`; `prepare(images, levels, rng)` gives float rows.

    settings(module, updates in all): what `fit` takes beside, such as a schedule and an average of the weights.
    """

    what: str
    data: tuple[str, ...]
    build: Build
    prepare: Callable[[np.ndarray, int | None, np.random.Generator], np.ndarray]
    optimizer: Callable[[Module], optim.Optimiser]
    epochs: int
    batch_size: int
    score: Score
    settings: Callable[[Module, int], dict[str, Any]] = lambda module, updates: {}


def _binary(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Each pixel is 1 with its grey value as probability, drawn once ("fixed stochastic binarisation")."""
    return datasets.binarise(x, levels, rng=rng).reshape(len(x), -1)


def _threshold(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Each pixel is 1 above half of the grey range."""
    return datasets.binarise(x, levels, threshold=0.5).reshape(len(x), -1)


def _grey(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers; the model adds the noise, anew for every batch."""
    return x.reshape(len(x), -1).astype(np.float32)


def _as_it_is(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    return x.astype(np.float32)


def _probabilities(x: np.ndarray, levels: int | None, rng: np.random.Generator) -> np.ndarray:
    """Grey values in [0, 1], from which the model draws its pixels anew for every batch."""
    return (x.reshape(len(x), -1) / np.float32(levels - 1)).astype(np.float32)


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


def _suite_rbm(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> PersistentCD:
    return PersistentCD(RBM(shape[0], 20, rng=rng), 10, rng=rng)


def _large_rbm(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> Redrawn:
    return Redrawn(PersistentCD(RBM(int(np.prod(shape)), 500, rng=rng), rng=rng))


def _deep(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> Redrawn:
    dbm = DBM((int(np.prod(shape)), 500, 1000), rng=rng)
    return Redrawn(VariationalPCD(dbm, gibbs=2, mean_field=5, centre=0.01, rng=rng))


def _small_rbm(shape: tuple[int, ...], levels: int | None, rng: np.random.Generator) -> ContrastiveDivergence:
    return ContrastiveDivergence(RBM(int(np.prod(shape)), 20, rng=rng))


def _score_vae(model: VAE, data: Prepared, rng: np.random.Generator) -> list[Likelihood]:
    some = data.test[:1000]
    return [model.bound(some, rng, 10), model.log_likelihood(some, rng, 500)]


def _score_exactly(trainer: Contrast, data: Prepared, rng: np.random.Generator) -> list[Likelihood]:
    return [trainer.model.log_likelihood(data.test)]


def _score_both_ways(trainer: Contrast, data: Prepared, rng: np.random.Generator) -> list[Likelihood]:
    """Exactly, and with log Z by AIS: what an estimate by AIS is worth shows where the truth is known."""
    rbm = trainer.model
    estimate = ais(rbm, rng, base=base_logits(data.train))
    return [rbm.log_likelihood(data.test), estimated_likelihood(rbm, data.test, estimate)]


def _score_by_annealing(trainer: Redrawn, data: Prepared, rng: np.random.Generator) -> list[Likelihood]:
    """log Z by 100 chains; the other side by annealing the first 100 test data backwards. Pixels are drawn once."""
    rbm, base, test = trainer.model, base_logits(data.train), trainer.drawn(data.test, rng)
    some = test[:100]
    estimate = ais(rbm, rng, base=base)
    backwards = Likelihood(reverse_ais(rbm, some, rng, base=base), "estimate",
                           f"RAISE, low on average; the first 100 data, for which AIS says "
                           f"{estimated_likelihood(rbm, some, estimate).mean():.2f}")
    return [estimated_likelihood(rbm, test, estimate), backwards]


def _score_deep(trainer: Redrawn, data: Prepared, rng: np.random.Generator) -> list[Likelihood]:
    """The mean-field bound, log Z by 100 slow chains in the RBM of even and odd layers. Pixels are drawn once."""
    dbm = trainer.model
    base = np.concatenate([base_logits(data.train), *(np.zeros(n) for n in dbm.sizes[2::2])])
    return [dbm.bound(trainer.drawn(data.test, rng), ais(dbm.as_rbm(), rng, betas=29_000, base=base))]


def _averaged(schedule: Callable[[int], Callable[[int], float]], decay: float, **more: Any) -> Callable[..., dict]:
    """A falling rate and an average of the weights: persistent chains must follow the model, and make it scatter."""
    return lambda module, updates: {"schedule": schedule(updates), "ema": optim.EMA(module, decay), **more}


def _sgd(lr: float, momentum: float = 0.0) -> Callable[[Module], optim.Optimiser]:
    return lambda model: optim.SGD(model.parameters(), lr=lr, momentum=momentum)


def _adam(lr: float) -> Callable[[Module], optim.Optimiser]:
    return lambda model: optim.Adam(model.parameters(), lr=lr)


RECIPES = {
    "vae": Recipe("VAE 784-400-20, Bernoulli decoder", IMAGES, _vae("mlp", (400,)), _binary, _adam(1e-3), 30, 128,
                  _score_vae),
    "conv-vae": Recipe("VAE with two convolutions each way, Bernoulli decoder", IMAGES, _vae("conv", (256,)), _binary,
                       _adam(1e-3), 15, 128, _score_vae),
    "flow": Recipe("flow of linear (PLU) and planar layers on dequantised grey values", ("digits",), _digit_flow,
                   _grey, _adam(2e-3), 60, 100, lambda model, data, rng: [model.log_likelihood(data.test, rng)]),
    "flow-2d": Recipe("flow of linear (PLU) and planar layers in the plane", PLANE, _plane_flow, _as_it_is, _adam(3e-3),
                      150, 200, lambda model, data, rng: [model.log_likelihood(data.test)]),
    "rbm": Recipe("RBM with 20 hidden units, CD-1", ("digits",),
                  _small_rbm, _threshold, _sgd(0.05, momentum=0.5), 100, 50, _score_exactly),
    "rbm-suite": Recipe("RBM with 20 hidden units, PCD-10, stopped by its exact likelihood", SUITE, _suite_rbm,
                        _as_it_is, _sgd(0.1), 500, 20, _score_both_ways,
                        _averaged(optim.cosine, 0.9995, patience=60)),
    "rbm-500": Recipe("RBM with 500 hidden units, PCD-1", MNIST, _large_rbm, _probabilities, _sgd(0.1), 100, 100,
                      _score_by_annealing, _averaged(optim.cosine, 0.999)),
    "dbm": Recipe("DBM with 500 and 1000 hidden units, mean field and persistent chains, centred", MNIST, _deep,
                  _probabilities, _sgd(0.06, momentum=0.5), 80, 100, _score_deep, _averaged(optim.cosine, 0.999)),
}


