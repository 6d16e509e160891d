"""Neural networks: modules that name their parameters, layers, initialisers.

Read `module.py` first; a layer is a dozen lines in `layers.py`, `convolution.py` or `combine.py`.
"""

from .combine import Activation, Flatten, Reshape, Residual, Sequential
from .convolution import Conv2d, ConvTranspose2d
from .fast import compiles, use_kernels
from .init import INITIALISERS, glorot_normal, glorot_uniform, he_normal, he_uniform, orthogonal, zeros
from .layers import ACTIVATIONS, MLP, Embedding, LayerNorm, Linear
from .masked import MADE
from .module import Module
