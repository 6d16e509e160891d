"""Checks: exact oracles, `check_*` functions, claims, errata and the ledger that holds them.

Begin reading at `claims.py` and `ledger.py` (what a lecture writes), then `oracles.py` and `quadrature.py` (what
is exact), then `densities.py` and `bijections.py` (what a density, a sampler and a flow are). `required.py` lists
what lectures must execute, `runner.py` executes them. The room knows models only through what they do.
"""

from minigen.checks.bijections import check_bijection
from minigen.checks.bounds import check_bound
from minigen.checks.claims import claim, erratum
from minigen.checks.conditionals import Conditional, check_conditionals
from minigen.checks.densities import check_density, check_sampler
from minigen.checks.domains import Binary, Box, Integers, Interval
from minigen.checks.gradients import check_gradient, check_unbiased
from minigen.checks.ledger import Ledger, LedgerError, Row, VacuousError, current_ledger
from minigen.checks.oracles import (
    Estimate,
    binary_chunks,
    enumerate_binary,
    log_mean_exp,
    log_sum_binary,
    logsumexp,
    monte_carlo_mean,
    numeric_jacobian,
    numeric_log_det,
)
from minigen.checks.quadrature import (
    Integral,
    log_quadrature_1d,
    log_quadrature_2d,
    normal_expectation,
    quadrature_1d,
    quadrature_2d,
)
from minigen.checks.result import CheckError, CheckResult
from minigen.checks.runner import check_command, run_ledger

__all__ = [
    "Binary",
    "Box",
    "CheckError",
    "CheckResult",
    "Conditional",
    "Estimate",
    "Integers",
    "Integral",
    "Interval",
    "Ledger",
    "LedgerError",
    "Row",
    "VacuousError",
    "binary_chunks",
    "check_bijection",
    "check_bound",
    "check_command",
    "check_conditionals",
    "check_density",
    "check_gradient",
    "check_sampler",
    "check_unbiased",
    "claim",
    "current_ledger",
    "enumerate_binary",
    "erratum",
    "log_mean_exp",
    "log_quadrature_1d",
    "log_quadrature_2d",
    "log_sum_binary",
    "logsumexp",
    "monte_carlo_mean",
    "normal_expectation",
    "numeric_jacobian",
    "numeric_log_det",
    "quadrature_1d",
    "quadrature_2d",
    "run_ledger",
]
