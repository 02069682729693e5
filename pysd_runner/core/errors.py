"""Errors of the whole house: those of the engine, and what else is raised on purpose."""

from collections.abc import Iterable

from pysd_runner.engine.errors import (
    NOTHING,
    GapsimError,
    InvalidInput,
    InvalidModel,
    Message,
    SimulationFailed,
    UnknownName,
    UnsupportedFeature,
    joined,
    suggest,
)

__all__ = [
    "NOTHING",
    "CalibrationFailed",
    "GapsimError",
    "InvalidInput",
    "InvalidModel",
    "InvalidPanel",
    "InvalidScenario",
    "Message",
    "SimulationFailed",
    "UnknownName",
    "UnsupportedFeature",
    "apart",
    "joined",
    "of_system",
    "suggest",
]


class InvalidPanel(InvalidInput):
    """A panel of observations is not usable."""


class InvalidScenario(InvalidInput):
    """A scenario file or object is not usable."""


class CalibrationFailed(GapsimError):
    """Calibration finished but its diagnostics failed; the result was still written."""

    exit_code = 3


def of_system(error: OSError) -> Message:
    """What the operating system says of a file; its words are known in Chinese as well."""
    return Message(error.strerror or str(error))


def apart(names: Iterable[str], others: Iterable[str]) -> Message:
    """Say which names stand in one of two lists alone, the first five of them.

    >>> apart(["a", "b"], ["b", "c"])
    'a, c appear in only one of the two'
    """
    alone = sorted(set(names) ^ set(others))
    if len(alone) == 1:
        return Message("{name} appears in only one of the two", name=alone[0])
    return Message("{names} appear in only one of the two", names=", ".join(alone[:5]))
