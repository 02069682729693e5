r"""The small Kalman filter: what the model does to relative output of one region, to first order.

.. math:: l_{t+1} = l_t + d_t - \kappa (l_t - \pi p_t) + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,\quad y_t = l_t + \sigma s_y u,

p the region's mean level of the last years. Regions and laws are filtered side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Laws of motion, one row each.

    Attributes
    ----------
    memory
        Share of momentum left a year later, phi.
    momentum, error
        Standard deviations of what is added to momentum and of observed output, relative to shocks to the level.
    pull, persistence
        Part of a gap closed in a year, kappa, and where it goes to, pi: 0 the mean of the regions, 1 the own position.
    """

    memory: Array
    momentum: Array
    error: Array
    pull: Array
    persistence: Array

    def __len__(self) -> int:
        return len(self.memory)

    def of(self, chosen: NDArray[np.intp]) -> "Trend":
        """The same for chosen laws."""
        return Trend(
            memory=self.memory[chosen],
            momentum=self.momentum[chosen],
            error=self.error[chosen],
            pull=self.pull[chosen],
            persistence=self.persistence[chosen],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One year of the filter, all of shape (law, region); variances in units of that of shocks.

    Attributes
    ----------
    year
        Position.
    innovation
        Surprise divided by its relative standard deviation; NaN where there is none.
    level, drift
        After the year was seen.
    var_level, cov, var_drift
        Of both.
    """

    year: int
    innovation: Array
    level: Array
    drift: Array
    var_level: Array
    cov: Array
    var_drift: Array


def positions(values: Array, years: int) -> Array:
    """Mean level of each region over the last years, at every year; NaN before it is first seen.

    Parameters
    ----------
    values
        Shape (region, year), NaN where missing.
    years
        Length of the window.

    Returns
    -------
    Array
        Shape (region, year).
    """
    seen = np.isfinite(values)
    total = np.cumsum(np.where(seen, values, 0.0), axis=1)
    count = np.cumsum(seen, axis=1).astype(float)
    total[:, years:] = total[:, years:] - total[:, :-years].copy()
    count[:, years:] = count[:, years:] - count[:, :-years].copy()
    mean = np.divide(total, count, out=np.full(values.shape, np.nan), where=count > 0)
    for year in range(1, values.shape[1]):
        mean[:, year] = np.where(np.isfinite(mean[:, year]), mean[:, year], mean[:, year - 1])
    return np.asarray(mean)


def steps(values: Array, centres: Array, trend: Trend, sd: Array, clip: float) -> Iterator[Step]:
    """Filter year by year.

    Parameters
    ----------
    values
        Log relative output, shape (region, year), NaN where missing.
    centres
        `positions` of it.
    trend
        Laws.
    sd
        Standard deviation of shocks, shape (law,) or (law, region); infinite treats no surprise as an outlier.
    clip
        Standard deviations beyond which a surprise is a shock to the level and no news about momentum.
    """
    memory, momentum, error = (item[:, None] for item in (trend.memory, trend.momentum, trend.error))
    shape = (len(trend), len(values))
    limit = clip * np.broadcast_to(sd.reshape(len(trend), -1), shape)
    long_run = np.broadcast_to(momentum**2 / (1 - memory**2), shape)
    nothing = np.zeros(shape)
    at = Step(
        year=-1,
        innovation=nothing,
        level=nothing,
        drift=nothing,
        var_level=nothing,
        cov=nothing,
        var_drift=long_run,
    )
    begun = np.zeros(len(values), dtype=bool)
    for year in range(values.shape[1]):
        if year:
            at = moved(at, trend, np.nan_to_num(centres[:, year - 1]))
        seen = np.isfinite(values[:, year])
        at = _corrected(replace(at, year=year), values[:, year], seen & begun, error**2, limit)
        new = seen & ~begun
        at = replace(
            at,
            level=np.where(new, np.nan_to_num(values[:, year]), at.level),
            drift=np.where(new, 0.0, at.drift),
            var_level=np.where(new, error**2, at.var_level),
            cov=np.where(new, 0.0, at.cov),
            var_drift=np.where(new, long_run, at.var_drift),
        )
        begun |= seen
        yield at


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """What the filter forecast from one year for another.

    Attributes
    ----------
    step, year
        Years ahead, and the position of the year.
    at
        The state, with what was known when the forecast was made.
    known
        Regions that had been seen for two years then and were observed in the year, shape (region,).
    """

    step: int
    year: int
    at: Step
    known: NDArray[np.bool_]


def forecasts(values: Array, centres: Array, trend: Trend, sd: Array, clip: float, horizon: int) -> Iterator[Ahead]:
    """Forecasts from every year for the years after it that were observed.

    Parameters
    ----------
    values, centres, trend, sd, clip
        As for `steps`.
    horizon
        Greatest number of years ahead.
    """
    seen = np.isfinite(values)
    begun = seen.cumsum(axis=1) > 1
    for at in steps(values, centres, trend, sd, clip):
        later = at
        for step in range(1, min(horizon, values.shape[1] - 1 - at.year) + 1):
            later = moved(later, trend, np.nan_to_num(centres[:, at.year]))
            known = begun[:, at.year] & seen[:, at.year + step]
            if known.any():
                yield Ahead(step=step, year=at.year + step, at=later, known=known)


def moved(at: Step, trend: Trend, centre: Array) -> Step:
    """A year later, before it is seen; `centre` has shape (region,)."""
    memory, stay = trend.memory[:, None], 1 - trend.pull[:, None]
    aim = trend.persistence[:, None] * centre
    return replace(
        at,
        level=aim + stay * (at.level - aim) + at.drift,
        drift=memory * at.drift,
        var_level=stay**2 * at.var_level + 2 * stay * at.cov + at.var_drift + 1.0,
        cov=memory * (stay * at.cov + at.var_drift),
        var_drift=memory**2 * at.var_drift + trend.momentum[:, None] ** 2,
    )


def _corrected(at: Step, observed: Array, old: NDArray[np.bool_], error: Array, limit: Array) -> Step:
    """After what was observed of the regions that were seen before, `old`."""
    if not old.any():
        return replace(at, innovation=np.full(at.level.shape, np.nan))
    surprise = np.where(old, observed - at.level, 0.0)
    # A shift common to all regions is a change of their number, not news.
    common = surprise.sum(axis=1, keepdims=True) / old.sum()
    surprise = np.where(old, surprise - common, 0.0)
    total = at.var_level + error
    excess = np.maximum((surprise / limit) ** 2 - total, 0.0)
    wide = total + excess
    gain_level = np.where(old, (at.var_level + excess) / wide, 0.0)
    gain_drift = np.where(old, at.cov / wide, 0.0)
    return replace(
        at,
        innovation=np.where(old, surprise / np.sqrt(total), np.nan),
        level=at.level + common + gain_level * surprise,
        drift=at.drift + gain_drift * surprise,
        var_level=np.where(old, (1 - gain_level) * (at.var_level + excess), at.var_level),
        cov=at.cov - gain_level * at.cov,
        var_drift=at.var_drift - gain_drift * at.cov,
    )
