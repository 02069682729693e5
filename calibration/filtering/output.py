"""Output of the members: the Kalman filter of each one's own law, free of sampling error.

Given its law, the model moves level, momentum and what passes linearly to first order (`trend`), so that these need not
be estimated from covariances of an ensemble of mixed laws: what is linear given the rest is filtered exactly for each
member (Rao-Blackwellised filtering, Doucet, de Freitas, Murphy & Russell 2000, Proc. UAI: 176-183), and the ensemble is
left with the digital stocks.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.dynamics import Drawn, advance, central, couplings_of, start
from calibration.filtering.evidence import Evidence
from calibration.filtering.learning import Laws
from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import heavy, left_of_relative
from calibration.filtering.trend import Step, Trend, positions, steps

Array = NDArray[np.float64]

STATES = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Output:
    """Level, momentum and what passes of each member at the end of a year, shape (member, region); log points."""

    level: Array
    drift: Array
    cycle: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutputFilter:
    """What the laws of the members make of observed output."""

    steps: tuple[Step, ...]  # of the small filter, one a year, for the laws that members have
    trend: Trend
    sizes: Array  # their yearly standard deviation of shocks to the level, shape (law, region)
    law_of: NDArray[np.intp]  # place of each member's law among them, shape (member,)
    seen: NDArray[np.bool_]  # whether output was observed, shape (region, year)
    shared: float  # share of the variance that regions of a class have in common
    settings: FilterSettings

    def expected(self, place: int) -> Output:
        """What each member's law expects after a year was seen; zero for regions that were not seen yet."""
        step = self.steps[place]
        return Output(level=step.level[self.law_of], drift=step.drift[self.law_of], cycle=step.cycle[self.law_of])

    def drawn(
        self,
        moves: Array,
        groups: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Output:
        """States after the last year: around what the law expects when output that the couplings made is taken off."""
        last = self.steps[-1]
        states = np.stack((last.level, last.drift, last.cycle))[:, self.law_of]
        before = moves.shape[1] - (len(self.steps) - 1)
        states -= taken_for(moves[:, before:], self.seen, self.trend, self.settings)[:, self.law_of]
        noise = np.stack([heavy(rng, len(self.law_of), groups, self.shared, np.inf) for _ in range(STATES)])
        spread = np.einsum("mrij,jmr->imr", _root(last)[self.law_of], noise) * self.sizes[self.law_of]
        spread /= left_of_relative(groups, self.shared)
        level, drift, cycle = states + spread - spread.mean(axis=1, keepdims=True)
        return Output(level=level, drift=drift, cycle=cycle)


def follow_output(values: Array, laws: Laws, chosen: NDArray[np.intp], settings: FilterSettings) -> OutputFilter:
    """Filter output for members that have laws."""
    used, law_of = np.unique(chosen, return_inverse=True)
    trend, sizes = laws.trend.of(used), laws.sd[used, None] * laws.by_region
    return OutputFilter(
        steps=tuple(steps(values, positions(values, settings.memory_years), trend, sizes, settings)),
        trend=trend,
        sizes=sizes,
        law_of=law_of,
        seen=np.isfinite(values),
        shared=laws.shared,
        settings=settings,
    )


def _root(step: Step) -> Array:
    """Symmetric roots of the covariances of level, drift and cycle, shape (law, region, 3, 3)."""
    # Other roots have signs that differ between regions, which would turn what regions have in common around.
    covariance = np.empty((*step.level.shape, STATES, STATES))
    rows = (
        (step.var_level, step.level_drift, step.level_cycle),
        (step.level_drift, step.var_drift, step.drift_cycle),
        (step.level_cycle, step.drift_cycle, step.var_cycle),
    )
    for place, row in enumerate(rows):
        for other, item in enumerate(row):
            covariance[..., place, other] = item
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def movements(evidence: Evidence, laws: Laws, draw: Drawn, first_year: int) -> Array:
    """By how much the couplings of members, at their mean, move relative output in the year after each."""
    pairs = {key: np.array([0.0, draw.parameters[key].mean()]) for key in couplings_of(evidence.model)}
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
    # whatever the rest is. Gains of the data were smaller in volatile years; that is not followed here.
    states = np.empty((3, len(trend), len(seen)))
    # Where levels revert to moves what is expected and what comes alike.
    trend = replace(trend, persistence=np.zeros(len(trend)))
    for reversion in np.unique(trend.reversion):
        alike = np.flatnonzero(trend.reversion == reversion)
        path = _reverted(moves, reversion)
        known = np.where(seen, path, np.nan)
        free = np.full(len(alike), np.inf)
        for step in steps(known, np.zeros(seen.shape), trend.of(alike), free, settings):
            states[:, alike] = step.level - path[:, -1], step.drift, step.cycle
    return states


def _reverted(moves: Array, reversion: float) -> Array:
    """Movements added up under mean reversion, from zero; shape (region, year)."""
    path = np.zeros((len(moves), moves.shape[1] + 1))
    for year in range(moves.shape[1]):
        path[:, year + 1] = (1 - reversion) * path[:, year] + moves[:, year]
    return path
