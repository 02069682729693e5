"""Output that the couplings made, and what the small filter, which knows nothing of them, takes it for."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import Trend, steps

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What the small filter takes movements for, by law.

    Attributes
    ----------
    surprises
        Divided by their relative standard deviation, shape (law, region, year), NaN where there is none.
    states
        Level less what was made of it, momentum and what passes after the last year, shape (3, law, region).
    """

    surprises: Array
    states: Array


def taken_for(moves: Array, seen: NDArray[np.bool_], trend: Trend, settings: FilterSettings) -> Taken:
    """Filter output that is nothing but what a group of couplings made, with the holes of the data.

    The filter is linear as long as no surprise is a shock, so that what it takes a part of output for is the same
    whatever the rest is. Gains of the data were smaller in restless years; that is not followed here.

    Parameters
    ----------
    moves
        By how much relative output is moved in the year after each but the last, shape (region, year - 1).
    seen
        Whether output was observed, shape (region, year).
    trend
        Laws.
    settings
        Of the filter.

    Returns
    -------
    Taken
        For every law.
    """
    surprises, states = np.empty((len(trend), *seen.shape)), np.empty((3, len(trend), len(seen)))
    # Where the pull goes to moves what is expected and what comes alike.
    trend = replace(trend, persistence=np.zeros(len(trend)))
    for pull in np.unique(trend.pull):
        alike = np.flatnonzero(trend.pull == pull)
        path = _pulled(moves, pull)
        known = np.where(seen, path, np.nan)
        free = np.full(len(alike), np.inf)
        for step in steps(known, np.zeros(seen.shape), trend.of(alike), free, settings):
            surprises[alike, :, step.year] = step.innovation
            states[:, alike] = step.level - path[:, -1], step.drift, step.cycle
    return Taken(surprises=surprises, states=states)


def _pulled(moves: Array, pull: float) -> Array:
    """Movements added up under a pull, from zero; shape (region, year)."""
    path = np.zeros((len(moves), moves.shape[1] + 1))
    for year in range(moves.shape[1]):
        path[:, year + 1] = (1 - pull) * path[:, year] + moves[:, year]
    return path
