"""How sure a fit is: profiles, posterior samples, and what the panel can and cannot tell apart."""

from calibration.uncertainty.directions import Direction, directions
from calibration.uncertainty.point import FittedPoint, fitted_point
from calibration.uncertainty.profiles import Profile, half_quantile, profile
from calibration.uncertainty.shape import Shape
from calibration.uncertainty.verdict import Identifiability, Verdict, identify

__all__ = [
    "Direction",
    "FittedPoint",
    "Identifiability",
    "Profile",
    "Shape",
    "Verdict",
    "directions",
    "fitted_point",
    "half_quantile",
    "identify",
    "profile",
]
