"""Forecasters without a method, and earlier origins as a mixture looks back at them."""

import numpy as np
from scipy.stats import norm

from calibration.forecasting import Forecast, Origin
from calibration.forecasting.combination import EarlierOrigin, distances
from calibration.observation.series import last_level


class Shifted:
    """Draws around the last level that was observed plus a constant."""

    def __init__(self, name: str, shift: float | np.ndarray) -> None:
        self.name, self._shift = name, shift

    def __repr__(self) -> str:
        return f"Shifted({self.name})"

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        rng = np.random.default_rng((seed, origin.time))
        point = np.repeat(last_level(origin.target.values)[:, None], horizon, axis=1) + self._shift
        return Forecast(point=point, draws=point + rng.normal(0, 0.03, (draws, *point.shape)))


def judged(size: float, origins: int = 30, seed: int = 0) -> list[EarlierOrigin]:
    """Two members, one a little off the other, with draws of width one; what comes has another width."""
    rng = np.random.default_rng(seed)
    quantiles = norm.ppf((np.arange(20) + 0.5) / 20)[None, :, None, None]
    kept = quantiles + np.array([-0.1, 0.1])[:, None, None, None] + np.zeros((2, 20, 10, 2))
    between = distances(kept)
    known = np.ones((10, 2), dtype=bool)
    known[0, 1] = False
    return [
        EarlierOrigin(kept=kept, between=between, realised=rng.normal(0, size, (10, 2)), known=known, weight=1.0)
        for _ in range(origins)
    ]
