"""From a model file to numbers: the front door of the engine; `engine.ir` is the other one.

``frontend`` reads a file into the representation of ``ir``, ``passes`` rewrite it, the targets ``numpy`` and ``llvm``
run it over scenarios and draws at once, and ``reference`` runs the same model through PySD itself: the slow twin.
What is imported here is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.engine.cache.loading import ModelFile, load_lowered
    from pysd_runner.engine.choice import Engine, Precision, chosen
    from pysd_runner.engine.frontend.budgets import Budgets
    from pysd_runner.engine.frontend.source import SUFFIXES
    from pysd_runner.engine.linearised import Linearised
    from pysd_runner.engine.llvm.compiler import host
    from pysd_runner.engine.numpy.target import leading_shape
    from pysd_runner.engine.passes.derivatives import Direction
    from pysd_runner.engine.passes.integration import difference_of_methods
    from pysd_runner.engine.passes.order import plan
    from pysd_runner.engine.task import Task, prepared
    from pysd_runner.engine.tracing import Failure
    from pysd_runner.engine.values import TimePath, check_cases, fitted_to

_HOMES = {
    "Budgets": "frontend.budgets",
    "Direction": "passes.derivatives",
    "Engine": "choice",
    "Failure": "tracing",
    "Linearised": "linearised",
    "ModelFile": "cache.loading",
    "Precision": "choice",
    "SUFFIXES": "frontend.source",
    "Task": "task",
    "TimePath": "values",
    "check_cases": "values",
    "chosen": "choice",
    "difference_of_methods": "passes.integration",
    "fitted_to": "values",
    "host": "llvm.compiler",
    "leading_shape": "numpy.target",
    "load_lowered": "cache.loading",
    "plan": "passes.order",
    "prepared": "task",
}

__all__ = [
    "SUFFIXES",
    "Budgets",
    "Direction",
    "Engine",
    "Failure",
    "Linearised",
    "ModelFile",
    "Precision",
    "Task",
    "TimePath",
    "check_cases",
    "chosen",
    "difference_of_methods",
    "fitted_to",
    "host",
    "leading_shape",
    "load_lowered",
    "plan",
    "prepared",
]


def __getattr__(name: str) -> Any:
    """Import a part of the engine when it is first asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
