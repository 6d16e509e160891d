"""The cases, one module each: it states a `CASE` and holds one builder per peer. A new case is one more entry here."""

from ..case import Case
from . import first_call, imports, iwae, realnvp, vae, vae_small

CASES: dict[str, Case] = {module.CASE.name: module.CASE
                          for module in (vae, vae_small, iwae, realnvp, imports, first_call)}
"""Every case by the name it has on the command line."""
