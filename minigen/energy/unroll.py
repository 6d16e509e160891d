"""A stack of RBMs unrolled into a deep autoencoder, which gradients then fine-tune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen import nn
from minigen.training import Loss

from .contrastive_divergence import ContrastiveDivergence, Dream
from .rbm import RBM


class CodeRBM(nn.Module):
    """p(v, h) ~ exp(-E),  E = |h - c|^2 / 2 - v'Wh - b'v,  v binary, h real: h | v ~ N(c + W'v, I).

    The RBM of a code layer whose codes are not squeezed into (0, 1). W: (D, H), b: (D,), c: (H,). `CodeCD` trains it.
    Welling, Rosen-Zvi and Hinton 2005; Hinton and Salakhutdinov 2006, note 7.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, rng: np.random.Generator, dtype: Any = np.float32):
        binary = RBM(n_visible, n_hidden, rng=rng, dtype=dtype)
        self.config, self.W, self.b, self.c = binary.config, binary.W, binary.b, binary.c
        self.check, self.visible_logits = binary.check, binary.visible_logits
        self.visible_mean, self.sample_visible, self.fit_to = binary.visible_mean, binary.sample_visible, binary.fit_to

    def free_energy(self, v: Any) -> Any:
        """F(v) = -b'v - sum_j [c_j (v'W)_j + (v'W)_j^2 / 2], up to a constant: (...)."""
        drive = v @ self.W
        return -(v @ self.b) - ad.sum(drive * (self.c + 0.5 * drive), axis=-1)

    def hidden_mean(self, v: np.ndarray) -> np.ndarray:
        """E[h | v] = c + W'v, the code: (..., H), no gradient."""
        return v @ self.W.data + self.c.data

    hidden_logits = hidden_probabilities = hidden_mean  # what `Contrast` asks for: it hands them back to `dream`

    def sample_hidden(self, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """h ~ N(c + W'v, I): (..., H)."""
        mean = self.hidden_mean(v)
        return mean + rng.standard_normal(mean.shape, dtype=mean.dtype)


class CodeCD(ContrastiveDivergence):
    """CD-k of a `CodeRBM`: the chain passes through real codes."""

    def dream(self, logits: np.ndarray, rng: np.random.Generator) -> Dream:
        """v' after k sweeps that begin with h ~ N(mean, I), the means being given."""
        for _ in range(self.k):
            noise = rng.standard_normal(logits.shape, dtype=logits.dtype)
            v = self.model.sample_visible(logits + noise, rng)
            logits = self.model.hidden_mean(v)
        return Dream(v, logits)


class Autoencoder(nn.Module):
    """code = f_L(... f_1(x W_1 + c_1) ... W_L + c_L), and back down through W_L', ..., W_1' to logits of x.

    stack: trained RBMs, the lowest first; the top one may be a `CodeRBM`, whose code is linear, while every other
    layer is sigmoid. The weights are copies: those of encoder and decoder are transposes to begin with, and part in
    training. x: (batch, D) in [0, 1]. Nats a datum. Hinton and Salakhutdinov 2006, figure 1.
    """

    def __init__(self, stack: Sequence[Any]):
        shapes = [rbm.W.shape for rbm in stack]
        if not shapes or any(below[1] != above[0] for below, above in zip(shapes, shapes[1:])):
            raise ValueError(f"Autoencoder: the RBMs have W of shapes {shapes}; expected a stack, lowest first")
        self.config = {"sizes": [shapes[0][0], *(shape[1] for shape in shapes)],
                       "linear_code": isinstance(stack[-1], CodeRBM)}
        self.encoder = [_layer(rbm.W.data, rbm.c.data, None if isinstance(rbm, CodeRBM) else "sigmoid")
                        for rbm in stack]
        self.decoder = [_layer(rbm.W.data.T, rbm.b.data, "sigmoid" if l else None)
                        for l, rbm in reversed(list(enumerate(stack)))]

    def encode(self, x: Any) -> Any:
        """The code of x: (batch, code units), differentiable."""
        for layer in self.encoder:
            x = layer(x)
        return x

    def decode(self, code: Any) -> Any:
        """Logits of x given a code: (batch, D), differentiable."""
        for layer in self.decoder:
            code = layer(code)
        return code

    def forward(self, x: Any) -> Any:
        """sigmoid(decode(encode(x))): (batch, D) in (0, 1)."""
        return ad.sigmoid(self.decode(self.encode(x)))

    def loss(self, x: np.ndarray, rng: np.random.Generator) -> Loss:
        """Cross-entropy -sum_i [x_i log y_i + (1 - x_i) log(1 - y_i)], and the squared error |x - y|^2 beside it.

        No likelihood of x: the code is handed over for nothing.
        """
        logits = self.decode(self.encode(x))
        error = ((ad.sigmoid(ad.value(logits)) - x) ** 2).sum(-1).mean()
        return Loss(-ad.mean(ad.bernoulli_logits(logits, x)), {"squared_error": error})

    def squared_error(self, x: np.ndarray) -> float:
        """Mean of |x - y|^2 over the data, as Hinton and Salakhutdinov report it."""
        with ad.no_grad():
            return float(((ad.value(self(x)) - x) ** 2).sum(-1).mean())


def _layer(W: np.ndarray, b: np.ndarray, activation: str | None) -> nn.Linear:
    made = nn.Linear(*W.shape, rng=np.random.default_rng(0), activation=activation, dtype=W.dtype)
    made.W.data[...], made.b.data[...] = W, b
    return made
