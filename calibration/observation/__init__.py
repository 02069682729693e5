"""How a panel observes a model: series, their errors, and residuals in units of these errors."""

from calibration.observation.build import Absent, Observed, build_series
from calibration.observation.estimation import estimate_noise, estimate_spread
from calibration.observation.losses import Loss, loss_of
from calibration.observation.noise import MOST_PERSISTENT, Noise, declared_noise
from calibration.observation.robust import BEND, bounded, bounded_slope, log_mass
from calibration.observation.series import Series
from calibration.observation.shocks import Shocks, summarise_shocks
from calibration.observation.whitening import Whitening

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
