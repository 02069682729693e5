"""What an error costs: densities of standardised errors and of counts, as residuals of least squares.

A density with ``-log p(e) = loss(e) + constant`` of an error ``e`` in standard deviations enters least squares as
``bent(e) = sign(e) sqrt(2 loss(e))``, so that half the sum of squares is minus the log density.

Counts vary by chance about what a model expects. With the deviance ``D = 2 (log p(y | y) - log p(y | m))`` the residual
``sign(m - y) sqrt(D)`` has half its square equal to minus the log density up to a constant. Poisson: ``D = 2 (y log(y /
m) - (y - m))``. Negative binomial of variance ``m + m^2 / k``: ``D = 2 (y log(y / m) - (y + k) log((y + k) / (m +
k)))``; Poisson's is its limit.
"""

from dataclasses import dataclass
from math import erf, exp, lgamma, log, pi, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.observation.noise import Noise
from pysd_runner.spec import ErrorModel

Array = NDArray[np.float64]

# Residuals beyond this many standard deviations count in proportion to their size instead of its square. For normal
# errors one in eighty lies beyond it and the estimates lose next to nothing.
BEND = 2.5

# Standard deviation of a normal distribution whose absolute values have median 1.
MAD_TO_SD = 1.4826
_ROUNDS = 500
_CLOSE = 1e-10
# Below this the logarithm's ratio to its argument is 1 to rounding.
_SMALL = 1e-16
# Relative spread beyond Poisson's below which counts are as good as Poisson's.
LEAST_SPREAD = 1e-3
MOST_SPREAD = 10.0
# The least a count is expected to be: a model that gives none at all does not exclude one for certain.
LEAST_COUNT = 1e-9
# Where the argument is this small its series is used.
_NEAR = 1e-3


def median_size(values: Array) -> float:
    """Median absolute value of what is finite; 0 of nothing."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.median(known)) if known.size else 0.0


def held(values: Array) -> Array:
    """Hold values within `BEND` robust standard deviations (1.4826 times the median absolute value) of zero."""
    limit = BEND * MAD_TO_SD * median_size(values)
    return np.clip(values, -limit, limit) if limit > 0 else values


class Loss(Protocol):
    """One family of errors."""

    @property
    def log_mass(self) -> float:
        """Logarithm of the integral of ``exp(-loss)`` over the error in standard deviations."""

    def bent(self, errors: Array) -> Array:
        """``sign(e) sqrt(2 loss(e))`` of errors in standard deviations, any shape."""

    def slope(self, errors: Array) -> Array:
        """Derivative of `bent`, shape of `errors`."""

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Standard deviation of errors of shape (cell,), `declared` counting as `weight` observations."""


@dataclass(frozen=True, slots=True)
class NormalLoss:
    """``loss(e) = e^2 / 2``."""

    @property
    def log_mass(self) -> float:
        """``log sqrt(2 pi)``."""
        return 0.5 * log(2 * pi)

    def bent(self, errors: Array) -> Array:
        """The errors themselves."""
        return errors

    def slope(self, errors: Array) -> Array:
        """One."""
        return np.ones_like(errors)

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """``s^2 = (sum e^2 + weight declared^2) / (freedom + weight)``."""
        return sqrt((float((values**2).sum()) + weight * declared**2) / (freedom + weight))


@dataclass(frozen=True, slots=True)
class HuberLoss:
    """``loss(e) = e^2 / 2`` within ``k = 2.5``, ``k |e| - k^2 / 2`` beyond; see `calibration.observation.losses`."""

    @property
    def log_mass(self) -> float:
        """``log(sqrt(2 pi) (2 Phi(k) - 1) + 2 exp(-k^2 / 2) / k)``."""
        return log(sqrt(2 * pi) * erf(BEND / sqrt(2)) + 2 * exp(-0.5 * BEND**2) / BEND)

    def bent(self, errors: Array) -> Array:
        """The errors within ``k``, ``sign(e) sqrt(2 k |e| - k^2)`` beyond."""
        size = np.abs(errors)
        beyond = np.sqrt(np.maximum(2 * BEND * size - BEND**2, 0.0))
        return np.where(size <= BEND, errors, np.sign(errors) * beyond)

    def slope(self, errors: Array) -> Array:
        """One within ``k``, ``k / sqrt(2 k |e| - k^2)`` beyond."""
        return np.asarray(BEND / np.sqrt(np.maximum(2 * BEND * np.abs(errors) - BEND**2, BEND**2)))

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Huber's proposal 2: a few wild values hardly move it."""
        # Mean of min(Z^2, BEND^2) for a standard normal Z.
        inside, density = erf(BEND / sqrt(2)), exp(-0.5 * BEND**2) / sqrt(2 * pi)
        expected = inside - 2 * BEND * density + BEND**2 * (1 - inside)
        squares = np.square(values)
        variance = float((squares.sum() + weight * declared**2) / (freedom + weight))
        for _ in range(_ROUNDS):
            total = float(np.minimum(squares, BEND**2 * variance).sum()) / expected + weight * declared**2
            new = total / (freedom + weight)
            if abs(new - variance) <= _CLOSE * variance:
                break
            variance = new
        return sqrt(variance)


@dataclass(frozen=True, slots=True)
class StudentLoss:
    """Student-t with ``nu`` degrees of freedom and standard deviation one."""

    degrees: float  # ``nu``, more than 2

    @property
    def log_mass(self) -> float:
        """``log(sqrt((nu - 2) pi) Gamma(nu / 2) / Gamma((nu + 1) / 2))``."""
        nu = self.degrees
        return 0.5 * log((nu - 2) * pi) + lgamma(nu / 2) - lgamma((nu + 1) / 2)

    def bent(self, errors: Array) -> Array:
        """``sign(t) sqrt((nu + 1) log(1 + t^2 / nu))``."""
        t = self._widened(errors)
        return t * np.sqrt((1 + 1 / self.degrees) * self._ratio(t))

    def slope(self, errors: Array) -> Array:
        """``sqrt(nu / (nu - 2)) (nu + 1) t / (nu + t^2) / bent``, finite at 0."""
        t, nu = self._widened(errors), self.degrees
        return sqrt(nu / (nu - 2)) * np.sqrt((1 + 1 / nu) / self._ratio(t)) / (1 + t**2 / nu)

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Most likely scale, found by weighting."""
        nu = self.degrees
        shrink = (nu - 2) / nu
        squares = values**2
        scale = shrink * (float(squares.sum()) + weight * declared**2) / (freedom + weight)
        for _ in range(_ROUNDS):
            weights = (nu + 1) / (nu + squares / scale)
            new = (float((weights * squares).sum()) + weight * shrink * declared**2) / (freedom + weight)
            is_found = abs(new - scale) <= _CLOSE * scale
            scale = new
            if is_found:
                break
        return sqrt(scale / shrink)

    def _widened(self, errors: Array) -> Array:
        return errors * sqrt(self.degrees / (self.degrees - 2))

    def _ratio(self, t: Array) -> Array:
        """``log(1 + q) / q`` for ``q = t^2 / nu``."""
        q = np.maximum(t**2 / self.degrees, _SMALL)
        return np.asarray(np.log1p(q) / q)


def loss_of(errors: ErrorModel) -> Loss:
    """Give the loss of a declared family."""
    if errors.family == "student":
        return StudentLoss(errors.degrees)
    return NormalLoss() if errors.family == "normal" else HuberLoss()


def _relative(u: Array) -> Array:
    """``(u - log(1 + u)) / u^2``, one half at 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = (u - np.log1p(u)) / u**2
    near = 0.5 - u / 3 + u**2 / 4 - u**3 / 5
    return np.where(np.abs(u) < _NEAR, near, plain)


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
