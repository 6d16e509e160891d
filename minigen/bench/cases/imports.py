"""Import times, each in a fresh process; those of minigen include NumPy's own."""

from ..case import Case
from .fresh import importing


def minigen():
    """The package."""
    return importing("minigen")


def autodiff():
    """The engine."""
    return importing("minigen.autodiff")


def numpy():
    """What both rest on."""
    return importing("numpy")


def torch():
    """torch."""
    return importing("torch")


def jax():
    """jax."""
    return importing("jax")


PEERS = ("numpy", "torch", "jax")
CASE = Case("import", "importing the package, seconds in a fresh process", __name__,
            races={"minigen": PEERS, "autodiff": PEERS}, times_itself=True)
