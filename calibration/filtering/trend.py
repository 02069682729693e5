r"""The Kalman filter: what the model does to relative output of one region, to first order, and what is assumed of it.

.. math:: l_{t+1} = l_t + g d_t - \kappa l_t + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,

l the level, which is observed as it is, and g what mean reversion leaves of momentum within the year. Regions and laws
are filtered side by side, with the same assumptions for every panel; what was tried is written in
``docs/forecast_choices.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

# Years after which an innovation counts half when sizes are learnt.
HALF_LIFE = 8.0
# Means of the exponential priors on `momenta` and `reversions`; both have their mode at the random walk.
MOMENTUM_SCALE, REVERSION_SCALE = 0.3, 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterSettings:
    """Grids of what is learnt, and priors. What makes a simple forecast of it is one value here.

    Attributes
    ----------
    is_filtered
        Whether states at the origin come from the years before it; without, the level is what was observed last, and
        momentum, which is not observed, zero with the spread of its long run.
    horizons
        Years ahead at which laws are weighed by what they predicted.
    memories
        Shares of momentum that are left a year later.
    momenta
        Yearly standard deviations of what is added to momentum, relative to that of shocks to the level.
    reversions
        Parts of a gap that are closed in a year.
    tails
        Degrees of freedom of shocks.
    clip
        Standard deviations beyond which a surprise is a shock to the level and no news about momentum.
    ordinary_regions
        Number of regions that an ordinary year counts for when it is asked whether most were shaken at once
        (`trend.recent_volatility`); infinite for years that are all alike.
    width_weight
        Number of origins that the widths of the law count against those of past errors.
    width_half_life
        Years after which a past error counts half for widths.
    """

    is_filtered: bool = True
    horizons: int = 5
    memories: tuple[float, ...] = (0.3, 0.5, 0.7, 0.85)
    momenta: tuple[float, ...] = (0.0, 0.15, 0.3, 0.5, 0.8, 1.2)
    reversions: tuple[float, ...] = (0.0, 0.005, 0.01, 0.015, 0.02, 0.025)
    tails: float = 5.0
    clip: float = 3.0
    ordinary_regions: float = 10.0
    width_weight: float = 1.0
    width_half_life: float = 4.0


Array = NDArray[np.float64]

# Steps that the model takes in a year.
STEPS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Laws of motion, one row each."""

    memory: Array  # share of momentum left a year later, phi
    momentum: Array
    reversion: Array

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


def steps(values: Array, trend: Trend, sd: Array, settings: FilterSettings) -> Iterator[Step]:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """What the filter forecast from one year for another."""

    step: int
    year: int
    at: Step  # the state, with what was known when the forecast was made
    known: NDArray[np.bool_]


def forecasts(values: Array, trend: Trend, sd: Array, settings: FilterSettings, horizon: int) -> Iterator[Ahead]:
    """Forecasts from every year that was observed for the years after it that were."""
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
    """A year later, before it is seen."""
    memory, stay, left = trend.memory[:, None], 1 - trend.reversion[:, None], trend.left[:, None]
    return replace(
        at,
        level=stay * at.level + left * at.drift,
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
