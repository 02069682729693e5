"""State estimation at the origin of a forecast: a Kalman filter of relative output.

Level and momentum are filtered exactly under each law of motion on a grid, and laws are weighed
by how they predicted the panel up to the origin. From there states go on with shocks. Only relative output is read, so
that neither the unit of money nor anything else in a panel moves a forecast.
"""

from calibration.filtering.laws import Filtered, Laws, ahead, estimate, learn_laws
from calibration.filtering.trend import FilterSettings

__all__ = [
    "FilterSettings",
    "Filtered",
    "Laws",
    "ahead",
    "estimate",
    "learn_laws",
]
