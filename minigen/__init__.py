"""minigen: explicit deep generative models from scratch on NumPy and Numba; every equation is executed.

Begin reading at `minigen/autodiff/tensor.py`, then `minigen/latent/vae.py`; README draws the house.
Rooms are imported by name (`from minigen import autodiff as ad`), so this file imports nothing.
"""

__version__ = "0.1.0"
