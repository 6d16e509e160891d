"""Log-probabilities in nats, samplers, reparameterised samplers and closed-form divergences.

Read `base.py` (shapes, dtypes, checks), then `normal.py`; `likelihood.py` is how every model reports log p(x).
"""

from .base import Distribution
from .combine import Independent, Mixture
from .discrete import Bernoulli, Categorical
from .discretised import DiscretisedLogistic, DiscretisedLogisticMixture
from .divergence import closed_form, kl
from .likelihood import BitsPerDimension, Likelihood, bits_per_dimension
from .location import Cauchy, Laplace, Logistic, StudentT, Uniform
from .normal import DiagonalNormal, MultivariateNormal, Normal
from .positive import Beta, Dirichlet, Gamma, Pareto, Rayleigh
from .sphere import VonMisesFisher
