"""Error models of a series: standard deviation, autocorrelation, standardised innovations and deviance residuals.

A density with ``-log p(e) = loss(e) + constant`` of an error ``e`` in standard deviations enters least squares as
``bent(e) = sign(e) sqrt(2 loss(e))``, so that half the sum of squares is minus the log density.

Counts ``y`` are random with the model's output ``m`` as mean. With the deviance ``D = 2 (log p(y | y) - log p(y | m))``
half the square of the residual ``sign(m - y) sqrt(D)`` is minus the log density up to a constant. Poisson: ``D = 2 (y
log(y / m) - (y - m))``. Negative binomial of variance ``m + m^2 / k``: ``D = 2 (y log(y / m) - (y + k) log((y + k) /
(m + k)))``; the Poisson distribution is its limit for large ``k``.
"""

from dataclasses import dataclass
from math import erf, exp, lgamma, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Flags, Indices
from pysd_runner.spec import ErrorModel

if TYPE_CHECKING:  # avoids a circular import
    from calibration.observation.series import Series

MOST_PERSISTENT = 0.97


@dataclass(frozen=True, slots=True)
class Noise:
    """Errors of one series: ``r_t = persistence * r_{t-1} + e_t``.

    Attributes
    ----------
    sd
        Standard deviation of ``e_t`` in the units of the series (after its transformation).
    persistence
        Dimensionless, from 0 (independent) to `MOST_PERSISTENT`.
    regional
        Ratio of each region's standard deviation to ``sd``, shape (region,); empty if all are one.
    independent
        Effective number of regions as a share of their number, for a persistence that depends on parameters.

    Raises
    ------
    InvalidInput
        If a standard deviation is not positive and finite or ``persistence`` is out of range.
    """

    sd: float
    persistence: float = 0.0
    regional: tuple[float, ...] = ()
    independent: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sd) and self.sd > 0):
            raise InvalidInput(
                "the standard deviation of an error must be positive and finite; found {found}", found=self.sd
            )
        if not 0 <= self.persistence <= MOST_PERSISTENT:
            raise InvalidInput(
                "persistence must lie in [0, {most_persistent}]; found {found}",
                most_persistent=MOST_PERSISTENT,
                found=self.persistence,
            )

        if not all(np.isfinite(ratio) and ratio > 0 for ratio in self.regional):
            raise InvalidInput(
                "regional standard deviations must be positive and finite; found {found}", found=self.regional
            )

    @property
    def total_sd(self) -> float:
        """Stationary standard deviation of ``r_t``, ``sd / sqrt(1 - persistence^2)``, of a region with ratio 1."""
        return float(self.sd / np.sqrt(1 - self.persistence**2))

    def tempered(self, persistence: Array) -> Array:
        """Persistence in the likelihood: pulled to the estimate, so that its information is that of `independent`."""
        return self.persistence + sqrt(self.independent) * (persistence - self.persistence)

    def cell_sds(self, regions: Indices) -> Array:
        """Standard deviation of ``e_t`` for the region index of each cell, shape (cell,)."""
        if not self.regional:
            return np.full(len(regions), self.sd)
        return self.sd * np.array(self.regional)[regions]


class Whitening:
    """Standardised innovations of the residuals of one series.

    Residuals of a row follow ``r_t = rho r_{t-1} + e_t`` with standard deviation ``s`` of ``e_t`` and ``t`` in units of
    the usual spacing. For a cell ``k`` units after the preceding observation, ``r_t - rho^k r_{t-k}`` has the variance
    ``s^2 (1 - rho^{2k}) / (1 - rho^2)``. If the first time gives no residual of its own, later ones are conditioned on
    it; a cell without a predecessor has the stationary variance ``s^2 / (1 - rho^2)``. With ``rho = 0`` the result is
    the residual divided by ``s``.

    Parameters
    ----------
    series
        The observations.
    """

    def __init__(self, series: "Series") -> None:
        self.shape = series.values.shape
        row, moment = np.nonzero(series.used)
        self.region: Indices = row
        self.year: Indices = moment
        before = np.where(series.seen, np.arange(series.values.shape[1]), -1)
        last = np.maximum.accumulate(before, axis=1)
        previous = np.concatenate([np.full_like(last[:, :1], -1), last[:, :-1]], axis=1)
        self.previous: Indices = previous[row, moment]
        self.has_previous: Flags = self.previous >= 0
        apart = series.times[moment] - series.times[np.maximum(self.previous, 0)]
        self._distance: Array = np.where(self.has_previous, apart, 0.0) / series.spacing

    def __len__(self) -> int:
        return len(self.region)

    @property
    def follows(self) -> Flags:
        """Whether each cell follows its predecessor at about the usual spacing, shape (cell,)."""
        return np.asarray(self.has_previous & (self._distance < 1.5), dtype=bool)

    def pick(self, table: Array) -> Array:
        """Select the cells that give a residual, shape (..., cell), from a table (..., row, time)."""
        return table[..., self.region, self.year]

    def pick_previous(self, table: Array) -> Array:
        """Select the observed cell that precedes each cell, shape (..., cell); 0 where there is none."""
        return np.where(self.has_previous, table[..., self.region, np.maximum(self.previous, 0)], 0.0)

    def spread_out(self, cells: Array) -> Array:
        """Inverse of `pick`: a table of shape (row, time) with NaN in the other cells."""
        table = np.full(self.shape, np.nan)
        table[self.region, self.year] = cells
        return table

    def innovations(self, residuals: Array, noise: Noise, *, persistence: Array | None = None) -> Array:
        """Innovations (..., cell) of residuals (..., row, time), scaled to the standard deviation of the row's ``e_t``.

        `persistence`, shape (draw,), overrides that of `noise`, but not in the scaling.
        """
        rho = noise.persistence if persistence is None else persistence[:, None]
        weight = np.where(self.has_previous, rho**self._distance, 0.0)
        return (self.pick(residuals) - weight * self.pick_previous(residuals)) / self._spread(noise)

    def standardised(self, residuals: Array, noise: Noise, *, persistence: Array | None = None) -> Array:
        """Innovations divided by their standard deviation, dimensionless, shape (..., cell)."""
        return self.innovations(residuals, noise, persistence=persistence) / noise.cell_sds(self.region)

    def slopes(
        self,
        residuals: Array,
        residual_slopes: Array,
        noise: Noise,
        *,
        persistence: float | None = None,
        persistence_slopes: Array | None = None,
    ) -> Array:
        """Derivatives of `standardised`, shape (parameter, cell); those of the residuals are (parameter, row, time).

        `persistence_slopes`, shape (parameter,), are the derivatives of a persistence that depends on parameters.
        """
        rho = noise.persistence if persistence is None else persistence
        weight = np.where(self.has_previous, rho**self._distance, 0.0)
        moved = self.pick(residual_slopes) - weight * self.pick_previous(residual_slopes)
        if persistence_slopes is not None:
            power = np.where(self.has_previous, self._distance * rho ** np.maximum(self._distance - 1, 0), 0.0)
            moved = moved - persistence_slopes[:, None] * power * self.pick_previous(residuals)
        return moved / (self._spread(noise) * noise.cell_sds(self.region))

    def log_scale(self, noise: Noise) -> float:
        """Sum of the logarithms of all standard deviations: the normalising term of the negative log-likelihood."""
        return float(np.log(noise.cell_sds(self.region) * self._spread(noise)).sum())

    def _spread(self, noise: Noise) -> Array:
        """Standard deviation of each cell given its predecessor, relative to that of the row's ``e_t``."""
        rho = noise.persistence
        if rho == 0:
            return np.ones(len(self))
        known = np.where(self.has_previous, 1 - rho ** (2 * self._distance), 1.0)
        return np.sqrt(known / (1 - rho**2))


# Threshold of the Huber loss in standard deviations, beyond which it is linear. One in eighty normal errors exceeds it,
# so that the estimates lose hardly any efficiency.
HUBER_K = 2.5

# Standard deviation of a normal distribution whose absolute values have median 1.
MAD_TO_SD = 1.4826
_ROUNDS = 500
_TOLERANCE = 1e-10
# Below this, ``log(1 + q) / q`` is 1 to rounding.
_ROUNDED_BELOW = 1e-16
# Bounds of the relative standard deviation beyond Poisson's; at the lower one counts are practically Poisson.
LEAST_SPREAD = 1e-3
MOST_SPREAD = 10.0
# Minimum expected count, so that a positive count is not impossible under a model that gives zero.
LEAST_COUNT = 1e-9
# Arguments smaller than this use the Taylor series.
_TAYLOR_BELOW = 1e-3


def median_size(values: Array) -> float:
    """Median absolute value of the finite values; 0 if there are none."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.median(known)) if known.size else 0.0


def held(values: Array) -> Array:
    """Clip values to `HUBER_K` robust standard deviations (1.4826 times the median absolute value) around zero."""
    limit = HUBER_K * MAD_TO_SD * median_size(values)
    return np.clip(values, -limit, limit) if limit > 0 else values


# Each family has ``log_mass``, the logarithm of the integral of ``exp(-loss)`` over the standardised error; ``bent``,
# the deviance residuals of standardised errors of any shape, and their derivative ``slope``; and ``sd``, the estimated
# standard deviation of errors, shape (cell,), in which the declared one counts as `weight` observations.


@dataclass(frozen=True, slots=True)
class NormalLoss:
    """Normal errors: ``loss(e) = e^2 / 2``."""

    @property
    def log_mass(self) -> float:
        """Logarithm of the normalising constant, ``log sqrt(2 pi)``."""
        return 0.5 * log(2 * pi)

    def bent(self, errors: Array) -> Array:
        """Deviance residual: the error itself."""
        return errors

    def slope(self, errors: Array) -> Array:
        """Derivative of `bent`, which is one."""
        return np.ones_like(errors)

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Standard deviation, with ``s^2 = (sum e^2 + weight declared^2) / (freedom + weight)``."""
        return sqrt((float((values**2).sum()) + weight * declared**2) / (freedom + weight))


@dataclass(frozen=True, slots=True)
class HuberLoss:
    """Huber loss: ``loss(e) = e^2 / 2`` if ``|e| <= k = 2.5``, otherwise ``k |e| - k^2 / 2``."""

    @property
    def log_mass(self) -> float:
        """Log of the normalising constant, ``log(sqrt(2 pi) (2 Phi(k) - 1) + 2 exp(-k^2 / 2) / k)``."""
        return log(sqrt(2 * pi) * erf(HUBER_K / sqrt(2)) + 2 * exp(-0.5 * HUBER_K**2) / HUBER_K)

    def bent(self, errors: Array) -> Array:
        """Deviance residual: ``e`` if ``|e| <= k``, otherwise ``sign(e) sqrt(2 k |e| - k^2)``."""
        size = np.abs(errors)
        beyond = np.sqrt(np.maximum(2 * HUBER_K * size - HUBER_K**2, 0.0))
        return np.where(size <= HUBER_K, errors, np.sign(errors) * beyond)

    def slope(self, errors: Array) -> Array:
        """Derivative of `bent`: one if ``|e| <= k``, otherwise ``k / sqrt(2 k |e| - k^2)``."""
        return HUBER_K / np.sqrt(np.maximum(2 * HUBER_K * np.abs(errors) - HUBER_K**2, HUBER_K**2))

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Scale by Huber's proposal 2, which a few outliers hardly affect."""
        # Mean of min(Z^2, BEND^2) for a standard normal Z.
        inside, density = erf(HUBER_K / sqrt(2)), exp(-0.5 * HUBER_K**2) / sqrt(2 * pi)
        expected = inside - 2 * HUBER_K * density + HUBER_K**2 * (1 - inside)
        squares = np.square(values)
        variance = float((squares.sum() + weight * declared**2) / (freedom + weight))
        for _ in range(_ROUNDS):
            total = float(np.minimum(squares, HUBER_K**2 * variance).sum()) / expected + weight * declared**2
            new = total / (freedom + weight)
            if abs(new - variance) <= _TOLERANCE * variance:
                break
            variance = new
        return sqrt(variance)


@dataclass(frozen=True, slots=True)
class StudentLoss:
    """Student-t errors with ``nu`` degrees of freedom, with ``t = e sqrt(nu / (nu - 2))``."""

    degrees: float  # ``nu``, more than 2

    @property
    def log_mass(self) -> float:
        """Log of the normalising constant, ``log(sqrt((nu - 2) pi) Gamma(nu / 2) / Gamma((nu + 1) / 2))``."""
        nu = self.degrees
        return 0.5 * log((nu - 2) * pi) + lgamma(nu / 2) - lgamma((nu + 1) / 2)

    def bent(self, errors: Array) -> Array:
        """Deviance residual, ``sign(t) sqrt((nu + 1) log(1 + t^2 / nu))``."""
        t = self._widened(errors)
        return t * np.sqrt((1 + 1 / self.degrees) * self._ratio(t))

    def slope(self, errors: Array) -> Array:
        """Derivative of `bent`, ``sqrt(nu / (nu - 2)) (nu + 1) t / (nu + t^2) / bent``, finite at 0."""
        t, nu = self._widened(errors), self.degrees
        return sqrt(nu / (nu - 2)) * np.sqrt((1 + 1 / nu) / self._ratio(t)) / (1 + t**2 / nu)

    def sd(self, values: Array, *, freedom: float, declared: float, weight: float) -> float:
        """Maximum-likelihood scale, by iteratively reweighted least squares, as a standard deviation."""
        nu = self.degrees
        shrink = (nu - 2) / nu
        squares = values**2
        scale = shrink * (float(squares.sum()) + weight * declared**2) / (freedom + weight)
        for _ in range(_ROUNDS):
            weights = (nu + 1) / (nu + squares / scale)
            new = (float((weights * squares).sum()) + weight * shrink * declared**2) / (freedom + weight)
            is_found = abs(new - scale) <= _TOLERANCE * scale
            scale = new
            if is_found:
                break
        return sqrt(scale / shrink)

    def _widened(self, errors: Array) -> Array:
        return errors * sqrt(self.degrees / (self.degrees - 2))

    def _ratio(self, t: Array) -> Array:
        """``log(1 + q) / q`` for ``q = t^2 / nu``."""
        q = np.maximum(t**2 / self.degrees, _ROUNDED_BELOW)
        return np.log1p(q) / q


Loss = NormalLoss | HuberLoss | StudentLoss


def loss_of(errors: ErrorModel) -> Loss:
    """Return the loss of the declared family of errors.

    Parameters
    ----------
    errors
        Declared error model of a series.

    Returns
    -------
    Loss
        Its normal, Huber or Student-t loss.
    """
    if errors.family == "student":
        return StudentLoss(errors.degrees)
    return NormalLoss() if errors.family == "normal" else HuberLoss()


def _relative(u: Array) -> Array:
    """``(u - log(1 + u)) / u^2``, one half at 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = (u - np.log1p(u)) / u**2
    near = 0.5 - u / 3 + u**2 / 4 - u**3 / 5
    return np.where(np.abs(u) < _TAYLOR_BELOW, near, plain)


def _half_over_square(counts: Array, expected: Array, size: float) -> Array:
    """Half the deviance divided by ``(m - y)^2``, for positive counts."""
    safe = np.where(counts > 0, counts, 1.0)
    moved = expected - safe
    part = _relative(moved / safe) / safe
    if np.isfinite(size):
        part = part - _relative(moved / (safe + size)) / (safe + size)
    return part


def deviance_residual(counts: Array, expected: Array, size: float) -> Array:
    """Deviance residual of counts, ``sign(m - y) sqrt(D)``."""
    some = (expected - counts) * np.sqrt(2 * _half_over_square(counts, expected, size))
    none = np.sqrt(2 * (expected if not np.isfinite(size) else size * np.log1p(expected / size)))
    return np.where(counts > 0, some, none)


def deviance_slope(counts: Array, expected: Array, size: float) -> Array:
    """Derivative of `deviance_residual` with respect to the expected count."""
    shrink = 1.0 if not np.isfinite(size) else size / (expected + size)
    some = shrink / expected / np.sqrt(2 * _half_over_square(counts, expected, size))
    none = shrink / deviance_residual(np.zeros_like(expected), expected, size)
    return np.where(counts > 0, some, none)


def fisher_root(expected: Array, size: float) -> Array:
    """Square root of the Fisher information of a count about its expectation, ``1 / sqrt(m + m^2 / k)``."""
    return 1 / np.sqrt(expected + (expected**2 / size if np.isfinite(size) else 0.0))


def saturated(counts: Array, size: float) -> float:
    """Sum of ``log p(y | y)``: the log-likelihood of the saturated model."""
    from scipy.special import gammaln, xlogy

    if not np.isfinite(size):
        return float((xlogy(counts, counts) - counts - gammaln(counts + 1)).sum())
    parts = gammaln(counts + size) - gammaln(size) - gammaln(counts + 1)
    parts = parts + xlogy(counts, counts / (counts + size)) + size * np.log(size / (counts + size))
    return float(parts.sum())


def pearson(counts: Array, expected: Array, spread: float = 0.0) -> float:
    """Pearson's statistic ``sum (y - m)^2 / (m + (s m)^2)``, with the overdispersion ``s`` zero for Poisson counts."""
    return float(((counts - expected) ** 2 / (expected + (spread * expected) ** 2)).sum())


def spread_of(counts: Array, expected: Array, freedom: float) -> float:
    """Relative standard deviation beyond Poisson variation at which Pearson's statistic is its degrees of freedom."""
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
    """Expected counts from model output: at least `LEAST_COUNT`, NaN where the output is negative."""
    with np.errstate(invalid="ignore"):
        return np.where(raw < 0, np.nan, np.maximum(raw, LEAST_COUNT))


def size_of(noise: Noise, family: str) -> float:
    """Size parameter ``k`` of the negative binomial distribution; infinite for Poisson."""
    return float("inf") if family == "poisson" else 1 / noise.sd**2
