"""How sure a fit is: profiles, posterior samples, and what the panel can and cannot tell apart."""

from calibration.fitting.point import FittedPoint, fitted_point, point_at
from calibration.uncertainty.convergence import Convergence, convergence
from calibration.uncertainty.predictive import PredictiveCheck, predictive_checks
from calibration.uncertainty.profiles import Profile, Shape, half_quantile, profile
from calibration.uncertainty.sampling import PosteriorSample, sample, sample_at
from calibration.uncertainty.verdict import Direction, Identifiability, Verdict, directions, identify

__all__ = [
    "Convergence",
    "Direction",
    "FittedPoint",
    "Identifiability",
    "PosteriorSample",
    "PredictiveCheck",
    "Profile",
    "Shape",
    "Verdict",
    "convergence",
    "directions",
    "fitted_point",
    "half_quantile",
    "identify",
    "point_at",
    "predictive_checks",
    "profile",
    "sample",
    "sample_at",
]
