"""Declarations beside a model of one's own: everything is optional, the model file fills in what is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pysd_runner.core.declared import Fail, Reader, fail_at
from pysd_runner.core.errors import InvalidInput, InvalidModel, suggest
from pysd_runner.spec.declarations import DIRECTIONS, Lever, ModelSpec, Observation, Outcome, Parameter, Role
from pysd_runner.spec.load import parsed, read_prior, without_schema
from pysd_runner.spec.weak import prior_words, weak_parameter

SCHEMA = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """What a model file says of one of its numbers."""

    name: str
    value: float | None
    unit: str = ""
    label: str = ""
    limits: tuple[float, ...] = ()


def loose(name: str) -> str:
    """Form of a name in which case, spaces and underscores do not matter."""
    return " ".join(name.casefold().replace("_", " ").split())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Number:
    """What may be declared of a number of the model file."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    label: str = ""
    role: Role = "FREE"
    prior: dict | None = None  # type: ignore[type-arg]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What may be declared of a variable that is looked at."""

    variable: str = ""
    better: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    """What may be declared of a constant that a policy sets."""

    constant: str = ""
    off: float | None = None
    upper: float | None = None
    cost: float = 1.0
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Budget:
    total: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Declarations:
    """The whole file."""

    name: str = ""
    parameters: Mapping[str, _Number] = field(default_factory=dict)
    measurements: Mapping[str, Observation] = field(default_factory=dict)
    outcomes: Mapping[str, _Seen] = field(default_factory=dict)
    levers: Mapping[str, _Setting] = field(default_factory=dict)
    budget: _Budget | None = None


def load_own_spec(path: str | Path, facts: Mapping[str, Fact], variables: Mapping[str, str]) -> ModelSpec:
    """Read the declarations that stand beside a model of one's own."""
    path = Path(path)
    place = f"{path.name}: "
    content = without_schema(parsed(path), place, SCHEMA, "declarations of a model of your own have")
    declared = _READER.read(_Declarations, _with_columns(content), place)
    known = {loose(item): fact for item, fact in facts.items()}

    def fact_of(name: str, where: str, what: str) -> Fact:
        found = known.get(loose(name))
        if found is None:
            raise InvalidModel(f"{where}: the model has no such {what}.{suggest(name, facts)}")
        return found

    parameters = {}
    for given, number in declared.parameters.items():
        where = f'{path.name}: parameters["{given}"]'
        fact = fact_of(given, where, "constant or stock")
        parameters[fact.name] = _parameter(fact, number, where)
    outcomes = [_outcome(given, seen, variables, path.name) for given, seen in declared.outcomes.items()]
    levers = {}
    for given, setting in declared.levers.items():
        where = f'{path.name}: levers["{given}"]'
        levers[given] = _lever(given, fact_of(setting.constant or given, where, "constant"), setting, fail_at(where))
    return ModelSpec(
        name=declared.name or path.stem,
        parameters=parameters,
        outcomes={outcome.key: outcome for outcome in outcomes},
        levers=levers,
        observations=declared.measurements,
        budget=None if declared.budget is None else declared.budget.total,
    )


def _with_columns(content: dict[str, Any]) -> dict[str, Any]:
    """A measurement is of the column that is called like it, unless it says another."""
    measurements = content.get("measurements")
    if not isinstance(measurements, dict):
        return content
    named = {key: {"column": key, **item} if isinstance(item, dict) else item for key, item in measurements.items()}
    return {**content, "measurements": named}


def _parameter(fact: Fact, said: _Number, where: str) -> Parameter:
    value = fact.value if said.value is None else said.value
    if value is None:
        fail_at(where)("value", f"is missing: {fact.name!r} is computed from other numbers in the model file")
    lower, upper = (
        limit if end is None else end
        for end, limit in zip((said.lower, said.upper), fact.limits or (None, None), strict=True)
    )
    label = said.label or fact.label
    try:
        if said.prior is not None:
            size = max(abs(value), 1.0) * 1000
            lower, upper = -size if lower is None else lower, size if upper is None else upper
            prior = read_prior(said.prior, f"{where}.prior", lower, upper)
            base = weak_parameter(fact.name, value=value or 1.0, unit=fact.unit, label=label)
            note = f"declared: {prior_words(prior)}"
            found = replace(base, value=value, prior=prior, lower=lower, upper=upper, note=note)
        else:
            limits = () if lower is None or upper is None else (lower, upper)
            found = weak_parameter(fact.name, value=value, unit=fact.unit, limits=limits, label=label)
    except InvalidModel:
        raise
    except InvalidInput as error:
        fail_at(where)("prior", str(error))
    if not found.lower <= found.value <= found.upper:
        fail_at(where)("value", f"{found.value:g} lies outside [{found.lower:g}, {found.upper:g}]")
    return replace(found, role=said.role)


def _outcome(name: str, seen: _Seen, variables: Mapping[str, str], file: str) -> Outcome:
    known = {loose(item): item for item in variables}
    variable = seen.variable or name
    if loose(variable) not in known:
        raise InvalidModel(f'{file}: outcomes["{name}"]: the model has no such variable.{suggest(variable, variables)}')
    variable = known[loose(variable)]
    label = seen.label or variable
    return Outcome(key=variable, variable=variable, unit=variables[variable], en=label, zh=label, better=seen.better)


def _lever(name: str, fact: Fact, setting: _Setting, fail: Fail) -> Lever:
    off = fact.value if setting.off is None else setting.off
    if off is None:
        fail("off", f"is missing: {fact.name!r} is computed from other numbers in the model file")
    upper = fact.limits[1] if setting.upper is None and len(fact.limits) > 1 else setting.upper
    if upper is not None and not upper > off:
        fail("upper", f"must lie above {off:g}, its value when it is off; found {upper:g}")
    label = setting.label or fact.label or fact.name
    return Lever(key=name, element=fact.name, en=label, zh=label, off=off, upper=upper, cost=setting.cost)


def _check_setting(setting: _Setting, fail: Fail) -> None:
    if not setting.cost > 0:
        fail("cost", f"must be positive; found {setting.cost:g}")


def _check_seen(seen: _Seen, fail: Fail) -> None:
    if seen.better not in DIRECTIONS:
        fail("better", f"expected 'higher' or 'lower', or nothing; found {seen.better!r}")


def _check_budget(budget: _Budget, fail: Fail) -> None:
    if not budget.total > 0:
        fail("total", f"must be positive; found {budget.total:g}")


_READER = Reader(checks={_Setting: _check_setting, _Seen: _check_seen, _Budget: _check_budget})
