"""Random programs over the whole table, written once and run by two libraries.

A step is a function of a library `o` and of values: `o` is `minigen.autodiff` or, under the same names, jax. A program
is drawn by running it on plain arrays, so that each step gets only values in its domain, away from kinks, of size 1.
"""

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from minigen import autodiff as ad

SHAPES = ((3,), (3, 3), (2, 3, 3))  # they broadcast among themselves; few, since jax compiles for each
ROWS, COLUMNS = np.array([2, 0, 2]), np.array([[0], [2], [1]])


class Step(NamedTuple):
    """f(o, *values), where `takes(*values)` says whether it may."""

    f: Callable
    arity: int
    takes: Callable


STEPS: dict[str, Step] = {}


def step(name, f, arity=1, takes=lambda *values: True):
    """Enter a step."""
    STEPS[name] = Step(f, arity, takes)


def square(x):
    """One 3 x 3 matrix: what does not depend on the shape is tried on one shape, for the sake of jax's compiler."""
    return x.shape == (3, 3)


def smooth(x):
    """Away from 0, where abs and its like have their kink."""
    return np.abs(x).min() > 1e-3


def positive(x):
    """Away from the poles at 0."""
    return x.min() > 0.2


def apart(x, y):
    """Away from ties."""
    return smooth(x - y)


def distinct(x):
    """No two numbers alike."""
    return np.diff(np.sort(x, axis=None)).min() > 1e-3


def matrix(x):
    """A matrix or a stack of them."""
    return x.shape[-2:] == (3, 3)


def invertible(x):
    """Not nearly singular."""
    return matrix(x) and np.linalg.cond(x).max() < 30


def image(o, x):
    """A 3 x 3 matrix as a batch of one image with one channel."""
    return o.reshape(x, (1, 1, 3, 3))


for name in ("negative", "square", "exp", "expm1", "sin", "cos", "arctan", "sinh", "cosh", "tanh", "sigmoid",
             "softplus", "silu", "gelu", "erf", "erfc"):
    step(name, lambda o, x, name=name: getattr(o, name)(x), takes=square)
for name in ("abs", "sign", "relu", "leaky_relu", "elu"):
    step(name, lambda o, x, name=name: getattr(o, name)(x), takes=lambda x: square(x) and smooth(x))
for name in ("log", "log1p", "sqrt", "lgamma", "digamma"):
    step(name, lambda o, x, name=name: getattr(o, name)(x), takes=lambda x: square(x) and positive(x))
step("polygamma", lambda o, x: o.polygamma(2, x), takes=lambda x: square(x) and positive(x))
step("cube", lambda o, x: o.power(x, 3), takes=square)
step("clip", lambda o, x: o.clip(x, -0.5, 0.7), takes=lambda x: square(x) and smooth(x + 0.5) and smooth(x - 0.7))
for name in ("add", "subtract", "multiply"):
    step(name, lambda o, x, y, name=name: getattr(o, name)(x, y), 2)
step("divide", lambda o, x, y: o.divide(x, y), 2, lambda x, y: np.abs(y).min() > 0.3)
step("power", lambda o, x, y: o.power(x, y), 2, lambda x, y: positive(x))
for name in ("maximum", "minimum"):
    step(name, lambda o, x, y, name=name: getattr(o, name)(x, y), 2, apart)
step("where", lambda o, x, y: o.where(np.array([True, False, True]), x, y), 2)

for name in ("sum", "mean", "prod", "logsumexp"):
    step(name, lambda o, x, name=name: getattr(o, name)(x, axis=-1, keepdims=True) * x)
    step(f"{name} over two axes", lambda o, x, name=name: getattr(o, name)(x, axis=(0, -1))[..., None] + x,
         takes=lambda x: x.ndim == 3)
for name in ("max", "min"):
    step(name, lambda o, x, name=name: getattr(o, name)(x, axis=0) * x, takes=distinct)
step("var", lambda o, x: o.var(x, axis=0) + x)
step("norm", lambda o, x: x / o.norm(x), takes=smooth)
for name in ("softmax", "log_softmax"):
    step(name, lambda o, x, name=name: getattr(o, name)(x, axis=-1))
    step(f"{name} along the first axis", lambda o, x, name=name: getattr(o, name)(x, axis=0))
step("cumsum", lambda o, x: o.cumsum(x, axis=0))

step("reshape", lambda o, x: o.reshape(o.reshape(x, (-1, 1)), x.shape[::-1]), takes=lambda x: x.ndim < 3)
step("squeeze", lambda o, x: o.squeeze(x[..., :1], axis=-1), takes=square)
step("expand_dims", lambda o, x: o.expand_dims(x, -1) * x, takes=lambda x: x.ndim == 1)
step("broadcast_to", lambda o, x: o.broadcast_to(x, (2, 3, 3)))
step("transpose", lambda o, x: o.transpose(x), takes=square)
step("swapaxes", lambda o, x: o.swapaxes(x, -1, -2), takes=matrix)
step("moveaxis", lambda o, x: o.moveaxis(x, 0, -1)[..., 1], takes=lambda x: x.ndim == 3)
step("flip", lambda o, x: o.flip(x, 0))
step("roll", lambda o, x: o.roll(x, 1, axis=0))
step("concatenate", lambda o, x, y: o.concatenate([x, y], axis=0)[1:4], 2, lambda x, y: x.shape == y.shape != (2, 3, 3))
step("stack", lambda o, x, y: o.stack([x, y], axis=0), 2, lambda x, y: square(x) and square(y))
step("split", lambda o, x: o.split(x, [1], axis=-1)[1][..., :1] * x, takes=matrix)
step("pad", lambda o, x: o.pad(x, ((1, 0), (0, 1)))[:3, 1:], takes=square)
step("tile", lambda o, x: o.tile(x[..., :1], 3), takes=matrix)
step("repeat", lambda o, x: o.repeat(x[..., :1], 3, axis=-1), takes=matrix)
for name in ("tril", "triu"):
    step(name, lambda o, x, name=name: getattr(o, name)(x), takes=matrix)
step("getitem", lambda o, x: o.getitem(x, (Ellipsis, ROWS)), takes=matrix)
step("getitem by two arrays", lambda o, x: o.getitem(x, (ROWS, COLUMNS)), takes=square)
step("index_add", lambda o, x, y: o.index_add(x, ROWS, y), 2, lambda x, y: square(x) and y.ndim == 1)
step("take_along_axis", lambda o, x: o.take_along_axis(x, np.array([[0, 0, 1], [2, 1, 1], [2, 2, 0]]), 1), takes=square)
step("diagonal", lambda o, x: o.diagonal(x, axis1=-1, axis2=-2)[..., :1] * x, takes=square)
step("trace", lambda o, x: o.trace(x) * x, takes=square)

step("matmul", lambda o, x, y: o.matmul(x, y), 2, lambda x, y: matrix(x) and (y.ndim > 1 or x.ndim == 2))
step("einsum", lambda o, x, y: o.einsum("...ij,kj->...ik", x, y), 2, lambda x, y: matrix(x) and square(y))
step("inv", lambda o, x: o.inv(x), takes=invertible)
step("solve", lambda o, x, y: o.solve(x, y), 2, lambda x, y: invertible(x) and square(y))
step("cholesky", lambda o, x: o.cholesky(o.matmul(x, o.swapaxes(x, -1, -2)) + np.eye(3)), takes=matrix)
step("det", lambda o, x: o.det(x) * x, takes=lambda x: square(x) and invertible(x))
step("slogdet", lambda o, x: o.slogdet(x)[1] * x, takes=lambda x: square(x) and invertible(x))
step("conv2d", lambda o, x, w: o.conv2d(image(o, x), image(o, w), padding=1)[0, 0], 2,
     lambda x, w: square(x) and square(w))
step("conv2d_transpose", lambda o, x, w: o.conv2d_transpose(image(o, x), image(o, w), padding=1)[0, 0], 2,
     lambda x, w: square(x) and square(w))
step("avg_pool2d", lambda o, x: o.avg_pool2d(image(o, x), 2, 1)[0, 0, :, :1].sum() * x, takes=square)
step("max_pool2d", lambda o, x: o.max_pool2d(image(o, x), 2, 1)[0, 0, :, :1].sum() * x,
     takes=lambda x: square(x) and distinct(x))
for name in ("tanh", "softplus"):
    step(f"linear {name}", lambda o, x, W, b, name=name: o.linear(x, W, b, name), 3,
         lambda x, W, b: x.shape[-1] == 3 and square(W) and b.ndim == 1)
    step(f"masked_linear {name}", lambda o, x, W, b, name=name: o.masked_linear(x, W, np.tri(3), b, name), 3,
         lambda x, W, b: x.shape[-1] == 3 and square(W) and b.ndim == 1)
step("bernoulli_logits", lambda o, x, y: o.bernoulli_logits(x, y)[..., None] + x, 2,
     lambda x, y: square(x) and x.shape == y.shape)
step("gaussian_kl", lambda o, x, y: o.gaussian_kl(x, y), 2, lambda x, y: square(x) and x.shape == y.shape)
step("layer_norm", lambda o, x, gain, bias: o.layer_norm(x, gain, bias), 3,
     lambda x, gain, bias: x.shape[-1] == 3 and gain.ndim == bias.ndim == 1 and distinct(x))


class Program(NamedTuple):
    """Steps on a growing list of values, the inputs first; the result is a weighted sum of what no step has used."""

    inputs: list[np.ndarray]
    directions: list[np.ndarray]
    instructions: list[tuple[str, tuple[int, ...], bool]]
    weights: dict[int, np.ndarray]
    shapes: list[tuple[int, ...]]

    def run(self, o, *inputs):
        """The scalar that library `o` computes."""
        values = list(inputs)
        for name, operands, squash in self.instructions:
            y = STEPS[name].f(o, *(values[i] for i in operands))
            values.append(o.tanh(y) if squash else y)
        return sum(o.sum(values[i] * w) for i, w in self.weights.items())


def draw_program(seed):
    """A program of 5 to 20 steps."""
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=shape) for shape in SHAPES]
    values, instructions, unused = list(inputs), [], set(range(len(inputs)))
    length = rng.integers(5, 21)
    while len(instructions) < length:
        name = rng.choice(list(STEPS))
        f, arity, takes = STEPS[name]
        for _ in range(40):
            operands = tuple(int(i) for i in rng.integers(len(values), size=arity))
            if takes(*(values[i] for i in operands)):
                break
        else:
            continue
        with np.errstate(all="ignore"):
            y = f(ad, *(values[i] for i in operands))
        if y.shape not in SHAPES or not np.isfinite(y).all():
            continue
        squash = bool(np.abs(y).max() > 2)
        instructions.append((name, operands, squash))
        values.append(np.tanh(y) if squash else y)
        unused = unused - set(operands) | {len(values) - 1}
    weights = {i: rng.normal(size=values[i].shape) for i in sorted(unused)}
    directions = [rng.normal(size=shape) for shape in SHAPES]
    return Program(inputs, directions, instructions, weights, [x.shape for x in values])


def jax_library():
    """What the steps use, under the same names, from jax alone."""
    import jax
    import jax.numpy as jnp
    from jax import lax, nn
    from jax.scipy import special

    jax.config.update("jax_enable_x64", True)

    def conv2d(x, w, padding):
        return lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2)

    def conv2d_transpose(x, w, padding):
        return jax.vjp(lambda u: conv2d(u, w, padding), x)[1](x)[0]

    def shifted(x, kernel, stride):
        n = (x.shape[-1] - kernel) // stride + 1
        return jnp.stack([x[..., i:i + n, j:j + n] for i in range(kernel) for j in range(kernel)])

    def linear(x, W, b, activation):
        return (jnp.tanh if activation == "tanh" else nn.softplus)(x @ W + b)

    def layer_norm(x, gain, bias):
        centred = x - x.mean(-1, keepdims=True)
        return centred / jnp.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-5) * gain + bias

    own = dict(
        sigmoid=nn.sigmoid, softplus=nn.softplus, silu=nn.silu, gelu=lambda x: nn.gelu(x, approximate=False),
        relu=nn.relu, leaky_relu=nn.leaky_relu, elu=nn.elu, softmax=nn.softmax, log_softmax=nn.log_softmax,
        logsumexp=nn.logsumexp, erf=special.erf, erfc=special.erfc, lgamma=special.gammaln, digamma=special.digamma,
        polygamma=special.polygamma, norm=lambda x: jnp.sqrt(jnp.sum(x * x)), getitem=operator.getitem,
        index_add=lambda x, key, y: x.at[key].add(y), inv=jnp.linalg.inv, solve=jnp.linalg.solve, det=jnp.linalg.det,
        cholesky=jnp.linalg.cholesky, slogdet=jnp.linalg.slogdet, conv2d=conv2d, conv2d_transpose=conv2d_transpose,
        avg_pool2d=lambda x, k, s: shifted(x, k, s).mean(0), max_pool2d=lambda x, k, s: shifted(x, k, s).max(0),
        linear=linear, masked_linear=lambda x, W, mask, b, activation: linear(x, W * mask, b, activation),
        bernoulli_logits=lambda t, x: jnp.sum(x * nn.log_sigmoid(t) + (1 - x) * nn.log_sigmoid(-t), -1),
        gaussian_kl=lambda m, s: jnp.sum((m ** 2 + jnp.exp(2 * s) - 1) / 2 - s, -1), layer_norm=layer_norm)
    return SimpleNamespace(**{**vars(jnp), **own})
