r"""Sizes of noise, memory of momentum and pull, from the innovations of a small Kalman filter up to the origin.

The model started at the observed state moves log relative output, to first order and with its other couplings at zero,
by

.. math:: l_{t+1} = l_t + d_t - \kappa (l_t - \pi p_t) + \sigma \epsilon,\quad
          d_{t+1} = \phi d_t + \sigma s_d \eta,\quad y_t = l_t + \sigma s_y u,

with the same parameters for all regions and p the region's mean level of the last years. This line is all that a panel
of output tells about the model (`forecasting.md` 4.3), so its exact likelihood stands for that of the whole: a grid of
parameters is weighted by prior times likelihood, and the members of the ensemble are drawn from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from calibration.filtering.settings import FilterSettings
from calibration.filtering.shocks import shared_part

Array = NDArray[np.float64]

# A region's own size of shocks counts against the pooled one from this many years of it.
REGION_YEARS = 8.0
SCALE_ROUNDS = 4
SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Laws:
    """Laws of motion with their weights.

    Attributes
    ----------
    memory, momentum, error, pull, persistence
        As in `FilterSettings`, shape (law,).
    sd
        Yearly standard deviation of shocks to the level, shape (law,), log points.
    weight
        Posterior probability, shape (law,).
    by_region
        Size of shocks of each region relative to the pooled one, shape (region,).
    shared
        Share of the variance that regions of a class have in common.
    """

    memory: Array
    momentum: Array
    error: Array
    pull: Array
    persistence: Array
    sd: Array
    weight: Array
    by_region: Array
    shared: float

    def members(self, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Positions of the laws of so many members: systematic resampling, in random order."""
        reached = np.cumsum(self.weight)
        marks = (np.arange(count) + rng.uniform()) / count
        places = np.minimum(np.searchsorted(reached, marks * reached[-1]), len(reached) - 1)
        return np.asarray(rng.permutation(places), dtype=np.intp)


def positions(values: Array, years: int) -> Array:
    """Mean level of each region over the last years, at every year; NaN before it is first seen.

    Parameters
    ----------
    values
        Shape (region, year), NaN where missing.
    years
        Length of the window.

    Returns
    -------
    Array
        Shape (region, year).
    """
    seen = np.isfinite(values)
    total = np.cumsum(np.where(seen, values, 0.0), axis=1)
    count = np.cumsum(seen, axis=1).astype(float)
    total[:, years:] = total[:, years:] - total[:, :-years].copy()
    count[:, years:] = count[:, years:] - count[:, :-years].copy()
    mean = np.divide(total, count, out=np.full(values.shape, np.nan), where=count > 0)
    for year in range(1, values.shape[1]):
        mean[:, year] = np.where(np.isfinite(mean[:, year]), mean[:, year], mean[:, year - 1])
    return np.asarray(mean)


def learn_laws(values: Array, groups: Sequence[str], settings: FilterSettings) -> Laws:
    """Weigh the laws of the grid by what the panel says.

    Parameters
    ----------
    values
        Log relative output up to the origin, shape (region, year), NaN where missing.
    groups
        Class of each region.
    settings
        Grid and priors.

    Returns
    -------
    Laws
        With weights that sum to 1.
    """
    grid = _grid(settings)
    centres = positions(values, settings.memory_years)
    ages = np.arange(values.shape[1] - 1, -1, -1)
    weights = 0.5 ** (ages / settings.half_life)
    plain, _ = _filtered(values, centres, grid, np.full(len(grid[0]), np.inf), settings.clip)
    sd = _scale(plain, weights, np.ones(len(values)), settings.tails)
    by_region = _by_region(plain[0] / sd[0], weights)
    # With the sizes known, surprises are told from news about momentum, and everything is learnt again.
    innovations, width = _filtered(values, centres, grid, sd[:, None] * by_region, settings.clip)
    sd = _scale(innovations, weights, by_region, settings.tails)
    standard = innovations / (sd[:, None] * by_region)[:, :, None]
    size = np.log(sd[:, None, None] * by_region[:, None]) + width
    likelihood = _log_likelihood(standard, size, weights, settings.tails)
    prior = -grid[1] / settings.momentum_scale - grid[3] / settings.pull_scale
    score = settings.tempering * likelihood + prior
    weight = np.exp(score - score.max())
    weight = weight / weight.sum()
    best = standard[int(np.argmax(weight))]
    memory, momentum, error, pull, persistence = grid
    return Laws(
        memory=memory,
        momentum=momentum,
        error=error,
        pull=pull,
        persistence=persistence,
        sd=sd,
        weight=weight,
        by_region=by_region,
        shared=shared_part(best, groups),
    )


def _grid(settings: FilterSettings) -> tuple[Array, Array, Array, Array, Array]:
    """Distinct laws: without momentum its memory does not matter, without a pull its aim does not."""
    moving = [(memory, size) for size in settings.momenta for memory in settings.memories if size > 0]
    still = [(settings.memories[0], 0.0)] if 0 in settings.momenta else []
    pulling = [(pull, aim) for pull in settings.pulls for aim in settings.persistences if pull > 0]
    free = [(0.0, settings.persistences[0])] if 0 in settings.pulls else []
    rows = [(*move, error, *pull) for move, error, pull in product(still + moving, settings.errors, free + pulling)]
    memory, momentum, error, pull, persistence = np.array(rows).T
    return memory, momentum, error, pull, persistence


def _filtered(values: Array, centres: Array, grid: tuple[Array, ...], sd: Array, clip: float) -> tuple[Array, Array]:
    """One-year innovations divided by their relative standard deviation, and its logarithm; (law, region, year).

    `sd` is that of shocks, (law,) or (law, region); infinite turns the treatment of outliers off.
    """
    memory, momentum, error, pull, persistence = (item[:, None] for item in grid)
    shape = (len(memory), len(values))
    sd = np.broadcast_to(sd.reshape(len(memory), -1), shape)
    noise_level, noise_drift, noise_seen = 1.0, momentum**2, error**2
    level, drift = np.zeros(shape), np.zeros(shape)
    var_level, cov = np.zeros(shape), np.zeros(shape)
    var_drift = np.broadcast_to(noise_drift / (1 - memory**2), shape).copy()
    begun = np.zeros(len(values), dtype=bool)
    result = np.full((*shape, values.shape[1]), np.nan)
    width = np.full(result.shape, np.nan)
    for year in range(values.shape[1]):
        seen = np.isfinite(values[:, year])
        if year:
            centre = np.nan_to_num(centres[:, year - 1])
            level, drift = level + drift - pull * (level - persistence * centre), memory * drift
            stay = 1 - pull
            var_level, cov, var_drift = (
                stay**2 * var_level + 2 * stay * cov + var_drift + noise_level,
                memory * (stay * cov + var_drift),
                memory**2 * var_drift + noise_drift,
            )
        old = seen & begun
        if old.any():
            surprise = np.where(old, values[:, year] - level, 0.0)
            # A shift common to all regions is a change of their number, not news.
            common = surprise.sum(axis=1, keepdims=True) / old.sum()
            level = level + common
            surprise = np.where(old, surprise - common, 0.0)
            total = var_level + noise_seen
            excess = np.maximum((surprise / (clip * sd)) ** 2 - total, 0.0)
            result[:, old, year] = (surprise / np.sqrt(total))[:, old]
            width[:, old, year] = 0.5 * np.log(total[:, old])
            wide = np.where(old, total + excess, 1.0)
            gain_level = np.where(old, (var_level + excess) / wide, 0.0)
            gain_drift = np.where(old, cov / wide, 0.0)
            level, drift = level + gain_level * surprise, drift + gain_drift * surprise
            var_drift = var_drift - gain_drift * cov
            cov = cov - gain_level * cov
            var_level = np.where(old, (1 - gain_level) * (var_level + excess), var_level)
        new = seen & ~begun
        level = np.where(new, np.where(seen, values[:, year], 0.0), level)
        var_level = np.where(new, noise_seen, var_level)
        cov = np.where(new, 0.0, cov)
        var_drift = np.where(new, noise_drift / (1 - memory**2), var_drift)
        drift = np.where(new, 0.0, drift)
        begun |= seen
    return result, width


def _scale(innovations: Array, weights: Array, by_region: Array, tails: float) -> Array:
    """Scale of Student's t for each law, turned into a standard deviation; shape (law,)."""
    relative = innovations / by_region[:, None]
    known = np.isfinite(relative[0])
    if not known.any():
        return np.full(len(innovations), SMALLEST)
    counted = np.broadcast_to(weights, known.shape)[known]
    squares = relative[:, known] ** 2
    scale = (squares * counted).sum(axis=1) / counted.sum() + SMALLEST**2
    for _ in range(SCALE_ROUNDS):
        robust = (tails + 1) / (tails + squares / scale[:, None])
        scale = (robust * squares * counted).sum(axis=1) / counted.sum() + SMALLEST**2
    return np.asarray(np.sqrt(scale * tails / (tails - 2)))


def _by_region(standard: Array, weights: Array) -> Array:
    """Mean absolute innovation of each region relative to that of all, shrunk to 1."""
    known = np.isfinite(standard)
    counted = np.where(known, weights, 0.0)
    years = counted.sum(axis=1)
    size = np.where(known, np.abs(standard), 0.0)
    pooled = (counted * size).sum() / max(counted.sum(), SMALLEST)
    if pooled == 0:
        return np.ones(len(standard))
    own = np.divide((counted * size).sum(axis=1), years, out=np.full(len(standard), pooled), where=years > 0) / pooled
    return np.asarray((years * own + REGION_YEARS) / (years + REGION_YEARS))


def _log_likelihood(standard: Array, log_size: Array, weights: Array, tails: float) -> Array:
    """Student's t of unit variance over all cells, shape (law,)."""
    known = np.isfinite(standard)
    scale2 = (tails - 2) / tails
    constant = gammaln((tails + 1) / 2) - gammaln(tails / 2) - 0.5 * np.log(np.pi * tails * scale2)
    cell = constant - (tails + 1) / 2 * np.log1p(np.where(known, standard, 0.0) ** 2 / (tails * scale2))
    return np.asarray((np.where(known, cell - log_size, 0.0) * weights).sum(axis=(1, 2)))
