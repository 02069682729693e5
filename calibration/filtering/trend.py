r"""The Kalman filter: what the model does to relative output of one region, to first order.

.. math:: l_{t+1} = l_t + g d_t - \kappa (l_t - \pi p_t) + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,

l the level, which is observed as it is, p its mean over the last years, and g what mean reversion leaves of momentum
within the year. Regions and laws are filtered side by side.
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
    var_level: Array
    var_drift: Array
    level_drift: Array


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
    shape = (len(trend), len(values))
    size = np.broadcast_to(sd.reshape(len(trend), -1), shape)
    long_run = np.broadcast_to((trend.momentum**2 / (1 - trend.memory**2))[:, None], shape)
    nothing = np.zeros(shape)
    at = Step(
        year=-1,
        innovation=nothing,
        level=nothing,
        drift=nothing,
        var_level=nothing,
        var_drift=long_run,
        level_drift=nothing,
    )
    begun = np.zeros(len(values), dtype=bool)
    for year in range(values.shape[1]):
        if year:
            at = moved(at, trend, np.nan_to_num(centres[:, year - 1]))
        seen = np.isfinite(values[:, year])
        at = _corrected(replace(at, year=year), values[:, year], seen & begun, size, settings)
        new = seen & ~begun
        at = replace(
            at,
            level=np.where(new, np.nan_to_num(values[:, year]), at.level),
            drift=np.where(new, 0.0, at.drift),
            var_level=np.where(new, 0.0, at.var_level),
            var_drift=np.where(new, long_run, at.var_drift),
            level_drift=np.where(new, 0.0, at.level_drift),
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
    memory, stay, left = trend.memory[:, None], 1 - trend.reversion[:, None], trend.left[:, None]
    aim = trend.persistence[:, None] * centre
    return replace(
        at,
        level=aim + stay * (at.level - aim) + left * at.drift,
        drift=memory * at.drift,
        var_level=stay**2 * at.var_level + 2 * stay * left * at.level_drift + left**2 * at.var_drift + 1.0,
        var_drift=memory**2 * at.var_drift + trend.momentum[:, None] ** 2,
        level_drift=memory * (stay * at.level_drift + left * at.var_drift),
    )


def _corrected(at: Step, observed: Array, old: NDArray[np.bool_], sd: Array, settings: FilterSettings) -> Step:
    """After what was observed of the regions that were seen before, `old`."""
    if not old.any():
        return replace(at, innovation=np.full(at.level.shape, np.nan))
    surprise = np.where(old, observed - at.level, 0.0)
    # A shift common to all regions is a change of their number, not news.
    common = surprise.sum(axis=1, keepdims=True) / old.sum()
    surprise = np.where(old, surprise - common, 0.0)
    total = at.var_level
    standard = surprise / (sd * np.sqrt(total))
    most = np.maximum((standard / settings.clip) ** 2, recent_volatility(standard[:, old], settings)[:, None])
    # Of a surprise far out of the ordinary the level keeps all, and momentum learns little.
    gain = np.where(old, at.level_drift / (total * np.maximum(most, 1.0)), 0.0)
    return replace(
        at,
        # All that a lone region does is common: it can surprise nobody.
        innovation=np.where(old & (old.sum() > 1), surprise / np.sqrt(total), np.nan),
        level=at.level + common + surprise,
        drift=at.drift + gain * surprise,
        var_level=np.where(old, 0.0, at.var_level),
        var_drift=at.var_drift - gain * at.level_drift,
        level_drift=np.where(old, 0.0, at.level_drift),
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
