"""Methods of statsmodels, fitted to each region alone: Theta, exponential smoothing, ARIMA."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held, last_level

# Fewer years than this say nothing about a region's own dynamics.
LEAST_YEARS = 8


@contextmanager
def quiet() -> Iterator[None]:
    """Keep statsmodels from warning about short series and searches that stopped early; the forecasts are scored."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def by_region(history: Array, horizon: int, fit: Callable[[Array, int], Array]) -> Array:
    """Forecast each region alone; one that is too short or flat, or whose fit breaks down, keeps its last level."""
    result = held(last_level(history), horizon)
    for place, series in enumerate(carried(history)):
        seen = series[np.isfinite(series)]
        # In units of the yearly change, in which the searches of statsmodels converge several times as fast.
        unit = float(np.std(np.diff(seen))) if len(seen) > 1 else 0.0
        if len(seen) < LEAST_YEARS or unit == 0:
            continue
        try:
            with quiet():
                found = unit * fit(seen / unit, horizon)
        except (ValueError, np.linalg.LinAlgError, IndexError):
            continue
        # A search that ran away is no forecast of a relative level.
        if np.isfinite(found).all() and np.abs(found - seen[-1]).max() <= 5 * np.ptp(seen):
            result[place] = found
    return result


def least_criterion(fits: Iterator[Any]) -> Any:
    """The fit with the least corrected information criterion (Hurvich & Tsai 1989)."""
    best = None
    for fitted in fits:
        if np.isfinite(fitted.aicc) and (best is None or fitted.aicc < best.aicc):
            best = fitted
    if best is None:
        raise ValueError("no candidate could be fitted")
    return best


@dataclass(frozen=True, slots=True)
class Theta:
    """The Theta method: simple exponential smoothing with half the drift of the whole history.

    Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16: 521-530; Hyndman & Billah (2003), 19: 287-290.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        from statsmodels.tsa.forecasting.theta import ThetaModel

        def fit(series: Array, ahead: int) -> Array:
            return np.asarray(ThetaModel(series, period=1, deseasonalize=False).fit().forecast(ahead))

        return by_region(history, horizon, fit)


@dataclass(frozen=True, slots=True)
class ExponentialSmoothing:
    """Exponential smoothing with additive errors: level alone, or with a damped trend, by corrected AIC.

    Hyndman, Koehler, Ord & Snyder (2008), *Forecasting with Exponential Smoothing*.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        def fit(series: Array, ahead: int) -> Array:
            kinds: tuple[dict[str, Any], ...] = ({}, {"trend": "add", "damped_trend": True})
            fits = (ETSModel(series, error="add", **kind).fit(disp=False) for kind in kinds)
            return np.asarray(least_criterion(fits).forecast(ahead))

        return by_region(history, horizon, fit)


# Random walk, momentum, and error in level: the orders that short yearly series can tell apart. Both at once takes
# twice the time of these three together.
ORDERS = ((0, 1, 0), (1, 1, 0), (0, 1, 1))


@dataclass(frozen=True, slots=True)
class Arima:
    """ARIMA(p, 1, q) with p + q up to one, by corrected AIC, maximum likelihood.

    Box & Jenkins (1970), *Time Series Analysis: Forecasting and Control*.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        from statsmodels.tsa.arima.model import ARIMA

        def fit(series: Array, ahead: int) -> Array:
            fits = (ARIMA(series, order=order).fit(low_memory=True) for order in ORDERS)
            return np.asarray(least_criterion(fits).forecast(ahead))

        return by_region(history, horizon, fit)
