"""How far regions went of the way that was foretold: moves that proved too long are cut, those too short stay."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.judged import Judged, centre

Array = NDArray[np.float64]


def learn_reach(judged: Sequence[Judged], weights: Array, full: float) -> float:
    r"""Part of the foretold moves that is kept, from 0 (persistence) to 1 (the forecast as it is).

    :math:`\beta_h` is the slope of what came on what was foretold, both counted from the last observation, without
    intercept; :math:`\beta = \min\left(1, \frac{\sum_h (n_h \beta_h + n_0) / h}{\sum_h (n_h + n_0) / h}\right)` with
    n the weights of origins. Errors over h years overlap with those of h - 1 other origins, hence 1/h. Slopes of
    realisations on forecasts: Mincer & Zarnowitz (1969), in *Economic Forecasts and Expectations*, NBER, 3-46.

    Parameters
    ----------
    judged
        Earlier origins.
    weights
        Of the members, shape (member,).
    full
        Number of origins that a slope of 1 counts for, :math:`n_0`; infinite leaves forecasts as they are.
    """
    if not judged or np.isinf(full):
        return 1.0
    horizons = judged[0].came.shape[1]
    product, square, origins = np.zeros(horizons), np.zeros(horizons), np.zeros(horizons)
    for item in judged:
        foretold, came = _moves(item, weights), item.came - item.last[:, None]
        known = item.known & np.isfinite(item.last)[:, None]
        product += item.weight * np.where(known, foretold * came, 0.0).sum(axis=0)
        square += item.weight * np.where(known, foretold**2, 0.0).sum(axis=0)
        origins += item.weight * known.any(axis=0)
    slope = np.divide(product, square, out=np.ones(horizons), where=square > 0)
    overlap = np.arange(1, horizons + 1)
    counted = ((origins + full) / overlap).sum()
    if counted == 0:
        return 1.0
    return float(np.clip(((origins * slope + full) / overlap).sum() / counted, 0.0, 1.0))


def reached(item: Judged, weights: Array, reach: float) -> Judged:
    """The forecasts of an earlier origin with moves cut; distances between draws of a cell stay."""
    cut = np.nan_to_num((1 - reach) * _moves(item, weights))
    return replace(item, kept=item.kept - cut)


def _moves(item: Judged, weights: Array) -> Array:
    """Foretold moves, shape (region, horizon); NaN where the region had not been observed."""
    return np.asarray(centre(item, weights) - item.last[:, None])
