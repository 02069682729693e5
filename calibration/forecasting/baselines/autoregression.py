"""First-order autoregression with a pooled coefficient and a mean for each region."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, held, last_level

LEAST_YEARS = 4


@dataclass(frozen=True, slots=True)
class FixedEffects:
    r"""First-order autoregression with fixed effects, :math:`r_{i,t+1} = \alpha_i + \rho r_{it}`, within estimator."""

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        if history.shape[1] < LEAST_YEARS:
            return held(last_level(history), horizon)
        whole = np.isfinite(history[:, :-1]) & np.isfinite(history[:, 1:])
        before, after = (np.where(whole, part, 0.0) for part in (history[:, :-1], history[:, 1:]))
        count = whole.sum(axis=1)
        means = [part.sum(axis=1) / np.maximum(count, 1) for part in (before, after)]
        square, product = (
            float((before * part).sum() - (count * means[0] * mean).sum())
            for part, mean in zip((before, after), means, strict=True)
        )
        level = last_level(history)
        result = held(level, horizon)
        if square <= 0:
            return result
        persistence = product / square
        # A region without a pair has no mean of its own and keeps its level.
        intercept = np.where(count > 0, means[1] - persistence * means[0], (1 - persistence) * level)
        for step in range(horizon):
            level = intercept + persistence * level
            result[:, step] = level
        return result
