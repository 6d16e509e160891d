"""`minigen tour`: three families of models trained on digits, every derivation executed, one page that shows it.

Read `walk.py` for the order, `stops.py` for what is trained and drawn, `report.py` for the page.
"""

from .walk import run

__all__ = ["run"]
