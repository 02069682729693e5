"""Convergence: every region closes the same part of its gap to the mean, assumed or estimated."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, held, last_level

LEAST_PAIRS = 10


@dataclass(frozen=True, slots=True)
class Pull:
    r"""A fixed pull to the mean, :math:`\hat r_{T+h} = (1 - \kappa)^h r_T`.

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
