"""How far regions went of the way that was foretold: moves that proved too long are cut, those too short stay."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.judged import Judged, centre

Array = NDArray[np.float64]


def learn_reach(judged: Sequence[Judged], weights: Array, slope_sd: float) -> float:
    r"""Part of the foretold moves that is kept, from 0 (persistence) to 1 (the forecast as it is).

    The slope of what came, y, on what was foretold, x, both counted from the last level that was observed, under a
    normal prior around 1: :math:`\beta = \frac{\sum_h I_{xy,h} + \tau^{-2}}{\sum_h I_{xx,h} + \tau^{-2}}` with
    :math:`I_{xy,h} = \sum_t \omega_t \sum_i x_{ith} y_{ith} / (h s_h^2)` and s the root mean squared error of the
    forecast; errors over h years overlap with those of h - 1 other origins, hence 1/h. Regions count as
    independent, because what they share cancels in relative output. Where next to nothing was foretold the prior
    stands. Slopes of realisations on forecasts: Mincer & Zarnowitz (1969), in *Economic Forecasts and
    Expectations*, NBER, 3-46.
    """
    if not judged or slope_sd == 0:
        return 1.0
    horizons = judged[0].came.shape[1]
    product, square, error, count = (np.zeros(horizons) for _ in range(4))
    for item in judged:
        foretold, came = _moves(item, weights), item.came - item.last[:, None]
        known = item.known & np.isfinite(item.last)[:, None]
        sums = ((product, foretold * came), (square, foretold**2), (error, (came - foretold) ** 2), (count, known))
        for total, values in sums:
            total += item.weight * np.where(known, values, 0.0).sum(axis=0)
    told = error > 0
    scale = np.arange(1, horizons + 1)[told] * error[told] / count[told]
    prior = slope_sd**-2
    slope = ((product[told] / scale).sum() + prior) / ((square[told] / scale).sum() + prior)
    return float(np.clip(slope, 0.0, 1.0))


def reached(item: Judged, weights: Array, reach: float) -> Judged:
    """The forecasts of an earlier origin with moves cut; distances between draws of a cell stay."""
    cut = np.nan_to_num((1 - reach) * _moves(item, weights))
    return replace(item, kept=item.kept - cut)


def _moves(item: Judged, weights: Array) -> Array:
    """Foretold moves, shape (region, horizon); NaN where the region had not been observed."""
    return np.asarray(centre(item, weights) - item.last[:, None])
