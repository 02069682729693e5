"""Size and persistence of the errors of a series, from the residuals of a fit."""

import numpy as np
from numpy.typing import NDArray

from calibration.observation.noise import MOST_PERSISTENT, Noise
from calibration.observation.series import Series
from calibration.observation.whitening import Whitening

Array = NDArray[np.float64]

# Residuals are held within this many robust standard deviations before scales are computed.
WINSOR = 3.0
# The declared standard deviation counts as this many observations, a persistence of zero as this many pairs.
PRIOR_OBSERVATIONS = 4.0
PRIOR_PAIRS = 4.0

_MAD_TO_SD = 1.4826


def estimate_noise(series: Series, residuals: Array, *, persistence: float | None = None) -> Noise:
    """Estimate size and persistence of the errors from residuals of a fit.

    Persistence is the pooled regression of residuals on those of the year before, both held within `WINSOR` robust
    standard deviations (1.4826 times the median absolute value), with `PRIOR_PAIRS` pairs of no persistence added. The
    standard deviation is the root mean square of the innovations held in the same way, with the declared one counting
    as `PRIOR_OBSERVATIONS` observations; each year whose mean was removed costs one degree of freedom. Single wild
    cells therefore count little and heavy tails still count.

    Parameters
    ----------
    series
        The observations.
    residuals
        Fitted less observed, shape (region, year).
    persistence
        Persistence where it is known; None to estimate it.

    Returns
    -------
    Noise
        In the terms of the series.
    """
    cells = Whitening(series)
    held = winsorised(np.where(series.seen, residuals, np.nan))
    if persistence is None:
        persistence = _persistence(cells.pick(held)[cells.follows], cells.pick_previous(held)[cells.follows], series)
    shape = Noise(1.0, persistence)
    innovations = winsorised(cells.innovations(residuals, shape))
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(len(cells) - lost, 0)
    # Removing the mean of n regions shrinks their sum of squares by (n - 1) / n.
    declared = series.declared_sd**2 * (1 - persistence**2)
    total = float((innovations**2).sum()) + PRIOR_OBSERVATIONS * declared
    return Noise(float(np.sqrt(total / (freedom + PRIOR_OBSERVATIONS))), persistence)


def winsorised(values: Array) -> Array:
    """Hold values within `WINSOR` robust standard deviations of zero; NaN stays NaN.

    Parameters
    ----------
    values
        Any shape.

    Returns
    -------
    ndarray
        Shape of `values`.
    """
    known = np.abs(values[np.isfinite(values)])
    limit = WINSOR * _MAD_TO_SD * float(np.median(known)) if known.size else 0.0
    return np.clip(values, -limit, limit) if limit > 0 else values


def _persistence(now: Array, before: Array, series: Series) -> float:
    if not now.size:
        return 0.0
    spread = max(float(np.mean(np.square(before))), 1e-12 * series.declared_sd**2)
    slope = float((now * before).sum()) / (float((before**2).sum()) + PRIOR_PAIRS * spread)
    return float(np.clip(slope, 0.0, MOST_PERSISTENT))
