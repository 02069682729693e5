"""Drift: every region goes on at its own recent pace, or at a part of it that fades."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, last_level


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
