"""The optimisers: each is its formula. theta: parameters, g: gradient, t = 1, 2, ...: the step, lr: the rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minigen.autodiff import Tensor

from .base import Optimiser
from .clipping import fraction, positive


class SGD(Optimiser):
    """theta <- theta - lr g;  with momentum mu:  m <- mu m + g,  theta <- theta - lr m;  Nesterov: lr (g + mu m).

    Sutskever et al. 2013, in the form in which lr scales m, so that a change of lr acts at once.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, *, momentum: float = 0.0, nesterov: bool = False):
        self.momentum, self.nesterov = fraction(momentum, "momentum", "SGD"), bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("SGD: nesterov is True and momentum 0; expected momentum in (0, 1)")
        self.kernel, self.slots = ("momentum", ("m",)) if self.momentum else ("sgd", ())
        super().__init__(parameters, lr)

    def coefficients(self, rate: float) -> tuple[float, ...]:
        """rate, and with momentum mu and whether it looks ahead"""
        return (rate, self.momentum, self.nesterov) if self.momentum else (rate,)


class RMSprop(Optimiser):
    """v <- a v + (1 - a) g^2;  theta <- theta - lr g / (sqrt(v) + eps). Tieleman and Hinton 2012, lecture 6.5."""

    kernel, slots = "rmsprop", ("v",)

    def __init__(self, parameters: Iterable[Tensor], lr: float = 1e-3, *, decay: float = 0.99, eps: float = 1e-8):
        self.decay, self.eps = fraction(decay, "decay", "RMSprop"), positive(eps, "eps", "RMSprop")
        super().__init__(parameters, lr)

    def coefficients(self, rate: float) -> tuple[float, ...]:
        """rate, a, eps"""
        return rate, self.decay, self.eps


class Adam(Optimiser):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  theta <- theta - lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t) undo the start at 0. Kingma and Ba 2015, algorithm 1.
    """

    kernel, slots = "adam", ("m", "v")

    def __init__(self, parameters: Iterable[Tensor], lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8):
        self.betas, self.eps = _betas(betas, type(self).__name__), positive(eps, "eps", type(self).__name__)
        super().__init__(parameters, lr)

    def coefficients(self, rate: float) -> tuple[float, ...]:
        """The corrections moved out of the loop (the paper, end of section 2): they scale rate and eps"""
        b1, b2 = self.betas
        root = math.sqrt(1 - b2**self.steps)
        return rate * root / (1 - b1**self.steps), b1, b2, self.eps * root, self.shrink(rate)

    def shrink(self, rate: float) -> float:
        """The factor of theta before the step: 1"""
        return 1.0


class AdamW(Adam):
    """theta <- (1 - lr w) theta, then Adam: the weights decay by themselves, not through the gradient's moments.

    w: weight_decay. Loshchilov and Hutter 2019, algorithm 2.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2):
        self.weight_decay = fraction(weight_decay, "weight_decay", "AdamW")
        super().__init__(parameters, lr, betas=betas, eps=eps)

    def shrink(self, rate: float) -> float:
        """1 - lr w"""
        return 1.0 - rate * self.weight_decay


class Adamax(Optimiser):
    """m <- b1 m + (1 - b1) g;  u <- max(b2 u, |g| + eps);  theta <- theta - lr / (1 - b1^t) m / u.

    Adam with the maximum norm in place of the Euclidean. Kingma and Ba 2015, algorithm 2; eps guards against u = 0.
    """

    kernel, slots = "adamax", ("m", "u")

    def __init__(self, parameters: Iterable[Tensor], lr: float = 2e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8):
        self.betas, self.eps = _betas(betas, "Adamax"), positive(eps, "eps", "Adamax")
        super().__init__(parameters, lr)

    def coefficients(self, rate: float) -> tuple[float, ...]:
        """rate / (1 - b1^t), b1, b2, eps"""
        return rate / (1 - self.betas[0] ** self.steps), *self.betas, self.eps


def _betas(betas: tuple[float, float], who: str) -> tuple[float, float]:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"{who}: betas is {betas!r}; expected two numbers in [0, 1)")
    return fraction(betas[0], "betas[0]", who), fraction(betas[1], "betas[1]", who)
