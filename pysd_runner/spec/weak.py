"""Parameters of a model that nobody declared: weak beliefs from what its file says, and how they are kept."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any, cast

from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec.declarations import ROLES, Parameter, Role
from pysd_runner.spec.priors import FAMILIES, Beta, LogNormal, Normal, Prior, Uniform

# Standard deviation of the logarithm: nine times in ten between a fifth and five times the value of the file.
SDLOG = 1.0
# Without limits an estimate may be this many times larger or smaller than the file's value.
FARTHEST = 1000.0


def weak_parameter(
    key: str, *, value: float, unit: str = "", limits: tuple[float, ...] = (), label: str = "", variable: str = ""
) -> Parameter:
    """Declare a number of a model file with a weakly informative prior.

    A share of one (limits 0 and 1) is uniform. A positive number is lognormal about its value with a standard deviation
    of one in the logarithm, nine times in ten within a factor of five; any other number is normal, with the standard
    deviation of its own size or, where the file gives limits, of a quarter of their distance. Limits are bounds.

    Parameters
    ----------
    key
        How it is called.
    value
        As in the file.
    unit, label
        Unit and meaning as in the file.
    limits
        Lower and upper end, or none.
    variable
        Name in the model file with its element; empty for `key`.

    Returns
    -------
    Parameter
        To be estimated; its note says where the prior comes from.

    Raises
    ------
    InvalidInput
        If the value is zero or not finite and there are no limits to tell a scale.

    Examples
    --------
    >>> weak_parameter("Duration", value=4.0, unit="day").prior
    LogNormal(median=4.0, sdlog=1.0, lower=0.004, upper=4000.0)
    """
    if not isfinite(value):
        raise InvalidInput(f"{key!r} is {value} in the model file; declare its value, bounds and prior")
    prior = _prior(key, value, limits)
    return Parameter(
        key=key,
        variable=variable or key,
        unit=unit or "Dmnl",
        value=value,
        lower=prior.lower,
        upper=prior.upper,
        prior=prior,
        role="FREE",
        sources=(),
        judgement=True,
        note=f"weakly informative: {prior_words(prior)}, from the {'limits' if limits else 'value'} in the model file",
        price_basis="",
        en=label or key,
        zh=label or key,
    )


def _prior(key: str, value: float, limits: tuple[float, ...]) -> Normal | LogNormal | Uniform:
    lower, upper = limits or (None, None)
    if lower == 0 and upper == 1:
        return Uniform(0.0, 1.0)
    if value > 0 and (lower is None or lower >= 0):
        low, high = (value / FARTHEST, value * FARTHEST) if lower is None or upper is None else (lower, upper)
        if low < value < high:
            return LogNormal(value, SDLOG, low, high)
    if lower is not None and upper is not None:
        middle = value if lower < value < upper else (lower + upper) / 2
        return Normal(middle, (upper - lower) / 4, lower, upper)
    if value == 0:
        raise InvalidInput(
            f"{key!r} is 0 in the model file, which gives no limits: nothing tells how large it may be. Give it limits "
            f'in the file, or a prior: priors={{{key!r}: LogNormal(1, 1)}} or [parameters."{key}"] in the declarations'
        )
    size = abs(value)
    return Normal(value, size, value - FARTHEST * size, value + FARTHEST * size)


def prior_words(prior: Prior) -> str:
    """A prior in words.

    Parameters
    ----------
    prior
        One of the families that can be declared.

    Examples
    --------
    >>> prior_words(LogNormal(4.0, 1.0))
    'lognormal, median 4, standard deviation of the logarithm 1'
    """
    if isinstance(prior, LogNormal):
        return f"lognormal, median {prior.median:g}, standard deviation of the logarithm {prior.sdlog:g}"
    if isinstance(prior, Normal):
        return f"normal, mean {prior.mean:g}, standard deviation {prior.sd:g}"
    if isinstance(prior, Uniform):
        return f"uniform from {prior.lower:g} to {prior.upper:g}"
    assert isinstance(prior, Beta)  # noqa: S101
    return f"beta ({prior.a:g}, {prior.b:g}) from {prior.lower:g} to {prior.upper:g}"


def with_prior(parameter: Parameter, prior: Prior) -> Parameter:
    """The same parameter with a prior of the caller's own, whose bounds become its bounds where they are finite."""
    from dataclasses import replace

    lower, upper = (getattr(prior, name) for name in ("lower", "upper"))
    size = max(abs(parameter.value), 1.0) * FARTHEST
    lower, upper = (lower if isfinite(lower) else -size), (upper if isfinite(upper) else size)
    return replace(
        parameter, prior=prior, lower=lower, upper=upper, note=f"declared: {prior_words(prior)}", judgement=True
    )


def record_of(parameter: Parameter) -> dict[str, Any]:
    """A declaration as JSON can hold it, for a fit that is read where the declarations are not at hand."""
    content = {**asdict(parameter), "sources": list(parameter.sources)}
    prior = parameter.prior
    family = next((name for name, kind in FAMILIES.items() if isinstance(prior, kind)), None)
    if prior is None or family is None:
        return {**content, "prior": None}
    numbers = {name: getattr(prior, name) for name in type(prior).__dataclass_fields__}  # type: ignore[attr-defined]
    # JSON has no infinity: an end that is missing is one.
    finite = {name: value for name, value in numbers.items() if isfinite(value)}
    return {**content, "prior": {"family": family, **finite}}


def parameter_of(record: Mapping[str, Any]) -> Parameter:
    """The declaration `record_of` wrote."""
    try:
        content = dict(record)
        prior = content.pop("prior")
        numbers = dict(prior or {})
        family = numbers.pop("family", None)
        role = content.pop("role")
        if role not in ROLES:
            raise InvalidInput(f"role: unknown word {role!r}")
        found = None if family is None else FAMILIES[family](**numbers)
        return Parameter(**{**content, "sources": tuple(content["sources"])}, prior=found, role=cast("Role", role))
    except (TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"the declarations kept with a fit cannot be read: {error}; calibrate again") from error
