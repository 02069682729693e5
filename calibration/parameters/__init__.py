"""Which numbers of a model a calibration moves, within which bounds, on which scale."""

from calibration.parameters.ridges import RidgeChange, applying
from calibration.parameters.space import ParameterSpace, chosen, listed, overrides, prior_median, prior_quantile

__all__ = [
    "ParameterSpace",
    "RidgeChange",
    "applying",
    "chosen",
    "listed",
    "overrides",
    "prior_median",
    "prior_quantile",
]
