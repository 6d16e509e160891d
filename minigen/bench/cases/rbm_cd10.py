"""RBM 784-500, CD-10, batch 100."""

from ..case import Case, targets
from .rbm_race import RBMRace

RACE = RBMRace(k=10)

minigen, floor, learnergy = RACE.minigen, RACE.floor, RACE.learnergy
torch, compiled_torch, jax = RACE.torch, RACE.compiled_torch, RACE.jax

CASE = Case("rbm-cd10", "RBM 784-500, CD-10, batch 100", __name__,
            races={"minigen": ("floor", "torch", "compiled_torch", "jax", "learnergy")},
            targets=targets("minigen", A={"torch": 0.62}, B={"torch": 0.40, "jax": 0.8}))
