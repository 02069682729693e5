"""The shape of errors: how often one is how many times as large as expected, and how errors move together."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, ndtri, stdtrit

Array = NDArray[np.float64]

# Probabilities of |error| at which its quantiles are kept; beyond the last one Student's t goes on.
GRID = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99])
FAR = 0.9999


@cache
def student(tails: float) -> tuple[float, ...]:
    """Quantiles of the absolute value of Student's t at `GRID` and `FAR`, in units of its mean."""
    mean = 2 * np.sqrt(tails) * gamma((tails + 1) / 2) / (np.sqrt(np.pi) * gamma(tails / 2) * (tails - 1))
    return tuple(stdtrit(tails, (1 + np.append(GRID, FAR)) / 2) / mean)


def quantiles(sizes: Array, weights: Array, *, shape_weight: float, origins: float, tails: float) -> Array:
    """Quantiles of standardised absolute errors, blended with those of Student's t."""
    assumed = np.array(student(tails))
    if not len(sizes):
        return assumed
    order = np.argsort(sizes, kind="stable")
    reached = np.cumsum(weights[order]) - weights[order] / 2
    found = np.interp(GRID, reached / weights.sum(), sizes[order])
    found[0] = 0.0
    # Beyond the grid as far again as Student's t goes.
    found = np.append(found, found[-1] * assumed[-1] / assumed[-2])
    part = origins / (origins + shape_weight)
    result: Array = np.maximum.accumulate(part * found + (1 - part) * assumed)
    return result


def stretched(normal: Array, sizes: Array) -> Array:
    """Turn standard normal draws into draws whose absolute values have the given quantiles; signs and ranks stay."""
    marks = ndtri((1 + np.append(GRID, FAR)) / 2)
    magnitude = np.abs(normal)
    result: Array = np.sign(normal) * np.interp(magnitude, marks, sizes)
    return result


def over_horizons(growth: float, horizon: int) -> Array:
    r"""Correlation of errors at two horizons when errors grow like :math:`h^\gamma`: fractional Brownian motion.

    :math:`\rho_{hk} = (h^{2\gamma} + k^{2\gamma} - |h - k|^{2\gamma}) / (2 h^\gamma k^\gamma)`; Mandelbrot & Van Ness
    (1968), SIAM Review 10: 422-437. With an exponent of one half, the random walk.
    """
    steps = np.arange(1.0, horizon + 1)
    power = steps ** (2 * growth)
    apart = np.abs(steps[:, None] - steps) ** (2 * growth)
    result: Array = (power[:, None] + power - apart) / (2 * np.outer(steps, steps) ** growth)
    return result


def over_regions(errors: Array) -> Array:
    r"""Correlation of regions, shrunk by as much as the number of origins asks for.

    Relative output sums to zero over the regions, and so do its errors: where nothing else is known two of n regions
    that were seen correlate by :math:`-1/(n - 1)`. The intensity minimises the expected squared error of the
    correlations: Schaefer & Strimmer (2005), Stat. Appl. Genet. Mol. Biol. 4: 32.
    """
    origins, regions = errors.shape
    # Regions never seen yet have no part in the sum.
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
    """Symmetric square root, which does not depend on the order of regions."""
    values, vectors = np.linalg.eigh(correlation)
    result: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return result
