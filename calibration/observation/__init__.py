"""How a panel observes a model: series, their errors, and residuals in units of these errors."""

from calibration.observation.build import Absent, Observed, build_series
from calibration.observation.estimation import Shocks, estimate_noise, estimate_spread, summarise_shocks
from calibration.observation.losses import BEND, Loss, bounded, bounded_slope, log_mass, loss_of
from calibration.observation.noise import MOST_PERSISTENT, Noise, Whitening, declared_noise
from calibration.observation.series import Series

__all__ = [
    "BEND",
    "MOST_PERSISTENT",
    "Absent",
    "Loss",
    "Noise",
    "Observed",
    "Series",
    "Shocks",
    "Whitening",
    "bounded",
    "bounded_slope",
    "build_series",
    "declared_noise",
    "estimate_noise",
    "estimate_spread",
    "log_mass",
    "loss_of",
    "summarise_shocks",
]
