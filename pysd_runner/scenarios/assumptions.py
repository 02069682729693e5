"""Assumptions against a model: which constant is meant, and whether the value is within its bounds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pysd_runner.core.errors import UnknownName
from pysd_runner.scenarios.vocabulary import ScenarioModel, policy_variables


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a model says about one assumption."""

    key: str  # as written in the scenario
    variable: str = ""  # the constant that is meant; empty if there is none
    error: str = ""
    warning: str = ""
    remedy: str = ""


def examine(assumptions: Mapping[str, float], model: ScenarioModel) -> Iterator[Finding]:
    """Look every assumption up in a model."""
    seen: dict[str, str] = {}
    for key, value in assumptions.items():
        finding = _examine_one(key, value, model)
        if finding.variable and finding.variable in seen:
            other = seen[finding.variable]
            finding = Finding(key=key, error=f"the same constant as {other!r}; write it once")
        elif finding.variable:
            seen[finding.variable] = key
        yield finding


def _examine_one(key: str, value: float, model: ScenarioModel) -> Finding:
    try:
        name = model.find(key)
    except UnknownName as unknown:
        return Finding(key=key, error=str(unknown))
    if not name:
        return Finding(key=key, error="belongs to the measurement equations; no simulation depends on it")
    home = next((setting for setting, variable in policy_variables(model).items() if variable == name), None)
    if home is not None:
        error = f"{name!r} is policy, not an assumption"
        return Finding(key=key, error=error, remedy=f"Write `policy.{home}`.")
    kind = model.variables[name].kind if name in model.variables else "internal"
    if kind != "constant":
        return Finding(key=key, error=f"{name!r} is not a constant ({kind}); only constants can be assumed")
    return Finding(key=key, variable=name, warning=_out_of_bounds(name, value, model))


def _out_of_bounds(name: str, value: float, model: ScenarioModel) -> str:
    parameters = model.spec.parameters.values() if model.spec is not None else ()
    for parameter in parameters:
        if parameter.variable == name and not parameter.lower <= value <= parameter.upper:
            return (
                f"{value:g} {parameter.unit} lies outside the bounds of {name!r}, "
                f"{parameter.lower:g} to {parameter.upper:g}"
            )
    return ""
