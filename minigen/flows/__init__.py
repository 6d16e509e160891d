"""Normalising flows: invertible maps between data and noise whose Jacobian determinant is known.

Read `base.py` first: it fixes the direction and the sign for every flow.
"""

from .autoregressive import MaskedAutoregressive
from .base import Compose, Flow, FlowModel, Inverse
from .dequantize import Dequantised
from .elementwise import Affine, Logit
from .linear import DenseLinear, PLULinear, QRLinear
from .planar import Planar
from .potentials import POTENTIALS, free_energy
