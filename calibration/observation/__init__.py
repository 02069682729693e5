"""How a panel observes a model: series, their errors, and residuals in units of these errors."""

from calibration.observation.build import Absent, Observed, build_series
from calibration.observation.estimation import Shocks, estimate_noise, estimate_spread, summarise_shocks
from calibration.observation.losses import BEND, HuberLoss, Loss, loss_of
from calibration.observation.noise import MOST_PERSISTENT, Noise, Whitening
from calibration.observation.series import Series

__all__ = [
    "BEND",
    "MOST_PERSISTENT",
    "Absent",
    "HuberLoss",
    "Loss",
    "Noise",
    "Observed",
    "Series",
    "Shocks",
    "Whitening",
    "build_series",
    "estimate_noise",
    "estimate_spread",
    "loss_of",
    "summarise_shocks",
]
