"""How far apart the regions lie: sigma of logs and coefficient of variation."""

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.indicators.regions import (
    FloatArray,
    non_negative_regions_last,
    positive_regions_last,
    weights_like,
)


def sigma_dispersion(output_per_head: ArrayLike, *, axis: int = -2) -> FloatArray:
    r"""Sigma: the standard deviation over regions of log output per head.

    .. math:: \sigma = \sqrt{\frac{1}{n} \sum_i \left(\ln y_i - \frac{1}{n} \sum_j \ln y_j\right)^2}

    The population form (divided by :math:`n`, not :math:`n - 1`); every region counts once, whatever its
    size.

    Parameters
    ----------
    output_per_head
        :math:`y`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    FloatArray
        Log points, from 0 (equal) up; falling means sigma-convergence; shape as given without ``axis``.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is zero or negative.

    References
    ----------
    Barro, R. J. and Sala-i-Martin, X. (1992), Convergence, Journal of Political Economy 100(2).

    Examples
    --------
    >>> float(sigma_dispersion([np.e, 1 / np.e], axis=-1))
    1.0
    """
    logarithm = np.log(positive_regions_last("output per head", output_per_head, axis))
    return np.asarray(logarithm.std(axis=-1))


def coefficient_of_variation(values: ArrayLike, population: ArrayLike | None = None, *, axis: int = -2) -> FloatArray:
    r"""Coefficient of variation: the standard deviation over regions divided by the mean.

    .. math:: V = \frac{1}{\mu} \sqrt{\sum_i p_i (y_i - \mu)^2}, \qquad \mu = \sum_i p_i y_i

    with :math:`p_i` the share of region :math:`i` in ``population``, or :math:`1/n` when none is given.

    Parameters
    ----------
    values
        :math:`y`, a non-negative quantity per head in any unit; default layout (scenario, draw, region,
        year).
    population
        People in each region, or any other weight; must broadcast with ``values``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    FloatArray
        Dimensionless, from 0 (equal) up; smaller is more equal; shape as given without ``axis``.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, all are zero, or a weight is not positive.

    References
    ----------
    Williamson, J. G. (1965), Regional inequality and the process of national development, Economic
    Development and Cultural Change 13(4) (the weighted form).

    Examples
    --------
    >>> float(coefficient_of_variation([1.0, 3.0], axis=-1))
    0.5
    """
    level = non_negative_regions_last("values", values, axis)
    weights = weights_like(level, population, axis)
    share = weights / weights.sum(axis=-1, keepdims=True)
    mean = (share * level).sum(axis=-1, keepdims=True)
    variance = (share * (level - mean) ** 2).sum(axis=-1)
    return np.asarray(np.sqrt(variance) / mean[..., 0])
