"""Reverse-mode automatic differentiation in one small room.

Read `tensor.py` (the tape), `rules.py` (the table), `backward.py` (the reverse pass), `transforms.py` (what follows
from it); the other files are the rules, by family.
"""

from . import operators
from .convolution import avg_pool2d, conv2d, conv2d_transpose, max_pool2d
from .copies import repeat, tile
from .decompositions import cholesky, det, inv, logabsdet, slogdet, solve
from .drawing import dot, draw
from .elementwise import (
    abs,
    add,
    arctan,
    clip,
    cos,
    cosh,
    divide,
    elu,
    exp,
    expm1,
    leaky_relu,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from .fused import bernoulli_logits, gaussian_kl, layer_norm, linear, masked_linear
from .gradcheck import GradcheckError, gradcheck
from .indexing import getitem, index_add, take_along_axis
from .linalg import diagonal, einsum, matmul, mT, norm, trace
from .recordable import ensure
from .reductions import cumsum, log_softmax, logsumexp, max, mean, min, prod, softmax, sum, var
from .rules import RULES, Rule, primitive
from .shapes import (
    astype,
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    identity,
    moveaxis,
    pad,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    tril,
    triu,
)
from .special import digamma, erf, erfc, gelu, lgamma, polygamma
from .tensor import Tensor, is_recording, no_grad, value
from .transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
