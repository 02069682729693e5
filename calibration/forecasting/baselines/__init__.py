"""Forecasts that need no model, one idea a file; each gives points, `calibration.forecasting.learnt` adds widths."""

from calibration.forecasting.baselines.autoregression import FixedEffects, ShrunkenMeans
from calibration.forecasting.baselines.error_correction import ErrorCorrection, ShrunkenErrorCorrection
from calibration.forecasting.baselines.simple import DampedDrift, Drift, Mean, Persistence, PooledConvergence, Pull
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
    "Persistence",
    "PooledConvergence",
    "Pull",
    "ShrunkenErrorCorrection",
    "ShrunkenMeans",
    "Smoothing",
    "Theta",
]
