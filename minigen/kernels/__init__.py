"""Compiled kernels on plain arrays, each with a NumPy twin of the same name and signature in a `reference` module.

Importing this package costs nothing; its modules import Numba (0.2 s), so rooms import them where they use them.
"""
