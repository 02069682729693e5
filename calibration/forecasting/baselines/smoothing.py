"""Simple exponential smoothing: the level is a mean of the past in which each moment counts less than the next."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held, last_level

# Weights of the latest observation that are tried; one is persistence.
WEIGHTS = np.round(np.arange(0.05, 1.01, 0.05), 2)
LEAST_YEARS = 4


@dataclass(frozen=True, slots=True)
class Smoothing:
    r"""Level :math:`l_t = \alpha y_t + (1 - \alpha) l_{t-1}`, with the weight that foretold each row best.

    Brown (1956); Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, chapter 8.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result = held(last_level(history), horizon)
        for place, series in enumerate(carried(history)):
            seen = series[np.isfinite(series)]
            if len(seen) >= LEAST_YEARS:
                result[place] = _level(seen)
        return result


def _level(series: Array) -> float:
    """The last level under the weight with the smallest one-step errors; ties take the largest weight."""
    levels = np.full(len(WEIGHTS), series[0])
    squares = np.zeros(len(WEIGHTS))
    for value in series[1:]:
        squares += (value - levels) ** 2
        levels = WEIGHTS * value + (1 - WEIGHTS) * levels
    return float(levels[len(WEIGHTS) - 1 - int(squares[::-1].argmin())])
