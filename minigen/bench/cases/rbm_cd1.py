"""RBM 784-500, CD-1, batch 100."""

from ..case import Case, targets
from .rbm_race import RBMRace

RACE = RBMRace()

minigen, floor, learnergy = RACE.minigen, RACE.floor, RACE.learnergy
torch, compiled_torch, jax = RACE.torch, RACE.compiled_torch, RACE.jax

CASE = Case("rbm-cd1", "RBM 784-500, CD-1, batch 100", __name__,
            races={"minigen": ("floor", "torch", "compiled_torch", "jax", "learnergy")},
            targets=targets("minigen", A={"torch": 0.62, "floor": 1.15}, B={"torch": 0.42, "jax": 0.8, "floor": 1.15}))
