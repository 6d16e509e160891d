"""The stops of the tour. Each trains one family and returns what the page shows of it: figures and likelihoods."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from minigen import autodiff as ad
from minigen import plots, recipes
from minigen.distributions.likelihood import Likelihood
from minigen.training import History


@dataclass
class Stop:
    """One family: what it is, its figures with a sentence each, its likelihoods with the dimensions of a datum."""

    title: str
    text: str
    dimensions: int
    likelihoods: list[Likelihood]
    data: str
    figures: list[tuple[Figure, str]] = field(default_factory=list)


def vae(folder: Path, seed: int) -> Stop:
    """A VAE on bundled MNIST."""
    model, prepared, history = recipes.train("vae", out=folder / "vae", seed=seed)
    rng = np.random.default_rng([seed, 10])
    side = prepared.shape
    some = prepared.test[:12]
    path = np.concatenate([model.interpolate(prepared.test[i], prepared.test[i + 1], 10) for i in (0, 2, 4)])
    noise = rng.standard_normal((50, model.n_latent)).astype(np.float32)
    return Stop(
        "Variational autoencoder",
        "A VAE 784-400-20 with a Bernoulli decoder on 9 000 MNIST digits whose pixels were drawn once, each 1 with its "
        "grey value as probability. Training maximises the ELBO, a lower bound of the log-likelihood; importance "
        "sampling with 500 draws comes closer to it. Both are means over the first 1 000 test digits.",
        784, recipes.scores(recipes.Run("vae", "mnist-small", seed), model, prepared, seed),
        "MNIST, fixed stochastic binarisation",
        [(_loss_curves(history, "VAE: negative ELBO while training"), "The bound on training and on held-out digits."),
         (plots.pairs(some.reshape(-1, *side), model.reconstruct(some).reshape(-1, *side),
                      "Test digits and their reconstructions", ("digit", "decoded")),
          "Above: test digits. Below: the mean that the decoder makes of the encoder's mean."),
         (plots.image_grid(model.decode(noise).reshape(-1, *side), "Digits that the VAE imagines"),
          "Decoded means of 50 draws from the prior."),
         (plots.image_grid(path.reshape(-1, *side), "From one digit to another, along a line in latent space"),
          "Each row joins two test digits.")])


def flow(folder: Path, seed: int) -> Stop:
    """A flow on dequantised digits."""
    model, prepared, history = recipes.train("flow", out=folder / "flow", seed=seed)
    rng = np.random.default_rng([seed, 11])
    drawn = model.sample(50, rng).reshape(-1, *prepared.shape) / (prepared.levels - 1)
    return Stop(
        "Normalising flow",
        "Linear maps (PLU) and planar ridges on 8x8 digits of 17 grey levels. Uniform noise makes the data "
        "continuous, which makes the exact density a bound of the probability of the discrete digit.",
        64, recipes.scores(recipes.Run("flow", "digits", seed), model, prepared, seed), "digits 8x8, 17 grey levels",
        [(_loss_curves(history, "Flow: negative bound while training"), "Training and held-out digits."),
         (plots.image_grid(drawn, "Digits that the flow draws"), "Fifty samples, each one pass of the inverse.")])


def plane(folder: Path, seed: int) -> Stop:
    """A flow in the plane, where it can be watched."""
    model, prepared, _ = recipes.train("flow-2d", out=folder / "flow-2d", seed=seed)
    rng = np.random.default_rng([seed, 12])
    stages, titles = [rng.standard_normal((4000, 2)).astype(np.float32)], ["noise"]
    layers = model.flow.flows
    with ad.no_grad():
        x = stages[0]
        for count, layer in enumerate(reversed(layers), 1):
            x = ad.value(layer.inverse(x)[0])
            if count % (len(layers) // 4) == 0:
                stages.append(x)
                titles.append(f"{count} layers" if count < len(layers) else "data")

        def log_prob(points: np.ndarray) -> np.ndarray:
            return ad.value(model.log_prob(points.astype(np.float32)))

        heat = plots.density(log_prob, prepared.test, "Two moons: data and the density of the flow")
    return Stop("A flow in the plane", "The same kind of flow on two moons; here log p(x) is exact.", 2,
                recipes.scores(recipes.Run("flow-2d", "two-moons", seed), model, prepared, seed), "two moons",
                [(plots.warp(stages, titles, "A Gaussian on its way to two moons"),
                  "4 000 points of noise, coloured by the angle at which they start, every quarter of the layers."),
                 (heat, "Probability is neither lost nor made: the density integrates to one.")])


def rbm(folder: Path, seed: int) -> Stop:
    """An RBM on binarised digits."""
    trainer, prepared, history = recipes.train("rbm", out=folder / "rbm", seed=seed)
    rng = np.random.default_rng([seed, 13])
    drawn = trainer.sample(50, rng).reshape(-1, *prepared.shape)
    epochs = np.arange(1, len(history.records) + 1)
    return Stop(
        "Restricted Boltzmann machine",
        "Trained by contrastive divergence (one Gibbs step) on 8x8 digits. With 20 hidden units the partition "
        "function is a sum of 2^20 terms, so the likelihood is exact.", 64,
        recipes.scores(recipes.Run("rbm", "digits", seed), trainer, prepared, seed), "digits 8x8, binarised",
        [(plots.curves({"held-out digits": (epochs, -history.curve("valid"))},
                       "RBM: exact log-likelihood while training", "epoch", "nats per digit"),
          "Most implementations cannot draw this curve: they have no log Z."),
         (plots.curves({"held-out digits": (epochs, history.curve("valid", "reconstruction_error"))},
                       "RBM: reconstruction error while training", "epoch", "squared error per digit"),
          "What is often shown instead; it is neither the likelihood nor a bound of it."),
         (plots.filters(trainer.model.W.data, prepared.shape, "What each hidden unit looks at"),
          "Weights of the 20 hidden units."),
         (plots.image_grid(drawn, "Digits that the RBM dreams"), "States of 50 chains after 1 000 Gibbs sweeps.")])


def _loss_curves(history: History, title: str) -> Figure:
    epochs = np.arange(1, len(history.records) + 1)
    return plots.curves({"training": (epochs, history.curve("train")), "held out": (epochs, history.curve("valid"))},
                        title, "epoch", "nats per digit")


STOPS = {"vae": vae, "flow": flow, "flow in the plane": plane, "rbm": rbm}
