"""Methods that are in no mixture and that forecasts are compared with beside those of `calibration.forecasting`."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting import EmpiricalIntervals, Forecaster, PointMethod, models
from calibration.forecasting.baselines import LEAST_PAIRS, DampedDrift, ErrorCorrection, MeanReversion, held
from calibration.observation.series import last_level
from pysd_runner.core.types import Array


@dataclass(frozen=True, slots=True)
class Mean:
    """Unweighted mean of the points of other methods."""

    members: tuple[PointMethod, ...]

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        result: Array = np.mean([member.points(history, horizon) for member in self.members], axis=0)
        return result


@dataclass(frozen=True, slots=True)
class PooledConvergence:
    r"""Convergence estimated by pooling regions and past years, directly at each horizon.

    :math:`\hat r_{i,T+h} = (1 + \hat b_h) r_{iT}` with :math:`\hat b_h` from the regression of
    :math:`r_{i,t+h} - r_{it}` on :math:`r_{it}`. At a horizon with fewer than ten pairs, the estimate of the longest
    horizon with enough pairs is compounded.
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
    """Pooled regression slope of the change over `step` years on the level; None if there are too few data."""
    before, change = history[:, :-step], history[:, step:] - history[:, :-step]
    both = np.isfinite(before) & np.isfinite(change)
    size = float((before[both] ** 2).sum())
    return float((before[both] * change[both]).sum()) / size if both.sum() >= LEAST_PAIRS and size > 0 else None


COMPARATORS: dict[str, PointMethod] = {
    "pooled_convergence": PooledConvergence(),
    "mean_of_good": Mean((MeanReversion(rate=0.0), DampedDrift(), MeanReversion(), ErrorCorrection())),
}


def compared() -> dict[str, Forecaster]:
    """Every forecaster by name, and these."""
    own = {name: EmpiricalIntervals(name=name, method=method) for name, method in COMPARATORS.items()}
    known = models()
    final = known.popitem()
    return {**known, **own, final[0]: final[1]}
