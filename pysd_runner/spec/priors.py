"""Prior distributions of parameters: density, sampling, and transformation to an unconstrained scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Interval

# Smallest probability of a normal score, which keeps scores finite at the bounds of an interval (about 7).
_EDGE = 1e-12
# Normal scores are clipped at this value, beyond which beta quantiles cannot be computed.
_MAX_SCORE = 20.0


class Prior:
    """A proper density on an interval, with an unconstrained scale on which estimates are nearly normal.

    Results have the shape of ``x`` or ``z``; ``x`` is in the unit of the parameter. By default the unconstrained scale
    is the normal score, on which the prior is standard normal.
    """

    __slots__ = ()

    lower: float
    upper: float

    @property
    def unbounded_bounds(self) -> Interval:
        """The declared bounds on the unconstrained scale; may be infinite."""
        return (-inf, inf)

    @property
    def unbounded_sd(self) -> float:
        """Standard deviation on the unconstrained scale, before truncation at the declared bounds."""
        return 1.0

    def supports(self, x: float) -> bool:
        """Whether the density at ``x`` is positive."""
        return self.lower <= x <= self.upper

    def log_density(self, x: ArrayLike) -> Array:
        """Natural logarithm of the density at ``x``, per unit of ``x``; ``-inf`` outside the bounds."""
        raise NotImplementedError

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """``n`` independent draws inside the bounds, shape ``(n,)``."""
        raise NotImplementedError

    def to_unbounded(self, x: ArrayLike) -> Array:
        """Transform ``x`` to the unconstrained scale."""
        return self.residual(x)

    def from_unbounded(self, z: ArrayLike) -> Array:
        """Inverse of `to_unbounded`, clipped to the declared bounds."""
        raise NotImplementedError

    def unbounded_slope(self, x: ArrayLike) -> Array:
        """Derivative of ``x`` with respect to its unbounded value; at a bound, the one-sided derivative from inside."""
        # The standard normal density divided by that of x; 0 if both are zero.
        exponent = self.unbounded_log_density(self.to_unbounded(x)) - self.log_density(x)
        return np.asarray(np.exp(np.where(np.isnan(exponent), -inf, exponent)), dtype=float)

    def unbounded_log_density(self, z: ArrayLike) -> Array:
        """Natural logarithm of the density on the unconstrained scale; ``-inf`` outside the declared bounds."""
        return -0.5 * np.asarray(z, dtype=float) ** 2 - 0.5 * log(2 * pi)

    def unbounded_score(self, z: ArrayLike) -> Array:
        """Derivative of `unbounded_log_density`, continued beyond the declared bounds."""
        return -np.asarray(z, dtype=float)

    def residual(self, x: ArrayLike) -> Array:
        """Standardised residual: standard normal when ``x`` is drawn from the prior (before truncation)."""
        raise NotImplementedError

    def normal_score(self, x: ArrayLike) -> Array:
        """``Phi^-1(F(x))`` with the distribution function ``F`` of the truncated prior, within about -7 to 7."""
        return self.residual(x)

    def _share(self, x: ArrayLike) -> Array:
        return (np.asarray(x, dtype=float) - self.lower) / (self.upper - self.lower)

    def _at(self, share: Array) -> Array:
        return np.clip(self.lower + (self.upper - self.lower) * share, self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Normal(Prior):
    """Normal prior, truncated at the declared bounds; its unconstrained scale is ``x`` itself.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation before truncation, in the unit of the parameter.
    lower, upper
        Declared bounds, in the unit of the parameter.

    Raises
    ------
    InvalidInput
        If ``sd`` is not positive and finite, or the bounds are not in order.

    Examples
    --------
    >>> float(Normal(0.45, 0.05).residual(0.55).round(6))
    2.0
    """

    mean: float
    sd: float
    lower: float = -inf
    upper: float = inf

    def __post_init__(self) -> None:
        _require_positive(self.sd, "sd")
        _require_order(self.lower, self.upper)

    @property
    def unbounded_bounds(self) -> Interval:
        """The declared bounds."""
        return (self.lower, self.upper)

    @property
    def unbounded_sd(self) -> float:
        """The standard deviation."""
        return self.sd

    def log_density(self, x: ArrayLike) -> Array:
        """Natural logarithm of the truncated density."""
        x = np.asarray(x, dtype=float)
        low, high = self._tails()
        inside = -0.5 * self.residual(x) ** 2 - log(self.sd) - 0.5 * log(2 * pi) - log(high - low)
        return np.where((x >= self.lower) & (x <= self.upper), inside, -inf)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draws by inversion of the distribution function, which needs no rejection."""
        from scipy.special import ndtri

        score = np.asarray(ndtri(rng.uniform(*self._tails(), size=n)), dtype=float)
        return np.asarray(np.clip(self.mean + self.sd * score, self.lower, self.upper), dtype=float)

    def to_unbounded(self, x: ArrayLike) -> Array:
        """``x`` unchanged."""
        return np.asarray(x, dtype=float)

    def from_unbounded(self, z: ArrayLike) -> Array:
        """``z``, clipped to the declared bounds."""
        return np.asarray(np.clip(np.asarray(z, dtype=float), self.lower, self.upper), dtype=float)

    def unbounded_slope(self, x: ArrayLike) -> Array:
        """One, since the unconstrained scale is ``x`` itself."""
        return np.ones_like(np.asarray(x, dtype=float))

    def unbounded_log_density(self, z: ArrayLike) -> Array:
        """Natural logarithm of the truncated density."""
        return self.log_density(z)

    def unbounded_score(self, z: ArrayLike) -> Array:
        """``-(z - mean) / sd^2``."""
        return -self.residual(z) / self.sd

    def residual(self, x: ArrayLike) -> Array:
        """``(x - mean) / sd``: half its square is minus the log density, up to a constant."""
        return (np.asarray(x, dtype=float) - self.mean) / self.sd

    def normal_score(self, x: ArrayLike) -> Array:
        """``Phi^-1`` of the share of the probability between the bounds that lies below ``x``."""
        from scipy.special import ndtr

        low, high = self._tails()
        return _score((ndtr(self.residual(x)) - low) / (high - low))

    def _tails(self) -> Interval:
        from scipy.special import ndtr

        low, high = ndtr((np.array([self.lower, self.upper]) - self.mean) / self.sd)
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class LogNormal(Prior):
    """Lognormal prior, truncated at the declared bounds; its unconstrained scale is ``log x``.

    Parameters
    ----------
    median
        Median before truncation, in the unit of the parameter.
    sdlog
        Standard deviation of the natural logarithm, dimensionless.
    lower, upper
        Declared bounds, in the unit of the parameter; ``lower`` may be 0.

    Raises
    ------
    InvalidInput
        If ``median`` or ``sdlog`` is not positive and finite, or the bounds are negative or not in order.

    Examples
    --------
    >>> float(LogNormal(0.10, 0.7).from_unbounded(0.0))
    1.0
    """

    median: float
    sdlog: float
    lower: float = 0.0
    upper: float = inf

    def __post_init__(self) -> None:
        _require_positive(self.median, "median")
        _require_positive(self.sdlog, "sdlog")
        _require_order(self.lower, self.upper)
        if self.lower < 0:
            raise InvalidInput("a lognormal prior needs lower >= 0, found {lower}", lower=self.lower)

    @property
    def unbounded_bounds(self) -> Interval:
        """Logarithms of the declared bounds; a lower bound of 0 is ``-inf``."""
        return (_log(self.lower), _log(self.upper))

    @property
    def unbounded_sd(self) -> float:
        """The standard deviation of the logarithm."""
        return self.sdlog

    def supports(self, x: float) -> bool:
        """Whether ``x`` is positive and inside the bounds."""
        return x > 0 and self.lower <= x <= self.upper

    def log_density(self, x: ArrayLike) -> Array:
        """Natural logarithm of the truncated density per unit of ``x`` (not of ``log x``)."""
        x = np.asarray(x, dtype=float)
        inside = x > 0
        positive = np.where(inside, x, 1.0)
        return np.where(inside, self._on_log_scale().log_density(np.log(positive)) - np.log(positive), -inf)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Exponentials of truncated normal draws."""
        return np.clip(np.exp(self._on_log_scale().sample(rng, n)), self.lower, self.upper)

    def to_unbounded(self, x: ArrayLike) -> Array:
        """``log x``; ``-inf`` at 0."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.asarray(x, dtype=float)), dtype=float)

    def from_unbounded(self, z: ArrayLike) -> Array:
        """``exp z``, clipped to the declared bounds."""
        with np.errstate(over="ignore"):
            return np.asarray(np.clip(np.exp(np.asarray(z, dtype=float)), self.lower, self.upper), dtype=float)

    def unbounded_slope(self, x: ArrayLike) -> Array:
        """``x``, the derivative of ``exp z``."""
        return np.asarray(x, dtype=float)

    def unbounded_log_density(self, z: ArrayLike) -> Array:
        """Natural logarithm of the truncated normal density of ``log x``."""
        return self._on_log_scale().log_density(z)

    def unbounded_score(self, z: ArrayLike) -> Array:
        """``-(z - log median) / sdlog^2``."""
        return self._on_log_scale().unbounded_score(z)

    def residual(self, x: ArrayLike) -> Array:
        """``(log x - log median) / sdlog``: half its square is minus the log density of ``log x``."""
        return (self.to_unbounded(x) - log(self.median)) / self.sdlog

    def normal_score(self, x: ArrayLike) -> Array:
        """``Phi^-1`` of the share of the probability between the bounds that lies below ``x``."""
        return self._on_log_scale().normal_score(self.to_unbounded(x))

    def _on_log_scale(self) -> Normal:
        return Normal(log(self.median), self.sdlog, *self.unbounded_bounds)


@dataclass(frozen=True, slots=True)
class Beta(Prior):
    """Beta prior scaled to an interval; its unconstrained scale is its normal score.

    Parameters
    ----------
    a, b
        Shape parameters, dimensionless; the mean is ``lower + (upper - lower) * a / (a + b)``.
    lower, upper
        Bounds of the interval, in the unit of the parameter.

    Raises
    ------
    InvalidInput
        If a shape is not positive and finite, or the bounds are not finite and in order.

    Examples
    --------
    >>> bool(abs(Beta(2, 2, 0.1, 0.6).residual(0.35)) < 1e-9)
    True
    """

    a: float
    b: float
    lower: float = 0.0
    upper: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(self.a, "a")
        _require_positive(self.b, "b")
        _require_interval(self.lower, self.upper)

    def supports(self, x: float) -> bool:
        """Whether ``x`` lies in the interval; the bounds are included if the density is not zero there."""
        inside = self.lower < x < self.upper
        return inside or (x == self.lower and self.a <= 1) or (x == self.upper and self.b <= 1)

    def log_density(self, x: ArrayLike) -> Array:
        """Natural logarithm of the density."""
        from scipy.special import betaln, xlog1py, xlogy

        x = np.asarray(x, dtype=float)
        inside = (x >= self.lower) & (x <= self.upper)
        share = np.where(inside, self._share(x), 0.5)
        kernel = xlogy(self.a - 1, share) + xlog1py(self.b - 1, -share)
        return np.where(inside, kernel - betaln(self.a, self.b) - log(self.upper - self.lower), -inf)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Scaled beta draws."""
        return self._at(rng.beta(self.a, self.b, size=n))

    def from_unbounded(self, z: ArrayLike) -> Array:
        """``lower + (upper - lower) q`` with ``q`` the beta quantile of ``Phi(z)``."""
        from scipy.special import betaincinv, ndtr

        return self._at(betaincinv(self.a, self.b, ndtr(np.clip(z, -_MAX_SCORE, _MAX_SCORE))))

    def residual(self, x: ArrayLike) -> Array:
        """Normal score of the cumulative probability, within about -7 to 7."""
        from scipy.special import betainc

        return _score(betainc(self.a, self.b, np.clip(self._share(x), 0, 1)))


@dataclass(frozen=True, slots=True)
class Uniform(Prior):
    """Uniform prior on an interval; its unconstrained scale is the normal score of the position in it.

    Parameters
    ----------
    lower, upper
        Bounds of the interval, in the unit of the parameter.

    Raises
    ------
    InvalidInput
        If the bounds are not finite and in order.

    Examples
    --------
    >>> float(Uniform(0.0, 0.5).log_density(0.2).round(6))
    0.693147
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        _require_interval(self.lower, self.upper)

    def log_density(self, x: ArrayLike) -> Array:
        """Minus the logarithm of the width of the interval."""
        x = np.asarray(x, dtype=float)
        return np.where((x >= self.lower) & (x <= self.upper), -log(self.upper - self.lower), -inf)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Uniform draws."""
        return rng.uniform(self.lower, self.upper, size=n)

    def from_unbounded(self, z: ArrayLike) -> Array:
        """``lower + (upper - lower) Phi(z)``."""
        from scipy.special import ndtr

        return self._at(ndtr(np.asarray(z, dtype=float)))

    def residual(self, x: ArrayLike) -> Array:
        """Normal score of the position in the interval, within about -7 to 7."""
        return _score(self._share(x))


@dataclass(frozen=True, slots=True)
class Flat(Uniform):
    """Uniform prior whose unconstrained scale is the value itself, so that its bounds are bounds of the search.

    Its density does not move the mode, which may lie on a bound.
    """

    @property
    def unbounded_bounds(self) -> Interval:
        """The bounds."""
        return (self.lower, self.upper)

    @property
    def unbounded_sd(self) -> float:
        """The standard deviation."""
        return (self.upper - self.lower) / sqrt(12)

    def to_unbounded(self, x: ArrayLike) -> Array:
        """``x`` unchanged."""
        return np.asarray(x, dtype=float)

    def from_unbounded(self, z: ArrayLike) -> Array:
        """``z``, clipped to the bounds."""
        return np.asarray(np.clip(np.asarray(z, dtype=float), self.lower, self.upper), dtype=float)

    def unbounded_slope(self, x: ArrayLike) -> Array:
        """One, since the unconstrained scale is ``x`` itself."""
        return np.ones_like(np.asarray(x, dtype=float))

    def unbounded_log_density(self, z: ArrayLike) -> Array:
        """Logarithm of the density."""
        return self.log_density(z)

    def unbounded_score(self, z: ArrayLike) -> Array:
        """Zero."""
        return np.zeros_like(np.asarray(z, dtype=float))


FAMILIES: Mapping[str, type[Normal] | type[LogNormal] | type[Beta] | type[Uniform]] = {
    "normal": Normal,
    "lognormal": LogNormal,
    "beta": Beta,
    "uniform": Uniform,
}


def _score(probability: Array) -> Array:
    """Normal score of a probability, clipped so that it is finite at 0 and 1."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(probability, _EDGE, 1 - _EDGE)), dtype=float)


def _require_interval(lower: float, upper: float) -> None:
    _require_order(lower, upper)
    if not (isfinite(lower) and isfinite(upper)):
        raise InvalidInput(
            "a prior on an interval needs finite ends, found [{lower}, {upper}]", lower=lower, upper=upper
        )


def _log(x: float) -> float:
    return log(x) if x > 0 else -inf


def _require_positive(value: float, what: str) -> None:
    if not (isfinite(value) and value > 0):
        raise InvalidInput("{what} of a prior must be positive and finite, found {value}", what=what, value=value)


def _require_order(lower: float, upper: float) -> None:
    if not lower < upper:
        raise InvalidInput("a prior needs lower < upper, found [{lower}, {upper}]", lower=lower, upper=upper)
