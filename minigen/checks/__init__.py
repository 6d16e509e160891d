"""Checks: exact oracles, `check_*` functions, claims, errata and the ledger that holds them."""
