"""Error correction: level and last change, with the same coefficients for all regions."""

import math
from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, carried, held
from calibration.observation.robust import MAD_TO_SD, median_size
from pysd_runner.errors import InvalidInput

LEAST_ROWS = 10
# Changes of logs that are no changes.
ROUNDING = 1e-12


def coefficients(history: Array, step: int, largest: float = math.inf) -> tuple[float, float] | None:
    r"""Least squares of the change over some years on level and last change, pooled over regions and years.

    :math:`r_{i,t+h} - r_{it} = a_h r_{it} + b_h \psi(r_{it} - r_{i,t-1})`, :math:`\psi(d) = \max(-c, \min(c, d))`.

    Parameters
    ----------
    history
        Shape (region, year), NaN where missing.
    step
        Number of years, h.
    largest
        A last change beyond it counts as so large, c.

    Returns
    -------
    tuple[float, float] | None
        None when fewer than ten rows exist or the two do not vary apart.
    """
    level, last, following = pairs(history, step)
    whole = np.isfinite(level + last + following)
    regressors = np.column_stack((level[whole], np.clip(last[whole], -largest, largest)))
    if len(regressors) < LEAST_ROWS or np.linalg.matrix_rank(regressors) < 2:
        return None
    on_level, on_change = np.linalg.lstsq(regressors, following[whole], rcond=None)[0]
    return float(on_level), float(on_change)


def pairs(history: Array, step: int) -> tuple[Array, Array, Array]:
    """Levels, changes of the last year and of the years that followed; each of shape (region, year - step - 1)."""
    level = history[:, 1:-step]
    return level, np.diff(history, axis=1)[:, : level.shape[1]], history[:, 1 + step :] - level


def years_apart(history: Array, step: int) -> float:
    """Number of years that `coefficients` rest on, divided by the years over which their changes overlap."""
    return float(np.isfinite(sum(pairs(history, step))).any(axis=0).sum()) / step


def kept(years: float, against: float) -> float:
    """What is kept of an estimate from some years when what is assumed counts for others; nothing of no years."""
    return years / (years + against) if years > 0 else 0.0


def usual_change(history: Array) -> float:
    """Size of yearly changes without the largest: 1.4826 times their median, a standard deviation if they are normal.

    Parameters
    ----------
    history
        Shape (region, year), NaN where missing.

    Returns
    -------
    float
        Infinite where more than half of the changes are zero but for rounding, or none is known.
    """
    middle = median_size(np.diff(history, axis=1))
    return MAD_TO_SD * middle if middle > ROUNDING else math.inf


def last_state(history: Array) -> tuple[Array, Array]:
    """Last level of each region and its change in the last year, 0 where unknown; shape (region,)."""
    levels = carried(history)
    level: Array = levels[:, -1]
    return level, np.nan_to_num(level - levels[:, -2]) if history.shape[1] > 1 else np.zeros(len(level))


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
        level, change = last_state(history)
        result = held(level, horizon)
        found = (0.0, 0.0)
        for step in range(1, horizon + 1):
            found = coefficients(history, step) or found
            result[:, step - 1] += self.strength * (found[0] * level + found[1] * change)
        return result


@dataclass(frozen=True, slots=True)
class ShrunkenErrorCorrection:
    r"""Pooled error correction whose coefficients lean on a fixed pull by as much as they rest on few years.

    :math:`\hat r_{i,T+h} = r_{iT} + a_h r_{iT} + b_h \Delta r_{iT}` with
    :math:`a_h = \frac{n_h \hat a_h + n_a ((1 - \kappa)^h - 1)}{n_h + n_a}` and
    :math:`b_h = \frac{n_h}{n_h + n_b} \hat b_h`. Regions share the shocks of a year and changes over h years overlap,
    so that what counts is the number of years without overlap, :math:`n_h`, and not the number of rows. Nothing known
    leaves the pull. Shrinking to what other panels say: Lindley & Smith (1972), J. R. Stat. Soc. B 34: 1-41; about 2 %
    a year: Barro & Sala-i-Martin (1992), J. Polit. Econ. 100: 223-251.

    Attributes
    ----------
    rate
        Part of the gap that the pull closes in a year, :math:`\kappa`.
    level_years
        Years that the pull counts for, :math:`n_a`.
    change_years
        Years that no effect of the last change counts for, :math:`n_b`.
    most
        Last changes beyond so many times the `usual_change` count as if they were so large: they are shocks to the
        level more than news about what comes. The function is that of Huber (1964, Ann. Math. Stat. 35: 73-101), who
        bounds errors, and 1.345 the bound it is mostly given there; that it suits a regressor is a judgement. Infinite
        takes changes as they are.
    """

    rate: float = 0.02
    level_years: float = 4.0
    change_years: float = 0.5
    most: float = 1.345

    def __post_init__(self) -> None:
        if not self.most > 0:
            raise InvalidInput(f"most is {self.most}; expected a number of usual changes above 0")

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        level, change = last_state(history)
        largest = self.most * usual_change(history)
        change = np.clip(change, -largest, largest)
        result = held(level, horizon)
        for step in range(1, horizon + 1):
            found = coefficients(history, step, largest)
            on_level, on_change = found or (0.0, 0.0)
            years = years_apart(history, step) if found else 0.0
            pulled = (1 - self.rate) ** step - 1
            on_level = pulled + kept(years, self.level_years) * (on_level - pulled)
            on_change = kept(years, self.change_years) * on_change
            result[:, step - 1] += on_level * level + on_change * change
        return result
