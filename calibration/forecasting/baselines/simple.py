"""Drift: every region goes on at its own recent pace, or at a part of it that fades."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held, last_level
from calibration.forecasting.forecaster import PointMethod

LEAST_PAIRS = 10


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
class Drift:
    r"""Own drift, :math:`\hat r_{T+h} = r_T + h\,(r_T - r_{T-w})/w`.

    Attributes
    ----------
    window
        Years over which the pace is measured.
    """

    window: int = 5

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        steps = np.arange(1, horizon + 1)
        return last_level(history)[:, None] + pace(history, self.window)[:, None] * steps


@dataclass(frozen=True, slots=True)
class DampedDrift:
    r"""Own drift that fades, :math:`\hat r_{T+h} = r_T + \sum_{k=1}^{h} \phi^k (r_T - r_{T-w})/w`.

    Gardner & McKenzie (2011), *Why the damped trend works*, J. Oper. Res. Soc. 62: 1177-1180.

    Attributes
    ----------
    window
        Years over which the pace is measured.
    damping
        What is left of the pace after a year.
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
