"""From model files to a small representation of our own, and from there to numbers.

``frontend`` turns a file into the representation of ``ir``, ``passes`` rewrite it, ``numpy`` and ``llvm`` run it over
scenarios and draws at once, ``cache`` keeps what was made, and ``reference`` runs the same model through PySD itself:
the slow twin.
"""

from pysd_runner.engine.frontend.budgets import Budgets
from pysd_runner.engine.ir import Method
from pysd_runner.engine.paths import TimePath

__all__ = ["Budgets", "Method", "TimePath"]
