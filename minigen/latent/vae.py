"""Variational autoencoder: amortised inference in a deep latent Gaussian model.

Begin at `VAE.elbo`; the nets are in `networks.py`, the decoders' likelihoods in `decoders.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.distributions.likelihood import Likelihood
from minigen.latent.decoders import decoder_named
from minigen.latent.networks import build_decoder, build_encoder
from minigen.nn.checking import float_type, generator, whole
from minigen.training import Loss

ROWS_AT_ONCE = 10_000  # decoded rows held in memory while samples are weighed


class VAE(nn.Module):
    """log p(x) >= E_q(z|x) log p(x|z) - KL(q(z|x) || p(z)),  p(z) = N(0, I),  q(z|x) = N(mu(x), diag sigma(x)^2).

    x: (batch, n_visible), z: (batch, n_latent). likelihood: "bernoulli" for x in [0, 1], "gaussian" for real x,
    "categorical" for one-hot places of n_classes numbers each. net: "mlp" with the given hidden layers, or "conv" for
    square images. All likelihoods in nats. Raises ValueError for data of another shape or range.
    Kingma and Welling 2014, eq. 7-10; S1:309-336, S4:433-560.
    """

    def __init__(self, n_visible: int, n_latent: int = 20, hidden: Sequence[int] = (400,), *,
                 likelihood: str = "bernoulli", n_classes: int | None = None, activation: str = "relu",
                 net: str = "mlp", rng: np.random.Generator, dtype: Any = np.float32):
        self.n_visible, self.n_latent = whole(n_visible, "n_visible", "VAE"), whole(n_latent, "n_latent", "VAE")
        hidden = [whole(n, f"hidden[{i}]", "VAE") for i, n in enumerate(hidden)]
        self.likelihood = decoder_named(likelihood, self.n_visible, n_classes)
        self.config = {"n_visible": self.n_visible, "n_latent": self.n_latent, "hidden": hidden,
                       "likelihood": likelihood, "n_classes": n_classes, "activation": activation, "net": net,
                       "dtype": float_type(dtype, "VAE").name}
        widths = dict(hidden=hidden, activation=activation, net=net, rng=generator(rng, "VAE"), dtype=dtype)
        self.encoder = build_encoder(self.n_visible, 2 * self.n_latent, **widths)
        self.decoder = build_decoder(self.n_latent, self.n_visible, self.likelihood.parameters_per_pixel, **widths)

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, as the parameters are."""
        return self.parameters()[0].dtype

    def encode(self, x: Any) -> tuple[Any, Any]:
        """(mu(x), log sigma(x)) of q(z|x), each (batch, n_latent)."""
        numbers = ad.value(x)
        if numbers.dtype.kind not in "buif":
            raise TypeError(f"VAE: x has dtype {numbers.dtype}; expected real numbers")
        if numbers.ndim != 2 or numbers.shape[1] != self.n_visible or not len(numbers):
            raise ValueError(f"VAE: x has shape {numbers.shape}; expected (batch, {self.n_visible})")
        ad.ensure(self.likelihood.fits(numbers), lambda x: ValueError(f"VAE: x {self.likelihood.fault(x)}"), numbers)
        out = self.encoder(x)
        return out[:, :self.n_latent], out[:, self.n_latent:]

    def decode(self, z: Any) -> np.ndarray:
        """E[x | z], (batch, n_visible): probabilities of pixels or characters, or means."""
        with ad.no_grad():
            return self.likelihood.mean(ad.value(self.decoder(z)))

    def log_conditional(self, x: Any, z: Any) -> Any:
        """log p(x | z), (batch,)."""
        return self.likelihood.log_prob(self.decoder(z), x)

    def draw(self, mu: Any, log_sigma: Any, rng: np.random.Generator) -> Any:
        """z = mu + sigma eps, eps ~ N(0, I): a sample of q(z|x) through which gradients pass."""
        eps = generator(rng, "VAE").standard_normal(mu.shape, dtype=mu.dtype)
        return mu + ad.exp(log_sigma) * eps

    def elbo(self, x: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        """The two parts of the bound, each (batch,): log p(x|z) at one z ~ q(z|x), and KL(q(z|x) || p(z))."""
        mu, log_sigma = self.encode(x)
        return self.log_conditional(x, self.draw(mu, log_sigma, rng)), ad.gaussian_kl(mu, log_sigma)

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Loss:
        """-ELBO, mean over the batch."""
        reconstruction, kl = self.elbo(x, rng)
        return Loss(ad.mean(kl - reconstruction), {"reconstruction": -ad.value(reconstruction).mean(),
                                                   "kl": ad.value(kl).mean()})

    def bound(self, x: np.ndarray, rng: np.random.Generator, n_samples: int = 1) -> Likelihood:
        """The ELBO of each datum, log p(x|z) averaged over n_samples draws of z, the KL in closed form."""
        log_conditional, _, kl = self._weigh(x, rng, n_samples)
        error = log_conditional.std(0, ddof=1) / np.sqrt(n_samples) if n_samples > 1 else None
        draws = "one draw" if n_samples == 1 else f"{n_samples} draws"
        return Likelihood(log_conditional.mean(0) - kl, "bound", f"ELBO, {draws} of z", error)

    def log_likelihood(self, x: np.ndarray, rng: np.random.Generator, n_samples: int = 500) -> Likelihood:
        """log 1/K sum_k p(x, z_k) / q(z_k | x), z_k ~ q(z|x): consistent, and low on average for finite K.

        The standard error is the delta method's, from the spread of the K weights. Burda et al. 2016, eq. 8.
        """
        log_conditional, log_ratio, _ = self._weigh(x, rng, n_samples)
        log_weights = log_conditional + log_ratio
        top = log_weights.max(0)
        weights = np.exp(log_weights - top)
        mean = weights.mean(0)
        error = weights.std(0, ddof=1) / (mean * np.sqrt(n_samples)) if n_samples > 1 else None
        return Likelihood(np.log(mean) + top, "estimate", f"importance sampling, K = {n_samples}", error)

    def _weigh(self, x: np.ndarray, rng: np.random.Generator, n_samples: int) -> tuple[np.ndarray, ...]:
        """log p(x|z_k) and log p(z_k) - log q(z_k|x), each (n_samples, batch), and KL(q || p), (batch,); float64."""
        rows = max(1, ROWS_AT_ONCE // whole(n_samples, "n_samples", "VAE"))
        x, rng = np.atleast_1d(x), generator(rng, "VAE")
        with ad.no_grad():
            parts = [self._weigh_rows(x[i:i + rows], rng, n_samples) for i in range(0, max(len(x), 1), rows)]
        return tuple(np.concatenate(part, axis=-1) for part in zip(*parts))

    def _weigh_rows(self, x: np.ndarray, rng: np.random.Generator, n_samples: int) -> tuple[np.ndarray, ...]:
        mu, log_sigma = (ad.value(part) for part in self.encode(x))
        eps = rng.standard_normal((n_samples, *mu.shape), dtype=mu.dtype)
        z = mu + np.exp(log_sigma) * eps
        rows = np.broadcast_to(x, (n_samples, *x.shape)).reshape(-1, self.n_visible)
        log_conditional = ad.value(self.log_conditional(rows, z.reshape(-1, self.n_latent))).reshape(n_samples, -1)
        log_ratio = (0.5 * (eps.astype(np.float64) ** 2 - z.astype(np.float64) ** 2) + log_sigma).sum(-1)
        return log_conditional.astype(np.float64), log_ratio, ad.gaussian_kl(mu, log_sigma).astype(np.float64)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """x ~ p(x|z), z ~ N(0, I): (n, n_visible). `decode` gives the mean instead."""
        shape = whole(n, "n", "VAE"), self.n_latent
        z = generator(rng, "VAE").standard_normal(shape, dtype=self.dtype)
        with ad.no_grad():
            return self.likelihood.sample(ad.value(self.decoder(z)), rng)

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """E[x | z = mu(x)], (batch, n_visible)."""
        return self.decode(self._means(x))

    def interpolate(self, start: np.ndarray, end: np.ndarray, steps: int = 8) -> np.ndarray:
        """Means decoded along the line from mu(start) to mu(end): (steps, n_visible). start, end: (n_visible,)."""
        if np.shape(start) != np.shape(end):
            raise ValueError(f"VAE: start has shape {np.shape(start)}, end {np.shape(end)}; expected "
                             f"({self.n_visible},) for both")
        a, b = self._means(np.stack([start, end]))
        t = np.linspace(0, 1, whole(steps, "steps", "VAE", least=2), dtype=a.dtype)[:, None]
        return self.decode((1 - t) * a + t * b)

    def attribute_vector(self, having: np.ndarray, lacking: np.ndarray) -> np.ndarray:
        """mean mu(x) over data that have an attribute minus that over data that lack it: (n_latent,). S4:740-744."""
        return self._means(having).mean(0) - self._means(lacking).mean(0)

    def resynthesise(self, x: np.ndarray, direction: np.ndarray, strengths: Sequence[float]) -> np.ndarray:
        """Means decoded at mu(x) + s * direction for every strength s: (len(strengths), batch, n_visible)."""
        mu, direction = self._means(x), np.asarray(direction)
        if direction.shape != (self.n_latent,):
            raise ValueError(f"VAE: direction has shape {direction.shape}; expected ({self.n_latent},)")
        return np.stack([self.decode((mu + s * direction).astype(mu.dtype)) for s in strengths])

    def _means(self, x: np.ndarray) -> np.ndarray:
        with ad.no_grad():
            return ad.value(self.encode(x)[0])
