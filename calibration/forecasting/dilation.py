"""How much wider or narrower a mixture should have been: mixtures of calibrated forecasts are too wide."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.forecasting.judged import Judged, centre

Array = NDArray[np.float64]

# Factors that are tried.
FACTORS = np.round(np.arange(0.5, 1.51, 0.05), 2)


def best_dilation(judged: Sequence[Judged], weights: Array) -> float:
    r"""Factor on the distance of draws from their mean with the least mean CRPS over earlier origins.

    The score of a mixture dilated by c about its mean :math:`\mu` is
    :math:`E|\mu + c(X - \mu) - y| - \frac c2 E|X - X'|`; each horizon counts the same. Linear pools of calibrated
    forecasts are too wide: Gneiting & Ranjan (2013), Electron. J. Stat. 7: 1747-1782.

    Parameters
    ----------
    judged
        Earlier origins; at least one.
    weights
        Of the members, shape (member,).

    Returns
    -------
    float
        One of `FACTORS`; 1 when nothing is known.
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
    held = undilated > 0
    if not held.any():
        return 1.0
    scores = ((near - FACTORS[:, None] * apart)[:, held] / undilated[held]).mean(axis=1)
    return float(FACTORS[np.argmin(scores)])
