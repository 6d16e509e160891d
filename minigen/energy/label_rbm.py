"""RBM over a picture and its label: the label is one softmax unit, and p(label | picture) is exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.distributions.likelihood import Likelihood

from .boltzmann import binary
from .rbm import RBM
from .sampling import bernoulli, coins


class LabelRBM(RBM):
    """p(v, y, h) = exp(-E) / Z,  E = -v'Wh - b'v - y'Uh - d'y - c'h,  v in {0,1}^D, h in {0,1}^H, y one-hot of K.

    An RBM over rows x = [v, y] of length D + K (see `join`), whose last K units are 1 exactly once: its energies are
    those of `RBM` with W stacked over U and b beside d, its conditional of y a softmax. Larochelle and Bengio 2008.
    """

    def __init__(self, n_visible: int, n_labels: int, n_hidden: int, *, rng: np.random.Generator,
                 dtype: Any = np.float32):
        if n_labels < 2 or n_visible < 1:
            raise ValueError(f"LabelRBM: n_visible is {n_visible} and n_labels {n_labels}; expected at least 1 and 2")
        super().__init__(n_visible + n_labels, n_hidden, rng=rng, dtype=dtype)
        self.config = {"n_visible": n_visible, "n_labels": n_labels, "n_hidden": n_hidden,
                       "dtype": np.dtype(dtype).name}
        self.n_visible, self.n_labels = n_visible, n_labels

    def fit_to(self, data: np.ndarray, rng: np.random.Generator) -> None:
        """b <- log odds of each visible unit, d <- log frequency of each label, a count of one added everywhere."""
        super().fit_to(data, rng)
        counts = np.asarray(data, np.float64)[:, self.n_visible:].sum(0) + 1
        self.b.data[self.n_visible:] = np.log(counts / counts.sum())

    def join(self, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """x = [v, one-hot of the labels], the rows that this model is trained on. v: (n, D), labels: (n,) in 0..K-1.

        ValueError for labels of another number or outside that range.
        """
        v, labels = np.asarray(v), np.asarray(labels)
        if v.ndim != 2 or v.shape[1] != self.n_visible:
            raise ValueError(f"LabelRBM: v has shape {v.shape}; expected (n, {self.n_visible})")
        if labels.shape != (len(v),) or not np.isin(labels, np.arange(self.n_labels)).all():
            raise ValueError(f"LabelRBM: labels of shape {labels.shape} for {len(v)} rows; expected ({len(v)},) of "
                             f"whole numbers in 0..{self.n_labels - 1}")
        return np.concatenate([v, np.eye(self.n_labels)[labels.astype(np.intp)]], axis=1).astype(self.W.dtype)

    def label_scores(self, v: Any) -> Any:
        """-F(v, y) = b'v + d_y + sum_j softplus(c_j + v'W_j + U_yj) for every label y. v: (n, D); result (n, K)."""
        if v.shape[-1:] != (self.n_visible,):
            raise ValueError(f"LabelRBM: v has shape {v.shape}; expected (n, {self.n_visible})")
        W, U, b, d = self.W[:self.n_visible], self.W[self.n_visible:], self.b[:self.n_visible], self.b[self.n_visible:]
        inputs = ad.expand_dims(v @ W + self.c, 1) + U
        return ad.expand_dims(v @ b, 1) + d + ad.sum(ad.softplus(inputs), axis=-1)

    def label_log_prob(self, v: Any) -> Any:
        """log p(y | v) of every label, nats; the constant Z cancels. Differentiable. v: (n, D); result (n, K)."""
        return ad.log_softmax(self.label_scores(v), axis=-1)

    def predict(self, v: np.ndarray) -> np.ndarray:
        """argmax_y p(y | v). v: (n, D) of 0 and 1; result (n,) of whole numbers."""
        v = binary(v, self.n_visible, "LabelRBM")
        with ad.no_grad():
            return ad.value(self.label_scores(v)).argmax(-1)

    def visible_probabilities(self, h: np.ndarray) -> np.ndarray:
        """[p(v_i = 1 | h), p(y | h)]: a sigmoid for every visible unit, one softmax over the labels. (..., D + K)."""
        logits = self.visible_logits(h)
        return np.concatenate([ad.sigmoid(logits[..., :self.n_visible]),
                               ad.softmax(logits[..., self.n_visible:], axis=-1)], axis=-1)

    visible_mean = visible_probabilities

    def sample_visible(self, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """x = [v, y] ~ p(v | h) p(y | h): (..., D + K)."""
        logits = self.visible_logits(h)
        x = np.empty_like(logits)
        x[..., :self.n_visible] = bernoulli(logits[..., :self.n_visible], rng)
        levels = np.cumsum(ad.softmax(logits[..., self.n_visible:].astype(np.float64), axis=-1), axis=-1)
        chosen = (rng.random((*levels.shape[:-1], 1)) * levels[..., -1:] < levels).argmax(-1)
        x[..., self.n_visible:] = np.arange(self.n_labels) == chosen[..., None]
        return x

    def sample(self, n: int, rng: np.random.Generator, sweeps: int = 1000) -> np.ndarray:
        """n chains after `sweeps` Gibbs sweeps from hidden coin flips: near p(v, y) where they mix. (n, D + K)."""
        return self.gibbs(self.sample_visible(coins((n, self.c.size), self.c.dtype, rng), rng), sweeps, rng)

    def given(self, label: int) -> RBM:
        """p(v, h | y): the RBM with hidden biases c + U_y, in float64."""
        rbm = RBM(self.n_visible, self.c.size, rng=np.random.default_rng(0), dtype=np.float64)
        rbm.W.data[...] = self.W.data[:self.n_visible]
        rbm.b.data[...] = self.b.data[:self.n_visible]
        rbm.c.data[...] = self.c.data.astype(np.float64) + self.W.data[self.n_visible + label]
        return rbm

    def log_z(self) -> float:
        """log Z = log sum_y exp(d_y) Z_y, nats, Z_y of the RBM given y; ValueError above 25 units on both sides."""
        d = self.b.data[self.n_visible:].astype(np.float64)
        return float(ad.logsumexp(np.array([d[y] + self.given(y).log_z() for y in range(self.n_labels)])))

    def marginal_log_likelihood(self, v: np.ndarray) -> Likelihood:
        """log p(v) = log sum_y exp(-F(v, y)) - log Z, exact. v: (n, D). `log_likelihood` is that of x = [v, y]."""
        v = binary(v, self.n_visible, "LabelRBM")
        with ad.no_grad():
            scores = ad.value(self.label_scores(v)).astype(np.float64)
        return Likelihood(ad.logsumexp(scores, axis=-1) - self.log_z(), "exact", "log Z by enumeration of one side")

    def check(self, v: np.ndarray) -> None:
        """Raises ValueError unless v is rows of zeros and ones whose last K entries hold one 1, at least one row."""
        super().check(v)
        ones = v[:, self.n_visible:].sum(1)
        if (ones != 1).any():
            raise ValueError(f"LabelRBM: row {(ones != 1).argmax()} has {ones[ones != 1][0]:g} labels; expected one 1 "
                             f"among the last {self.n_labels} entries (see LabelRBM.join)")
