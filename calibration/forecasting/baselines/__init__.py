"""Forecasts that need no model, one idea a file; each gives points, `EmpiricalIntervals` adds widths."""

from calibration.forecasting.baselines.autoregression import FixedEffects, ShrunkenMeans
from calibration.forecasting.baselines.error_correction import ErrorCorrection, ShrunkenErrorCorrection
from calibration.forecasting.baselines.simple import (
    DampedDrift,
    Drift,
    Mean,
    MeanReversion,
    Persistence,
    PooledConvergence,
)
from calibration.forecasting.baselines.smoothing import Smoothing
from calibration.forecasting.baselines.univariate import Arima, ExponentialSmoothing, Theta

__all__ = [
    "Arima",
    "DampedDrift",
    "Drift",
    "ErrorCorrection",
    "ExponentialSmoothing",
    "FixedEffects",
    "Mean",
    "MeanReversion",
    "Persistence",
    "PooledConvergence",
    "ShrunkenErrorCorrection",
    "ShrunkenMeans",
    "Smoothing",
    "Theta",
]
