"""The gap of the regions below the mean, and what a change of it is made of: their gain, and the loss of the others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.regions import FloatArray, positive_regions_last

Measure = Callable[[FloatArray, FloatArray], FloatArray]


def laggards(output: ArrayLike, population: ArrayLike) -> NDArray[np.bool_]:
    r"""Regions whose output per head lies below that of the nation.

    >>> laggards([3.0, 1.0], [1.0, 1.0]).tolist()
    [False, True]
    """
    produced = positive_regions_last("output", output, -1)
    people = positive_regions_last("population", population, -1)
    return np.asarray(produced / people < produced.sum() / people.sum())


def mean_log_gap(output: ArrayLike, population: ArrayLike, behind: ArrayLike, *, axis: int = -2) -> FloatArray:
    r"""Mean distance of some regions below the nation, in logs of output per head.

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
    measure: Measure,
    before: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray],
    behind: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    r"""Split the change of a measure into what some regions contribute and what the others do."""
    # Each part is the mean of the two ways of getting there: these regions first, or the others first (the value of
    # Shapley of two players), so that the parts sum to the change exactly and hang on no order.
    first = measure(*_mixed(after, before, behind))
    second = measure(*_mixed(before, after, behind))
    start, end = measure(*before), measure(*after)
    own = 0.5 * ((first - start) + (end - second))
    return own, (end - start) - own


def _mixed(
    these: tuple[FloatArray, FloatArray], others: tuple[FloatArray, FloatArray], behind: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Some regions from one state, the others from another."""
    return np.where(behind, these[0], others[0]), np.where(behind, these[1], others[1])
