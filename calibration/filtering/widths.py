"""How much wider or narrower than their law forecasts have turned out at each horizon, up to the origin."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from calibration.filtering.learning import Laws
from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import forecasts, positions

Array = NDArray[np.float64]


def learn_widths(values: Array, laws: Laws, settings: FilterSettings, horizon: int) -> Array:
    r"""Factor on the width of the forecast at each horizon.

    The small filter forecasts from every earlier year; the mean absolute error is set against the one its law expects.
    The ratio counts as many origins as do not overlap, and is shrunk to the law by `width_weight`:
    :math:`\log f_h = \frac{n_h}{n_h + n_0} \log (\overline{|e|} / \overline{E|e|})`.
    """
    likely = laws.likely
    trend, weight, sd = likely.trend, likely.weight, likely.sd[:, None] * laws.by_region
    centres = positions(values, settings.memory_years)
    years = values.shape[1]
    found, expected, origins = np.zeros(horizon), np.zeros(horizon), np.zeros(horizon)
    for ahead in forecasts(values, centres, trend, sd, settings, horizon):
        place, known = ahead.step - 1, ahead.known
        error, size = _error(ahead.at.output, ahead.at.var_output * sd**2, weight, values[:, ahead.year])
        counts = 0.5 ** ((years - 1 - ahead.year) / settings.width_half_life)
        found[place] += counts * np.abs(error[known] - error[known].mean()).mean()
        expected[place] += counts * _mean_of_unit(settings.tails, ahead.step) * size[known].mean()
        origins[place] += counts
    apart = origins / np.arange(1, horizon + 1)
    held = (found > 0) & (expected > 0)
    ratio = np.divide(found, expected, out=np.ones(horizon), where=held)
    return np.asarray(np.exp(apart / (apart + settings.width_weight) * np.log(ratio)))


def _mean_of_unit(tails: float, years: int) -> float:
    """Mean absolute value at unit variance: of Student's t after a year, ever nearer to the normal after more."""
    normal = np.sqrt(2 / np.pi)
    heavy = 2 * np.sqrt(tails - 2) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return float(normal + (heavy - normal) / years)


def _error(output: Array, variance: Array, weight: Array, observed: Array) -> tuple[Array, Array]:
    """Error of the mixture's mean and its standard deviation, shape (region,)."""
    mean = weight @ output
    spread = weight @ (variance + (output - mean) ** 2)
    return mean - observed, np.sqrt(spread)
