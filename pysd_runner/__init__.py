"""What happens if: from a model file to projections, pictures and reports.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysd_runner.doors import project
    from pysd_runner.ensemble import run_ensemble
    from pysd_runner.model import load_model
    from pysd_runner.panel import check_panel, load_panel, load_table
    from pysd_runner.regional.projection import load_projection
    from pysd_runner.regional.showing import together
    from pysd_runner.reports.brief import brief
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.simulation import simulate
    from pysd_runner.simulation.preparing import prepare
    from pysd_runner.simulation.sensitivities import jacobian

__all__ = [
    "brief",
    "check_panel",
    "jacobian",
    "load_model",
    "load_panel",
    "load_projection",
    "load_scenario",
    "load_table",
    "prepare",
    "project",
    "run_ensemble",
    "simulate",
    "together",
]

_HOMES = {
    "brief": "reports.brief",
    "check_panel": "panel",
    "jacobian": "simulation",
    "load_model": "model",
    "load_panel": "panel",
    "load_projection": "regional.projection",
    "load_scenario": "scenarios",
    "load_table": "panel",
    "prepare": "simulation",
    "project": "doors",
    "run_ensemble": "ensemble",
    "simulate": "simulation",
    "together": "regional.showing",
}


def __getattr__(name: str) -> Any:
    """Import a function, and what it needs, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
