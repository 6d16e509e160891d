"""Log-probabilities in nats, samplers, reparameterised samplers and closed-form divergences.

Read `base.py` (shapes, dtypes, checks), then `normal.py`; `likelihood.py` is how every model reports log p(x).
"""

from .discrete import Bernoulli, Categorical
from .likelihood import BitsPerDimension, Likelihood, bits_per_dimension
from .normal import DiagonalNormal, MultivariateNormal, Normal
