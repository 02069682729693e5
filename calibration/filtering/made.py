"""Output that the couplings made, and what the small filter, which knows nothing of them, takes it for."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.dynamics import COUPLINGS, Drawn, advance, central, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws
from calibration.filtering.settings import FilterSettings
from calibration.filtering.trend import Trend, steps

Array = NDArray[np.float64]


def movements(evidence: Evidence, laws: Laws, draw: Drawn, first_year: int) -> Array:
    """By how much the couplings of members, at their mean, move relative output in the year after each."""
    pairs = {key: np.array([0.0, draw.parameters[key].mean()]) for key in COUPLINGS}
    found = np.zeros((len(evidence.values), len(evidence.years) - 1))
    if not any(pair.any() for pair in pairs.values()):
        return found
    for year in range(first_year, evidence.years[-1]):
        members, state = start(evidence, laws, year, central(evidence, pairs))
        position = state.level.mean(axis=0) - state.level.mean()
        after = advance(state, members, np.zeros(state.level.shape), position).level
        relative = after - after.mean(axis=1, keepdims=True)
        found[:, year - evidence.years[0]] = relative[1] - relative[0]
    return found


def taken_for(moves: Array, seen: NDArray[np.bool_], trend: Trend, settings: FilterSettings) -> Array:
    """Filter output that is nothing but what the couplings made, with the holes of the data."""
    # The filter is linear as long as no surprise is a shock, so that what it takes a part of output for is the same
    # whatever the rest is. Gains of the data were smaller in restless years; that is not followed here.
    states = np.empty((3, len(trend), len(seen)))
    # Where the pull goes to moves what is expected and what comes alike.
    trend = replace(trend, persistence=np.zeros(len(trend)))
    for pull in np.unique(trend.pull):
        alike = np.flatnonzero(trend.pull == pull)
        path = _pulled(moves, pull)
        known = np.where(seen, path, np.nan)
        free = np.full(len(alike), np.inf)
        for step in steps(known, np.zeros(seen.shape), trend.of(alike), free, settings):
            states[:, alike] = step.level - path[:, -1], step.drift, step.cycle
    return states


def _pulled(moves: Array, pull: float) -> Array:
    """Movements added up under a pull, from zero; shape (region, year)."""
    path = np.zeros((len(moves), moves.shape[1] + 1))
    for year in range(moves.shape[1]):
        path[:, year + 1] = (1 - pull) * path[:, year] + moves[:, year]
    return path
