"""The parameters that are moved, as a vector on the unbounded scale of their priors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, isfinite
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.spec import Beta, LogNormal, ModelSpec, Normal, Parameter, Prior, Uniform

Array = NDArray[np.float64]


def prior_median(prior: Prior) -> float:
    """Median of a prior before truncation: where its residual is zero.

    Parameters
    ----------
    prior
        A prior of the declarations.

    Returns
    -------
    float
        In the unit of the parameter.

    Examples
    --------
    >>> prior_median(LogNormal(0.1, 0.7))
    0.1
    """
    return prior_quantile(prior, 0.0)


def prior_quantile(prior: Prior, score: float) -> float:
    """Value at which the residual of a prior takes a given value: its quantile at that normal score.

    Parameters
    ----------
    prior
        A prior of the declarations.
    score
        Standard normal score, for instance 1.645 for the upper end of the 90 % interval.

    Returns
    -------
    float
        In the unit of the parameter, held within the bounds.

    Raises
    ------
    InvalidInput
        If the family is not known.

    Examples
    --------
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterSpace:
    """Parameters as a vector on the unbounded scale of their priors (log, normal score or the value itself).

    On that scale priors are normal, posteriors near normal, and differences need no care near 0. Bounds that are still
    finite there stay bounds of the search.

    Parameters
    ----------
    parameters
        In the order of the vector.
    priors
        One for each.

    Raises
    ------
    InvalidInput
        If lengths disagree or a key is repeated.
    """

    parameters: tuple[Parameter, ...]
    priors: tuple[Prior, ...]

    def __post_init__(self) -> None:
        if len(self.parameters) != len(self.priors):
            raise InvalidInput(
                "{count} parameters have {priors} priors", count=len(self.parameters), priors=len(self.priors)
            )
        if len(set(self.keys)) < len(self.keys):
            raise InvalidInput("a parameter is repeated in {keys}", keys=", ".join(self.keys))

    @classmethod
    def of(cls, parameters: Iterable[Parameter]) -> "ParameterSpace":
        """Make the space of some parameters.

        Parameters
        ----------
        parameters
            Declarations that carry a prior.

        Returns
        -------
        ParameterSpace
            In the order given.

        Raises
        ------
        InvalidInput
            If one has no prior.
        """
        kept = tuple(parameters)
        priors = []
        for parameter in kept:
            if parameter.prior is None:
                raise InvalidInput(
                    "parameter {name!r} cannot be estimated: it has no prior in model.toml; use `values`",
                    name=parameter.key,
                )
            priors.append(parameter.prior)
        return cls(parameters=kept, priors=tuple(priors))

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys, in the order of the vector."""
        return tuple(parameter.key for parameter in self.parameters)

    @property
    def medians(self) -> Array:
        """Prior medians in the unit of each parameter, shape (parameter,)."""
        return np.array([prior_median(prior) for prior in self.priors], dtype=float)

    @property
    def centre(self) -> Array:
        """Prior medians on the unbounded scale, shape (parameter,)."""
        return self._columns("to_unbounded", self.medians)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds on the unbounded scale, each of shape (parameter,); infinite where there is none."""
        ends = np.array([prior.unbounded_bounds for prior in self.priors], dtype=float).reshape(-1, 2)
        return ends[:, 0], ends[:, 1]

    @property
    def scale(self) -> Array:
        """Prior standard deviations on the unbounded scale, shape (parameter,)."""
        return np.array([prior.unbounded_sd for prior in self.priors], dtype=float)

    def subset(self, keys: Iterable[str]) -> "ParameterSpace":
        """Keep some parameters, in the order of this space.

        Parameters
        ----------
        keys
            Those to keep.

        Returns
        -------
        ParameterSpace
            The smaller space.

        Raises
        ------
        UnknownName
            If a key is not in this space.
        """
        wanted = set(keys)
        for key in wanted - set(self.keys):
            raise UnknownName(
                "{name!r} is not among the estimated parameters.{suggestion}",
                name=key,
                suggestion=suggest(key, self.keys),
            )
        return ParameterSpace.of(parameter for parameter in self.parameters if parameter.key in wanted)

    def to_values(self, z: Array) -> dict[str, Array]:
        """Translate vectors into values.

        Parameters
        ----------
        z
            On the unbounded scale, shape (..., parameter).

        Returns
        -------
        dict
            Key to values in the unit of the parameter, shape (...).
        """
        values = self._columns("from_unbounded", z)
        return {key: values[..., column] for column, key in enumerate(self.keys)}

    def to_vector(self, values: Mapping[str, float]) -> Array:
        """Translate values into a vector; the inverse of `to_values`.

        Parameters
        ----------
        values
            By key, in the unit of the parameter.

        Returns
        -------
        ndarray
            On the unbounded scale, shape (parameter,).

        Raises
        ------
        InvalidInput
            If a key is missing.
        """
        for key in self.keys:
            if key not in values:
                raise InvalidInput("no value is given for parameter {name!r}", name=key)
        return self._columns("to_unbounded", np.array([values[key] for key in self.keys], dtype=float))

    def prior_residuals(self, z: Array) -> Array:
        """Residual of each prior: standard normal for draws from it, so that half its square is minus its log density.

        Parameters
        ----------
        z
            On the unbounded scale, shape (..., parameter).

        Returns
        -------
        ndarray
            Dimensionless, shape of `z`.
        """
        # From the unbounded scale itself: a value at the end of its interval says no more how far out its score lies.
        return -self.scores(z) * self.scale

    def prior_slopes(self, z: Array) -> Array:
        """Slope of each prior residual on the unbounded scale: one over the prior's standard deviation there.

        Parameters
        ----------
        z
            Shape (parameter,).

        Returns
        -------
        ndarray
            Shape (parameter,).
        """
        return np.broadcast_to(1 / self.scale, np.shape(z)).copy()

    def value_slopes(self, z: Array) -> Array:
        """Slope of each value along the unbounded scale.

        Parameters
        ----------
        z
            Shape (parameter,).

        Returns
        -------
        ndarray
            Unit of each parameter, shape (parameter,).
        """
        return self._columns("unbounded_slope", self._columns("from_unbounded", z))

    def log_density(self, z: Array) -> Array:
        """Natural logarithm of the prior density of vectors, per unit of the unbounded scale.

        ``sum_k log p_k(z_k)``, each density normalised and zero past its declared bounds.

        Parameters
        ----------
        z
            Shape (..., parameter).

        Returns
        -------
        ndarray
            Shape (...); ``-inf`` where a parameter is past a bound.
        """
        return np.asarray(self._columns("unbounded_log_density", z).sum(axis=-1))

    def scores(self, z: Array) -> Array:
        """Derivatives of `log_density`.

        Parameters
        ----------
        z
            Shape (..., parameter).

        Returns
        -------
        ndarray
            Per unit of the unbounded scale, shape of `z`.
        """
        return self._columns("unbounded_score", z)

    def sample(self, rng: np.random.Generator, draws: int) -> Array:
        """Draw vectors from the prior.

        Parameters
        ----------
        rng
            Source of randomness.
        draws
            How many.

        Returns
        -------
        ndarray
            On the unbounded scale, shape (draw, parameter).
        """
        columns = [prior.to_unbounded(prior.sample(rng, draws)) for prior in self.priors]
        return np.stack(columns, axis=-1) if columns else np.zeros((draws, 0))

    def _columns(self, method: str, table: Array) -> Array:
        """Apply a method of each prior to its own column."""
        columns = [getattr(prior, method)(table[..., column]) for column, prior in enumerate(self.priors)]
        return np.stack(columns, axis=-1) if columns else np.zeros(np.shape(table))


Free = Iterable[str] | None
Values = Mapping[str, float] | None


def overrides(spec: ModelSpec, values: Values) -> dict[str, float]:
    """Check the values a user sets instead of having them estimated.

    Parameters
    ----------
    spec
        Declarations of the model.
    values
        Numbers by key or model name, for instance ``{"alpha": 0.33}`` for regions of the OECD.

    Returns
    -------
    dict
        By key.

    Raises
    ------
    UnknownName
        If there is no such parameter.
    InvalidInput
        If a value is not a number or lies outside the declared bounds.
    """
    checked: dict[str, float] = {}
    for name, value in (values or {}).items():
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


def chosen(spec: ModelSpec, *, free: Free, fixed: Iterable[str]) -> tuple[Parameter, ...]:
    """Choose the parameters a calibration moves.

    Parameters
    ----------
    spec
        Declarations of the model.
    free
        Keys or model names; None takes all that have a prior and are no policy choice.
    fixed
        Keys a user has set.

    Returns
    -------
    tuple of Parameter
        In the order of the file.

    Raises
    ------
    UnknownName
        If there is no such parameter.
    InvalidInput
        If a parameter is both free and set, or cannot be estimated.
    """
    held = set(fixed)
    if free is None:
        keys = {item.key for item in _uncertain(spec) if item.key not in held}
    else:
        keys = {spec.parameter(name).key for name in _names(free)}
        _check_free(spec, keys, held)
    return tuple(parameter for key, parameter in spec.parameters.items() if key in keys)


def _names(free: Iterable[str]) -> tuple[str, ...]:
    if isinstance(free, str):
        raise InvalidInput(
            "free must be a list of parameters, such as [{free!r}]; found the text {found!r}", free=free, found=free
        )
    return tuple(free)


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


def _uncertain(spec: ModelSpec) -> list[Parameter]:
    """Parameters with a prior that act and are no policy choice."""
    return [item for item in spec.parameters.values() if item.prior and item.role != "POL" and spec.acts(item)]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput("value of parameter {name!r} must be a number; found {found!r}", name=name, found=value)
    if not isfinite(value):
        raise InvalidInput("value of parameter {name!r} must be finite; found {found!r}", name=name, found=value)
    return float(value)
