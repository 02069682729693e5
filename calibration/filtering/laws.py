"""Candidate trend models of relative output, weighted by Kalman-filter predictions up to the origin, and their paths.

Shocks have heavy tails and are partly common to a class. The models of a grid are weighted by prior times the composite
likelihood of predictions one to five years ahead.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.special import gamma, gammaln

from calibration.filtering.trend import (
    HALF_LIFE,
    MOMENTUM_SCALE,
    REVERSION_SCALE,
    FilterSettings,
    Step,
    Trend,
    forecasts,
    moved,
    steps,
)
from pysd_runner.core.types import Array, Indices, frozen
from pysd_runner.study.draws import shared_part

# Weight of the pooled size of shocks against a region's own, in years.
REGION_YEARS = 8.0
SCALE_ROUNDS = 4
MIN_SD = 1e-9
# Minimum weight of a candidate model that is used, relative to the largest.
LEAST_WEIGHT = 0.02


@frozen
class Laws:
    """Candidate trend models with their weights.

    Attributes
    ----------
    trend
        Parameters of the models.
    sd
        Yearly standard deviation of shocks to the level, shape (law,), log points.
    weight
        Posterior probability, shape (law,).
    relative_size
        Size of shocks of each region relative to the pooled one, shape (region,).
    shared
        Share of the variance of shocks that is common to the regions of a class.
    """

    trend: Trend
    sd: Array
    weight: Array
    relative_size: Array
    shared: float

    @property
    def likely(self) -> "Laws":
        """The models with at least 2 % of the largest weight, with weights normalised to sum to 1."""
        chosen = np.flatnonzero(self.weight >= LEAST_WEIGHT * self.weight.max())
        weight = self.weight[chosen] / self.weight[chosen].sum()
        return replace(self, trend=self.trend.of(chosen), sd=self.sd[chosen], weight=weight)

    def drawn(self, count: int, rng: np.random.Generator) -> Indices:
        """Draw `count` indices of models by weight: systematic resampling, in random order."""
        reached = np.cumsum(self.weight)
        marks = (np.arange(count) + rng.uniform()) / count
        places = np.minimum(np.searchsorted(reached, marks * reached[-1]), len(reached) - 1)
        return np.asarray(rng.permutation(places), dtype=np.intp)


def estimate_laws(values: Array, groups: Sequence[str], settings: FilterSettings) -> Laws:
    """Weight the models of the grid, given log relative output up to the origin (region, year), NaN where missing.

    Parameters
    ----------
    values
        Log relative output up to the origin, shape (region, year), NaN where it is missing.
    groups
        Class of each region; empty for none.
    settings
        Settings of the filter.

    Returns
    -------
    Laws
        The models with their weights and the sizes of their shocks.
    """
    grid = _grid(settings)
    ages = np.arange(values.shape[1] - 1, -1, -1)
    weights = 0.5 ** (ages / HALF_LIFE)
    plain = _innovations(values, grid, np.full(len(grid), np.inf), settings)
    sd = _scale(plain, weights, np.ones(len(values)), settings.tails)
    relative_size = _relative_sizes(plain[0] / sd[0], weights)
    # Second pass: with the sizes of shocks known, outliers are downweighted, and all parameters are estimated again.
    innovations = _innovations(values, grid, sd[:, None] * relative_size, settings)
    sd = _scale(innovations, weights, relative_size, settings.tails)
    size = sd[:, None] * relative_size
    likelihood = composite_likelihood(values, grid, size, weights, settings)
    prior = -grid.momentum / MOMENTUM_SCALE - grid.reversion / REVERSION_SCALE
    score = likelihood + prior
    weight = np.exp(score - score.max())
    weight = weight / weight.sum()
    best = int(np.argmax(weight))
    return Laws(
        trend=grid,
        sd=sd,
        weight=weight,
        relative_size=relative_size,
        shared=shared_part(innovations[best] / size[best, :, None], groups),
    )


def _grid(settings: FilterSettings) -> Trend:
    """Grid of distinct models: without momentum there is a single memory."""
    moving = [(memory, size) for size in settings.momenta for memory in settings.memories if size > 0]
    still = [(settings.memories[0], 0.0)] if 0 in settings.momenta else []
    reversions = sorted(settings.reversions, key=lambda rate: rate > 0)
    memory, momentum, reversion = np.array([(*move, rate) for move, rate in product(still + moving, reversions)]).T
    return Trend(memory=memory, momentum=momentum, reversion=reversion)


def _innovations(values: Array, grid: Trend, sd: Array, settings: FilterSettings) -> Array:
    """Innovations in units of their relative standard deviation, shape (law, region, year)."""
    return np.stack([step.innovation for step in steps(values, grid, sd, settings)], axis=-1)


def _scale(innovations: Array, weights: Array, relative_size: Array, tails: float) -> Array:
    """Estimate the scale of Student's t for each model, as a standard deviation; shape (law,)."""
    relative = innovations / relative_size[:, None]
    known = np.isfinite(relative[0])
    if not known.any():
        return np.full(len(innovations), MIN_SD)
    counted = np.broadcast_to(weights, known.shape)[known]
    squares = relative[:, known] ** 2
    scale = (squares * counted).sum(axis=1) / counted.sum() + MIN_SD**2
    for _ in range(SCALE_ROUNDS):
        robust = (tails + 1) / (tails + squares / scale[:, None])
        scale = (robust * squares * counted).sum(axis=1) / counted.sum() + MIN_SD**2
    return np.asarray(np.sqrt(scale * tails / (tails - 2)))


def _relative_sizes(standard: Array, weights: Array) -> Array:
    """Mean absolute innovation of each region relative to that of all, shrunk to 1."""
    known = np.isfinite(standard)
    counted = np.where(known, weights, 0.0)
    years = counted.sum(axis=1)
    size = np.where(known, np.abs(standard), 0.0)
    pooled = (counted * size).sum() / max(counted.sum(), MIN_SD)
    if pooled == 0:
        return np.ones(len(standard))
    own = np.divide((counted * size).sum(axis=1), years, out=np.full(len(standard), pooled), where=years > 0) / pooled
    return np.asarray((years * own + REGION_YEARS) / (years + REGION_YEARS))


def composite_likelihood(values: Array, grid: Trend, sd: Array, weights: Array, settings: FilterSettings) -> Array:
    r"""Composite log-likelihood of the candidate models over horizons.

    :math:`\ell = \sum_{h=1}^{H} \frac1h \sum_t \omega_t \sum_i \log p(r_{it} \mid r_{\cdot, \le t-h})`. A true model
    maximises it as it does the one-year likelihood; an approximate one is chosen for its forecasts at these horizons,
    and slow reversion is visible only after several years. Errors over h years overlap with those of h - 1 other
    origins, hence 1/h. Composite likelihoods: Varin, Reid & Firth (2011), Statistica Sinica 21: 5-42; multi-step
    criteria: Xia & Tong (2011), Statist. Sci. 26: 21-46.
    """
    total = np.zeros(len(grid))
    for ahead in forecasts(values, grid, sd, settings, settings.horizons):
        known = ahead.known
        error = ahead.at.level[:, known] - values[known, ahead.year]
        # A shift common to all regions is due to a change of their number, and is not an error.
        error = error - error.mean(axis=1, keepdims=True)
        variance = ahead.at.var_level[:, known] * sd[:, known] ** 2
        total += weights[ahead.year] / ahead.step * log_student(error, variance, settings.tails).sum(axis=1)
    return total


def log_student(error: Array, variance: Array, tails: float) -> Array:
    """Log density of Student's t with mean zero and a given variance."""
    scale2 = variance * (tails - 2) / tails
    constant = gammaln((tails + 1) / 2) - gammaln(tails / 2) - 0.5 * np.log(np.pi * tails)
    result: Array = constant - 0.5 * np.log(scale2) - (tails + 1) / 2 * np.log1p(error**2 / (tails * scale2))
    return result


def heavy(rng: np.random.Generator, draws: int, groups: Sequence[str], shared: float, tails: float) -> Array:
    r"""Draws of Student's t with unit variance, partly common to the regions of a class.

    :math:`x_i = \sqrt{s}\, c_{g(i)} + \sqrt{1 - s}\, e_i`. A shock common to all regions cancels in relative output
    and is left out.
    """
    names = sorted({name for name in groups if name})
    half = (draws + 1) // 2
    own = _unit(rng, tails, (half, len(groups)))
    common = _unit(rng, tails, (half, max(len(names), 1)))
    member = np.array([names.index(group) if group else -1 for group in groups])
    part = np.where(member >= 0, shared, 0.0)
    found = np.sqrt(part) * common[:, np.maximum(member, 0)] + np.sqrt(1 - part) * own
    mirrored = np.concatenate((found, -found))[:draws]
    result: Array = mirrored - mirrored.mean(axis=0)
    return result


def _unit(rng: np.random.Generator, tails: float, shape: tuple[int, int]) -> Array:
    """Draws of Student's t with unit variance."""
    if np.isinf(tails):
        return rng.standard_normal(shape)
    return np.asarray(np.sqrt((tails - 2) / tails) * rng.standard_t(tails, size=shape))


def left_of_relative(groups: Sequence[str], shared: float) -> float:
    r"""Average share of the standard deviation of `heavy` that remains after subtracting the mean over regions.

    :math:`\sqrt{1 - \frac{1}{n^2} \sum_{ij} \rho_{ij}}`. Shock sizes are estimated from relative output, so simulated
    noise is divided by this factor to reproduce them.
    """
    labels = np.array(groups)
    correlations = np.where((labels[:, None] == labels) & (labels != ""), shared, 0.0)
    np.fill_diagonal(correlations, 1.0)
    left = 1 - float(correlations.mean())
    return float(np.sqrt(left)) if len(labels) > 1 else 1.0


@frozen(eq=False)
class Filtered:
    """Filtered models and states at the origin.

    Attributes
    ----------
    laws
        Candidate trend models with their weights.
    at
        States by model and region.
    values
        Log relative output up to the origin, shape (region, year).
    groups
        Class of each region; empty for none.
    """

    laws: Laws
    at: Step
    values: Array
    groups: tuple[str, ...]

    @property
    def sizes(self) -> Array:
        """Yearly standard deviation of shocks to the level, shape (law, region)."""
        return self.laws.sd[:, None] * self.laws.relative_size


def estimate(values: Array, groups: Sequence[str], settings: FilterSettings) -> Filtered:
    """Filter the years up to the origin, shape (region, year); every region must be observed at least once.

    Parameters
    ----------
    values
        Log relative output up to the origin, shape (region, year), NaN where it is missing.
    groups
        Class of each region; empty for none.
    settings
        Settings of the filter.

    Returns
    -------
    Filtered
        The models with their weights, and the states of the regions at the origin.
    """
    laws = estimate_laws(values, groups, settings)
    sizes = laws.sd[:, None] * laws.relative_size
    *_, at = steps(values, laws.trend, sizes, settings)
    return Filtered(laws=laws, at=at, values=values, groups=tuple(groups))


def propagate(
    filtered: Filtered, settings: FilterSettings, *, horizon: int, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Forecast log relative output: its mean over the models, shape (region, horizon), and draws.

    Draws have shape (draw, region, horizon); their deviations from the mean are scaled by `learn_widths`.

    Parameters
    ----------
    filtered
        The years up to the origin, as `estimate` gives them.
    settings
        Settings of the filter.
    horizon
        Number of years to forecast.
    draws
        Number of draws.
    rng
        Source of the random numbers.

    Returns
    -------
    tuple
        The mean and the draws.
    """
    mean = _mean(filtered, horizon)
    paths = _paths(filtered, settings, horizon, draws, rng)
    away = paths - paths.mean(axis=0)
    away -= away.mean(axis=1, keepdims=True)
    return mean, mean + learn_widths(filtered.values, filtered.laws, settings, horizon) * away


def _mean(filtered: Filtered, horizon: int) -> Array:
    """Weighted mean of the forecasts of the models."""
    at, trend, found = filtered.at, filtered.laws.trend, []
    for _ in range(horizon):
        at = moved(at, trend)
        found.append(filtered.laws.weight @ at.level)
    mean = np.stack(found, axis=-1)
    return np.asarray(mean - mean.mean(axis=0))


def _paths(filtered: Filtered, settings: FilterSettings, horizon: int, draws: int, rng: np.random.Generator) -> Array:
    """Simulated paths of models drawn by weight, from states drawn at the origin, with shocks."""
    chosen = filtered.laws.drawn(draws, rng)
    trend = filtered.laws.trend.of(chosen)
    memory, momentum, stay, left = (
        item[:, None] for item in (trend.memory, trend.momentum, 1 - trend.reversion, trend.left)
    )
    (level, drift), found = states(filtered, chosen, rng), []
    for _ in range(horizon):
        shock, push = (noise(filtered, chosen, settings.tails, rng) for _ in range(2))
        level = stay * level + left * drift + shock
        drift = memory * drift + momentum * push
        found.append(level)
    return np.stack(found, axis=-1)


def noise(filtered: Filtered, chosen: Indices, tails: float, rng: np.random.Generator) -> Array:
    """Shocks scaled to the chosen candidate trend models, shape (draw, region)."""
    groups, shared = filtered.groups, filtered.laws.shared
    unit = heavy(rng, len(chosen), groups, shared, tails) / left_of_relative(groups, shared)
    return filtered.sizes[chosen] * unit


def states(filtered: Filtered, chosen: Indices, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws of level and drift at the origin under chosen models, each of shape (draw, region)."""
    at = filtered.at
    one, other = (noise(filtered, chosen, np.inf, rng) for _ in range(2))
    # Cholesky factor of the covariance of level and drift; an observed level has no variance.
    size = np.sqrt(at.var_level)
    along = np.divide(at.level_drift, size, out=np.zeros(size.shape), where=size > 0)
    alone = np.sqrt(np.maximum(at.var_drift - along**2, 0.0))
    return at.level[chosen] + size[chosen] * one, at.drift[chosen] + along[chosen] * one + alone[chosen] * other


def learn_widths(values: Array, laws: Laws, settings: FilterSettings, horizon: int) -> Array:
    r"""Estimate the factor on the width of the forecast at each horizon.

    The filter forecasts from every earlier year; the mean absolute error is compared with the one the models expect.
    The ratio is weighted by the number of non-overlapping origins and shrunk to 1 by `width_weight`:
    :math:`\log f_h = \frac{n_h}{n_h + n_0} \log (\overline{|e|} / \overline{E|e|})`.
    """
    likely = laws.likely
    trend, weight, sd = likely.trend, likely.weight, likely.sd[:, None] * laws.relative_size
    years = values.shape[1]
    found, expected, origins = np.zeros(horizon), np.zeros(horizon), np.zeros(horizon)
    for ahead in forecasts(values, trend, sd, settings, horizon):
        place, known = ahead.step - 1, ahead.known
        error, size = _error(ahead.at.level, ahead.at.var_level * sd**2, weight, values[:, ahead.year])
        counts = 0.5 ** ((years - 1 - ahead.year) / settings.width_half_life)
        found[place] += counts * np.abs(error[known] - error[known].mean()).mean()
        expected[place] += counts * _mean_of_unit(settings.tails, ahead.step) * size[known].mean()
        origins[place] += counts
    apart = origins / np.arange(1, horizon + 1)
    held = (found > 0) & (expected > 0)
    ratio = np.divide(found, expected, out=np.ones(horizon), where=held)
    return np.exp(apart / (apart + settings.width_weight) * np.log(ratio))


def _mean_of_unit(tails: float, years: int) -> float:
    """Mean absolute value at unit variance: of Student's t after one year, approaching the normal with more years."""
    normal = np.sqrt(2 / np.pi)
    heavy = 2 * np.sqrt(tails - 2) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return float(normal + (heavy - normal) / years)


def _error(level: Array, variance: Array, weight: Array, observed: Array) -> tuple[Array, Array]:
    """Error of the mixture's mean and its standard deviation, shape (region,)."""
    mean = weight @ level
    spread = weight @ (variance + (level - mean) ** 2)
    return mean - observed, np.sqrt(spread)
