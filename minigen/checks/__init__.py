"""Checks: exact oracles, `check_*` functions, claims, errata and the ledger that holds them."""

from minigen.checks.claims import claim, erratum
from minigen.checks.ledger import Ledger, LedgerError, Row, VacuousError, current_ledger

__all__ = ["Ledger", "LedgerError", "Row", "VacuousError", "claim", "current_ledger", "erratum"]
