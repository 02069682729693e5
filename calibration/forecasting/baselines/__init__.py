"""Forecasts that need no model, one idea a file; each gives points, `EmpiricalIntervals` adds widths."""

from calibration.forecasting.baselines.autoregression import FixedEffects
from calibration.forecasting.baselines.error_correction import ErrorCorrection, ShrunkenErrorCorrection
from calibration.forecasting.baselines.simple import (
    DampedDrift,
    Drift,
    Mean,
    MeanReversion,
    Persistence,
    PooledConvergence,
)
from calibration.forecasting.baselines.smoothing import Smoothing, Theta

__all__ = [
    "DampedDrift",
    "Drift",
    "ErrorCorrection",
    "FixedEffects",
    "Mean",
    "MeanReversion",
    "Persistence",
    "PooledConvergence",
    "ShrunkenErrorCorrection",
    "Smoothing",
    "Theta",
]
