"""The equal-weight mean of other methods."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array
from calibration.forecasting.forecaster import PointMethod


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of the points of other methods, each counting the same.

    Attributes
    ----------
    members
        The methods.
    """

    members: tuple[PointMethod, ...]

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result: Array = np.mean([member.points(history, horizon) for member in self.members], axis=0)
        return result
