"""The case table: for every rule, arguments on which it is checked.

`case("exp", ad.exp, real(3, 4))` reads: at a random 3 x 4 array, ad.exp puts the rule "exp" to the test. A new rule
needs a line here, or `test_every_rule_has_a_case` fails. Draws keep away from kinks; every case is also run on strided
and on float32 copies of its arguments, so those need no line.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from minigen import autodiff as ad
from minigen.autodiff.convolution import Geometry, overlap_add, windows


class Case(NamedTuple):
    """`f(*(draw(rng) for draw in draws))` applies the rule."""

    rule: str
    f: Callable
    draws: tuple[Callable, ...]

    def arguments(self, seed):
        """One set of arguments."""
        rng = np.random.default_rng(seed)
        return [draw(rng) for draw in self.draws]


CASES: list[Case] = []


def case(rule, f, *draws, **settings):
    """Enter a case; f is called with the settings too."""
    CASES.append(Case(rule, partial(f, **settings) if settings else f, draws))


def names(cases):
    """Readable test ids: the rule and how many cases of it came before."""
    return [f"{c.rule}-{sum(b.rule == c.rule for b in cases[:i])}" for i, c in enumerate(cases)]


def real(*shape, low=0.2, high=1.8):
    """Both signs, |x| in [low, high], so never near 0."""
    return lambda rng: rng.choice([-1.0, 1.0], shape) * rng.uniform(low, high, shape)


def positive(*shape, low=0.3, high=3.0):
    """Uniform in [low, high]."""
    return lambda rng: rng.uniform(low, high, shape)


def distinct(*shape, offset=0.0):
    """Numbers at least 0.3 apart, from each other and, with another offset, from those of another draw."""
    return lambda rng: (rng.permutation(int(np.prod(shape))).reshape(shape) - int(np.prod(shape)) // 2) * 0.3 + offset


def with_zeros(*shape):
    """Real numbers, every third of which is 0."""
    return lambda rng: np.where(np.arange(int(np.prod(shape))).reshape(shape) % 3, real(*shape)(rng), 0.0)


def well_conditioned(*shape):
    """Matrices far from singular."""
    return lambda rng: rng.normal(size=shape) + 4 * np.eye(shape[-1])


def positive_definite(*shape):
    """Symmetric matrices with eigenvalues of 1 and more."""
    def draw(rng):
        A = rng.normal(size=shape)
        return A @ np.swapaxes(A, -1, -2) + np.eye(shape[-1])
    return draw


def unary(rule, f, draw=real):
    """A case each for a number, a matrix and no numbers at all."""
    for shape in ((), (3, 4), (0, 3)):
        case(rule, f, draw(*shape))


def binary(rule, f, left=real, right=real):
    """A case for each way of broadcasting."""
    for a, b in (((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((2, 1, 3), (4, 1)), ((1, 3), (0, 3))):
        case(rule, f, left(*a), right(*b))


for rule in ("negative", "square", "exp", "expm1", "sin", "cos", "arctan", "sinh", "cosh", "tanh", "sigmoid",
             "softplus", "silu", "erf", "erfc", "gelu", "abs", "sign", "relu", "leaky_relu", "elu", "identity"):
    unary(rule, getattr(ad, rule))
for rule in ("log", "log1p", "sqrt", "lgamma"):
    unary(rule, getattr(ad, rule), positive)
unary("leaky_relu", lambda x: ad.leaky_relu(x, 0.3))
unary("clip", lambda x: ad.clip(x, -3, 0.1))
unary("clip", lambda x: ad.clip(x, None, 0.1))
unary("polygamma", ad.digamma, positive)
case("polygamma", lambda x: ad.polygamma(2, x), positive(3, 4))
case("lgamma", ad.lgamma, lambda rng: -rng.integers(0, 4, (5,)) - rng.uniform(0.2, 0.8, 5))
case("log1p", ad.log1p, lambda rng: rng.uniform(-0.7, 0.0, 5))

for rule in ("add", "subtract", "multiply", "divide"):
    binary(rule, getattr(ad, rule))
binary("power", ad.power, positive)
unary("power", lambda x: ad.power(x, 3))
unary("power", lambda x: x ** 2)
unary("power", lambda x: x ** -1.5, positive)
unary("power", lambda x: 2.0 ** x)
case("power", lambda x: ad.power(x, np.float32([0, 1, 2, 3])), real(3, 4))
for rule in ("maximum", "minimum"):
    binary(rule, getattr(ad, rule), distinct, lambda *shape: distinct(*shape, offset=0.15))
binary("where", lambda a, b: ad.where(np.arange(3)[:, None] > 0, a[..., None, None], b[..., None, None]))
case("where", lambda a, b: ad.where(np.array([True, False, True]), a, b), real(3), real(2, 1))

for rule in ("sum", "mean", "prod", "max", "min", "logsumexp"):
    draw = distinct if rule in ("max", "min") else real
    for axis, keepdims in ((None, False), (1, False), ((0, -1), True), (-2, True)):
        case(rule, getattr(ad, rule), draw(3, 4, 2), axis=axis, keepdims=keepdims)
    case(rule, getattr(ad, rule), draw(0, 3), axis=1)
    case(rule, getattr(ad, rule), draw())
for axis, keepdims, ddof in ((None, False, 0), (1, True, 1), ((0, -1), False, 0)):
    case("var", ad.var, real(3, 4, 2), axis=axis, keepdims=keepdims, ddof=ddof)
case("var", ad.var, real(3, 0), axis=0)
case("prod", ad.prod, with_zeros(3, 4), axis=1)
case("prod", ad.prod, lambda rng: np.array([[0.0, 0.0], [0.0, 2.0], [1.5, 3.0]]), axis=0)
case("sum", ad.sum, real(0, 3), axis=0)
for axis in (None, 0, 1, -1):
    case("cumsum", ad.cumsum, real(3, 4), axis=axis)
case("cumsum", ad.cumsum, real(0, 3), axis=1)
for rule in ("softmax", "log_softmax"):
    for axis, shape in ((-1, (3, 4)), (0, (3, 4)), (1, (2, 3, 2)), (-1, (0, 3)), (0, (5,))):
        case(rule, getattr(ad, rule), real(*shape), axis=axis)

case("reshape", lambda x: ad.reshape(x, (4, 3)), real(3, 4))
case("reshape", lambda x: x.reshape(-1), real(2, 3, 2))
case("reshape", lambda x: ad.reshape(x, (3, 0, 2)), real(0, 3))
case("squeeze", ad.squeeze, real(1, 3, 1))
case("squeeze", lambda x: ad.squeeze(x, axis=-1), real(0, 3, 1))
case("expand_dims", lambda x: ad.expand_dims(x, 1), real(3, 4))
case("expand_dims", lambda x: ad.expand_dims(x, (0, -1)), real(3))
case("broadcast_to", lambda x: ad.broadcast_to(x, (2, 3, 4)), real(3, 1))
case("broadcast_to", lambda x: ad.broadcast_to(x, (0, 3)), real(3))
case("astype", lambda x: ad.astype(x, np.float64), real(3, 4))
case("transpose", ad.transpose, real(3, 4))
case("transpose", lambda x: ad.transpose(x, (2, 0, -2)), real(2, 3, 4))
case("transpose", lambda x: x.T, real(0, 3))
case("swapaxes", lambda x: ad.swapaxes(x, 0, -1), real(2, 3, 4))
case("moveaxis", lambda x: ad.moveaxis(x, 0, -1), real(2, 3, 4))
case("moveaxis", lambda x: ad.moveaxis(x, (0, 1), (-1, 0)), real(2, 3, 4))
case("flip", ad.flip, real(3, 4))
case("flip", lambda x: ad.flip(x, (0, -1)), real(2, 3, 4))
case("roll", lambda x: ad.roll(x, 2), real(3, 4))
case("roll", ad.roll, real(3, 4), shift=-1, axis=1)
case("roll", ad.roll, real(3, 4), shift=(1, -2), axis=(0, 1))
case("concatenate", lambda a, b: ad.concatenate([a, b], axis=1), real(3, 2), real(3, 4))
case("concatenate", lambda a, b: ad.concatenate([a, b, a], axis=-2), real(0, 3), real(2, 3))
case("concatenate", lambda a, b: ad.stack([a, b, np.ones(3, np.float32)], axis=1), real(3), real(3))
case("getitem", lambda x: ad.concatenate(ad.split(x, 2, axis=1)[::-1]), real(3, 4))
case("getitem", lambda x: ad.concatenate(ad.split(x, [1, 3])[::-1]), real(4, 2))
case("pad", lambda x: ad.pad(x, 1), real(3, 4))
case("pad", ad.pad, real(3, 4), pad_width=((0, 2), (1, 0)), constant=2.5)
case("pad", ad.pad, real(0, 3), pad_width=((1, 1), (0, 0)))
case("tile", lambda x: ad.tile(x, 3), real(2, 3))
case("tile", lambda x: ad.tile(x, (2, 1, 2)), real(2, 3))
case("repeat", lambda x: ad.repeat(x, 3), real(2, 3))
case("repeat", lambda x: ad.repeat(x, 2, axis=-1), real(2, 3))
for rule in ("tril", "triu"):
    case(rule, getattr(ad, rule), real(3, 4))
    case(rule, getattr(ad, rule), real(2, 3, 3), k=-1)

for key in (1, slice(None, None, -2), (Ellipsis, None, 1), np.array([2, 0, 2]), [0, 0], np.array([True, False, True]),
            (slice(None), np.array([1, 1, 3])), (np.array([[0], [2]]), np.array([1, 1, 3])), (1, np.array([0, 0]))):
    case("getitem", ad.getitem, real(3, 4), key=key)
    case("scatter", lambda x, key=key: ad.index_add(np.zeros((3, 4), np.float32), key, x), lambda rng, key=key: real(
        *np.zeros((3, 4))[key].shape)(rng))
case("getitem", lambda x: x[np.zeros(0, int)], real(3, 4))
case("getitem", lambda x: ad.take_along_axis(x, np.array([[0, 0], [3, 1], [2, 2]]), 1), real(3, 4))
case("scatter", lambda x, a: ad.index_add(x, np.array([1, 1, 0]), a), real(3, 2), real(2))

for a, b in (((3,), (3,)), ((2, 3), (3, 4)), ((3,), (3, 2)), ((2, 3), (3,)), ((4, 2, 3), (3, 2)), ((3,), (4, 3, 2)),
             ((2, 1, 2, 3), (3, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3))):
    case("matmul", ad.matmul, real(*a), real(*b))
for subscripts, *shapes in (("ij,jk->ik", (2, 3), (3, 4)), ("bij,bj,k->bk", (2, 3, 2), (2, 2), (3,)), ("ii", (3, 3)),
                            ("...i,...i", (2, 1, 3), (4, 3)), ("ij->ji", (0, 3)), ("i,ij,j->", (3,), (3, 3), (3,))):
    case("einsum", lambda *x, s=subscripts: ad.einsum(s, *x), *(real(*shape) for shape in shapes))
case("getitem", lambda x: ad.diagonal(x, 1), real(3, 4))
case("getitem", lambda x: ad.trace(x, axis1=0, axis2=2), real(3, 2, 3))
case("norm", ad.norm, real(3, 4))
case("norm", ad.norm, real(3, 4, 2), axis=(0, -1), keepdims=True)
case("norm", ad.norm, real(0, 3), axis=1)

for rule, draw in (("inv", well_conditioned), ("det", well_conditioned), ("cholesky", positive_definite)):
    for shape in ((3, 3), (2, 4, 4), (0, 3, 3), (1, 1)):
        case(rule, getattr(ad, rule), draw(*shape))
for shape in ((3, 3), (2, 4, 4)):
    case("logabsdet", lambda A: ad.slogdet(A)[1], well_conditioned(*shape))
for A, b in (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 2)), ((0, 3, 3), (3, 2))):
    case("solve", ad.solve, well_conditioned(*A), real(*b))

MASK = np.float32([[1, 0], [1, 1], [0, 1]])
for activation in (None, "relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "gelu", "silu"):
    case("linear", ad.linear, real(4, 3), real(3, 2), real(2), activation=activation)
    case("masked_linear", lambda x, W, b, f=activation: ad.masked_linear(x, W, MASK, b, f),
         real(4, 3), real(3, 2), real(2))
for shape in ((3,), (2, 4, 3), (0, 3)):
    case("linear", lambda x, W: ad.linear(x, W, None, "tanh"), real(*shape), real(3, 2))
    case("masked_linear", lambda x, W: ad.masked_linear(x, W, MASK), real(*shape), real(3, 2))
for shape in ((4,), (3, 4), (2, 3, 4), (0, 4)):
    case("bernoulli_logits", ad.bernoulli_logits, real(*shape), positive(*shape, low=0.0, high=1.0))
    case("gaussian_kl", ad.gaussian_kl, real(*shape), real(*shape))
    case("layer_norm", ad.layer_norm, real(*shape), real(4), real(4))
case("bernoulli_logits", ad.bernoulli_logits, real(2, 3, 4), positive(3, 4))
case("gaussian_kl", ad.gaussian_kl, real(3, 4), real(4))

x, w, z = real(2, 4, 5, 6), real(6, 2, 3, 2), real(2, 6, 3, 4)
for s in ({}, {"stride": (2, 1), "padding": (1, 2)}, {"dilation": (2, 3), "padding": 1, "stride": 2}):
    case("conv2d", ad.conv2d, x, w, groups=2, **s)
    case("conv2d_transpose", ad.conv2d_transpose, z, w, groups=2, **s)
for activation in (None, "relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "gelu", "silu"):
    case("conv2d", lambda x, w, b, f=activation: ad.conv2d(x, w, 2, 1, b=b, activation=f),
         real(2, 3, 4, 3), real(2, 3, 2, 3), real(2, 1, 1))
    case("conv2d_transpose", lambda x, w, b, f=activation: ad.conv2d_transpose(x, w, 2, 1, b=b, activation=f),
         real(2, 3, 3, 2), real(3, 2, 2, 3), real(2, 1, 1))
case("conv2d_weight", lambda x, z: ad.vjp(lambda w: ad.conv2d(x, w, stride=2, padding=1, groups=2),
                                          np.zeros((6, 2, 3, 2), x.dtype))[1](z)[0], x, real(2, 6, 3, 4))
case("conv2d", ad.conv2d, real(0, 1, 3, 3), real(1, 1, 2, 2))
case("conv2d_transpose", ad.conv2d_transpose, real(0, 1, 3, 3), real(1, 1, 2, 2))
for rule in ("avg_pool2d", "max_pool2d"):
    case(rule, getattr(ad, rule), distinct(2, 2, 4, 5), kernel=2)
    case(rule, getattr(ad, rule), distinct(1, 2, 4, 5), kernel=(3, 2), stride=(1, 2), padding=1)
LAID = Geometry((2, 1), (0, 0), (1, 2), 1)
case("windows", lambda x: windows(x, (3, 2), LAID), real(1, 2, 5, 4))
case("overlap_add", lambda z: overlap_add(z, LAID, (5, 4)), real(3, 2, 1, 2, 2, 2))
