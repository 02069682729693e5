"""What fits, how sure, how good: from a panel to parameters, forecasts and scores.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import Any

_DOORS = {
    "CalibrationProblem": "calibration.problem",
    "FitResult": "calibration.results",
    "fit": "calibration.fit",
}

__all__ = ["CalibrationProblem", "FitResult", "fit"]


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module 'calibration' has no attribute {name!r}")
    return getattr(import_module(_DOORS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
