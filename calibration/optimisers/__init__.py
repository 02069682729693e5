"""Least-squares searches: functions and vectors only, no models and no panels."""

from calibration.optimisers.least_squares import LeastSquares
from calibration.optimisers.multistart import MultiStart, Starts
from calibration.optimisers.objective import Objective, Optimiser, Optimum
from calibration.optimisers.outcome import Outcome

__all__ = ["LeastSquares", "MultiStart", "Objective", "Optimiser", "Optimum", "Outcome", "Starts"]
