"""Likelihoods of a decoder: what the numbers that its net puts out mean, and what data they are for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from minigen import autodiff as ad

LOG_2PI = float(np.log(2 * np.pi))


class Decoder(Protocol):
    """p(x | net output); all over the last axis."""

    parameters_per_pixel: int

    def fits(self, x: np.ndarray) -> Any:
        """Whether x is data for this likelihood: one truth value, or several that must all hold."""

    def fault(self, x: np.ndarray) -> str:
        """What is wrong with x that does not fit."""

    def log_prob(self, out: Any, x: Any) -> Any:
        """log p(x | z) in nats, summed over pixels: (batch,)."""

    def mean(self, out: np.ndarray) -> np.ndarray:
        """E[x | z], (batch, pixels)."""

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """x ~ p(x | z), (batch, pixels)."""


class BernoulliDecoder:
    """p(x|z) = prod_j Bernoulli(x_j | sigmoid(t_j)); the net puts out the logits t.

    Grey values between 0 and 1 are allowed: log p is then the mean over images drawn with those probabilities.
    """

    parameters_per_pixel = 1

    def fits(self, x: np.ndarray) -> Any:
        """x lies in [0, 1]."""
        return ((x >= 0) & (x <= 1)).all()

    def fault(self, x: np.ndarray) -> str:
        """The range that x has instead."""
        return f"holds values in [{x.min():g}, {x.max():g}]; expected numbers in [0, 1]"

    def log_prob(self, out: Any, x: Any) -> Any:
        """sum_j x_j t_j - softplus(t_j)."""
        return ad.bernoulli_logits(out, x)

    def mean(self, out: np.ndarray) -> np.ndarray:
        """sigmoid(t)."""
        return ad.sigmoid(out)

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One where a uniform number is below sigmoid(t)."""
        return (rng.random(out.shape, dtype=out.dtype) < ad.sigmoid(out)).astype(out.dtype)


class GaussianDecoder:
    """p(x|z) = N(mu(z), diag sigma(z)^2): a mean net and a covariance net. S1:41-42.

    The net puts out mu and s with log sigma = 5 tanh(s / 5): free around 0, held above e^-5 because the density of
    a datum that is met exactly would grow without bound.
    """

    parameters_per_pixel = 2
    widest = 5.0

    def fits(self, x: np.ndarray) -> Any:
        """x is finite."""
        return np.isfinite(x).all()

    def fault(self, x: np.ndarray) -> str:
        """That it is not."""
        return "holds nan or inf; expected finite numbers"

    def split(self, out: Any) -> tuple[Any, Any]:
        """(mu, log sigma), each (batch, pixels)."""
        n = out.shape[-1] // 2
        return out[..., :n], self.widest * ad.tanh(out[..., n:] / self.widest)

    def log_prob(self, out: Any, x: Any) -> Any:
        """-sum_j ((x_j - mu_j) / sigma_j)^2 / 2 + log sigma_j + log(2 pi) / 2."""
        mu, log_sigma = self.split(out)
        scaled = (x - mu) * ad.exp(-log_sigma)
        return -ad.sum(0.5 * scaled * scaled + log_sigma, axis=-1) - 0.5 * LOG_2PI * x.shape[-1]

    def mean(self, out: np.ndarray) -> np.ndarray:
        """mu(z)."""
        return self.split(out)[0]

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """mu + sigma eps."""
        mu, log_sigma = self.split(out)
        return mu + np.exp(log_sigma) * rng.standard_normal(mu.shape, dtype=mu.dtype)


class CategoricalDecoder:
    """p(x|z) = prod_i softmax(t_i)[x_i]: position i holds one of n classes, and the places are independent given z.

    x: one-hot, the n numbers of a place side by side, (batch, places * n); the net puts out the logits t, as many.
    """

    parameters_per_pixel = 1

    def __init__(self, n_classes: int):
        self.n_classes = n_classes

    def fits(self, x: np.ndarray) -> Any:
        """Each place of x is a one and zeros."""
        places = self._places(x)
        return ((places == 0) | (places == 1)).all() & (ad.sum(places, axis=-1) == 1).all()

    def fault(self, x: np.ndarray) -> str:
        """That a place is something else."""
        return f"is not one-hot; expected a one and {self.n_classes - 1} zeros in each place"

    def log_prob(self, out: Any, x: Any) -> Any:
        """sum_i log softmax(t_i)[x_i]."""
        return ad.sum(self._places(x) * ad.log_softmax(self._places(out), axis=-1), axis=(-2, -1))

    def mean(self, out: np.ndarray) -> np.ndarray:
        """softmax(t_i) of each place."""
        return ad.softmax(self._places(out), axis=-1).reshape(out.shape)

    def sample(self, out: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One-hot rows of classes: the first whose cumulative probability exceeds a uniform number."""
        rising = np.cumsum(self.mean(out).reshape(-1, self.n_classes), axis=-1)
        chosen = (rising[:, :-1] < rng.random((len(rising), 1))).sum(-1)
        return np.eye(self.n_classes, dtype=out.dtype)[chosen].reshape(out.shape)

    def _places(self, x: Any) -> Any:
        return ad.reshape(x, (*x.shape[:-1], -1, self.n_classes))


LIKELIHOODS = ("bernoulli", "gaussian", "categorical")


def decoder_named(likelihood: str, n_visible: int, n_classes: int | None) -> Decoder:
    """The decoder of that name. n_classes: needed for "categorical", where it divides n_visible; None elsewhere."""
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"VAE: likelihood is {likelihood!r}; expected one of {', '.join(LIKELIHOODS)}")
    if likelihood != "categorical":
        if n_classes is not None:
            raise ValueError(f"VAE: n_classes is {n_classes} for a {likelihood} likelihood; expected None")
        return BernoulliDecoder() if likelihood == "bernoulli" else GaussianDecoder()
    if not isinstance(n_classes, int) or n_classes < 2 or n_visible % n_classes:
        raise ValueError(f"VAE: n_classes is {n_classes!r}; expected a whole number >= 2 that divides "
                         f"n_visible = {n_visible}")
    return CategoricalDecoder(n_classes)
