"""Declarations of a model, and the parameters a calibration found for it.

Fitted parameters are looked up when they are first used: loading a model needs none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pysd_runner.spec.declarations import (
    USUAL_ERRORS,
    ErrorModel,
    Lever,
    Measurement,
    ModelSpec,
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
    from pysd_runner.spec.fitted import FittedParameters, load_fitted

__all__ = [
    "USUAL_ERRORS",
    "Beta",
    "ErrorModel",
    "FittedParameters",
    "Lever",
    "LogNormal",
    "Measurement",
    "ModelSpec",
    "Normal",
    "Outcome",
    "Parameter",
    "PolicyClass",
    "Prior",
    "Proxy",
    "RegionInput",
    "Ridge",
    "Uniform",
    "load_fitted",
    "load_spec",
]


def __getattr__(name: str) -> Any:
    """Import what fits have left behind only when it is asked for."""
    if name in ("FittedParameters", "load_fitted"):
        return getattr(import_module(f"{__name__}.fitted"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be imported."""
    return sorted(__all__)
