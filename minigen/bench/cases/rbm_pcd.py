"""RBM 784-500, PCD-1, batch 100, 100 chains."""

from ..case import Case, targets
from .rbm_race import RBMRace

RACE = RBMRace(persistent=True)

minigen, floor = RACE.minigen, RACE.floor
torch, jax = RACE.torch, RACE.jax
sklearn_float32, sklearn_float64 = RACE.sklearn_float32, RACE.sklearn_float64

CASE = Case("rbm-pcd", "RBM 784-500, PCD-1, batch 100", __name__,
            races={"minigen": ("floor", "torch", "jax", "sklearn_float32", "sklearn_float64")},
            targets=targets("minigen", A={"sklearn_float32": 0.60, "sklearn_float64": 0.22},
                            B={"sklearn_float32": 0.45, "sklearn_float64": 0.22, "jax": 0.8}))
