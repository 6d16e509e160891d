"""VAE 784-400-20, batch 128."""

from ..case import Case, targets
from .race import PEERS
from .vae_race import VAERace

RACE = VAERace(hidden=(400,), latent=20, activation="relu", batch=128)

eager, replay, floor = RACE.eager, RACE.replay, RACE.floor
torch, torch_fused, torch_compile = RACE.torch, RACE.torch_fused, RACE.torch_compile
jax, hips = RACE.jax, RACE.hips

CASE = Case("vae", "VAE 784-400-20, batch 128", __name__, races={"replay": PEERS, "eager": PEERS},
            targets=targets("replay", A={"torch": 0.45, "torch_fused": 0.60, "floor": 1.35},
                             B={"torch": 0.35, "jax": 1.0, "floor": 1.40}))
