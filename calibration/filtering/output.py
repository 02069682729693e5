"""Output of the members: the Kalman filter of each one's own law, free of sampling error.

Given its law, the model moves level, momentum and what passes linearly to first order (`trend`), so that these need not
be estimated from covariances of an ensemble of mixed laws: what is linear given the rest is filtered exactly for each
member (Rao-Blackwellised filtering, Doucet, de Freitas, Murphy & Russell 2000, Proc. UAI: 176-183), and the ensemble is
left with the digital stocks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.couplings import Couplings
from calibration.filtering.learning import Laws
from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import heavy
from calibration.filtering.trend import Step, positions, steps

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Output:
    """Level, momentum and what passes of each member at the end of a year, shape (member, region); log points.

    Attributes
    ----------
    level, drift, cycle
        Relative to the mean of regions.
    """

    level: Array
    drift: Array
    cycle: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutputFilter:
    """Filters output for members with laws of their own.

    Attributes
    ----------
    values
        Log relative output up to the origin, shape (region, year), NaN where missing.
    laws
        What was learnt about it.
    chosen
        Law of each member, shape (member,).
    settings
        What surprises are taken for, and the years whose mean is a region's position.
    """

    values: Array
    laws: Laws
    chosen: NDArray[np.intp]
    settings: FilterSettings

    def means(self) -> Iterator[Output]:
        """What is expected after each year was seen; zero for regions that were not seen yet."""
        _, own = self._own()
        for step in self._steps(self.values, self._sizes()):
            yield Output(level=step.level[own], drift=step.drift[own], cycle=step.cycle[own])

    def drawn(
        self,
        couplings: Couplings,
        multipliers: Mapping[str, Array],
        groups: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Output:
        """States at the origin: around what the law expects of output that the couplings did not make.

        Parameters
        ----------
        couplings
            With the paths that each group of them makes of output at its declared values.
        multipliers
            By group of couplings, shape (member,).
        groups
            Class of each region.
        rng
            Source of randomness.

        Returns
        -------
        Output
            Whose mean over members is free of sampling error but for that of laws and multipliers.
        """
        used, own = self._own()
        last = _last(self._steps(self.values, self._sizes()))
        mean = np.stack((last.level, last.drift, last.cycle))[:, own]
        for name, path in zip(couplings.groups, couplings.paths, strict=True):
            path = path[:, -self.values.shape[1] :]
            made = _last(self._steps(np.where(np.isfinite(self.values), path, np.nan), np.full((len(used), 1), np.inf)))
            # The level keeps the whole path; what the filter takes for momentum and for passing is not.
            wrong = np.stack((made.level - path[:, -1], made.drift, made.cycle))
            mean -= multipliers[name][:, None] * wrong[:, own]
        noise = np.stack([heavy(rng, len(self.chosen), groups, self.laws.shared, np.inf) for _ in mean])
        away = np.einsum("mrij,jmr->imr", _root(last)[own], noise) * self._sizes()[own]
        level, drift, cycle = mean + away - away.mean(axis=1, keepdims=True)
        return Output(level=level, drift=drift, cycle=cycle)

    def _own(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Laws that are used, and the place of each member's among them."""
        used, own = np.unique(self.chosen, return_inverse=True)
        return used, own

    def _sizes(self) -> Array:
        """Yearly standard deviation of shocks to the level, shape (law used, region)."""
        used, _ = self._own()
        return np.asarray(self.laws.sd[used, None] * self.laws.by_region)

    def _steps(self, values: Array, sizes: Array) -> Iterator[Step]:
        used, _ = self._own()
        centres = positions(values, self.settings.memory_years)
        return steps(values, centres, self.laws.trend.of(used), sizes, self.settings)


def _last(found: Iterator[Step]) -> Step:
    *_, last = found
    return last


def _root(step: Step) -> Array:
    """Roots of the covariances of level, drift and cycle, shape (law, region, 3, 3)."""
    covariance = np.empty((*step.level.shape, 3, 3))
    rows = (
        (step.var_level, step.level_drift, step.level_cycle),
        (step.level_drift, step.var_drift, step.drift_cycle),
        (step.level_cycle, step.drift_cycle, step.var_cycle),
    )
    for place, row in enumerate(rows):
        for other, item in enumerate(row):
            covariance[..., place, other] = item
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])
