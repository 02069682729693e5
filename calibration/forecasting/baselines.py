"""Baseline point forecasts that need no model; `EmpiricalIntervals` adds predictive distributions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.observation.noise import MAD_TO_SD, median_size
from calibration.observation.series import carried, last_level
from pysd_runner.core.types import Array, Indices, Interval

# Minimum number of observations of a regression.
LEAST_PAIRS = 10
# Changes of logs up to this size are rounding errors.
ROUNDING = 1e-12
# Grid of smoothing weights of the latest observation; a weight of one is persistence.
WEIGHTS = np.round(np.arange(0.05, 1.01, 0.05), 2)
LEAST_YEARS = 4


def held(level: Array, horizon: int) -> Array:
    """Repeat the level at every horizon, shape (region, horizon)."""
    return np.repeat(level[:, None], horizon, axis=1)


def pace(history: Array, window: int) -> Array:
    """Mean yearly change over the last years, shape (region,); 0 for a region not yet observed."""
    years = min(window, history.shape[1] - 1)
    if years < 1:
        return np.zeros(len(history))
    levels, when = carried(history), carried(np.where(np.isfinite(history), np.arange(history.shape[1]), np.nan))
    apart = when[:, -1] - when[:, -1 - years]
    change = levels[:, -1] - levels[:, -1 - years]
    return np.divide(change, apart, out=np.zeros(len(history)), where=apart > 0)


@dataclass(frozen=True, slots=True)
class DampedDrift:
    r"""Damped or constant drift of each row, :math:`\hat r_{T+h} = r_T + \sum_{k=1}^{h} \phi^k (r_T - r_{T-w})/w`.

    Gardner & McKenzie (2011), *Why the damped trend works*, J. Oper. Res. Soc. 62: 1177-1180.

    Attributes
    ----------
    window
        Years over which the drift is measured.
    damping
        Damping factor of the drift per year; 1 for constant drift.
    """

    window: int = 5
    damping: float = 0.6

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        steps = np.cumsum(self.damping ** np.arange(1, horizon + 1))
        return last_level(history)[:, None] + pace(history, self.window)[:, None] * steps


@dataclass(frozen=True, slots=True)
class MeanReversion:
    r"""Mean reversion at a fixed rate, :math:`\hat r_{T+h} = (1 - \kappa)^h r_T`.

    Attributes
    ----------
    rate
        Share of the gap to the mean that is closed in a year; 0 for persistence, the random walk.
    """

    rate: float = 0.02

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        return last_level(history)[:, None] * (1 - self.rate) ** np.arange(1, horizon + 1)


@dataclass(frozen=True, slots=True)
class FixedEffects:
    r"""First-order autoregression with fixed effects, :math:`r_{i,t+1} = \alpha_i + \rho r_{it}`, within estimator."""

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        if history.shape[1] < LEAST_YEARS:
            return held(last_level(history), horizon)
        whole = np.isfinite(history[:, :-1]) & np.isfinite(history[:, 1:])
        before, after = (np.where(whole, part, 0.0) for part in (history[:, :-1], history[:, 1:]))
        count = whole.sum(axis=1)
        means = [part.sum(axis=1) / np.maximum(count, 1) for part in (before, after)]
        square, product = (
            float((before * part).sum() - (count * means[0] * mean).sum())
            for part, mean in zip((before, after), means, strict=True)
        )
        level = last_level(history)
        result = held(level, horizon)
        if square <= 0:
            return result
        persistence = product / square
        # A region without a pair of successive years has no fixed effect and keeps its level.
        intercept = np.where(count > 0, means[1] - persistence * means[0], (1 - persistence) * level)
        for step in range(horizon):
            level = intercept + persistence * level
            result[:, step] = level
        return result


@dataclass(frozen=True, slots=True)
class Smoothing:
    r"""Simple exponential smoothing of each row, with a share of the drift of its whole history.

    The level is :math:`l_t = \alpha y_t + (1 - \alpha) l_{t-1}` with the weight that minimises one-step errors: Brown
    (1956); Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, chapter 8. Half the drift gives
    the Theta method, :math:`l_T + \frac{b}{2}\left(h - 1 + \frac{1 - (1 - \alpha)^T}{\alpha}\right)`, b the slope of a
    line through all years: Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16: 521-530; Hyndman & Billah
    (2003), 19: 287-290.

    Attributes
    ----------
    drift
        Share of the drift; 0 for none.
    least
        Minimum number of years; with fewer, the forecast is the last level.
    """

    drift: float = 0.0
    least: int = LEAST_YEARS

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result = held(last_level(history), horizon)
        for place, series in enumerate(carried(history)):
            seen = series[np.isfinite(series)]
            if len(seen) >= self.least:
                level, weight = smoothed(seen)
                slope = np.polyfit(np.arange(len(seen)), seen, 1)[0] if self.drift else 0.0
                ahead = np.arange(horizon) + (1 - (1 - weight) ** len(seen)) / weight
                result[place] = level + slope * self.drift * ahead
        return result


def smoothed(series: Array) -> Interval:
    """Final level and weight of the smoothing with the smallest squared one-step errors; the largest weight in ties."""
    levels = np.full(len(WEIGHTS), series[0])
    squares = np.zeros(len(WEIGHTS))
    for value in series[1:]:
        squares += (value - levels) ** 2
        levels = WEIGHTS * value + (1 - WEIGHTS) * levels
    best = len(WEIGHTS) - 1 - int(squares[::-1].argmin())
    return float(levels[best]), float(WEIGHTS[best])


def coefficients(history: Array, step: int) -> Interval | None:
    r"""Regress the change over `step` years on level and last change, pooled over regions and years.

    :math:`r_{i,t+h} - r_{it} = a_h r_{it} + b_h (r_{it} - r_{i,t-1})`.
    """
    return least_squares(*pairs(history, step))


def least_squares(level: Array, change: Array, following: Array) -> Interval | None:
    """Regress the following change on level and last change (NaN where missing); None if there are too few data."""
    whole = np.isfinite(level + change + following)
    regressors = np.column_stack((level[whole], change[whole]))
    if len(regressors) < LEAST_PAIRS or np.linalg.matrix_rank(regressors) < 2:
        return None
    on_level, on_change = np.linalg.lstsq(regressors, following[whole], rcond=None)[0]
    return float(on_level), float(on_change)


def pairs(history: Array, step: int) -> tuple[Array, Array, Array]:
    """Levels, changes over the last year and over the next `step` years, each of shape (region, year - step - 1)."""
    level = history[:, 1:-step]
    return level, np.diff(history, axis=1)[:, : level.shape[1]], history[:, 1 + step :] - level


def group_means(values: Array, places: Indices) -> Array:
    """Mean of each region's group over the regions observed in the same year."""
    member = np.eye(places.max() + 1)[places].T
    total, count = member @ np.nan_to_num(values), member @ np.isfinite(values)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.where(np.isfinite(values), means[places], np.nan)


def kept(years: float, against: float) -> float:
    """Shrinkage weight of an estimate from `years` when the prior is worth `against` years; 0 for no years."""
    return years / (years + against) if years > 0 else 0.0


def usual_size(values: Array) -> float:
    """Robust scale: 1.4826 times the median size, the standard deviation if values are normal about zero."""
    middle = median_size(values)
    return MAD_TO_SD * middle if middle > ROUNDING else math.inf


def last_state(history: Array) -> tuple[Array, Array]:
    """Last level of each region and its change in the last year, 0 where unknown; shape (region,)."""
    level = last_level(history)
    # A change over several years, as after a gap, is not used as a yearly change.
    return level, np.nan_to_num(history[:, -1] - history[:, -2]) if history.shape[1] > 1 else np.zeros(len(level))


@dataclass(frozen=True, slots=True)
class ErrorCorrection:
    r"""Pooled second-order error correction, estimated directly at each horizon.

    :math:`\hat r_{i,T+h} = r_{iT} + s\,(\hat a_h r_{iT} + \hat b_h \Delta r_{iT})`. A horizon with too few observations
    uses the coefficients of the longest one with enough. The convergence component is that of Carvalho & Harvey (2005),
    *Growth, cycles and convergence in US regional time series*, Int. J. Forecasting 21: 667-686.

    Attributes
    ----------
    strength
        Factor on both coefficients, s; 0 is persistence.
    """

    strength: float = 1.0

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level, change = last_state(history)
        result = held(level, horizon)
        found = (0.0, 0.0)
        for step in range(1, horizon + 1):
            found = coefficients(history, step) or found
            result[:, step - 1] += self.strength * (found[0] * level + found[1] * change)
        return result


@dataclass(frozen=True, slots=True)
class ShrunkenErrorCorrection:
    r"""Error correction with coefficients shrunk to a prior, and those of groups and regions to common coefficients.

    :math:`\hat r_{i,T+h} = r_{iT} + a_h \psi(r_{iT}) + b_h \psi(\Delta r_{iT})` with
    :math:`a_h = \frac{n_h \hat a_h + n_a p_h}{n_h + n_a}` and :math:`b_h = \frac{n_h}{n_h + n_b} \hat b_h`, where
    :math:`\psi` clips outlying values. Regions share the shocks of a year and changes over h years overlap, so the
    effective sample size is the number of non-overlapping years, :math:`n_h`, and not the number of rows. Gaps are
    assumed not to grow by themselves: :math:`a_h` is at most 0, as mean reversion of the filter is at least 0. The
    prior mean reversion :math:`p_h` is the mean of :math:`(1 - \kappa)^h - 1` over the rates, weighted by
    :math:`S_\kappa^{-n_h / 2}`, S the sum of squared errors under a rate, as if each year were one observation.
    Shrinkage to estimates from other panels: Lindley & Smith (1972), J. R. Stat. Soc. B 34: 1-41; about 2 % a year:
    Barro & Sala-i-Martin (1992), J. Polit. Econ. 100: 223-251.

    If regions have groups (countries, classes), the means of groups have their own coefficients, and so have the
    deviations from them: the between and the within estimate, each shrunk to the common one by
    :math:`m / (m + m_0)` (partial pooling), with the degrees of freedom :math:`m = n_h (G - 1)` of G groups and
    :math:`n_h (N - G)` of N regions in them.

    Attributes
    ----------
    rates
        Candidate yearly rates of mean reversion (shares of the gap that are closed), :math:`\kappa`.
    level_years
        Weight of the prior mean reversion, in years, :math:`n_a`.
    change_years
        Weight of the prior that the last change has no effect, in years, :math:`n_b`.
    most
        Last changes are clipped at this multiple of their `usual_size`: larger ones are more often shocks to the level
        than signs of future growth. The function is that of Huber (1964, Ann. Math. Stat. 35: 73-101), who bounds
        errors, and 1.345 its usual tuning constant; applying it to a regressor is a judgement. Infinite for no
        clipping.
    most_level
        Multiple of the `usual_size` of levels at which they are clipped, for outlying regions such as capitals.
    common_freedom
        Weight of the common coefficients against those of means or deviations, in degrees of freedom, :math:`m_0`.
    groups
        Group of each region; empty for none.
    """

    rates: tuple[float, ...] = (0.0, 0.01, 0.02)
    level_years: float = 2.0
    change_years: float = 0.5
    most: float = 1.345
    most_level: float = 3.0
    common_freedom: float = 100.0
    groups: tuple[str, ...] = ()

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level, change = last_state(history)
        sizes = usual_size(level), usual_size(np.diff(history, axis=1))
        bounds = np.array([self.most_level, self.most]) * sizes

        def bounded(levels: Array, changes: Array) -> tuple[Array, Array]:
            return np.clip(levels, -bounds[0], bounds[0]), np.clip(changes, -bounds[1], bounds[1])

        state = np.stack(bounded(level, np.where(np.isfinite(level), change, np.nan)))
        result = held(level, horizon)
        for step in range(1, horizon + 1):
            before, last, following = pairs(history, step)
            rows = np.stack((*bounded(before, last), following))
            result[:, step - 1] += self._change(np.where(np.isfinite(rows.sum(axis=0)), rows, np.nan), state, step)
        return result

    def _change(self, rows: Array, state: Array, step: int) -> Array:
        """Predicted change over `step` years, from rows of shape (3, region, year) and a state of shape (2, region)."""
        found = least_squares(*rows)
        years = float(np.isfinite(rows[0]).any(axis=0).sum()) / step if found else 0.0
        prior = self._prior(rows, years, step)

        def shrunken(own: Interval | None) -> Array:
            on_level, on_change = own or (0.0, 0.0)
            on_level = prior + kept(years, self.level_years) * (on_level - prior)
            return np.array([min(on_level, 0.0), kept(years, self.change_years) * on_change])

        common = shrunken(found)
        result = common @ state
        for own_rows, own_state, freedom in self._levels(rows, state) if found else ():
            if freedom and (own := least_squares(*own_rows)):
                result += kept(years * freedom, self.common_freedom) * (shrunken(own) - common) @ own_state
        return result

    def _prior(self, rows: Array, years: float, step: int) -> float:
        """Prior coefficient on the level."""
        level, _, following = rows
        reverted = (1 - np.array(self.rates)) ** step - 1
        if not years:
            return float(reverted.mean())
        errors = np.array([np.nansum((following - part * level) ** 2) for part in reverted])
        errors = np.maximum(errors, ROUNDING**2)
        weights = (errors / errors.min()) ** (-years / 2)
        return float(weights @ reverted / weights.sum())

    def _levels(self, rows: Array, state: Array) -> Iterator[tuple[Array, Array, int]]:
        """Means of groups and deviations from them, each with its state and degrees of freedom; none without groups."""
        if len(set(self.groups)) < 2:
            return
        # A region without a group forms a group of its own.
        labels = [group or f"{place}" for place, group in enumerate(self.groups)]
        places = np.unique(labels, return_inverse=True)[1]
        means = np.stack([group_means(part, places) for part in rows])
        middle = group_means(state.T, places).T
        known = places[np.isfinite(state[0])]
        groups = len(np.unique(known))
        yield means, middle, groups - 1
        yield rows - means, state - middle, len(known) - groups
