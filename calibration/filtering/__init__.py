"""State estimation at the origin of a forecast: an ensemble Kalman filter over the states of the compiled model.

Members are draws of parameters and states. Each year is one compiled run for all of them; then the year's observations
move the states of each region. Sizes of noise, momentum and the pull are weighed by how they foretold the panel up to
the origin; every other coupling has its mode at the random walk. From the origin members go on with shocks.
"""

from calibration.filtering.dynamics import check_fit_of
from calibration.filtering.ensemble import Filtered, ahead, estimate
from calibration.filtering.evidence import Evidence, evidence_of
from calibration.filtering.learning import Laws, learn_laws
from calibration.filtering.settings import FilterSettings

__all__ = [
    "Evidence",
    "FilterSettings",
    "Filtered",
    "Laws",
    "ahead",
    "check_fit_of",
    "estimate",
    "evidence_of",
    "learn_laws",
]
