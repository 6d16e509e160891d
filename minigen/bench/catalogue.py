"""The cases by the names they have on the command line. A new case is a module in `cases` and its name here."""

from .case import Case
from .cases import (
    conv_vae,
    first_call,
    imports,
    ising,
    iwae,
    maf,
    rbm_cd1,
    rbm_cd10,
    rbm_chain,
    rbm_pcd,
    realnvp,
    vae,
    vae_small,
)

CASES: dict[str, Case] = {module.CASE.name: module.CASE
                          for module in (vae, vae_small, iwae, realnvp, conv_vae, maf, rbm_cd1, rbm_pcd,
                                         rbm_cd10, rbm_chain, ising, imports, first_call)}

FAMILIES = {"rbm": ("rbm-cd1", "rbm-pcd", "rbm-cd10", "rbm-chain", "ising")}
"""Names that stand for several cases."""
