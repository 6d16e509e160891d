"""VAE 784-200-200-50, 50 samples, batch 20."""

from ..case import Case, targets
from .race import PEERS
from .vae_race import VAERace

RACE = VAERace(hidden=(200, 200), latent=50, activation="tanh", batch=20, samples=50)

eager, replay, floor = RACE.eager, RACE.replay, RACE.floor
torch, torch_fused, torch_compile = RACE.torch, RACE.torch_fused, RACE.torch_compile
jax, hips = RACE.jax, RACE.hips

CASE = Case("iwae", "VAE 784-200-200-50, 50 samples, batch 20", __name__, races={"replay": PEERS, "eager": PEERS},
            targets=targets("replay", A={"torch": 0.58, "floor": 1.3}, B={"torch": 0.40, "jax": 0.95}))
