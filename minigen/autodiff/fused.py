"""Fused operations: one node where a composition would make many. Tests hold each equal to its composition.

They are ordinary rules, so they have gradients of gradients; on plain arrays they work in place on their own results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .elementwise import expm1, sigmoid, silu, where
from .fast import fast
from .reductions import mean
from .reductions import sum as total
from .rules import primitive
from .shapes import expand_dims, reshape, transpose
from .special import gelu
from .tensor import Placeholder, value


class Activation(NamedTuple):
    """y = f(z): `apply` overwrites z with f(z); `slope` gives f'(z) from y."""

    apply: Callable[[np.ndarray], Any]
    slope: Callable[[Any], Any]


def _sigmoid_in_place(z: np.ndarray) -> None:
    np.negative(z, out=z)
    with np.errstate(over="ignore"):  # exp overflows to inf for z < -88, and 1 / inf is the right 0
        np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)


def _softplus_in_place(z: np.ndarray) -> None:
    e = np.exp(-np.abs(z))
    np.maximum(z, 0, out=z)
    z += _log1p(e)


def _elu_in_place(z: np.ndarray) -> None:
    z[...] = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


ACTIVATIONS = {
    "relu": Activation(lambda z: np.maximum(z, 0, out=z), lambda y: (value(y) > 0).astype(y.dtype)),
    "leaky_relu": Activation(lambda z: np.maximum(z, 0.01 * z, out=z),
                             lambda y: np.where(value(y) > 0, 1, 0.01).astype(y.dtype)),
    "elu": Activation(_elu_in_place, lambda y: where(value(y) > 0, 1.0, y + 1)),
    "tanh": Activation(lambda z: np.tanh(z, out=z), lambda y: 1 - y * y),
    "sigmoid": Activation(_sigmoid_in_place, lambda y: y * (1 - y)),
    "softplus": Activation(_softplus_in_place, lambda y: -expm1(-y)),
}
UNFUSED = {"gelu": gelu, "silu": silu}  # their slope cannot be told from y alone


def _linear(x: np.ndarray, W: np.ndarray, b: np.ndarray | None, activation: str | None) -> np.ndarray:
    y = np.dot(x, W)
    if b is not None and y.ndim == 2 and (kernel := fast(f"bias_{activation}", y, b)):
        kernel(y, b)
        return y
    if b is not None:
        y += b
    if activation is not None:
        ACTIVATIONS[activation].apply(y)
    return y


def _linear_joint(g: Any, y: Any, wanted: list[bool], x: Any, W: Any, b: Any, activation: str | None) -> list:
    """d = g * f'(z):  dx gets d W',  dW gets x' d,  db gets the column sums of d"""
    if type(g) is np.ndarray and y.ndim == 2:
        return _linear_joint_of_arrays(g, y, wanted, x, W, activation)
    d = g if activation is None else g * ACTIVATIONS[activation].slope(y)
    flat = reshape(d, (-1, d.shape[-1])) if d.ndim != 2 else d
    dx = d @ transpose(W) if wanted[0] else None
    dW = _outer(reshape(x, (-1, x.shape[-1])), flat) if wanted[1] else None
    db = total(flat, axis=0) if wanted[2] else None
    return [dx, dW, db, None]


def _linear_joint_of_arrays(g: np.ndarray, y: np.ndarray, wanted: list[bool], x: np.ndarray, W: np.ndarray,
                            activation: str | None) -> list:
    """The same on plain matrices, by a kernel where one suits"""
    if activation is None:
        d, db = g, np.add.reduce(g, axis=0)
    elif kernel := fast(f"{activation}_cotangent", g, y):
        d, db = np.empty(y.shape, y.dtype), np.empty(y.shape[1], y.dtype)
        kernel(g, y, d, db)
    else:
        d = g * ACTIVATIONS[activation].slope(y)
        db = np.add.reduce(d, axis=0)
    return [np.dot(d, W.T) if wanted[0] else None, np.dot(x.T, d) if wanted[1] else None,
            db if wanted[2] else None, None]


def _outer(x: Any, d: Any) -> Any:
    """x' d"""
    return transpose(x) @ d


_linear_op = primitive("linear", _linear, joint=_linear_joint)


def linear(x: Any, W: Any, b: Any = None, activation: str | None = None) -> Any:
    """f(x W + b). x: (..., n), W: (n, m), b: (m,) or None; result (..., m).

    activation: None, relu, leaky_relu, elu, tanh, sigmoid, softplus (one node) or gelu, silu (two).
    Raises ValueError for shapes that do not fit and for an unknown activation.
    """
    _check_linear("linear", x, W, b, activation)
    if activation in UNFUSED:
        return UNFUSED[activation](_linear_op(x, W, b, None))
    return _linear_op(x, W, b, activation)


def masked_linear(x: Any, W: Any, mask: np.ndarray, b: Any = None, activation: str | None = None) -> Any:
    """f(x (W * mask) + b): output k depends on input j only where mask[j, k] is 1. Shapes as in `linear`.

    mask: (n, m) of zeros and ones, a constant. Germain et al. 2015, eq. 8-9.
    """
    _check_linear("masked_linear", x, W, b, activation)
    if np.shape(mask) != W.shape:
        raise ValueError(f"masked_linear: mask has shape {np.shape(mask)}; expected that of W, {W.shape}")
    if activation in UNFUSED:
        return UNFUSED[activation](_masked_linear_op(x, W, mask, b, None))
    return _masked_linear_op(x, W, mask, b, activation)


def _masked_linear_joint(g: Any, y: Any, wanted: list[bool], x: Any, W: Any, mask: np.ndarray, b: Any,
                         activation: str | None) -> list:
    """as linear with W * mask, and dW is masked again"""
    dx, dW, db, _ = _linear_joint(g, y, [wanted[0], wanted[1], wanted[3]], x, W * mask, b, activation)
    return [dx, None if dW is None else dW * mask, None, db, None]


_masked_linear_op = primitive("masked_linear", lambda x, W, mask, b, f: _linear(x, W * mask, b, f),
                              joint=_masked_linear_joint)


def _check_linear(name: str, x: Any, W: Any, b: Any, activation: str | None) -> None:
    if W.ndim != 2 or x.ndim < 1 or x.shape[-1] != W.shape[0]:
        raise ValueError(f"{name}: x has shape {x.shape}, W has shape {W.shape}; expected (..., n) and (n, m)")
    if b is not None and b.shape != (W.shape[1],):
        raise ValueError(f"{name}: b has shape {b.shape}; expected ({W.shape[1]},)")
    if activation is not None and activation not in ACTIVATIONS and activation not in UNFUSED:
        raise ValueError(f"{name}: activation is {activation!r}; expected None or one of "
                         f"{', '.join([*ACTIVATIONS, *UNFUSED])}")


def _log1p(e: np.ndarray) -> np.ndarray:
    """log(1 + e) for 0 <= e <= 1: NumPy's vectorised log, with what 1 + e rounds away put back."""
    if isinstance(e, Placeholder):
        return np.log(1 + e)
    u = 1 + e
    return np.log(u) + (e - (u - 1)) / u


def _bernoulli_logits(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_j x_j t_j - softplus(t_j) along the last axis, without overflow."""
    if t.ndim == 2 and t.shape == np.shape(x) and (kernel := fast("bernoulli_logits", t, x)):
        out = np.empty(len(t), np.float32)
        kernel(t, x, out)
        return out
    e = np.exp(-np.abs(t))
    terms = x * t
    terms -= np.maximum(t, 0)
    terms -= _log1p(e)
    return terms.sum(-1)


def _bernoulli_logits_vjp(g: Any, y: Any, t: Any, x: Any) -> Any:
    """d sum_j x_j t_j - softplus(t_j) = sum_j (x_j - sigmoid(t_j)) dt_j"""
    if y.ndim == 1 and t.shape == x.shape and (kernel := fast("bernoulli_cotangent", t, x)):
        if type(g) is np.ndarray and g.dtype == np.float32:
            d = np.empty_like(t)
            kernel(np.ascontiguousarray(g), t, x, d)
            return d
    return expand_dims(g, -1) * (x - sigmoid(t))


bernoulli_logits = primitive("bernoulli_logits", _bernoulli_logits, _bernoulli_logits_vjp,
                             lambda g, y, t, x: expand_dims(g, -1) * t)
bernoulli_logits.__doc__ = """log prod_j Bernoulli(x_j | sigmoid(t_j)), in nats. t, x: (..., D); result (...)."""


def _gaussian_kl(mu: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
    """sum_j (mu_j^2 + sigma_j^2 - 1) / 2 - log sigma_j along the last axis."""
    return (0.5 * (mu * mu + np.expm1(2 * log_sigma)) - log_sigma).sum(-1)


gaussian_kl = primitive("gaussian_kl", _gaussian_kl,
                        lambda g, y, mu, log_sigma: expand_dims(g, -1) * mu,
                        lambda g, y, mu, log_sigma: expand_dims(g, -1) * expm1(2 * log_sigma))
gaussian_kl.__doc__ = """KL(N(mu, sigma^2) || N(0, 1)) in nats. mu, log_sigma: (..., L); result (...). S4:490."""


def _layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """gain * (x - mean) / sqrt(var + eps) + bias, over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + eps) * gain + bias


def _layer_norm_joint(g: Any, y: Any, wanted: list[bool], x: Any, gain: Any, bias: Any, eps: float = 1e-5) -> list:
    """with n = (x - mean) / s:  dx gets (h - mean(h) - n mean(h n)) / s where h = g * gain"""
    centred = x - mean(x, axis=-1, keepdims=True)
    s = (mean(centred * centred, axis=-1, keepdims=True) + eps) ** 0.5
    n, h = centred / s, g * gain
    dx = (h - mean(h, axis=-1, keepdims=True) - n * mean(h * n, axis=-1, keepdims=True)) / s if wanted[0] else None
    return [dx, g * n if wanted[1] else None, g if wanted[2] else None]


layer_norm = primitive("layer_norm", _layer_norm, joint=_layer_norm_joint)
layer_norm.__doc__ = """gain * (x - mean) / sqrt(var + eps) + bias over the last axis (population variance).

x: (..., d), gain and bias: (d,). Ba et al. 2016, eq. 4."""
