"""How much wider or narrower a mixture should have been: mixtures of calibrated forecasts are too wide."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.baselines.error_correction import kept
from calibration.forecasting.judged import Judged, centre

Array = NDArray[np.float64]

# Factors that are tried.
FACTORS = np.round(np.arange(0.5, 1.51, 0.05), 2)


def learn_dilation(judged: Sequence[Judged], weights: Array, undilated: float) -> Array:
    r"""Factor on the distance of draws from their mean for each number of years ahead, shape (horizon,).

    :math:`\delta_h = c^{1 - p_h} c_h^{p_h}`, with :math:`c_h` the factor that would have served best h years ahead,
    :math:`p_h = \frac{n_h / h}{n_h / h + n_0}` and :math:`c = \hat c^{\,n_1 / (n_1 + n_0)}` of the one factor that
    would have served best at all horizons; :math:`n_h` the origins of which it is known what came h years later, recent
    ones counting for more. Errors over h years overlap with those of h - 1 other origins, hence :math:`n_h / h`. At a
    horizon of which nothing is known c stands alone, and 1 where nothing is known at all.
    """
    scores = dilated_scores(judged, weights)
    told = np.isfinite(scores).all(axis=0)
    if not told.any():
        return np.ones(scores.shape[1])
    origins = np.stack([item.weight * item.known.any(axis=0) for item in judged]).sum(axis=0)
    common = FACTORS[scores[:, told].mean(axis=1).argmin()] ** kept(origins.max(), undilated)
    own = FACTORS[np.where(told, scores, 0.0).argmin(axis=0)]
    parts = np.array([kept(count / step, undilated) for step, count in enumerate(origins, start=1)])
    return np.asarray(np.where(told, common ** (1 - parts) * own**parts, common))


def dilated_scores(judged: Sequence[Judged], weights: Array) -> Array:
    r"""CRPS of a mixture over earlier origins for each of `FACTORS`, relative to the score as it was.

    The score of a mixture dilated by c about its mean :math:`\mu` is
    :math:`E|\mu + c(X - \mu) - y| - \frac c2 E|X - X'|`. Linear pools of calibrated forecasts are too wide: Gneiting &
    Ranjan (2013), Electron. J. Stat. 7: 1747-1782.
    """
    horizons = judged[0].came.shape[1]
    near, apart = np.zeros((len(FACTORS), horizons)), np.zeros(horizons)
    for item in judged:
        middle = centre(item, weights)
        about, away = item.kept - middle, item.came - middle
        for place, factor in enumerate(FACTORS):
            distance = np.tensordot(weights, np.abs(factor * about - away).mean(axis=1), axes=1)
            near[place] += item.weight * np.where(item.known, distance, 0.0).sum(axis=0)
        spread = np.einsum("m,n,mnrh->rh", weights, weights, item.between)
        apart += item.weight * np.where(item.known, spread, 0.0).sum(axis=0) / 2
    undilated = near[FACTORS == 1][0] - apart
    unknown = np.full(near.shape, np.nan)
    return np.asarray(np.divide(near - FACTORS[:, None] * apart, undilated, out=unknown, where=undilated > 0))
