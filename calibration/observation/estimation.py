"""Size and persistence of the errors of a series, from the residuals of a fit."""

import numpy as np
from numpy.typing import NDArray

from calibration.observation.noise import MOST_PERSISTENT, Noise
from calibration.observation.robust import held, robust_sd
from calibration.observation.series import Series
from calibration.observation.whitening import Whitening

Array = NDArray[np.float64]

# The declared standard deviation counts as this many observations, a persistence of zero as this many pairs.
PRIOR_OBSERVATIONS = 4.0
PRIOR_PAIRS = 4.0


def estimate_noise(series: Series, residuals: Array, *, persistence: float | None = None) -> Noise:
    """Estimate size and persistence of the errors from residuals of a fit.

    Persistence is the pooled regression of residuals on those of the year before, both held within a few robust
    standard deviations, with `PRIOR_PAIRS` pairs of no persistence added. The standard deviation of the innovations is
    Huber's (`calibration.observation.robust.robust_sd`), with the declared one counting as `PRIOR_OBSERVATIONS`
    observations; each year whose mean was removed costs one degree of freedom. A few wild cells therefore hardly move
    either.

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
    if persistence is None:
        kept = held(np.where(series.seen, residuals, np.nan))
        persistence = _persistence(cells.pick(kept)[cells.follows], cells.pick_previous(kept)[cells.follows])
    innovations = cells.innovations(residuals, Noise(1.0, persistence))
    lost = len(np.unique(cells.year)) if series.relative else 0
    sd = robust_sd(
        innovations,
        freedom=max(len(cells) - lost, 0),
        declared=series.declared_sd * float(np.sqrt(1 - persistence**2)),
        weight=PRIOR_OBSERVATIONS,
    )
    return Noise(sd, persistence)


def _persistence(now: Array, before: Array) -> float:
    squares = float((before**2).sum())
    if not squares > 0:
        return 0.0
    slope = float((now * before).sum()) / (squares * (1 + PRIOR_PAIRS / now.size))
    return float(np.clip(slope, 0.0, MOST_PERSISTENT))
