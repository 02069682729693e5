"""From ``model.toml`` to a `ModelSpec`."""

import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pysd_runner.core.errors import InvalidInput, InvalidModel, suggest
from pysd_runner.core.paths import declarations_beside, model_file
from pysd_runner.spec.bindings import bound_keys, read_bindings
from pysd_runner.spec.declarations import (
    FALLBACK_RULES,
    RIDGE_FORMS,
    ROLES,
    USUAL_ERRORS,
    Definition,
    ErrorModel,
    FallbackRule,
    Lever,
    Measurement,
    ModelSpec,
    Outcome,
    Parameter,
    PlausibleRange,
    PolicyClass,
    Proxy,
    RegionInput,
    Ridge,
    Role,
)
from pysd_runner.spec.priors import Beta, LogNormal, Normal, Prior, Uniform
from pysd_runner.spec.tables import Table

SCHEMA = 1
# A switch that begins so is a setting of a policy, off unless a scenario writes it.
POLICY = "policy."
MONEY = "Yuan"
PRIOR_FAMILIES = ("normal", "lognormal", "beta", "uniform")

Declared = TypeVar("Declared")


def load_spec(path: str | Path) -> ModelSpec:
    """Read the declarations of a model.

    Parameters
    ----------
    path
        A ``model.toml``, schema 1.

    Returns
    -------
    ModelSpec
        Everything the file declares, in its order.

    Raises
    ------
    InvalidModel
        If the file is missing, is not TOML, has another schema, an unknown or missing key, a wrong value, or
        names that do not fit together. The message carries the path inside the file.
    """
    path = Path(path)
    return _spec(_text(path), path.name)


# Reports ask a hundred times what a model declares.
@lru_cache(maxsize=8)
def _spec(text: str, file: str) -> ModelSpec:
    """Read declarations; the same text gives the same object."""
    root = Table(_toml(text, file), f"{file}: ")
    schema = root.number("schema")
    if schema != SCHEMA:
        root.fail("schema", f"this version reads schema {SCHEMA}, found {schema:g}")
    spec = ModelSpec(
        name=root.text("name"),
        parameters=_section(root, "parameters", _parameter),
        inputs=_section(root, "inputs", _region_input),
        outcomes=_section(root, "outcomes", _outcome),
        measurements=_section(root, "measurements", _measurement),
        levers=_section(root, "levers", _lever),
        classes=_section(root, "classes", _policy_class),
        ridges=_section(root, "ridges", _ridge),
        definitions=_section(root, "definitions", _definition),
        plausible=_section(root, "plausible", _plausible),
        bindings=read_bindings(root),
    )
    root.finish()
    _check_names(spec, file)
    _check_references(spec, file)
    for parameter in spec.parameters.values():
        if parameter.switch and not parameter.switch.startswith(POLICY):
            _check_parameter(spec, f'{file}: parameters["{parameter.key}"].switch', parameter.switch)
    return spec


def load_bound_spec(model: str | Path) -> ModelSpec:
    """Read the declarations of a regional model."""
    if not binds(model):
        raise InvalidInput(
            f"{model}: no declarations with [bindings] beside the model file; take a shipped model, or a folder whose "
            "model.toml has them"
        )
    return load_spec(declarations_beside(model_file(model)))


def binds(model: str | Path) -> bool:
    """Whether declarations beside a model file tie it to panels of regions."""
    path = declarations_beside(model_file(model))
    return path.is_file() and "bindings" in parsed(path)


def schema_of(path: Path) -> Any:
    """Schema that a file of declarations says it has; None where it says nothing."""
    return parsed(path).get("schema")


def parsed(path: Path) -> dict[str, Any]:
    """Read a TOML file, not to be changed: the same text gives the same object."""
    return _toml(_text(path), path.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidModel(f"{path}: the declarations cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidModel(f"{path.name}: not valid TOML: {error}") from error


@lru_cache(maxsize=8)
def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML, or a whole number of thousands of digits
        raise InvalidModel(f"{file}: not valid TOML: {error}") from error


def _section(root: Table, name: str, read: Callable[[str, Table], Declared]) -> dict[str, Declared]:
    declared = {}
    for key, table in root.tables(name):
        declared[key] = read(key, table)
        table.finish()
    return declared


def _parameter(key: str, table: Table) -> Parameter:
    lower, upper = table.number("lower"), table.number("upper")
    value = table.number("value")
    if not lower < upper:
        table.fail("upper", f"must lie above lower = {lower:g}, found {upper:g}")
    if not lower <= value <= upper:
        table.fail("value", f"{value:g} lies outside [{lower:g}, {upper:g}]; move it or widen the bounds")
    unit = table.text("unit")
    parameter = Parameter(
        key=key,
        variable=table.text("variable", ""),
        unit=unit,
        value=value,
        lower=lower,
        upper=upper,
        prior=read_prior(table, lower, upper),
        role=cast("Role", table.word("role", ROLES)),
        sources=table.texts("sources"),
        judgement=table.flag("judgement"),
        note=table.text("note", ""),
        price_basis=_price_basis(table, unit),
        en=table.text("en"),
        zh=table.text("zh"),
        switch=table.text("switch", ""),
    )
    _check_evidence(parameter, table)
    return parameter


def _check_evidence(parameter: Parameter, table: Table) -> None:
    if not parameter.sources and not parameter.judgement:
        table.fail("sources", "a value without a source is judgement: cite a source or set judgement = true")
    if parameter.judgement and not parameter.note:
        table.fail("note", "a value that rests on judgement needs a note that says on what")
    if parameter.prior is None and parameter.role.startswith("FREE"):
        table.fail("prior", f"a {parameter.role} parameter that can be estimated needs a prior")
    if parameter.prior is not None and not parameter.prior.supports(parameter.value):
        table.fail("prior", f"gives the value {parameter.value:g} no probability")


def _price_basis(table: Table, unit: str) -> str:
    basis = table.text("price_basis", "")
    if MONEY in unit and not basis:
        table.fail("price_basis", f"is required because the unit {unit!r} holds money")
    if MONEY not in unit and basis:
        table.fail("price_basis", f"has no meaning because the unit {unit!r} holds no money")
    return basis


def read_prior(parameter: Table, lower: float, upper: float) -> Prior | None:
    """Read the prior of a parameter within its bounds; None where there is none."""
    table = parameter.table("prior")
    if table is None:
        return None
    family = table.word("family", PRIOR_FAMILIES)
    try:
        prior = _PRIOR_READERS[family](table, lower, upper)
    except InvalidModel:
        raise
    except InvalidInput as error:
        parameter.fail("prior", str(error))
    table.finish()
    return prior


def _normal(table: Table, lower: float, upper: float) -> Prior:
    return Normal(table.number("mean"), table.number("sd"), lower, upper)


def _lognormal(table: Table, lower: float, upper: float) -> Prior:
    return LogNormal(table.number("median"), table.number("sdlog"), lower, upper)


def _beta(table: Table, lower: float, upper: float) -> Prior:
    return Beta(table.number("a"), table.number("b"), *_support(table, lower, upper))


def _uniform(table: Table, lower: float, upper: float) -> Prior:
    return Uniform(*_support(table, lower, upper))


_PRIOR_READERS: dict[str, Callable[[Table, float, float], Prior]] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "beta": _beta,
    "uniform": _uniform,
}


def _support(table: Table, lower: float, upper: float) -> tuple[float, float]:
    start, end = table.number("lower", lower), table.number("upper", upper)
    if start < lower:
        table.fail("lower", f"{start:g} lies below the lower bound {lower:g} of the parameter")
    if end > upper:
        table.fail("upper", f"{end:g} lies above the upper bound {upper:g} of the parameter")
    return start, end


def _region_input(key: str, table: Table) -> RegionInput:
    unit = table.text("unit")
    proxy_table = table.table("proxy")
    rule = cast("FallbackRule", table.word("rule", FALLBACK_RULES))
    region_input = RegionInput(
        key=key,
        variable=table.text("variable"),
        unit=unit,
        panel=table.text("panel", ""),
        rule=rule,
        fallback=table.optional_number("fallback"),
        proxy=None if proxy_table is None else _proxy(proxy_table),
        lower=table.number("lower"),
        upper=table.number("upper"),
        price_basis=_price_basis(table, unit),
        note=table.text("note", ""),
        en=table.text("en"),
        zh=table.text("zh"),
    )
    if not region_input.lower < region_input.upper:
        table.fail("upper", f"must lie above lower = {region_input.lower:g}, found {region_input.upper:g}")
    if (rule == "proxy") != (region_input.proxy is not None):
        table.fail("proxy", 'goes together with rule = "proxy"')
    if rule in ("constant", "latest") and region_input.fallback is None:
        table.fail("fallback", f'is missing; rule = "{rule}" needs it')
    return region_input


def _proxy(table: Table) -> Proxy:
    proxy = Proxy(
        indicators=table.texts("indicators"),
        loading=table.text("loading"),
        of=table.text("of", ""),
        level=table.number_or_text("level"),
        cap=table.number("cap", 0.0),
    )
    table.finish()
    return proxy


def _outcome(key: str, table: Table) -> Outcome:
    return Outcome(
        key=key,
        variable=table.text("variable"),
        unit=table.text("unit"),
        en=table.text("en"),
        zh=table.text("zh"),
    )


def _measurement(key: str, table: Table) -> Measurement:
    measurement = Measurement(
        key=key,
        outcome=table.text("outcome"),
        indicators=table.texts("indicators"),
        loading=table.text("loading", ""),
        relative=table.flag("relative", False),
        increments=table.flag("increments", False),
        sd=table.number("sd"),
        national=table.text("national", ""),
        requires=table.text("requires", ""),
        note=table.text("note", ""),
        en=table.text("en"),
        zh=table.text("zh"),
        errors=read_errors(table),
        alternatives=table.texts("alternatives"),
    )
    if measurement.sd <= 0:
        table.fail("sd", f"must be positive, found {measurement.sd:g}")
    if bool(measurement.indicators) == bool(measurement.national):
        table.fail("indicators", "give either indicators by region or one national series")
    if measurement.alternatives and not measurement.national:
        table.fail("alternatives", "are other national series; the measurement is by region")
    if measurement.national and measurement.errors.scale == "region":
        table.fail("errors", 'a national series has one scale; expected scale = "series"')
    if measurement.errors.is_count:
        table.fail("errors", f"a regional panel has no counts; found family = {measurement.errors.family!r}")
    if measurement.errors.memory == "momentum" and not measurement.increments:
        table.fail("errors", 'memory = "momentum" is for yearly changes; expected increments = true')
    return measurement


def read_errors(measurement: Table) -> ErrorModel:
    """Read how the errors of a measurement are distributed; the usual ones where nothing is said."""
    table = measurement.table("errors")
    if table is None:
        return USUAL_ERRORS
    words = {name: table.text(name, getattr(USUAL_ERRORS, name)) for name in ("family", "memory", "scale")}
    degrees, known = table.number("degrees", USUAL_ERRORS.degrees), table.flag("known", USUAL_ERRORS.known)
    try:
        errors = ErrorModel(**words, degrees=degrees, known=known)
    except InvalidInput as error:
        measurement.fail("errors", str(error))
    table.finish()
    return errors


def _lever(key: str, table: Table) -> Lever:
    return Lever(key=key, element=table.text("element"), en=table.text("en"), zh=table.text("zh"))


def _definition(key: str, table: Table) -> Definition:
    return Definition(key=key, en=table.text("en"), zh=table.text("zh"))


def _plausible(key: str, table: Table) -> PlausibleRange:
    found = PlausibleRange(
        key=key,
        lower=table.number("lower"),
        upper=table.number("upper"),
        sources=table.texts("sources"),
        note=table.text("note"),
        en=table.text("en"),
        zh=table.text("zh"),
    )
    if not found.lower < found.upper:
        table.fail("upper", f"must lie above lower = {found.lower:g}, found {found.upper:g}")
    return found


def _ridge(key: str, table: Table) -> Ridge:
    form = table.word("form", tuple(RIDGE_FORMS))
    ridge = Ridge(
        key=key,
        form=form,
        keys=table.texts("keys"),
        reference=table.number("reference", 1.0),
        en=table.text("en"),
        zh=table.text("zh"),
    )
    if len(ridge.keys) != RIDGE_FORMS[form]:
        table.fail("keys", f"a {form} has {RIDGE_FORMS[form]} parameters, found {len(ridge.keys)}")
    if not ridge.reference > 0:
        table.fail("reference", f"must be positive, found {ridge.reference:g}")
    return ridge


def _policy_class(key: str, table: Table) -> PolicyClass:
    return PolicyClass(key=key, element=table.text("element"), en=table.text("en"), zh=table.text("zh"))


def _check_names(spec: ModelSpec, file: str) -> None:
    """Keys and model names must lead to one declaration each, whatever their case."""
    sections: dict[str, Mapping[str, Any]] = {
        "parameters": spec.parameters,
        "inputs": spec.inputs,
        "outcomes": spec.outcomes,
    }
    first: dict[str, str] = {}
    for section, declared in sections.items():
        for key, item in declared.items():
            for name in filter(None, {key.casefold(), item.variable.casefold()}):
                place = f'{section}["{key}"]'
                if name in first and first[name] != place:
                    raise InvalidModel(f"{file}: {place}: {name!r} is already used by {first[name]}")
                first[name] = place


def _check_references(spec: ModelSpec, file: str) -> None:
    for measurement in spec.measurements.values():
        _check_loading(spec, f'{file}: measurements["{measurement.key}"]', measurement.loading)
        if measurement.alternatives:
            for series in (measurement.national, *measurement.alternatives):
                if series not in spec.definitions:
                    place = f'{file}: measurements["{measurement.key}"].alternatives'
                    raise InvalidModel(f"{place}: no definition {series!r}.{suggest(series, spec.definitions)}")
    _check_bindings(spec, file)
    for ridge in spec.ridges.values():
        for key in ridge.keys:
            _check_parameter(spec, f'{file}: ridges["{ridge.key}"].keys', key)
    for region_input in spec.inputs.values():
        if region_input.proxy is not None:
            place, proxy = f'{file}: inputs["{region_input.key}"].proxy', region_input.proxy
            _check_loading(spec, place, proxy.loading)
            if isinstance(proxy.level, str):
                _check_parameter(spec, f"{place}.level", proxy.level)


def _check_bindings(spec: ModelSpec, file: str) -> None:
    if spec.bindings is None:
        return
    for meaning, key in bound_keys(spec.bindings.parameters):
        _check_parameter(spec, f"{file}: bindings.parameters.{meaning}", key)
    for meaning, key in bound_keys(spec.bindings.inputs):
        if key not in spec.inputs:
            raise InvalidModel(f"{file}: bindings.inputs.{meaning}: no input {key!r}.{suggest(key, spec.inputs)}")


def _check_loading(spec: ModelSpec, place: str, loading: str) -> None:
    if loading:
        _check_parameter(spec, f"{place}.loading", loading)


def _check_parameter(spec: ModelSpec, place: str, key: str) -> None:
    if key not in spec.parameters:
        raise InvalidModel(f"{place}: no parameter {key!r}.{suggest(key, spec.parameters)}")
