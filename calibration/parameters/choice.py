"""Which parameters of a model a calibration on a panel may move, and which a user has set."""

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Real

from pysd_runner.core.errors import InvalidInput
from pysd_runner.spec import ModelSpec, Parameter

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
