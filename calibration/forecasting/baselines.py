"""Forecasts that need no model: each method gives points, `EmpiricalIntervals` adds widths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.forecaster import PointMethod

Array = NDArray[np.float64]

# Pairs of a level and a later change that a slope is estimated from at least.
LEAST_PAIRS = 10
# Weights of the latest observation that are tried; one is persistence.
WEIGHTS = np.round(np.arange(0.05, 1.01, 0.05), 2)
LEAST_YEARS = 4
# Fewer years than this say nothing about a drift of a region's own.
LEAST_DRIFT = 8


def carried(history: Array) -> Array:
    """Carry the last level of each region forward over holes."""
    seen = np.isfinite(history)
    last = np.maximum.accumulate(np.where(seen, np.arange(history.shape[1]), 0), axis=1)
    return np.take_along_axis(history, last, axis=1)


def last_level(history: Array) -> Array:
    """Last observed level of each region, shape (region,); NaN if there is none."""
    level: Array = carried(history)[:, -1]
    return level


def held(level: Array, horizon: int) -> Array:
    """The same level at every horizon, shape (region, horizon)."""
    return np.repeat(level[:, None], horizon, axis=1)


def pace(history: Array, window: int) -> Array:
    """Mean yearly change over the last years, shape (region,); 0 where a region was not yet seen."""
    years = min(window, history.shape[1] - 1)
    if years < 1:
        return np.zeros(len(history))
    levels, when = carried(history), carried(np.where(np.isfinite(history), np.arange(history.shape[1]), np.nan))
    apart = when[:, -1] - when[:, -1 - years]
    change = levels[:, -1] - levels[:, -1 - years]
    return np.divide(change, apart, out=np.zeros(len(history)), where=apart > 0)


@dataclass(frozen=True, slots=True)
class DampedDrift:
    r"""Own drift that fades, or goes on, :math:`\hat r_{T+h} = r_T + \sum_{k=1}^{h} \phi^k (r_T - r_{T-w})/w`.

    Gardner & McKenzie (2011), *Why the damped trend works*, J. Oper. Res. Soc. 62: 1177-1180.

    Attributes
    ----------
    window
        Years over which the pace is measured.
    damping
        What is left of the pace after a year; 1 for all of it.
    """

    window: int = 5
    damping: float = 0.6

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        steps = np.cumsum(self.damping ** np.arange(1, horizon + 1))
        return last_level(history)[:, None] + pace(history, self.window)[:, None] * steps


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of the points of other methods, each counting the same.

    Attributes
    ----------
    members
        The methods.
    """

    members: tuple[PointMethod, ...]

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result: Array = np.mean([member.points(history, horizon) for member in self.members], axis=0)
        return result


@dataclass(frozen=True, slots=True)
class Persistence:
    r"""The random walk, :math:`\hat r_{T+h} = r_T`."""

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        return held(last_level(history), horizon)


@dataclass(frozen=True, slots=True)
class MeanReversion:
    r"""Mean reversion at a fixed rate, :math:`\hat r_{T+h} = (1 - \kappa)^h r_T`.

    Attributes
    ----------
    rate
        Part of the gap that is closed in a year.
    """

    rate: float = 0.02

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        return last_level(history)[:, None] * (1 - self.rate) ** np.arange(1, horizon + 1)


@dataclass(frozen=True, slots=True)
class PooledConvergence:
    r"""Convergence estimated over all regions and past years, directly at each horizon.

    :math:`\hat r_{i,T+h} = (1 + \hat b_h) r_{iT}` with :math:`\hat b_h` from the regression of
    :math:`r_{i,t+h} - r_{it}` on :math:`r_{it}`. Where fewer than ten pairs exist at a horizon, the estimate of the
    longest horizon that has them is compounded.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level = last_level(history)
        result = held(level, horizon)
        factor, known = 1.0, 0
        for step in range(1, horizon + 1):
            slope = _slope(history, step)
            if slope is None:
                kept = 1.0 if known == 0 else max(factor, 0.0) ** (step / known)
            else:
                factor, known = 1 + slope, step
                kept = factor
            result[:, step - 1] = kept * level
        return result


def _slope(history: Array, step: int) -> float | None:
    """Pooled slope of the change over some years on the level; None when there is too little to tell."""
    before, change = history[:, :-step], history[:, step:] - history[:, :-step]
    both = np.isfinite(before) & np.isfinite(change)
    size = float((before[both] ** 2).sum())
    return float((before[both] * change[both]).sum()) / size if both.sum() >= LEAST_PAIRS and size > 0 else None


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
        # A region without a pair has no mean of its own and keeps its level.
        intercept = np.where(count > 0, means[1] - persistence * means[0], (1 - persistence) * level)
        for step in range(horizon):
            level = intercept + persistence * level
            result[:, step] = level
        return result


@dataclass(frozen=True, slots=True)
class Smoothing:
    r"""Level :math:`l_t = \alpha y_t + (1 - \alpha) l_{t-1}`, with the weight that foretold each row best.

    Brown (1956); Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, chapter 8.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result = held(last_level(history), horizon)
        for place, series in enumerate(carried(history)):
            seen = series[np.isfinite(series)]
            if len(seen) >= LEAST_YEARS:
                result[place] = smoothed(seen)[0]
        return result


@dataclass(frozen=True, slots=True)
class Theta:
    r"""The Theta method: simple exponential smoothing with half the drift of the whole history.

    :math:`l_T + \frac{b}{2}\left(h - 1 + \frac{1 - (1 - \alpha)^T}{\alpha}\right)`, b the slope of a line through all
    years. Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16: 521-530; Hyndman & Billah (2003), 19: 287-290.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result = held(last_level(history), horizon)
        for place, series in enumerate(carried(history)):
            seen = series[np.isfinite(series)]
            if len(seen) >= LEAST_DRIFT:
                level, weight = smoothed(seen)
                slope = np.polyfit(np.arange(len(seen)), seen, 1)[0]
                ahead = np.arange(horizon) + (1 - (1 - weight) ** len(seen)) / weight
                result[place] = level + slope / 2 * ahead
        return result


def smoothed(series: Array) -> tuple[float, float]:
    """The last level under the weight with the smallest one-step errors, and the weight; ties take the largest."""
    levels = np.full(len(WEIGHTS), series[0])
    squares = np.zeros(len(WEIGHTS))
    for value in series[1:]:
        squares += (value - levels) ** 2
        levels = WEIGHTS * value + (1 - WEIGHTS) * levels
    best = len(WEIGHTS) - 1 - int(squares[::-1].argmin())
    return float(levels[best]), float(WEIGHTS[best])
