"""What fits, how sure, how good: from a panel to parameters, forecasts and scores.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibration.doors import backtest, forecast
    from calibration.fitting.fit import fit
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.results import FitResult
    from calibration.forecasting import Backtest

__all__ = ["Backtest", "CalibrationProblem", "FitResult", "backtest", "fit", "forecast"]

_HOMES = {
    "Backtest": "forecasting",
    "CalibrationProblem": "fitting.general.table_problem",
    "FitResult": "fitting.results",
    "backtest": "doors",
    "fit": "fitting.fit",
    "forecast": "doors",
}


def __getattr__(name: str) -> Any:
    """Import a front door, and what it needs, only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
