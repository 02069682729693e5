"""Counts that vary by chance about what a model expects: deviances as residuals of least squares.

With the deviance ``D = 2 (log p(y | y) - log p(y | m))`` the residual ``sign(m - y) sqrt(D)`` has half its square equal
to minus the log density up to a constant. Poisson: ``D = 2 (y log(y / m) - (y - m))``. Negative binomial of variance
``m + m^2 / k``: ``D = 2 (y log(y / m) - (y + k) log((y + k) / (m + k)))``; Poisson's is its limit.
"""

import numpy as np
from numpy.typing import NDArray

from calibration.observation.noise import MOST_PERSISTENT, Noise

Array = NDArray[np.float64]

# Relative spread beyond Poisson's below which counts are as good as Poisson's.
LEAST_SPREAD = 1e-3
MOST_SPREAD = 10.0
# The least a count is expected to be: a model that gives none at all does not exclude one for certain.
LEAST_COUNT = 1e-9
# Where the argument is this small its series is used.
_SMALL = 1e-3

__all__ = [
    "LEAST_SPREAD",
    "MOST_PERSISTENT",
    "deviance_residual",
    "deviance_slope",
    "fisher_root",
    "pearson",
    "saturated",
    "spread_of",
]


def _relative(u: Array) -> Array:
    """``(u - log(1 + u)) / u^2``, one half at 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = (u - np.log1p(u)) / u**2
    near = 0.5 - u / 3 + u**2 / 4 - u**3 / 5
    return np.where(np.abs(u) < _SMALL, near, plain)


def _half_over_square(counts: Array, expected: Array, size: float) -> Array:
    """Half the deviance over ``(m - y)^2``, where the count is positive."""
    safe = np.where(counts > 0, counts, 1.0)
    moved = expected - safe
    part = _relative(moved / safe) / safe
    if np.isfinite(size):
        part = part - _relative(moved / (safe + size)) / (safe + size)
    return np.asarray(part)


def deviance_residual(counts: Array, expected: Array, size: float) -> Array:
    """``sign(m - y) sqrt(D)``."""
    some = (expected - counts) * np.sqrt(2 * _half_over_square(counts, expected, size))
    none = np.sqrt(2 * (expected if not np.isfinite(size) else size * np.log1p(expected / size)))
    return np.where(counts > 0, some, none)


def deviance_slope(counts: Array, expected: Array, size: float) -> Array:
    """Derivative of `deviance_residual` along what is expected."""
    shrink = 1.0 if not np.isfinite(size) else size / (expected + size)
    some = shrink / expected / np.sqrt(2 * _half_over_square(counts, expected, size))
    none = shrink / deviance_residual(np.zeros_like(expected), expected, size)
    return np.where(counts > 0, some, none)


def fisher_root(expected: Array, size: float) -> Array:
    """Square root of the information that one count carries about what is expected, ``1 / sqrt(m + m^2 / k)``."""
    return np.asarray(1 / np.sqrt(expected + (expected**2 / size if np.isfinite(size) else 0.0)))


def saturated(counts: Array, size: float) -> float:
    """Sum of ``log p(y | y)``: the part of the likelihood that the counts alone decide."""
    from scipy.special import gammaln, xlogy

    if not np.isfinite(size):
        return float((xlogy(counts, counts) - counts - gammaln(counts + 1)).sum())
    parts = gammaln(counts + size) - gammaln(size) - gammaln(counts + 1)
    parts = parts + xlogy(counts, counts / (counts + size)) + size * np.log(size / (counts + size))
    return float(parts.sum())


def pearson(counts: Array, expected: Array, spread: float = 0.0) -> float:
    """Pearson's statistic ``sum (y - m)^2 / (m + (s m)^2)``; Poisson's law has no spread ``s`` beyond its own."""
    return float(((counts - expected) ** 2 / (expected + (spread * expected) ** 2)).sum())


def spread_of(counts: Array, expected: Array, freedom: float) -> float:
    """Relative standard deviation beyond Poisson's: Pearson's statistic becomes its degrees of freedom."""
    from scipy.optimize import brentq

    def excess(log_spread: float) -> float:
        return pearson(counts, expected, np.exp(log_spread)) - freedom

    low, high = np.log(LEAST_SPREAD), np.log(MOST_SPREAD)
    if excess(low) <= 0:
        return LEAST_SPREAD
    if excess(high) >= 0:
        return MOST_SPREAD
    return float(np.exp(brentq(excess, low, high)))


def expected_count(raw: Array) -> Array:
    """What a model expects to be counted; a negative number is no expectation."""
    with np.errstate(invalid="ignore"):
        return np.where(raw < 0, np.nan, np.maximum(raw, LEAST_COUNT))


def size_of(noise: Noise, family: str) -> float:
    """``k`` of some errors; infinite for Poisson."""
    return float("inf") if family == "poisson" else 1 / noise.sd**2
