"""Output that the couplings made, and what the small filter takes it for, which does not know of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import Trend, positions, steps

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
        Years of positions.

    Returns
    -------
    Taken
        For every law.
    """
    laws, regions, years = len(trend), *seen.shape
    surprises, states = np.empty((laws, regions, years)), np.empty((3, laws, regions))
    rules, rule_of = np.unique((trend.pull, trend.persistence), axis=1, return_inverse=True)
    for place, (pull, persistence) in enumerate(rules.T):
        alike = np.flatnonzero(rule_of == place)
        path = _pulled(moves, seen, pull, persistence, settings.memory_years)
        known = np.where(seen, path, np.nan)
        free = np.full(len(alike), np.inf)
        for step in steps(known, positions(known, settings.memory_years), trend.of(alike), free, settings):
            surprises[alike, :, step.year] = step.innovation
            states[:, alike] = step.level - path[:, -1], step.drift, step.cycle
    return Taken(surprises=surprises, states=states)


def _pulled(moves: Array, seen: NDArray[np.bool_], pull: float, persistence: float, memory_years: int) -> Array:
    """Movements added up under a pull, from zero; shape (region, year)."""
    path = np.zeros(seen.shape)
    for year in range(moves.shape[1]):
        known = np.where(seen[:, : year + 1], path[:, : year + 1], np.nan)
        aim = persistence * np.nan_to_num(positions(known, memory_years)[:, -1])
        path[:, year + 1] = aim + (1 - pull) * (path[:, year] - aim) + moves[:, year]
    return path
