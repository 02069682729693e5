"""Simple exponential smoothing, a mean of the past in which each moment counts less than the next; and Theta."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held, last_level

# Weights of the latest observation that are tried; one is persistence.
WEIGHTS = np.round(np.arange(0.05, 1.01, 0.05), 2)
LEAST_YEARS = 4
# Fewer years than this say nothing about a drift of a region's own.
LEAST_DRIFT = 8


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
                result[place] = smoothed(seen)[0]
        return result


@dataclass(frozen=True, slots=True)
class Theta:
    r"""The Theta method: simple exponential smoothing with half the drift of the whole history.

    :math:`l_T + \frac{b}{2}\left(h - 1 + \frac{1 - (1 - \alpha)^T}{\alpha}\right)`, b the slope of a line through all
    years. Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16: 521-530; Hyndman & Billah (2003), 19: 287-290.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result = held(last_level(history), horizon)
        for place, series in enumerate(carried(history)):
            seen = series[np.isfinite(series)]
            if len(seen) >= LEAST_DRIFT:
                level, weight = smoothed(seen)
                slope = np.polyfit(np.arange(len(seen)), seen, 1)[0]
                ahead = np.arange(horizon) + (1 - (1 - weight) ** len(seen)) / weight
                result[place] = level + slope / 2 * ahead
        return result


def smoothed(series: Array) -> tuple[float, float]:
    """The last level under the weight with the smallest one-step errors, and the weight; ties take the largest."""
    levels = np.full(len(WEIGHTS), series[0])
    squares = np.zeros(len(WEIGHTS))
    for value in series[1:]:
        squares += (value - levels) ** 2
        levels = WEIGHTS * value + (1 - WEIGHTS) * levels
    best = len(WEIGHTS) - 1 - int(squares[::-1].argmin())
    return float(levels[best]), float(WEIGHTS[best])
