r"""The Kalman filter of relative output of one region, with a first-order approximation of the model, and its settings.

.. math:: l_{t+1} = l_t + g d_t - \kappa l_t + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,

l the level, which is observed without error, and g the share of momentum that mean reversion leaves within the year.
Regions and candidate trend models are filtered in one vectorised pass, with the same settings for every panel;
``docs/forecasts.md`` lists the alternatives that were tried.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from pysd_runner.core.types import Array, Flags, Indices, frozen

# Half-life in years of the weight of innovations in the estimation of shock sizes.
HALF_LIFE = 8.0
# Means of the exponential priors on `momenta` and `reversions`; both have their mode at the random walk.
MOMENTUM_SCALE, REVERSION_SCALE = 0.3, 0.02


@frozen
class FilterSettings:
    """Grids of the estimated parameters, and priors. A grid with only the value 0 switches its component off.

    Attributes
    ----------
    horizons
        Longest horizon, in years, of the predictions by which the candidate trend models are weighted.
    memories
        Grid of the share of momentum that is left a year later.
    momenta
        Grid of the yearly standard deviation of shocks to momentum, relative to that of shocks to the level.
    reversions
        Grid of the share of a gap that is closed in a year.
    tails
        Degrees of freedom of shocks.
    clip
        Standard deviations beyond which an innovation is treated as a shock to the level and not to momentum.
    ordinary_regions
        Prior weight, as a number of regions, of normal volatility when a year's volatility is estimated
        (`trend.recent_volatility`); infinite for the same volatility in all years.
    width_weight
        Weight of the model's interval widths against those of past errors, as a number of origins.
    width_half_life
        Half-life in years of the weight of past errors in the estimation of widths.
    """

    horizons: int = 5
    memories: tuple[float, ...] = (0.3, 0.5, 0.7, 0.85)
    momenta: tuple[float, ...] = (0.0, 0.15, 0.3, 0.5, 0.8, 1.2)
    reversions: tuple[float, ...] = (0.0, 0.005, 0.01, 0.015, 0.02, 0.025)
    tails: float = 5.0
    clip: float = 3.0
    ordinary_regions: float = 10.0
    width_weight: float = 1.0
    width_half_life: float = 4.0


# Time steps of the model per year.
STEPS = 4


@frozen
class Trend:
    """Parameters of candidate trend models, one element per model."""

    memory: Array  # share of momentum left a year later, phi
    momentum: Array
    reversion: Array

    def __len__(self) -> int:
        return len(self.memory)

    @property
    def left(self) -> Array:
        r"""Share of the momentum added over a year that mean reversion leaves at its end, shape (law,).

        :math:`g = \sum_{k=1}^{n} w_k (1 - \kappa)^{(n - k) / n}`, with :math:`w_k \propto \phi^{k / n}` what momentum
        adds in each of the n steps of the model.
        """
        step = np.arange(STEPS)[:, None]
        added = self.memory ** (step / STEPS)
        return np.asarray(
            (added * (1 - self.reversion) ** ((STEPS - 1 - step) / STEPS)).sum(axis=0) / added.sum(axis=0)
        )

    def of(self, chosen: Indices) -> "Trend":
        """The parameters of chosen models."""
        return Trend(memory=self.memory[chosen], momentum=self.momentum[chosen], reversion=self.reversion[chosen])


@frozen
class Step:
    """State of the filter in one year, arrays of shape (law, region); variances relative to that of shocks."""

    year: int
    innovation: Array  # standardised one-step prediction error; NaN where there is none
    level: Array
    drift: Array
    var_level: Array
    var_drift: Array
    level_drift: Array


def steps(values: Array, trend: Trend, sd: Array, settings: FilterSettings) -> Iterator[Step]:
    """Run the Kalman filter and yield its state in every year."""
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
            at = moved(at, trend)
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


@frozen
class Ahead:
    """A forecast of the filter from one year for a later one."""

    step: int
    year: int
    at: Step  # the predicted state, given the data up to the year of the forecast
    known: Flags


def forecasts(values: Array, trend: Trend, sd: Array, settings: FilterSettings, horizon: int) -> Iterator[Ahead]:
    """Forecasts from every observed year for the observed years after it."""
    seen = np.isfinite(values)
    begun = seen.cumsum(axis=1) > 1
    for at in steps(values, trend, sd, settings):
        if not seen[:, at.year].any():
            continue
        later = at
        for step in range(1, min(horizon, values.shape[1] - 1 - at.year) + 1):
            later = moved(later, trend)
            known = begun[:, at.year] & seen[:, at.year + step]
            if known.sum() > 1:
                yield Ahead(step=step, year=at.year + step, at=later, known=known)


def moved(at: Step, trend: Trend) -> Step:
    """Prediction step: the state a year later, before its observations."""
    memory, stay, left = trend.memory[:, None], 1 - trend.reversion[:, None], trend.left[:, None]
    return replace(
        at,
        level=stay * at.level + left * at.drift,
        drift=memory * at.drift,
        var_level=stay**2 * at.var_level + 2 * stay * left * at.level_drift + left**2 * at.var_drift + 1.0,
        var_drift=memory**2 * at.var_drift + trend.momentum[:, None] ** 2,
        level_drift=memory * (stay * at.level_drift + left * at.var_drift),
    )


def _corrected(at: Step, observed: Array, old: Flags, sd: Array, settings: FilterSettings) -> Step:
    """Update step: the state given the observations of the regions that were observed before, `old`."""
    if not old.any():
        return replace(at, innovation=np.full(at.level.shape, np.nan))
    surprise = np.where(old, observed - at.level, 0.0)
    # A shift common to all regions is due to a change of their number, and is not an innovation.
    common = surprise.sum(axis=1, keepdims=True) / old.sum()
    surprise = np.where(old, surprise - common, 0.0)
    total = at.var_level
    standard = surprise / (sd * np.sqrt(total))
    most = np.maximum((standard / settings.clip) ** 2, recent_volatility(standard[:, old], settings)[:, None])
    # An outlying innovation is attributed to the level; its effect on momentum is reduced.
    gain = np.where(old, at.level_drift / (total * np.maximum(most, 1.0)), 0.0)
    return replace(
        at,
        # With a single region the whole error is common, so there is no innovation.
        innovation=np.where(old & (old.sum() > 1), surprise / np.sqrt(total), np.nan),
        level=at.level + common + surprise,
        drift=at.drift + gain * surprise,
        var_level=np.where(old, 0.0, at.var_level),
        var_drift=at.var_drift - gain * at.level_drift,
        level_drift=np.where(old, 0.0, at.level_drift),
    )


def recent_volatility(standard: Array, settings: FilterSettings) -> Array:
    r"""Ratio of the variance of a year's innovations to the one the model expects, at least 1.

    :math:`v = \max(1, \operatorname{med}_i |z_i| / m)^{2 n / (n + n_0)}`, m the median that the model expects. In a
    war, a crisis or the year of a census most regions have large shocks at once, which change levels and contain little
    information on momentum.
    """
    count = standard.shape[1]
    usual = stdtrit(settings.tails, 0.75) * np.sqrt((settings.tails - 2) / settings.tails)
    found = np.median(np.abs(standard), axis=1) / usual
    return np.asarray(np.maximum(found, 1.0) ** (2 * count / (count + settings.ordinary_regions)))
