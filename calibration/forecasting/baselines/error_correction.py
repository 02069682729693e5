"""Error correction: level and last change, with the same coefficients for all regions."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held

LEAST_ROWS = 10


def coefficients(history: Array, step: int) -> tuple[float, float] | None:
    r"""Least squares of the change over some years on level and last change, pooled over regions and years.

    :math:`r_{i,t+h} - r_{it} = a_h r_{it} + b_h (r_{it} - r_{i,t-1})`.

    Parameters
    ----------
    history
        Shape (region, year), NaN where missing.
    step
        Number of years, h.

    Returns
    -------
    tuple[float, float] | None
        None when fewer than ten rows exist or the two do not vary apart.
    """
    if history.shape[1] < step + 2:
        return None
    level, last = history[:, 1:-step].ravel(), np.diff(history, axis=1)[:, :-step].ravel()
    following = (history[:, 1 + step :] - history[:, 1:-step]).ravel()
    whole = np.isfinite(level) & np.isfinite(last) & np.isfinite(following)
    regressors = np.column_stack((level[whole], last[whole]))
    if len(regressors) < LEAST_ROWS or np.linalg.matrix_rank(regressors) < 2:
        return None
    on_level, on_change = np.linalg.lstsq(regressors, following[whole], rcond=None)[0]
    return float(on_level), float(on_change)


@dataclass(frozen=True, slots=True)
class ErrorCorrection:
    r"""Pooled second-order error correction, estimated directly at each horizon.

    :math:`\hat r_{i,T+h} = r_{iT} + s\,(\hat a_h r_{iT} + \hat b_h \Delta r_{iT})`. Where a horizon has too few
    rows, the change of the longest one that has enough. Carvalho & Harvey (2005), *Growth, cycles and convergence in
    US regional time series*, Int. J. Forecasting 21: 667-686, have its convergence component.

    Attributes
    ----------
    strength
        What is kept of both estimates, s; 0 is persistence.
    """

    strength: float = 1.0

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        levels = carried(history)
        level = levels[:, -1]
        change = np.nan_to_num(level - levels[:, -2]) if history.shape[1] > 1 else np.zeros(len(level))
        result = held(level, horizon)
        found = (0.0, 0.0)
        for step in range(1, horizon + 1):
            found = coefficients(history, step) or found
            result[:, step - 1] += self.strength * (found[0] * level + found[1] * change)
        return result
