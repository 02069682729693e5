"""Position of regions relative to the nation, the mean and the leader, shares, and the gap of laggards."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Flags
from pysd_runner.indicators.inequality import non_negative_regions_last, output_and_people, positive_regions_last


def relative_output(output: ArrayLike, population: ArrayLike, *, axis: int = -2) -> Array:
    r"""Output per head of each region, relative to output per head of all regions together.

    .. math:: r_i = \frac{Y_i / P_i}{\sum_j Y_j / \sum_j P_j}

    Its population-weighted mean is one by construction.

    Parameters
    ----------
    output
        :math:`Y`, output of each region, in any unit of currency per year; default layout
        (scenario, draw, region, year).
    population
        :math:`P`, people in each region; must broadcast with ``output``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    Array
        Dimensionless, from 0 up, 1 = national average; shape of ``output`` and ``population`` broadcast.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If output is negative, population is not positive, or the two do not fit together.

    References
    ----------
    Barro, R. J. and Sala-i-Martin, X. (1992), Convergence, Journal of Political Economy 100(2).

    Examples
    --------
    >>> relative_output([120.0, 80.0], [1.0, 1.0], axis=-1).tolist()
    [1.2, 0.8]
    """
    produced, people = output_and_people(output, population, axis)
    national = produced.sum(axis=-1, keepdims=True) / people.sum(axis=-1, keepdims=True)
    return np.moveaxis(produced / people / national, -1, axis)


def log_relative_output(output_per_head: ArrayLike, *, axis: int = -2) -> Array:
    r"""Log output per head minus its unweighted mean over the regions.

    .. math:: x_i = \ln y_i - \frac{1}{n} \sum_j \ln y_j

    The mean over regions is zero; a common trend or a common price change cancels out.

    Parameters
    ----------
    output_per_head
        :math:`y`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    Array
        In log points (0.01 is about one per cent), any sign, 0 = the regions' geometric mean; shape as given.
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
    >>> np.round(log_relative_output([2.0, 1.0], axis=-1), 4).tolist()
    [0.3466, -0.3466]
    """
    logarithm = np.log(positive_regions_last(Message("output per head"), output_per_head, axis))
    return np.moveaxis(logarithm - logarithm.mean(axis=-1, keepdims=True), -1, axis)


def gap_to_leader(output_per_head: ArrayLike, *, axis: int = -2) -> Array:
    r"""Gap of output per head to the leading region of the same year.

    .. math:: g_i = 1 - \frac{y_i}{\max_j y_j}

    Parameters
    ----------
    output_per_head
        :math:`y`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    Array
        Share of the leader's output per head, from 0 (the leader) to below 1; smaller is closer; shape as
        given. NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is zero or negative.

    Examples
    --------
    >>> gap_to_leader([100.0, 75.0, 50.0], axis=-1).tolist()
    [0.0, 0.25, 0.5]
    """
    level = positive_regions_last(Message("output per head"), output_per_head, axis)
    return np.moveaxis(1 - level / level.max(axis=-1, keepdims=True), -1, axis)


def output_share(output: ArrayLike, *, axis: int = -2) -> Array:
    r"""Share of each region in the output of all regions.

    .. math:: s_i = \frac{Y_i}{\sum_j Y_j}

    Migration can narrow the gap per head while it increases the leader's share of output: report both.

    Parameters
    ----------
    output
        :math:`Y`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    Array
        Dimensionless, from 0 to 1, summing to one over the regions; shape as given.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, or all are zero.

    Examples
    --------
    >>> output_share([3.0, 1.0], axis=-1).tolist()
    [0.75, 0.25]
    """
    return _shares("output", output, axis)


def population_share(population: ArrayLike, *, axis: int = -2) -> Array:
    r"""Share of each region in the population of all regions.

    .. math:: p_i = \frac{P_i}{\sum_j P_j}

    Parameters
    ----------
    population
        :math:`P`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    Array
        Dimensionless, from 0 to 1, summing to one over the regions; shape as given.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, or all are zero.

    Examples
    --------
    >>> population_share([1.0, 3.0], axis=-1).tolist()
    [0.25, 0.75]
    """
    return _shares("population", population, axis)


def _shares(name: str, values: ArrayLike, axis: int) -> Array:
    held = non_negative_regions_last(name, values, axis)
    return np.moveaxis(held / held.sum(axis=-1, keepdims=True), -1, axis)


Measure = Callable[[Array, Array], Array]


def laggards(output: ArrayLike, population: ArrayLike) -> Flags:
    r"""Whether each region's output per head is below the national mean.

    >>> laggards([3.0, 1.0], [1.0, 1.0]).tolist()
    [False, True]
    """
    produced = positive_regions_last("output", output, -1)
    people = positive_regions_last("population", population, -1)
    return np.asarray(produced / people < produced.sum() / people.sum())


def mean_log_gap(output: ArrayLike, population: ArrayLike, behind: ArrayLike, *, axis: int = -2) -> Array:
    r"""Mean distance of some regions from the nation, in log output per head.

    .. math:: g = \ln \frac{\sum Y}{\sum P} - \frac{1}{|L|} \sum_{i \in L} \ln \frac{Y_i}{P_i}

    >>> round(float(mean_log_gap([3.0, 1.0], [1.0, 1.0], [False, True], axis=-1)), 6)
    0.693147
    """
    produced = positive_regions_last("output", output, axis)
    people = positive_regions_last("population", population, axis)
    chosen = np.asarray(behind, dtype=bool)
    if not chosen.any():
        raise InvalidInput("no region lies below the mean, so there is no gap to be closed")
    nation = np.log(produced.sum(axis=-1) / people.sum(axis=-1))
    return np.asarray(nation - np.log(produced / people)[..., chosen].mean(axis=-1))


def split_change(
    measure: Measure, before: tuple[Array, Array], after: tuple[Array, Array], behind: Flags
) -> tuple[Array, Array]:
    r"""Decompose the change of a measure into the contributions of some regions and of all others."""
    # Each part is the mean over the two orders in which the groups can change (the Shapley value of two players), so
    # that the parts sum to the change exactly and do not depend on the order.
    first = measure(*_mixed(after, before, behind))
    second = measure(*_mixed(before, after, behind))
    start, end = measure(*before), measure(*after)
    own = 0.5 * ((first - start) + (end - second))
    return own, (end - start) - own


def _mixed(these: tuple[Array, Array], others: tuple[Array, Array], behind: Flags) -> tuple[Array, Array]:
    """Combine two states: the regions in `behind` from the first, all others from the second."""
    return np.where(behind, these[0], others[0]), np.where(behind, these[1], others[1])
