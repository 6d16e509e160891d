"""Masked autoregressive flow: every coordinate shifted and scaled by what came before it, in one pass of one net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff.tensor import wrap
from minigen.nn.masked import MADE

from .base import Flow

if TYPE_CHECKING:
    from minigen.kernels.masked import MaskedNet


class MaskedAutoregressive(Flow):
    """z_i = (x_i - mu_i) exp(-alpha_i), mu_i and alpha_i functions of the x_j before i;  log|det J| = -sum_i alpha_i.

    mu, alpha: a MADE with two outputs for each coordinate (its arguments: hidden, order, degrees, activation); zero at
    first, when the flow is the identity. The Jacobian is triangular in the order, its diagonal exp(-alpha).
    Forward costs one pass. The inverse needs x_j to find x_i: d passes on the tape; inside `no_grad` each unit of the
    net is computed once (`kernels/masked.py`), which costs about what one pass does, and forward skips the blocks of
    weights that are masked. FloatingPointError where the inverse overflows.
    Papamakarios et al. 2017, eq. 3-5.
    """

    def __init__(self, d: int, hidden: Sequence[int] = (64, 64), *, rng: np.random.Generator, order: Any = "natural",
                 degrees: str = "sequential", activation: str | None = "relu", dtype: Any = np.float32):
        super().__init__(d)
        self.net = MADE(d, hidden, 2, rng=rng, order=order, degrees=degrees, activation=activation, dtype=dtype)
        self._prepared: tuple[list[np.ndarray], MaskedNet | None] = [], None

    def forward(self, x: Any) -> tuple[Any, Any]:
        """x -> (z, log-det)."""
        x = self._read(x, "x")
        if not self._on_tape(x):
            from minigen.kernels.masked import density

            return tuple(map(wrap, density(self.prepare(), ad.value(x))))
        mu, alpha = self._conditionals(x)
        return (x - mu) * ad.exp(-alpha), -ad.sum(alpha, axis=-1)

    def inverse(self, z: Any) -> tuple[Any, Any]:
        """z -> (x, log-det)."""
        z = self._read(z, "z")
        if not self._on_tape(z):
            from minigen.kernels.masked import sample

            x, log_det = map(wrap, sample(self.prepare(), ad.value(z)))
        else:
            x, log_det = self._inverse_by_passes(z)
        finite = np.isfinite(ad.value(x)).all(axis=1)
        if not finite.all():
            raise FloatingPointError(f"{self.title()}: x is not finite in row {np.argmin(finite)}; z or the parameters "
                                     "are not finite there, or exp(alpha) overflows")
        return x, log_det

    def prepare(self) -> MaskedNet:
        """The net sorted and masked for `minigen.kernels.masked`, as the parameters are now; made anew after a change.

        A change is found by comparing every parameter with a copy, so that none is missed, however it was made. Who
        samples many times between two changes keeps the record and calls `sample` of that module with it.
        """
        from minigen.kernels.masked import prepare

        weights, biases = [f.W.data for f in self.net.layers], [f.b.data for f in self.net.layers]
        degrees, order = [m.data for m in self.net.degrees], self.net.order.data
        now, (then, record) = [*weights, *biases, *degrees, order], self._prepared
        if record is None or not all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(now, then)):
            record = prepare(weights, biases, degrees, order, self.net.activation)
            self._prepared = [a.copy() for a in now], record
        return record

    def _on_tape(self, x: Any) -> bool:
        """Whether anything asks for a gradient; also where the kernels would have to change the precision of x."""
        layers = self.net.layers
        if not ad.is_recording():
            return x.dtype != layers[0].W.dtype
        return x.dtype != layers[0].W.dtype or getattr(x, "requires_grad", False) or any(
            f.W.requires_grad or f.b.requires_grad for f in layers)

    def _conditionals(self, x: Any) -> tuple[Any, Any]:
        """mu(x), alpha(x): (batch, d) each."""
        both = self.net(x)
        return both[:, :, 0], both[:, :, 1]

    def _inverse_by_passes(self, z: Any) -> tuple[Any, Any]:
        """x_i = z_i exp(alpha_i(x)) + mu_i(x), one pass for each i in the order; what is not yet found counts as 0."""
        columns: list[Any] = [np.zeros(z.shape[0], z.dtype)] * self.d
        log_det: Any = 0
        for i in self.net.order.data:
            mu, alpha = self._conditionals(ad.stack(columns, axis=1))
            columns[i] = z[:, i] * ad.exp(alpha[:, i]) + mu[:, i]
            log_det = log_det + alpha[:, i]
        return ad.stack(columns, axis=1), log_det
