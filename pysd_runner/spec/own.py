"""Declarations beside a model of one's own: everything is optional, the model file fills in what is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pysd_runner.core.errors import InvalidInput, InvalidModel, suggest
from pysd_runner.spec.declarations import DIRECTIONS, ROLES, Lever, ModelSpec, Observation, Outcome, Parameter, Role
from pysd_runner.spec.load import parsed, read_errors, read_prior
from pysd_runner.spec.tables import Table
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


def load_own_spec(path: str | Path, facts: Mapping[str, Fact], variables: Mapping[str, str]) -> ModelSpec:
    """Read the declarations that stand beside a model of one's own."""
    path = Path(path)
    root = Table(parsed(path), f"{path.name}: ")
    schema = root.number("schema")
    if schema != SCHEMA:
        root.fail("schema", f"declarations of a model of your own have schema {SCHEMA}, found {schema:g}")
    name = root.text("name", path.stem)
    known = {loose(item): fact for item, fact in facts.items()}
    parameters = {}
    for given, table in root.tables("parameters"):
        fact = known.get(loose(given))
        if fact is None:
            near = suggest(given, facts)
            raise InvalidModel(f'{path.name}: parameters["{given}"]: the model has no such constant or stock.{near}')
        parameters[fact.name] = _parameter(fact, table)
        table.finish()
    observations = {}
    for given, table in root.tables("measurements"):
        observations[given] = _observation(given, table)
        table.finish()
    outcomes = {}
    for given, table in root.tables("outcomes"):
        outcome = _outcome(given, table, variables, path.name)
        outcomes[outcome.key] = outcome
        table.finish()
    levers = {}
    for given, table in root.tables("levers"):
        lever = _lever(given, table, known, path.name)
        levers[lever.key] = lever
        table.finish()
    budget = _budget(root)
    root.finish()
    return ModelSpec(
        name=name,
        parameters=parameters,
        inputs={},
        outcomes=outcomes,
        measurements={},
        levers=levers,
        classes={},
        observations=observations,
        budget=budget,
    )


def _parameter(fact: Fact, table: Table) -> Parameter:
    value = table.optional_number("value")
    value = fact.value if value is None else value
    if value is None:
        table.fail("value", f"is missing: {fact.name!r} is computed from other numbers in the model file")
    ends = (table.optional_number("lower"), table.optional_number("upper"))
    ends = tuple(
        end if end is not None else limit for end, limit in zip(ends, fact.limits or (None, None), strict=True)
    )  # type: ignore[assignment]
    limits = cast("tuple[float, ...]", ends) if all(end is not None for end in ends) else ()
    label = table.text("label", fact.label)
    role = cast("Role", table.word("role", ROLES)) if table.has("role") else "FREE"
    try:
        if table.has("prior"):
            size = max(abs(value), 1.0) * 1000
            lower = -size if ends[0] is None else ends[0]
            upper = size if ends[1] is None else ends[1]
            prior = read_prior(table, lower, upper)
            base = weak_parameter(fact.name, value=value or 1.0, unit=fact.unit, label=label)
            words = "" if prior is None else prior_words(prior)
            found = replace(base, value=value, prior=prior, lower=lower, upper=upper, note=f"declared: {words}")
        else:
            found = weak_parameter(fact.name, value=value, unit=fact.unit, limits=limits, label=label)
    except InvalidModel:
        raise
    except InvalidInput as error:
        table.fail("prior", str(error))
    if not found.lower <= found.value <= found.upper:
        table.fail("value", f"{found.value:g} lies outside [{found.lower:g}, {found.upper:g}]")
    return replace(found, role=role)


def _observation(key: str, table: Table) -> Observation:
    try:
        return Observation(
            column=table.text("column", key),
            outcome=table.text("outcome"),
            scale=table.text("scale", "auto"),
            kind=table.text("kind", "level"),
            errors=read_errors(table),
            sd=table.optional_number("sd"),
        )
    except InvalidModel:
        raise
    except InvalidInput as error:
        table.fail("outcome", str(error))


def _outcome(name: str, table: Table, variables: Mapping[str, str], file: str) -> Outcome:
    known = {loose(item): item for item in variables}
    variable = table.text("variable", name)
    if loose(variable) not in known:
        raise InvalidModel(f'{file}: outcomes["{name}"]: the model has no such variable.{suggest(variable, variables)}')
    variable = known[loose(variable)]
    better = table.text("better", "")
    if better not in DIRECTIONS:
        table.fail("better", f"expected 'higher' or 'lower', or nothing; found {better!r}")
    label = table.text("label", variable)
    return Outcome(key=variable, variable=variable, unit=variables[variable], en=label, zh=label, better=better)


def _lever(name: str, table: Table, known: Mapping[str, Fact], file: str) -> Lever:
    constant = table.text("constant", name)
    fact = known.get(loose(constant))
    if fact is None:
        near = suggest(constant, [item.name for item in known.values()])
        raise InvalidModel(f'{file}: levers["{name}"]: the model has no such constant.{near}')
    off = table.optional_number("off")
    off = fact.value if off is None else off
    if off is None:
        table.fail("off", f"is missing: {fact.name!r} is computed from other numbers in the model file")
    upper, cost = table.optional_number("upper"), table.number("cost", 1.0)
    if upper is None and len(fact.limits) > 1:
        upper = fact.limits[1]
    if upper is not None and not upper > off:
        table.fail("upper", f"must lie above {off:g}, its value when it is off; found {upper:g}")
    if not cost > 0:
        table.fail("cost", f"must be positive; found {cost:g}")
    label = table.text("label", fact.label or fact.name)
    return Lever(key=name, element=fact.name, en=label, zh=label, off=off, upper=upper, cost=cost)


def _budget(root: Table) -> float | None:
    table = root.table("budget")
    if table is None:
        return None
    total = table.number("total")
    if not total > 0:
        table.fail("total", f"must be positive; found {total:g}")
    table.finish()
    return total
