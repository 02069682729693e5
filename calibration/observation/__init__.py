"""Observation model: observed series, their error models and standardised residuals."""

from calibration.observation.build import Absent, build_series
from calibration.observation.estimation import Shocks, estimate_noise, estimate_spread, summarise_shocks
from calibration.observation.noise import HUBER_K, MOST_PERSISTENT, HuberLoss, Loss, Noise, Whitening, loss_of
from calibration.observation.series import Series

__all__ = [
    "HUBER_K",
    "MOST_PERSISTENT",
    "Absent",
    "HuberLoss",
    "Loss",
    "Noise",
    "Series",
    "Shocks",
    "Whitening",
    "build_series",
    "estimate_noise",
    "estimate_spread",
    "loss_of",
    "summarise_shocks",
]
