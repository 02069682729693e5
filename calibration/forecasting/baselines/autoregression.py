"""First-order autoregression with a pooled coefficient and a mean for each region: free, or shrunken."""

from dataclasses import dataclass

import numpy as np

from calibration.forecasting.baselines.history import Array, held, last_level

LEAST_YEARS = 4
# Variance of the regions' intercepts over that of the errors; 0 means one common mean.
RATIOS = np.concatenate(([0.0], np.geomspace(1e-3, 1e2, 26)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Successive years of each region: sums over them, and how many there are, shape (region,)."""

    before: Array
    after: Array
    count: Array

    @classmethod
    def of(cls, history: Array) -> "Pairs":
        """Take the pairs in which both years were observed; others become zero and are not counted."""
        whole = np.isfinite(history[:, :-1]) & np.isfinite(history[:, 1:])
        before, after = (np.where(whole, part, 0.0) for part in (history[:, :-1], history[:, 1:]))
        return cls(before, after, whole.sum(axis=1).astype(float))

    @property
    def means(self) -> tuple[Array, Array]:
        """Means of both by region, shape (region,); 0 without a pair."""
        count = np.maximum(self.count, 1)
        return self.before.sum(axis=1) / count, self.after.sum(axis=1) / count

    def moments(self, part: Array) -> tuple[float, float, float]:
        """Sums of squares and products after taking a part of each region's mean away, part of shape (region,)."""
        before, after = self.means
        off = self.count * part * (2 - part)
        return (
            float((self.before**2).sum() - (off * before**2).sum()),
            float((self.before * self.after).sum() - (off * before * after).sum()),
            float((self.after**2).sum() - (off * after**2).sum()),
        )


def iterated(history: Array, horizon: int, persistence: float, intercept: Array) -> Array:
    """Iterate :math:`r_{t+1} = alpha_i + rho r_t` from the last level, shape (region, horizon)."""
    level = last_level(history)
    result = held(level, horizon)
    for step in range(horizon):
        level = intercept + persistence * level
        result[:, step] = level
    return result


@dataclass(frozen=True, slots=True)
class FixedEffects:
    r"""First-order autoregression with fixed effects, :math:`r_{i,t+1} = \alpha_i + \rho r_{it}`, within estimator."""

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        if history.shape[1] < LEAST_YEARS:
            return held(last_level(history), horizon)
        pairs = Pairs.of(history)
        square, product, _ = pairs.moments(np.ones(len(history)))
        if square <= 0:
            return held(last_level(history), horizon)
        persistence = product / square
        before, after = pairs.means
        # A region without a pair has no mean of its own and keeps its level.
        intercept = np.where(pairs.count > 0, after - persistence * before, np.nan)
        own = (1 - persistence) * last_level(history)
        return iterated(history, horizon, persistence, np.where(np.isfinite(intercept), intercept, own))


@dataclass(frozen=True, slots=True)
class ShrunkenMeans:
    r"""The same with random effects, :math:`\alpha_i \sim N(0, \lambda\sigma^2)`: steady states shrunk to a common one.

    Maximum likelihood given the levels before: for each :math:`\lambda` of a grid generalised least squares, then
    :math:`\hat\alpha_i = \frac{n_i\lambda}{1 + n_i\lambda}(\bar r_{i,+1} - \hat\rho\,\bar r_i)`.
    """

    def points(self, history: Array, horizon: int) -> Array:
        """Forecast; see `PointMethod`."""
        if history.shape[1] < LEAST_YEARS:
            return held(last_level(history), horizon)
        pairs = Pairs.of(history)
        ratio, persistence = random_effects(pairs)
        before, after = pairs.means
        kept = pairs.count * ratio / (1 + pairs.count * ratio)
        return iterated(history, horizon, persistence, kept * (after - persistence * before))


def profile(pairs: Pairs, ratio: float) -> tuple[float, float]:
    """Log-likelihood up to a constant, and pooled coefficient, at a ratio of variances; minus infinity if undefined."""
    square, product, after = pairs.moments(1 - 1 / np.sqrt(1 + pairs.count * ratio))
    rest = after - product**2 / square if square > 0 else 0.0
    if rest <= 0:
        return -np.inf, 1.0
    likelihood = -0.5 * pairs.count.sum() * np.log(rest) - 0.5 * np.log1p(pairs.count * ratio).sum()
    return float(likelihood), product / square


def random_effects(pairs: Pairs) -> tuple[float, float]:
    """Estimate the ratio of variances and the pooled coefficient."""
    # The likelihood may have a maximum with one common mean and slow convergence and another with many means and fast
    # convergence; a grid finds the higher one.
    found = [(*profile(pairs, float(ratio)), float(ratio)) for ratio in RATIOS]
    likelihood, persistence, ratio = max(found, key=lambda item: item[0])
    return (ratio, persistence) if np.isfinite(likelihood) else (0.0, 1.0)
