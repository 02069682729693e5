"""Size and persistence of the errors of a series, from the residuals of a fit."""

import numpy as np
from numpy.typing import NDArray

from calibration.observation.counts import expected_count, spread_of
from calibration.observation.losses import Loss, loss_of
from calibration.observation.noise import MOST_PERSISTENT, Noise, declared_noise
from calibration.observation.robust import held
from calibration.observation.series import DECLARED, Series
from calibration.observation.whitening import Whitening

Array = NDArray[np.float64]

# A region's standard deviation is estimated with that of all regions counting as this many observations: ten years
# leave a variance of their own an error of 45 percent, and a region that is quiet by chance would rule the fit.
PRIOR_REGION = 4.0
# The declared standard deviation counts as this many observations, a persistence of zero as this many pairs.
PRIOR_OBSERVATIONS = DECLARED.weight
PRIOR_PAIRS = 4.0


def estimate_noise(series: Series, residuals: Array, *, persistence: float | None = None, share: float = 1.0) -> Noise:
    """Estimate size and persistence of the errors from residuals of a fit.

    Persistence is the pooled regression of residuals on those of the moment before, with `PRIOR_PAIRS` pairs of no
    persistence added; zero where errors are declared independent. The standard deviation of the innovations is that of
    the declared family (`calibration.observation.losses`). With Huber's and Student's families a few wild cells
    therefore hardly move either. With a scale for each region its standard deviation is found in the same way from its
    own cells, that of all regions counting as `PRIOR_REGION` observations.

    Parameters
    ----------
    series
        The observations; its `sizes` say what the declared size counts for, and what costs degrees of freedom.
    residuals
        Fitted less observed, shape (row, time).
    persistence
        Persistence where it is known; None to estimate it.
    share
        Degrees of freedom of a cell where estimated parameters cost some.

    Returns
    -------
    Noise
        In the terms of the series.
    """
    cells, errors, sizes = series.cells, series.errors, series.sizes
    if errors.known and not series.is_given:
        return declared_noise(series)
    if errors.memory == "independent":
        persistence = 0.0
    if persistence is None:
        kept = held(np.where(series.seen, residuals, np.nan)) if sizes.holds else residuals
        persistence = _persistence(cells.pick(kept)[cells.follows], cells.pick_previous(kept)[cells.follows])
    declared = series.declared_sd * float(np.sqrt(1 - persistence**2))
    if series.is_given:
        return Noise(declared, persistence)
    innovations = cells.innovations(residuals, Noise(1.0, persistence))
    lost = len(np.unique(cells.year)) if series.relative else 0
    freedom = max(share * len(cells), 1.0) if sizes.by_parameters else max(len(cells) - lost, 0)
    loss = loss_of(errors)
    sd = loss.sd(innovations, freedom=freedom, declared=declared, weight=sizes.weight)
    if sizes.least:
        seen = series.values[np.isfinite(series.values)]
        sd = max(sd, sizes.least * (float(seen.std()) or float(np.abs(seen).max()) or 1.0))
    if errors.scale == "series":
        return Noise(sd, persistence)
    part = freedom / max(len(cells), 1)
    return Noise(sd, persistence, _regional(loss, cells, innovations, sd=sd, share=part, count=len(series.values)))


def estimate_spread(series: Series, predicted: Array, *, share: float) -> Noise:
    """Estimate how counts vary beyond Poisson's law, so that Pearson's statistic is its degrees of freedom.

    Parameters
    ----------
    series
        Counts.
    predicted
        What a model expects, shape (row, time).
    share
        Degrees of freedom of a cell.
    """
    if series.is_given or series.errors.family == "poisson":
        return Noise(series.declared_sd)
    counts = series.cells.pick(series.values)
    expected = expected_count(series.cells.pick(predicted))
    return Noise(spread_of(counts, expected, max(share * len(counts), 1.0)))


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
