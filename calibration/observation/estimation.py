"""Size and persistence of the errors of a series, from the residuals of a fit."""

import numpy as np
from numpy.typing import NDArray

from calibration.observation.losses import Loss, loss_of
from calibration.observation.noise import MOST_PERSISTENT, Noise, declared_noise
from calibration.observation.robust import held
from calibration.observation.series import Series
from calibration.observation.whitening import Whitening

Array = NDArray[np.float64]

# A region's standard deviation is estimated with that of all regions counting as this many observations: ten years
# leave a variance of their own an error of 45 percent, and a region that is quiet by chance would rule the fit.
PRIOR_REGION = 4.0
# The declared standard deviation counts as this many observations, a persistence of zero as this many pairs.
PRIOR_OBSERVATIONS = 4.0
PRIOR_PAIRS = 4.0


def estimate_noise(series: Series, residuals: Array, *, persistence: float | None = None) -> Noise:
    """Estimate size and persistence of the errors from residuals of a fit.

    Persistence is the pooled regression of residuals on those of the year before, both held within a few robust
    standard deviations, with `PRIOR_PAIRS` pairs of no persistence added; zero where errors are declared independent.
    The standard deviation of the innovations is that of the declared family (`calibration.observation.losses`), with
    the declared one counting as `PRIOR_OBSERVATIONS` observations; each year whose mean was removed costs one degree of
    freedom. With Huber's and Student's families a few wild cells therefore hardly move either. With a scale for each
    region its standard deviation is found in the same way from its own cells, that of all regions counting as
    `PRIOR_REGION` observations. Errors whose size is declared to be known stay as declared.

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
    if series.errors.known:
        return declared_noise(series)
    if series.errors.memory == "independent":
        persistence = 0.0
    if persistence is None:
        kept = held(np.where(series.seen, residuals, np.nan))
        persistence = _persistence(cells.pick(kept)[cells.follows], cells.pick_previous(kept)[cells.follows])
    innovations = cells.innovations(residuals, Noise(1.0, persistence))
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(len(cells) - lost, 0)
    loss = loss_of(series.errors)
    sd = loss.sd(
        innovations,
        freedom=freedom,
        declared=series.declared_sd * float(np.sqrt(1 - persistence**2)),
        weight=PRIOR_OBSERVATIONS,
    )
    if series.errors.scale == "series":
        return Noise(sd, persistence)
    share = freedom / max(len(cells), 1)
    return Noise(sd, persistence, _regional(loss, cells, innovations, sd=sd, share=share, count=len(series.values)))


def _regional(
    loss: Loss, cells: Whitening, innovations: Array, *, sd: float, share: float, count: int
) -> tuple[float, ...]:
    """Standard deviation of each region in units of that of all; `share` of its cells are degrees of freedom."""
    found = []
    for region in range(count):
        own = innovations[cells.region == region]
        found.append(loss.sd(own, freedom=share * own.size, declared=sd, weight=PRIOR_REGION) / sd)
    return tuple(found)


def _persistence(now: Array, before: Array) -> float:
    squares = float((before**2).sum())
    if not squares > 0:
        return 0.0
    slope = float((now * before).sum()) / (squares * (1 + PRIOR_PAIRS / now.size))
    return float(np.clip(slope, 0.0, MOST_PERSISTENT))
