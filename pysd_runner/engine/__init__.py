"""From PySD's abstract model to a small representation of our own, and from there to numbers.

``source`` reads a file, ``lowering`` turns it into the representation of ``ir``, ``numpy_target`` runs that over
scenarios and draws at once, and ``reference`` runs the same model through PySD itself: the slow twin.
"""

from pysd_runner.engine.frontend.budgets import Budgets
from pysd_runner.engine.ir import Method
from pysd_runner.engine.paths import TimePath

__all__ = ["Budgets", "Method", "TimePath"]
