"""Exceptions of the package: those of the engine, and those for panels, scenarios and calibration."""

import re
from collections.abc import Iterable

from pysd_runner.engine.errors import (
    NOTHING,
    GapsimError,
    InvalidInput,
    InvalidModel,
    Message,
    ProbableSlip,
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
    "ProbableSlip",
    "SimulationFailed",
    "UnknownName",
    "UnsupportedFeature",
    "joined",
    "of_parser",
    "of_system",
    "suggest",
    "symmetric_difference",
]


_PLACE = re.compile(r"[:(]?\s*(?:at )?line (\d+),? column (\d+)(?: \(char \d+\))?\)?")


class InvalidPanel(InvalidInput):
    """A panel of observations is not usable."""


class InvalidScenario(InvalidInput):
    """A scenario file or object is not usable."""


class CalibrationFailed(GapsimError):
    """Calibration finished but its diagnostics failed; the result was still written."""

    exit_code = 3


def of_system(error: OSError) -> Message:
    """Message of the operating system about a file, in a form that can be translated."""
    return Message(error.strerror or str(error))


def of_parser(error: Exception) -> Message:
    """Message and position of an error of a YAML, TOML or JSON parser; in other languages, only the position."""
    found = _PLACE.findall(str(error))
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    words = " ".join(part for part in parts if part) or " ".join(_PLACE.sub("", str(error)).split())
    if not found:
        return Message("it cannot be parsed: {problem}", problem=words)
    return Message("{problem} (line {line}, column {column})", problem=words, line=found[-1][0], column=found[-1][1])


def symmetric_difference(names: Iterable[str], others: Iterable[str]) -> Message:
    """Describe which names appear in only one of two lists, at most five of them.

    >>> symmetric_difference(["a", "b"], ["b", "c"])
    'a, c appear in only one of the two'
    """
    alone = sorted(set(names) ^ set(others))
    if len(alone) == 1:
        return Message("{name} appears in only one of the two", name=alone[0])
    return Message("{names} appear in only one of the two", names=", ".join(alone[:5]))
