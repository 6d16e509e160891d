"""RealNVP 2-D, 8 couplings of 2x64, batch 256."""

from ..case import Case, targets
from .race import PEERS
from .realnvp_race import RealNVPRace

RACE = RealNVPRace()

eager, replay, floor = RACE.eager, RACE.replay, RACE.floor
torch, torch_fused, torch_compile = RACE.torch, RACE.torch_fused, RACE.torch_compile
jax, hips = RACE.jax, RACE.hips

CASE = Case("realnvp", "RealNVP 2-D, 8 couplings of 2x64, batch 256", __name__, races={"replay": PEERS, "eager": PEERS},
            targets=targets("replay", A={"torch": 0.20}, B={"torch": 0.12, "jax": 0.6})
                    + targets("eager", A={"torch": 0.35}))
