"""Errors that calls raise: ``from gapsim.errors import GapsimError``."""

from pysd_runner.core.errors import (
    CalibrationFailed as CalibrationFailed,
    GapsimError as GapsimError,
    InvalidInput as InvalidInput,
    InvalidModel as InvalidModel,
    InvalidPanel as InvalidPanel,
    InvalidScenario as InvalidScenario,
    SimulationFailed as SimulationFailed,
    UnknownName as UnknownName,
    UnsupportedFeature as UnsupportedFeature,
)
