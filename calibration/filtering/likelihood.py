"""How well laws of motion foretold the panel, at all the horizons that are to be forecast."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import Trend, forecasts

Array = NDArray[np.float64]


def composite_likelihood(
    values: Array, centres: Array, grid: Trend, sd: Array, weights: Array, settings: FilterSettings
) -> Array:
    r"""Composite log-likelihood of laws over horizons.

    :math:`\ell = \sum_{h=1}^{H} \frac1h \sum_t \omega_t \sum_i \log p(r_{it} \mid r_{\cdot, \le t-h})`. A law that is
    true has its maximum here as in the likelihood of one year ahead; one that is only near is chosen for what it is to
    do, and a slow pull shows after years, not after one. Errors over h years overlap with those of h - 1 other origins,
    hence 1/h. Composite likelihoods: Varin, Reid & Firth (2011), Statistica Sinica 21: 5-42; criteria of several steps:
    Xia & Tong (2011), Statist. Sci. 26: 21-46.
    """
    total = np.zeros(len(grid))
    for ahead in forecasts(values, centres, grid, sd, settings, settings.horizons):
        known = ahead.known
        error = ahead.at.output[:, known] - values[known, ahead.year]
        # A shift common to all regions is a change of their number, not news.
        error = error - error.mean(axis=1, keepdims=True)
        variance = ahead.at.var_output[:, known] * sd[:, known] ** 2
        total += weights[ahead.year] / ahead.step * log_student(error, variance, settings.tails).sum(axis=1)
    return total


def log_student(error: Array, variance: Array, tails: float) -> Array:
    """Log density of Student's t with mean zero and a given variance."""
    scale2 = variance * (tails - 2) / tails
    constant = gammaln((tails + 1) / 2) - gammaln(tails / 2) - 0.5 * np.log(np.pi * tails)
    result: Array = constant - 0.5 * np.log(scale2) - (tails + 1) / 2 * np.log1p(error**2 / (tails * scale2))
    return result
