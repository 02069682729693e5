"""Predictive distributions for any point method, estimated from its past errors."""

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.special import gamma, ndtri, stdtrit

from calibration.forecasting.baselines import ShrunkenErrorCorrection
from calibration.forecasting.forecaster import Forecast, Origin, PointMethod, digest
from calibration.forecasting.target import Target
from calibration.observation.series import last_level
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, frozen

# Number of observed years before the first forecast whose errors are used.
FIRST_SEEN = 4
# Probabilities of the quantiles of |error|; beyond the last one, to LAST_PROBABILITY, Student's t is used.
GRID = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99])
LAST_PROBABILITY = 0.9999
LEAST, MOST = 0.1, 0.95
# Half-lives of past errors, and prior weights, which are in numbers of origins.
HALF_LIFE = 3.0  # years, for the size of errors
SHAPE_HALF_LIFE = 20.0  # years, for the shape of their distribution
GROWTH, GROWTH_WEIGHT = 0.6, 4.0
LAW_WEIGHT = 4.0  # of the power law of growth, against a horizon's own errors
REGION_WEIGHT = 6.0  # of the pooled size, against a region's own
SHAPE_WEIGHT = 10.0  # of Student's t, against the pooled shape of past errors
TAILS = 3.0  # degrees of freedom of Student's t


@frozen
class Spread:
    """Expected mean absolute error: that of the horizon times a factor of the region."""

    by_horizon: Array  # shape (horizon,), in units of the target
    region_factor: Array
    growth: float  # exponent of the growth with the horizon

    def standardised(self, errors: Array) -> Array:
        """Divide errors of shape (..., region, horizon) by their expected mean absolute size."""
        result: Array = errors / (self.region_factor[:, None] * self.by_horizon)
        return result


def learn_spread(errors: Array, ages: Array) -> Spread | None:
    r"""Estimate the size of errors by horizon, shrunk to a power law :math:`c\,h^\gamma`, and by region."""
    # Sizes are averages of absolute errors, newer ones with more weight, which limits the effect of an outlier. A
    # horizon with few non-overlapping origins is shrunk to the power law, a region to the mean of all regions.
    size = np.abs(errors)
    known = np.isfinite(size)
    weight = np.where(known, 0.5 ** (np.maximum(ages, 0)[:, None, :] / HALF_LIFE), 0.0)
    size = np.where(known, size, 0.0)
    total = weight.sum(axis=(0, 1))
    own = np.divide((weight * size).sum(axis=(0, 1)), total, out=np.zeros(len(total)), where=total > 0)
    if not (own > 0).any():
        return None
    origins = weight.max(axis=1).sum(axis=0)
    by_horizon, growth = _grown(own, origins)
    share = np.where(known, weight * size / by_horizon, 0.0).sum(axis=(0, 2))
    counted = weight.sum(axis=(0, 2))
    one_ahead = weight[:, :, 0].sum(axis=0)
    raw = np.divide(share, counted, out=np.ones(len(counted)), where=counted > 0)
    region_factor = (one_ahead * raw + REGION_WEIGHT) / (one_ahead + REGION_WEIGHT)
    return Spread(by_horizon=by_horizon, region_factor=region_factor, growth=growth)


def _grown(own: Array, origins: Array) -> tuple[Array, float]:
    """Shrink the sizes by horizon to a power law fitted to them, weighted by the number of non-overlapping origins."""
    steps = np.arange(1, len(own) + 1)
    held = own > 0
    apart = np.where(held, origins / steps, 0.0)
    logs = np.log(np.where(held, own, 1.0))
    along = np.log(steps)
    middle = (apart * along).sum() / apart.sum()
    level = (apart * logs).sum() / apart.sum()
    about = along - middle
    # The prior on the exponent weighs as GROWTH_WEIGHT origins at horizons 1 to 5, whose logs have a variance of 0.3.
    prior = GROWTH_WEIGHT * 0.3
    slope = ((apart * about * (logs - level)).sum() + prior * GROWTH) / ((apart * about**2).sum() + prior)
    growth = float(np.clip(slope, LEAST, MOST))
    law = level + growth * about
    part = apart / (apart + LAW_WEIGHT)
    return np.exp(part * logs + (1 - part) * law), growth


@frozen
class ForecastErrors:
    """The errors of a method at the origins before a given one."""

    errors: Array  # forecast minus observation, shape (origin, region, horizon); NaN where not yet known
    ages: Array  # years since each error became known, shape (origin, horizon); negative where not yet known

    def known(self, back: int) -> "ForecastErrors":
        """The errors that were known `back` years earlier."""
        errors = np.where(self.ages[:, None, :] >= back, self.errors, np.nan)
        return ForecastErrors(errors=errors, ages=self.ages - back)


@frozen
class EmpiricalIntervals:
    """A point method with empirical predictive distributions, as a forecaster.

    The method is applied at every earlier origin, and the errors known at the origin give the size of errors by
    horizon and region (`learn_spread`), the distribution of errors divided by the size *expected at the time*, and the
    correlation of regions. The draws have a Gaussian copula with these margins.

    Attributes
    ----------
    name
        Name shown in tables.
    method
        The method of point forecasts.
    """

    name: str
    method: PointMethod

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`.

        Raises
        ------
        InvalidInput
            If all known errors are zero, so that widths cannot be estimated.
        """
        past = self.past(origin, horizon)
        spread = learn_spread(past.errors, past.ages)
        if spread is None:
            # With gaps in the data, only errors of the first years may be known, when most methods equal persistence.
            past = self.past(origin, horizon, first=1)
            spread = learn_spread(past.errors, past.ages)
        if spread is None:
            raise InvalidInput(
                "{name} cannot learn its widths in {year}: {count} years hold no error of it other than zero, as when "
                "all regions grow alike; check that output of each region was observed, or give an origin with at "
                "least {least} years before it",
                name=self.name,
                year=origin.time,
                count=len(origin.target.times),
                least=FIRST_SEEN + 1,
            )
        sizes, together = self._shape(past, spread, origin, horizon)
        point = self.points(origin, horizon)
        # Sorted by name, so that the random numbers of a region do not depend on the order of rows.
        together = together[:, np.argsort(origin.target.rows)]
        normal = joint_normal(draws, over_horizons(spread.growth, horizon), together, (seed, origin.time))
        width = spread.region_factor[:, None] * spread.by_horizon
        away = np.where(np.isfinite(point), width * quantile_map(normal, sizes), np.nan)
        if not origin.target.is_relative:
            return Forecast(point=point, draws=point + away)
        # A change common to all regions does not change relative output.
        point = point - np.nanmean(point - last_level(origin.target.values)[:, None], axis=0)
        return Forecast(point=point, draws=point + away - np.nanmean(away, axis=1, keepdims=True))

    def method_for(self, target: Target) -> PointMethod:
        """The method, with the groups of the regions if it uses groups."""
        method = self.method
        return replace(method, groups=target.groups) if isinstance(method, ShrunkenErrorCorrection) else method

    def points(self, origin: Origin, horizon: int) -> Array:
        """Point forecasts from an origin, shape (region, horizon)."""
        return self._points(origin, len(origin.target.times), horizon)

    def _points(self, origin: Origin, seen: int, horizon: int) -> Array:
        history, method = origin.target.values[:, :seen], self.method_for(origin.target)
        key = ("points", repr(method), horizon, digest(history))
        return origin.memory.recall(key, lambda: method.points(history.copy(), horizon))

    def past(self, origin: Origin, horizon: int, *, first: int = FIRST_SEEN) -> ForecastErrors:
        """Errors known at this origin, of all earlier origins with `first` years of data or, if none, of the latest."""
        values = origin.target.values
        years = values.shape[1]
        # Lengths of the histories that end in an observed year, then those with at least `first` observed years.
        counts = np.array([place + 1 for place in origin.target.places if place < years - 1], dtype=int)
        seen = counts[min(first, len(counts)) - 1 :]
        steps = np.arange(1, horizon + 1)
        errors = np.full((len(seen), len(values), horizon), np.nan)
        for place, count in enumerate(seen):
            ahead = min(horizon, years - count)
            points = self._points(origin, int(count), horizon)
            errors[place, :, :ahead] = points[:, :ahead] - values[:, count : count + ahead]
        return ForecastErrors(errors=errors, ages=(years - seen)[:, None] - steps)

    def _shape(self, past: ForecastErrors, spread: Spread, origin: Origin, horizon: int) -> tuple[Array, Array]:
        """Quantiles of standardised errors, and the square root of the correlation matrix of regions."""
        standardised = np.full(past.errors.shape, np.nan)
        count = len(past.errors)
        for place in range(1, count):
            then = self._spread_then(past, count - place, origin, horizon)
            if then is not None:
                standardised[place] = then.standardised(past.errors[place])
        known = np.isfinite(standardised)
        age = np.broadcast_to(past.ages[:, None, :], standardised.shape)
        weights = 0.5 ** (age[known] / SHAPE_HALF_LIFE)
        sizes = quantiles(
            np.abs(standardised[known]),
            weights,
            shape_weight=SHAPE_WEIGHT,
            origins=float(known[:, :, 0].any(axis=1).sum()),
            tails=TAILS,
        )
        return sizes, root(over_regions(spread.standardised(past.errors)[:, :, 0]))

    def _spread_then(self, past: ForecastErrors, back: int, origin: Origin, horizon: int) -> Spread | None:
        """The spread estimated `back` years earlier."""
        seen = len(origin.target.times) - back
        key = ("spread", repr(self.method), horizon, digest(origin.target.values[:, :seen]))

        def learn() -> Spread | None:
            then = past.known(back)
            return learn_spread(then.errors, then.ages)

        return origin.memory.recall(key, learn)


def joint_normal(draws: int, over_time: Array, together: Array, entropy: tuple[int, ...]) -> Array:
    """Standard normal draws with given correlations over regions and horizons, in antithetic pairs."""
    half = np.random.default_rng(entropy).standard_normal(((draws + 1) // 2, len(together), len(over_time)))
    normal = together @ (half @ np.linalg.cholesky(over_time).T)
    return np.concatenate((normal, -normal))[:draws]


@cache
def student(tails: float) -> tuple[float, ...]:
    """Quantiles of the absolute value of Student's t at `GRID` and `LAST_PROBABILITY`, in units of its mean."""
    mean = 2 * np.sqrt(tails) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return tuple(stdtrit(tails, (1 + np.append(GRID, LAST_PROBABILITY)) / 2) / mean)


def quantiles(sizes: Array, weights: Array, *, shape_weight: float, origins: float, tails: float) -> Array:
    """Quantiles of standardised absolute errors, shrunk to those of Student's t."""
    assumed = np.array(student(tails))
    if not len(sizes):
        return assumed
    order = np.argsort(sizes, kind="stable")
    reached = np.cumsum(weights[order]) - weights[order] / 2
    found = np.interp(GRID, reached / weights.sum(), sizes[order])
    found[0] = 0.0
    # Beyond the grid, extrapolated by the ratio of the quantiles of Student's t.
    found = np.append(found, found[-1] * assumed[-1] / assumed[-2])
    part = origins / (origins + shape_weight)
    result: Array = np.maximum.accumulate(part * found + (1 - part) * assumed)
    return result


def quantile_map(normal: Array, sizes: Array) -> Array:
    """Transform standard normal draws so that their absolute values have the given quantiles; signs and ranks stay."""
    marks = ndtri((1 + np.append(GRID, LAST_PROBABILITY)) / 2)
    magnitude = np.abs(normal)
    result: Array = np.sign(normal) * np.interp(magnitude, marks, sizes)
    return result


def over_horizons(growth: float, horizon: int) -> Array:
    r"""Correlation of errors at two horizons when errors grow like :math:`h^\gamma`: fractional Brownian motion.

    :math:`\rho_{hk} = (h^{2\gamma} + k^{2\gamma} - |h - k|^{2\gamma}) / (2 h^\gamma k^\gamma)`; Mandelbrot & Van Ness
    (1968), SIAM Review 10: 422-437. An exponent of one half gives the random walk.
    """
    steps = np.arange(1.0, horizon + 1)
    power = steps ** (2 * growth)
    apart = np.abs(steps[:, None] - steps) ** (2 * growth)
    result: Array = (power[:, None] + power - apart) / (2 * np.outer(steps, steps) ** growth)
    return result


def over_regions(errors: Array) -> Array:
    r"""Shrinkage estimate of the correlation of errors between regions.

    Relative output sums to zero over the regions, and so do its errors: the shrinkage target for two of n observed
    regions is a correlation of :math:`-1/(n - 1)`. The intensity minimises the expected squared error of the
    correlations: Schaefer & Strimmer (2005), Stat. Appl. Genet. Mol. Biol. 4: 32.
    """
    origins, regions = errors.shape
    # Regions that were never observed are left out of the sum.
    seen = np.isfinite(errors).any(axis=0)
    assumed = np.where(np.outer(seen, seen), -1 / max(int(seen.sum()) - 1, 1), 0.0)
    np.fill_diagonal(assumed, 1.0)
    if origins < 3:
        return assumed
    filled = np.nan_to_num(errors)
    size = np.sqrt((filled**2).mean(axis=0))
    unit = filled / np.where(size > 0, size, 1.0)
    found = unit.T @ unit / origins
    spread = ((unit**2).T @ (unit**2) / origins - found**2) / (origins - 1)
    off = ~np.eye(regions, dtype=bool)
    squares = ((found - assumed)[off] ** 2).sum()
    intensity = min(1.0, spread[off].sum() / squares) if squares > 0 else 1.0
    result: Array = (1 - intensity) * found + intensity * assumed
    np.fill_diagonal(result, 1.0)
    return result


def root(correlation: Array) -> Array:
    """Symmetric square root of a matrix, which does not depend on the order of regions."""
    values, vectors = np.linalg.eigh(correlation)
    result: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return result
