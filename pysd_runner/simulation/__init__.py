"""One simulation of a model: checked input, the run, its derivatives, and what its results show."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.simulation.preparing import PreparedModel, prepare
    from pysd_runner.simulation.run import Run, simulate
    from pysd_runner.simulation.sensitivities import jacobian

__all__ = ["PreparedModel", "Run", "jacobian", "prepare", "simulate"]

_HOMES = {
    "PreparedModel": "preparing",
    "Run": "run",
    "jacobian": "sensitivities",
    "prepare": "preparing",
    "simulate": "run",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
