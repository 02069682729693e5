"""Gini coefficient, with and without weights."""

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.indicators.regions import FloatArray, non_negative_regions_last, weights_like


def gini(values: ArrayLike, population: ArrayLike | None = None, *, axis: int = -2) -> FloatArray:
    r"""Gini coefficient of a non-negative quantity per head.

    .. math:: G = \frac{1}{2\mu} \sum_i \sum_j p_i p_j |y_i - y_j|, \qquad \mu = \sum_i p_i y_i

    with :math:`p_i` the share of region :math:`i` in ``population``, or :math:`1/n`. Half the mean absolute
    difference between all pairs, over the mean; computed from the order of the regions. No small-sample
    correction. With population weights it sees inequality between regions only: inside a region all count as
    equal.

    Parameters
    ----------
    values
        :math:`y`, a quantity per head, in any unit; default layout (scenario, draw, region, year).
    population
        People in each region, or any other weight; must broadcast with ``values``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    FloatArray
        Dimensionless, from 0 (equal) to below 1 (:math:`1 - 1/n` without weights); smaller is more equal;
        shape as given without ``axis``. NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, all are zero, or a weight is not positive.

    References
    ----------
    Sen, A. (1973), On Economic Inequality, chapter 2.

    Examples
    --------
    >>> float(gini([1.0, 2.0, 3.0, 4.0], axis=-1))
    0.25
    """
    level = non_negative_regions_last("values", values, axis)
    weights = weights_like(level, population, axis)
    level, share = np.broadcast_arrays(level, weights / weights.sum(axis=-1, keepdims=True))
    order = np.argsort(level, axis=-1)
    ordered, held = np.take_along_axis(level, order, axis=-1), np.take_along_axis(share, order, axis=-1)
    # Twice the rank of the middle of each region's people, centred on zero.
    rank = 2 * np.cumsum(held, axis=-1) - held - 1
    return np.asarray((held * ordered * rank).sum(axis=-1) / (held * ordered).sum(axis=-1))
