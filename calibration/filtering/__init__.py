"""State estimation at the origin of a forecast: a Kalman filter of output, an ensemble of the digital stocks.

Members are draws of parameters and states. Level, momentum and transitory component of output are filtered exactly for
each member's own law of motion; the digital stocks go through the compiled model, one run a year for all members, and
are moved by the year's observations. Sizes of noise, momentum, the transitory component and mean reversion are weighed
by how they predicted the panel up to the origin; every other coupling is as declared or fitted, as in a projection.
From the origin members go on with shocks.
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
