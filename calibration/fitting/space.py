"""Estimated parameters as a vector on the unconstrained scale of their priors, and coordinates along ridges."""

from collections.abc import Callable, Iterable, Sequence
from math import exp, isfinite
from numbers import Real

import numpy as np

from calibration.optimisers import SumOfSquares
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Interval, Numbers, frozen
from pysd_runner.spec import Beta, LogNormal, ModelSpec, Normal, Parameter, Prior, Ridge, Uniform
from pysd_runner.spec.priors import Flat


def prior_median(prior: Prior) -> float:
    """Median of a prior before truncation, where its residual is zero, in the unit of the parameter.

    >>> prior_median(LogNormal(0.1, 0.7))
    0.1
    """
    return prior_quantile(prior, 0.0)


def prior_quantile(prior: Prior, score: float) -> float:
    """Quantile of a prior at a standard normal score, clipped to the bounds, in the unit of the parameter.

    >>> round(prior_quantile(Normal(0.45, 0.05), 2.0), 6)
    0.55
    """
    if isinstance(prior, Normal):
        value = prior.mean + score * prior.sd
    elif isinstance(prior, LogNormal):
        value = prior.median * exp(score * prior.sdlog)
    elif isinstance(prior, Beta | Uniform):
        from scipy.special import betaincinv, ndtr

        a, b = (prior.a, prior.b) if isinstance(prior, Beta) else (1.0, 1.0)
        value = prior.lower + (prior.upper - prior.lower) * float(betaincinv(a, b, ndtr(score)))
    else:
        raise InvalidInput("quantiles of a {prior} prior are not known", prior=type(prior).__name__)
    return float(min(max(value, prior.lower), prior.upper))


@frozen
class ParameterSpace:
    """Parameters as a vector on the unconstrained scale of their priors (log, normal score or the value itself).

    On that scale priors are normal and posteriors close to normal. Bounds that remain finite on it are bounds of the
    search. Vectors ``z`` have shape (..., parameter).
    """

    parameters: tuple[Parameter, ...]
    priors: tuple[Prior, ...]

    @classmethod
    def of(cls, parameters: Iterable[Parameter], *, is_flat: bool = False) -> "ParameterSpace":
        """Build the space from declared parameters, all of which must have a prior, in the given order.

        If `is_flat`, uniform priors do not change the scale, so that they do not move the mode.
        """
        kept = tuple(parameters)
        priors = []
        for parameter in kept:
            if parameter.prior is None:
                raise InvalidInput(
                    "parameter {name!r} cannot be estimated: it has no prior in model.toml; use `values`",
                    name=parameter.key,
                )
            prior = parameter.prior
            priors.append(Flat(prior.lower, prior.upper) if is_flat and isinstance(prior, Uniform) else prior)
        return cls(parameters=kept, priors=tuple(priors))

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the parameters, in the order of the vector."""
        return tuple(parameter.key for parameter in self.parameters)

    @property
    def centre(self) -> Array:
        """Prior medians on the unconstrained scale, shape (parameter,)."""
        return self._columns("to_unbounded", np.array([prior_median(prior) for prior in self.priors], dtype=float))

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds on the unconstrained scale, each of shape (parameter,); infinite if there are none."""
        ends = np.array([prior.unbounded_bounds for prior in self.priors], dtype=float).reshape(-1, 2)
        return ends[:, 0], ends[:, 1]

    @property
    def scale(self) -> Array:
        """Prior standard deviations on the unconstrained scale, shape (parameter,)."""
        return np.array([prior.unbounded_sd for prior in self.priors], dtype=float)

    def to_values(self, z: Array) -> Arrays:
        """Convert vectors to values by key, in the unit of each parameter, shape (...)."""
        values = self._columns("from_unbounded", z)
        return {key: values[..., column] for column, key in enumerate(self.keys)}

    def to_vector(self, values: Numbers) -> Array:
        """Convert values to a vector of shape (parameter,); the inverse of `to_values`."""
        return self._columns("to_unbounded", np.array([values[key] for key in self.keys], dtype=float))

    def interval(self, place: int, centre: float, half: float) -> Interval:
        """Limits of an interval of a parameter in its unit, from centre and half-width on the unconstrained scale."""
        prior = self.priors[place]
        return float(prior.from_unbounded(centre - half)), float(prior.from_unbounded(centre + half))

    def prior_residuals(self, z: Array) -> Array:
        """Residual of each prior: standard normal for draws from it, so half its square is minus its log density."""
        # Computed on the unconstrained scale, since the score cannot be recovered from a value rounded to its bound.
        return -self.scores(z) * self.scale

    def prior_slopes(self, z: Array) -> Array:
        """Derivative of each prior residual: one over the prior standard deviation on the unconstrained scale."""
        return np.broadcast_to(1 / self.scale, np.shape(z)).copy()

    def value_slopes(self, z: Array) -> Array:
        """Derivative of each value with respect to the unconstrained scale, shape (parameter,)."""
        return self._columns("unbounded_slope", self._columns("from_unbounded", z))

    def log_density(self, z: Array) -> Array:
        """Natural logarithm of the prior density of vectors on the unconstrained scale, shape (...).

        ``sum_k log p_k(z_k)``, with each density normalised and zero outside its declared bounds.
        """
        return np.asarray(self._columns("unbounded_log_density", z).sum(axis=-1))

    def scores(self, z: Array) -> Array:
        """Derivatives of `log_density`, of the shape of `z`."""
        return self._columns("unbounded_score", z)

    def sample(self, rng: np.random.Generator, draws: int) -> Array:
        """Draw vectors from the prior, shape (draw, parameter)."""
        columns = [prior.to_unbounded(prior.sample(rng, draws)) for prior in self.priors]
        return np.stack(columns, axis=-1) if columns else np.zeros((draws, 0))

    def part(
        self, linearised: Callable[[Array], tuple[Array, Array]], base: Array, columns: Sequence[int]
    ) -> SumOfSquares:
        """Objective of some parameters, others fixed at `base`; `linearised` takes vectors of all parameters."""
        lower, upper = self.bounds
        places = list(columns)
        return SumOfSquares(
            linearised=lambda part: linearised(with_part(base, places, part)),
            lower=lower[places],
            upper=upper[places],
            scale=self.scale[places],
        )

    def _columns(self, method: str, table: Array) -> Array:
        """Apply a method of each prior to its own column."""
        columns = [getattr(prior, method)(table[..., column]) for column, prior in enumerate(self.priors)]
        return np.stack(columns, axis=-1) if columns else np.zeros(np.shape(table))


def with_part(base: Array, columns: Sequence[int], part: Array) -> Array:
    """Copy of a vector with some elements replaced."""
    point = base.copy()
    point[list(columns)] = part
    return point


@frozen
class RidgeChange:
    """Coordinates along and across those declared ridges whose parameters are all estimated.

    They are defined by logarithms of positive parameters, whose unconstrained scale is logarithmic.

    * ``product`` of ``a`` and ``b``: ``(log a, log a b)``.
    * ``turnover`` of gain rates ``a``, ``b`` and a loss rate ``d`` at a reference ``u``: with ``l = a + b u``, the log
      odds and log speed of the equilibrium ``(log(l / d), log(l + d))``, and the log odds of the first gain
      ``log(a / (b u))``. The equilibrium share is ``l / (l + d)``.
    """

    space: ParameterSpace  # the estimated parameters
    ridges: tuple[Ridge, ...]  # ridges whose parameters are all estimated

    def forward(self, z: Array) -> Array:
        """Convert parameters on their unconstrained scale to coordinates, shape (..., parameter)."""
        y = np.array(z, dtype=float)
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                y[..., places[1]] = z[..., places[0]] + z[..., places[1]]
                continue
            first, second, loss = (z[..., place] for place in places)
            second = second + np.log(ridge.reference)
            gain = np.logaddexp(first, second)
            y[..., places[0]], y[..., places[1]], y[..., places[2]] = (
                first - second,
                gain - loss,
                np.logaddexp(gain, loss),
            )
        return y

    def backward(self, y: Array) -> Array:
        """Convert coordinates to parameters on their unconstrained scale, shape (..., parameter)."""
        z = np.array(y, dtype=float)
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                z[..., places[1]] = y[..., places[1]] - y[..., places[0]]
                continue
            odds, balance, speed = (y[..., place] for place in places)
            gain, loss = speed + _log_share(balance), speed + _log_share(-balance)
            z[..., places[0]] = gain + _log_share(odds)
            z[..., places[1]] = gain + _log_share(-odds) - np.log(ridge.reference)
            z[..., places[2]] = loss
        return z

    def slopes(self, y: Array) -> Array:
        """Derivatives of parameters with respect to coordinates at a point, shape (parameter, coordinate)."""
        matrix = np.eye(len(y))
        for ridge in self.ridges:
            places = self._places(ridge)
            if ridge.form == "product":
                matrix[places[1], places[0]] = -1.0
                continue
            first, rise = float(_share(y[places[0]])), float(_share(y[places[1]]))
            part = [[1 - first, 1 - rise, 1.0], [-first, 1 - rise, 1.0], [0.0, -rise, 1.0]]
            matrix[np.ix_(places, places)] = part
        return matrix

    def known(self, ridge: Ridge) -> tuple[tuple[str, int, Callable[[Array], Array]], ...]:
        """Identified combinations of a ridge: name, index of the coordinate, and function from it to the value."""
        places = self._places(ridge)
        if ridge.form == "product":
            return ((" x ".join(ridge.keys), places[1], np.exp),)
        return ((Message("equilibrium share"), places[1], _share), (Message("speed a year"), places[2], np.exp))

    def _places(self, ridge: Ridge) -> list[int]:
        return [self.space.keys.index(key) for key in ridge.keys]


def applying(space: ParameterSpace, ridges: Sequence[Ridge]) -> tuple[Ridge, ...]:
    """Ridges whose parameters are all in the space, on a logarithmic scale."""
    logarithmic = {key for key, prior in zip(space.keys, space.priors, strict=True) if isinstance(prior, LogNormal)}
    return tuple(ridge for ridge in ridges if set(ridge.keys) <= logarithmic)


def _share(odds: Array) -> Array:
    """``1 / (1 + exp(-odds))``."""
    return np.exp(_log_share(odds))


def _log_share(odds: Array) -> Array:
    return -np.logaddexp(0.0, -odds)


def overrides(spec: ModelSpec, values: Numbers) -> Numbers:
    """Check user-supplied parameter values by key or model name, and return them by key."""
    checked: dict[str, float] = {}
    for name, value in values.items():
        parameter = spec.parameter(name)
        number = _number(name, value)
        if not parameter.lower <= number <= parameter.upper:
            raise InvalidInput(
                "value of parameter {name!r} is {number:g} {unit}; its bounds are [{lower:g}, {upper:g}]",
                name=name,
                number=number,
                unit=parameter.unit,
                lower=parameter.lower,
                upper=parameter.upper,
            )
        checked[parameter.key] = number
    return checked


def chosen(spec: ModelSpec, *, free: Iterable[str] | None, fixed: Iterable[str]) -> tuple[Parameter, ...]:
    """Parameters to estimate, in the order of the file: those in `free`, or all with a prior except policy choices."""
    held = set(fixed)
    if free is None:
        every = (item for item in spec.parameters.values() if item.prior and item.role != "POL" and spec.acts(item))
        keys = {item.key for item in every} - held
    else:
        keys = {spec.parameter(name).key for name in listed(free)}
        _check_free(spec, keys, held)
    return tuple(parameter for key, parameter in spec.parameters.items() if key in keys)


def listed(free: Iterable[str]) -> tuple[str, ...]:
    """Names of parameters as a tuple; a single name may be given as a string."""
    return (free,) if isinstance(free, str) else tuple(free)


def _check_free(spec: ModelSpec, keys: set[str], held: set[str]) -> None:
    for key in sorted(keys):
        if key in held:
            raise InvalidInput(
                "parameter {name!r} is both set in `values` and listed in `free`; leave it in one", name=key
            )
        if not spec.acts(spec.parameters[key]):
            raise InvalidInput(
                "parameter {name!r} stands in no equation, measurement or start value; it cannot be estimated", name=key
            )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput("value of parameter {name!r} must be a number; found {found!r}", name=name, found=value)
    if not isfinite(value):
        raise InvalidInput("value of parameter {name!r} must be finite; found {found!r}", name=name, found=value)
    return float(value)
