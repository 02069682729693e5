"""What fits, how sure, how good: from a panel to parameters, forecasts and scores.

The front doors are looked up when they are first used, so that importing this package costs next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_DOORS = {
    "Backtest": "calibration.forecasting",
    "CalibrationProblem": "calibration.general.problem",
    "FitResult": "calibration.results",
    "backtest": "calibration.doors",
    "fit": "calibration.fit",
    "forecast": "calibration.doors",
}

__all__ = ["Backtest", "CalibrationProblem", "FitResult", "backtest", "fit", "forecast"]


class _Door:
    """A name that is imported when it is asked for.

    A module of the same name (``calibration/fit.py``) is set on the package once it is imported; as this descriptor
    takes the assignment, the name goes on meaning the front door.
    """

    def __init__(self, name: str, module: str) -> None:
        self._name, self._module = name, module

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return getattr(import_module(self._module), self._name)

    def __set__(self, instance: object, value: object) -> None:
        """Take what the import system sets, and leave it: ``sys.modules`` has it."""


_Package = type("_Package", (ModuleType,), {name: _Door(name, module) for name, module in _DOORS.items()})
sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
