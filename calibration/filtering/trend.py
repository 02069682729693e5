r"""The Kalman filter: what the model does to relative output of one region, to first order and without couplings.

.. math:: l_{t+1} = l_t + g d_t - \kappa (l_t - \pi p_t) + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,\quad
          c_{t+1} = \rho c_t + \sigma s_c \sqrt{1 - \rho^2} u,\quad y_t = l_t + c_t,

p the region's mean level of the last years, g what mean reversion leaves of momentum within the year, and c the
transitory component: booms and slumps that the level does not keep (trend and cycle, Clark 1987, Q. J. Econ. 102:
797-814). With :math:`\rho = 0` it is an error of observation. Regions and laws are filtered side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from calibration.filtering.settings import FilterSettings

Array = NDArray[np.float64]

# Steps that the model takes in a year.
STEPS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Laws of motion, one row each."""

    memory: Array  # share of momentum left a year later, phi
    momentum: Array
    cycle: Array
    cycle_memory: Array  # share of what passes that is left a year later, rho
    reversion: Array
    persistence: Array

    def __len__(self) -> int:
        return len(self.memory)

    @property
    def left(self) -> Array:
        r"""What mean reversion leaves at the end of a year of what momentum adds over it, shape (law,).

        :math:`g = \sum_{k=1}^{n} w_k (1 - \kappa)^{(n - k) / n}`, with :math:`w_k \propto \phi^{k / n}` what momentum
        adds in each of the n steps of the model.
        """
        step = np.arange(STEPS)[:, None]
        added = self.memory ** (step / STEPS)
        return np.asarray(
            (added * (1 - self.reversion) ** ((STEPS - 1 - step) / STEPS)).sum(axis=0) / added.sum(axis=0)
        )

    def of(self, chosen: NDArray[np.intp]) -> "Trend":
        """The same for chosen laws."""
        return Trend(
            memory=self.memory[chosen],
            momentum=self.momentum[chosen],
            cycle=self.cycle[chosen],
            cycle_memory=self.cycle_memory[chosen],
            reversion=self.reversion[chosen],
            persistence=self.persistence[chosen],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One year of the filter, all of shape (law, region); variances in units of that of shocks."""

    year: int
    innovation: Array  # surprise divided by its relative standard deviation; NaN where there is none
    level: Array
    drift: Array
    cycle: Array
    var_level: Array
    var_drift: Array
    var_cycle: Array
    level_drift: Array
    level_cycle: Array
    drift_cycle: Array

    @property
    def output(self) -> Array:
        """Log relative output: the level and what passes."""
        return self.level + self.cycle

    @property
    def var_output(self) -> Array:
        """Variance of `output`."""
        return self.var_level + 2 * self.level_cycle + self.var_cycle


def positions(values: Array, years: int) -> Array:
    """Mean level of each region over the last years, at every year; NaN before it is first seen."""
    seen = np.isfinite(values)
    total = np.cumsum(np.where(seen, values, 0.0), axis=1)
    count = np.cumsum(seen, axis=1).astype(float)
    total[:, years:] = total[:, years:] - total[:, :-years].copy()
    count[:, years:] = count[:, years:] - count[:, :-years].copy()
    mean = np.divide(total, count, out=np.full(values.shape, np.nan), where=count > 0)
    for year in range(1, values.shape[1]):
        mean[:, year] = np.where(np.isfinite(mean[:, year]), mean[:, year], mean[:, year - 1])
    return np.asarray(mean)


def steps(values: Array, centres: Array, trend: Trend, sd: Array, settings: FilterSettings) -> Iterator[Step]:
    """Filter year by year."""
    memory, momentum, cycle = (item[:, None] for item in (trend.memory, trend.momentum, trend.cycle))
    shape = (len(trend), len(values))
    size = np.broadcast_to(sd.reshape(len(trend), -1), shape)
    long_run = np.broadcast_to(momentum**2 / (1 - memory**2), shape)
    passing = np.broadcast_to(cycle**2, shape)
    nothing = np.zeros(shape)
    at = Step(
        year=-1,
        innovation=nothing,
        level=nothing,
        drift=nothing,
        cycle=nothing,
        var_level=nothing,
        var_drift=long_run,
        var_cycle=passing,
        level_drift=nothing,
        level_cycle=nothing,
        drift_cycle=nothing,
    )
    begun = np.zeros(len(values), dtype=bool)
    for year in range(values.shape[1]):
        if year:
            at = moved(at, trend, np.nan_to_num(centres[:, year - 1]))
        seen = np.isfinite(values[:, year])
        at = _corrected(replace(at, year=year), values[:, year], seen & begun, size, settings)
        new = seen & ~begun
        # The level is what was seen less what passes.
        at = replace(
            at,
            level=np.where(new, np.nan_to_num(values[:, year]), at.level),
            drift=np.where(new, 0.0, at.drift),
            cycle=np.where(new, 0.0, at.cycle),
            var_level=np.where(new, passing, at.var_level),
            var_drift=np.where(new, long_run, at.var_drift),
            var_cycle=np.where(new, passing, at.var_cycle),
            level_drift=np.where(new, 0.0, at.level_drift),
            level_cycle=np.where(new, -passing, at.level_cycle),
            drift_cycle=np.where(new, 0.0, at.drift_cycle),
        )
        begun |= seen
        yield at


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """What the filter forecast from one year for another."""

    step: int
    year: int
    at: Step  # the state, with what was known when the forecast was made
    known: NDArray[np.bool_]


def forecasts(
    values: Array, centres: Array, trend: Trend, sd: Array, settings: FilterSettings, horizon: int
) -> Iterator[Ahead]:
    """Forecasts from every year that was observed for the years after it that were."""
    seen = np.isfinite(values)
    begun = seen.cumsum(axis=1) > 1
    for at in steps(values, centres, trend, sd, settings):
        if not seen[:, at.year].any():
            continue
        later = at
        for step in range(1, min(horizon, values.shape[1] - 1 - at.year) + 1):
            later = moved(later, trend, np.nan_to_num(centres[:, at.year]))
            known = begun[:, at.year] & seen[:, at.year + step]
            if known.sum() > 1:
                yield Ahead(step=step, year=at.year + step, at=later, known=known)


def moved(at: Step, trend: Trend, centre: Array) -> Step:
    """A year later, before it is seen; `centre` has shape (region,)."""
    memory, stay, passing = trend.memory[:, None], 1 - trend.reversion[:, None], trend.cycle_memory[:, None]
    left = trend.left[:, None]
    aim = trend.persistence[:, None] * centre
    return replace(
        at,
        level=aim + stay * (at.level - aim) + left * at.drift,
        drift=memory * at.drift,
        cycle=passing * at.cycle,
        var_level=stay**2 * at.var_level + 2 * stay * left * at.level_drift + left**2 * at.var_drift + 1.0,
        var_drift=memory**2 * at.var_drift + trend.momentum[:, None] ** 2,
        var_cycle=passing**2 * at.var_cycle + (1 - passing**2) * trend.cycle[:, None] ** 2,
        level_drift=memory * (stay * at.level_drift + left * at.var_drift),
        level_cycle=passing * (stay * at.level_cycle + left * at.drift_cycle),
        drift_cycle=memory * passing * at.drift_cycle,
    )


def _corrected(at: Step, observed: Array, old: NDArray[np.bool_], sd: Array, settings: FilterSettings) -> Step:
    """After what was observed of the regions that were seen before, `old`."""
    if not old.any():
        return replace(at, innovation=np.full(at.level.shape, np.nan))
    surprise = np.where(old, observed - at.output, 0.0)
    # A shift common to all regions is a change of their number, not news.
    common = surprise.sum(axis=1, keepdims=True) / old.sum()
    surprise = np.where(old, surprise - common, 0.0)
    total = at.var_output
    standard = surprise / (sd * np.sqrt(total))
    most = np.maximum((standard / settings.clip) ** 2, recent_volatility(standard[:, old], settings)[:, None])
    excess = np.where(old, total * np.maximum(most - 1, 0.0), 0.0)
    with_level, with_drift, with_cycle = (
        at.var_level + excess + at.level_cycle,
        at.level_drift + at.drift_cycle,
        at.level_cycle + at.var_cycle,
    )
    gain_level, gain_drift, gain_cycle = (
        np.where(old, item / (total + excess), 0.0) for item in (with_level, with_drift, with_cycle)
    )
    var_cycle = at.var_cycle - gain_cycle * with_cycle
    drift_cycle = at.drift_cycle - gain_drift * with_cycle
    return replace(
        at,
        # All that a lone region does is common: it can surprise nobody.
        innovation=np.where(old & (old.sum() > 1), surprise / np.sqrt(total), np.nan),
        level=at.level + common + gain_level * surprise,
        drift=at.drift + gain_drift * surprise,
        cycle=at.cycle + gain_cycle * surprise,
        var_drift=at.var_drift - gain_drift * with_drift,
        var_cycle=var_cycle,
        drift_cycle=drift_cycle,
        # Output is known, so that the level is what it leaves to the cycle. Differences would lose all digits where the
        # excess is large.
        var_level=np.where(old, var_cycle, at.var_level),
        level_drift=np.where(old, -drift_cycle, at.level_drift),
        level_cycle=np.where(old, -var_cycle, at.level_cycle),
    )


def recent_volatility(standard: Array, settings: FilterSettings) -> Array:
    r"""How many times the variance of a year's surprises is what the law expects, at least 1.

    :math:`v = \max(1, \operatorname{med}_i |z_i| / m)^{2 n / (n + n_0)}`, m the median that the law expects. In a war,
    a crisis or the year of a census most regions are shaken at once; such shocks move levels and say little about
    momentum.
    """
    count = standard.shape[1]
    usual = stdtrit(settings.tails, 0.75) * np.sqrt((settings.tails - 2) / settings.tails)
    found = np.median(np.abs(standard), axis=1) / usual
    return np.asarray(np.maximum(found, 1.0) ** (2 * count / (count + settings.ordinary_regions)))
