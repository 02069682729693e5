"""State estimation at the origin of a forecast: a Kalman filter of relative output.

Level and momentum are filtered exactly under each candidate trend model of a grid, and the models are weighted by how
well they predicted the panel up to the origin. From there states are simulated with shocks. Only relative output is
used, so forecasts do not depend on the currency or on any other variable of the panel.
"""

from calibration.filtering.laws import Filtered, Laws, estimate, estimate_laws, propagate
from calibration.filtering.trend import FilterSettings

__all__ = ["FilterSettings", "Filtered", "Laws", "estimate", "estimate_laws", "propagate"]
