"""Errors of the whole house: those of the engine, and what else is raised on purpose."""

from collections.abc import Iterable

from pysd_runner.engine.errors import (
    GapsimError,
    InvalidInput,
    InvalidModel,
    SimulationFailed,
    UnknownName,
    UnsupportedFeature,
    suggest,
)

__all__ = [
    "CalibrationFailed",
    "GapsimError",
    "InvalidInput",
    "InvalidModel",
    "InvalidPanel",
    "InvalidScenario",
    "SimulationFailed",
    "UnknownName",
    "UnsupportedFeature",
    "apart",
    "suggest",
]


class InvalidPanel(InvalidInput):
    """A panel of observations is not usable."""


class InvalidScenario(InvalidInput):
    """A scenario file or object is not usable."""


class CalibrationFailed(GapsimError):
    """Calibration finished but its diagnostics failed; the result was still written."""

    exit_code = 3


def apart(names: Iterable[str], others: Iterable[str]) -> str:
    """Say which names stand in one of two lists alone, the first five of them.

    >>> apart(["a", "b"], ["b", "c"])
    'a, c appear in only one of the two'
    """
    alone = sorted(set(names) ^ set(others))
    return f"{', '.join(alone[:5])} {'appears' if len(alone) == 1 else 'appear'} in only one of the two"
