"""Declarations of a model, the parameters a calibration found for it, and the forecast its projections start from.

Fitted parameters and forecasts are looked up when they are first used: loading a model needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pysd_runner.spec.declarations import (
    USUAL_ERRORS,
    ErrorModel,
    Lever,
    Measurement,
    ModelSpec,
    Observation,
    Outcome,
    Parameter,
    PolicyClass,
    Proxy,
    RegionInput,
    Ridge,
)
from pysd_runner.spec.load import load_spec
from pysd_runner.spec.priors import Beta, LogNormal, Normal, Prior, Uniform

if TYPE_CHECKING:
    from pysd_runner.spec.baseline import Baseline, load_baseline
    from pysd_runner.spec.fitted import FittedParameters, load_fitted

__all__ = [
    "USUAL_ERRORS",
    "Baseline",
    "Beta",
    "ErrorModel",
    "FittedParameters",
    "Lever",
    "LogNormal",
    "Measurement",
    "ModelSpec",
    "Normal",
    "Observation",
    "Outcome",
    "Parameter",
    "PolicyClass",
    "Prior",
    "Proxy",
    "RegionInput",
    "Ridge",
    "Uniform",
    "load_baseline",
    "load_fitted",
    "load_spec",
]

_HOMES = {"Baseline": "baseline", "load_baseline": "baseline", "FittedParameters": "fitted", "load_fitted": "fitted"}


def __getattr__(name: str) -> Any:
    """Import what fits have left behind only when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
