"""Declarations of a model, and the parameters a calibration found for it."""

from pysd_runner.spec.declarations import (
    Lever,
    Measurement,
    ModelSpec,
    Outcome,
    Parameter,
    PolicyClass,
    Proxy,
    RegionInput,
)
from pysd_runner.spec.fitted import FittedParameters, load_fitted
from pysd_runner.spec.load import load_spec
from pysd_runner.spec.priors import Beta, LogNormal, Normal, Prior, Uniform

__all__ = [
    "Beta",
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
    "Uniform",
    "load_fitted",
    "load_spec",
]
