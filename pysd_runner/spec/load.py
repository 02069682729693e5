"""Read the declarations of a model from ``model.toml`` into a `ModelSpec`."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import InvalidInput, InvalidModel, Message, of_parser, suggest
from pysd_runner.core.paths import declarations_beside, model_file
from pysd_runner.core.types import Record
from pysd_runner.spec.bindings import Bindings, bound_keys, check_bindings
from pysd_runner.spec.declarations import (
    RIDGE_FORMS,
    DeclaredLever,
    Measurement,
    ModelSpec,
    Parameter,
    PlausibleRange,
    RegionInput,
    Ridge,
)
from pysd_runner.spec.design import MONEY, PLAIN, REGIONAL, StudyDesign
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.spec.priors import FAMILIES, Beta, Prior, Uniform
from pysd_runner.spec.reader import Fail, Reader, checked, fail_at, inside

SCHEMA = 1
# Prefix of switches that are policy settings, which are off unless a scenario uses them.
POLICY = "policy."


def load_spec(path: str | Path) -> ModelSpec:
    """Read the declarations of a model.

    Parameters
    ----------
    path
        A ``model.toml``, schema 1.

    Returns
    -------
    ModelSpec
        All declarations, in the order of the file.

    Raises
    ------
    InvalidModel
        If the file is missing, is not TOML, has another schema, an unknown or missing key, an invalid value, or
        inconsistent names. The message contains the path inside the file.
    """
    path = Path(path)
    return _spec(_text(path), path.name)


# Cached, as reports read the declarations many times.
@lru_cache(maxsize=8)
def _spec(text: str, file: str) -> ModelSpec:
    """Parse declarations; cached by the text of the file."""
    place = f"{file}: "
    spec = READER.read(ModelSpec, without_schema(_toml(text, file), place, SCHEMA), place, without=OTHERS)
    _check_names(spec, file)
    _check_references(spec, file)
    for parameter in spec.parameters.values():
        if parameter.switch and not parameter.switch.startswith(POLICY):
            _check_known(spec, f'{file}: parameters["{parameter.key}"].switch', parameter.switch)
    return spec


def load_bound_spec(model: str | Path) -> ModelSpec:
    """Read the declarations of a regional model; raises if they have no bindings."""
    if not binds(model):
        raise InvalidInput(
            "{model}: no declarations with [bindings] beside the model file; take a shipped model, or a folder whose "
            "model.toml has them",
            model=model,
        )
    return load_spec(declarations_beside(model_file(model)))


def regional_spec(model: str | Path, name: str) -> ModelSpec:
    """Declarations of a model file that bind it to regions; empty ones by a name if there are none."""
    return load_bound_spec(model) if binds(model) else ModelSpec(name=name)


def binds(model: str | Path) -> bool:
    """Whether the declarations of a model file have bindings to panels of regions."""
    path = declarations_beside(model_file(model))
    return path.is_file() and "bindings" in parsed(path)


def design_at(model: str | Path | None) -> StudyDesign:
    """The design of the study of a model file, or of the shipped one, before the model is read."""
    return REGIONAL if model is None or binds(model) else PLAIN


def schema_of(path: Path) -> Any:
    """Schema version stated in a declarations file, or None."""
    return parsed(path).get("schema")


def parsed(path: Path, what: str = "declarations") -> Record:
    """Read a TOML file; the result is cached and must not be modified."""
    return _toml(_text(path, what), path.name)


def _text(path: Path, what: str = "declarations") -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidModel("{path}: the {what} cannot be read", path=path, what=Message(what)) from error
    except ValueError as error:
        raise InvalidModel("{file}: not readable as TOML: {reason}", file=path.name, reason=of_parser(error)) from error


@lru_cache(maxsize=8)
def _toml(text: str, file: str) -> Record:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # invalid TOML, or an integer with too many digits
        raise InvalidModel("{file}: not readable as TOML: {reason}", file=file, reason=of_parser(error)) from error


_READS = Message("this version reads")


def without_schema(content: Record, place: str, schema: int, says: Message = _READS) -> dict[str, Any]:
    """Content of a file without its schema; raises if the schema is another one."""
    rest = dict(content)
    if "schema" not in rest:
        fail_at(place)("schema", Message("is missing"))
    found = Reader().value(float, rest.pop("schema"), inside(place, "schema"))
    if found != schema:
        fail_at(place)(
            "schema", Message("{says} schema {schema}, found {found:g}", says=says, schema=schema, found=found)
        )
    return rest


def read_prior(given: Any, place: str, lower: float, upper: float) -> Prior:
    """Read the prior of a parameter within its bounds."""
    content = Reader().value(dict, given, place)
    if "family" not in content:
        fail_at(place)("family", Message("is missing"))
    kind = FAMILIES[checked(content["family"], {"enum": tuple(FAMILIES)}, inside(place, "family"))]
    numbers = {key: value for key, value in content.items() if key != "family"}
    if kind not in (Beta, Uniform):
        return Reader().read(kind, numbers, place, lower=lower, upper=upper)
    prior = Reader().read(kind, {"lower": lower, "upper": upper, **numbers}, place)
    fail = fail_at(place)
    if prior.lower < lower:
        fail(
            "lower",
            Message("{found:g} lies below the lower bound {lower:g} of the parameter", found=prior.lower, lower=lower),
        )
    if prior.upper > upper:
        fail(
            "upper",
            Message("{found:g} lies above the upper bound {upper:g} of the parameter", found=prior.upper, upper=upper),
        )
    return prior


def _prior_of(given: Any, place: str, parameter: Record) -> Prior | None:
    lower, upper = parameter["lower"], parameter["upper"]
    # Bounds in the wrong order are reported by the check of the parameter.
    return read_prior(given, place, lower, upper) if lower < upper else None


def _check_parameter(item: Parameter, fail: Fail) -> None:
    _check_order(item, fail)
    if not item.lower <= item.value <= item.upper:
        fail(
            "value",
            Message(
                "{value:g} lies outside [{lower:g}, {upper:g}]; move it or widen the bounds",
                value=item.value,
                lower=item.lower,
                upper=item.upper,
            ),
        )
    _check_price_basis(item, fail)
    if not item.sources and not item.judgement:
        fail("sources", Message("a value without a source is judgement: cite a source or set judgement = true"))
    if item.judgement and not item.note:
        fail("note", Message("a value that rests on judgement needs a note that says on what"))
    if item.prior is None and item.role.startswith("FREE"):
        fail("prior", Message("a {role} parameter that can be estimated needs a prior", role=item.role))
    if item.prior is not None and not item.prior.supports(item.value):
        fail("prior", Message("gives the value {value:g} no probability", value=item.value))


def _check_order(item: Parameter | RegionInput | PlausibleRange, fail: Fail) -> None:
    if not item.lower < item.upper:
        fail("upper", Message("must lie above lower = {lower:g}, found {upper:g}", lower=item.lower, upper=item.upper))


def _check_price_basis(item: Parameter | RegionInput, fail: Fail) -> None:
    if MONEY in item.unit and not item.price_basis:
        fail("price_basis", Message("is required because the unit {unit!r} holds money", unit=item.unit))
    if MONEY not in item.unit and item.price_basis:
        fail("price_basis", Message("has no meaning because the unit {unit!r} holds no money", unit=item.unit))


def _check_input(item: RegionInput, fail: Fail) -> None:
    _check_price_basis(item, fail)
    _check_order(item, fail)
    if (item.rule == "proxy") != (item.proxy is not None):
        fail("proxy", Message('goes together with rule = "proxy"'))
    if item.rule in ("constant", "latest") and item.fallback is None:
        fail("fallback", Message('is missing; rule = "{rule}" needs it', rule=item.rule))


def check_measurement(item: Measurement, fail: Fail) -> None:
    """Check the outcome of a measurement, and that its errors can be computed."""
    if item.sd <= 0:
        fail("sd", Message("must be positive; found {found:g}", found=item.sd))
    if bool(item.indicators) == bool(item.national):
        fail("indicators", Message("give either indicators by region or one national series"))
    if item.alternatives and not item.national:
        fail("alternatives", Message("are other national series; the measurement is by region"))
    if item.national and item.errors.scale == "region":
        fail("errors", Message('a national series has one scale; expected scale = "series"'))
    if item.errors.is_count:
        fail("errors", Message("a regional panel has no counts; found family = {family!r}", family=item.errors.family))
    if item.errors.memory == "momentum" and not item.increments:
        fail("errors", Message('memory = "momentum" is for yearly changes; expected increments = true'))


def check_evidence(item: EvidenceTerm, fail: Fail) -> None:
    """Check the years and the interval of an evidence term."""
    if len(item.after) != 2 or not 0 < item.after[0] <= item.after[1]:
        fail(
            "after", Message("expected the first and last year, such as [1, 3]; found {found}", found=list(item.after))
        )
    if len(item.pooled) not in (0, 3):
        fail("pooled", Message("expected centre, low and high, or nothing; found {found}", found=list(item.pooled)))
    if other := sorted(set(item.direct) - set(item.rows)):
        fail("direct", Message("expected some of the rows; found {found}", found=other))
    if not item.low < item.centre < item.high:
        fail(
            "centre",
            Message(
                "must lie between low and high; found {low:g}, {centre:g}, {high:g}",
                low=item.low,
                centre=item.centre,
                high=item.high,
            ),
        )
    if item.family == "lognormal" and item.low <= 0:
        fail("low", Message("must be positive for a lognormal; found {found:g}", found=item.low))
    if not item.scenario and item.raises is None:
        fail("scenario", Message("is missing: an experiment spends money, changes constants or raises a variable"))


def _check_ridge(item: Ridge, fail: Fail) -> None:
    if len(item.keys) != RIDGE_FORMS[item.form]:
        fail(
            "keys",
            Message(
                "a {name} has {count} parameters, found {found}",
                name=item.form,
                count=RIDGE_FORMS[item.form],
                found=len(item.keys),
            ),
        )
    if not item.reference > 0:
        fail("reference", Message("must be positive; found {found:g}", found=item.reference))


def _check_lever(item: DeclaredLever, fail: Fail) -> None:
    for key, usual in (("off", 0.0), ("to", None), ("cost", 1.0)):
        if getattr(item, key) != usual:
            fail(key, Message("is one of levers of models without regions; here levers share a budget by their mix"))


READER = Reader(
    checks={
        Bindings: check_bindings,
        DeclaredLever: _check_lever,
        EvidenceTerm: check_evidence,
        Measurement: check_measurement,
        Parameter: _check_parameter,
        PlausibleRange: _check_order,
        RegionInput: _check_input,
        Ridge: _check_ridge,
    },
    readers={Prior: _prior_of},
)
# Declarations that only models without regions have.
OTHERS = ("observations", "budget", "study")


def _check_names(spec: ModelSpec, file: str) -> None:
    """Check that keys and model names are unique, ignoring case."""
    sections: dict[str, Record] = {"parameters": spec.parameters, "inputs": spec.inputs, "outcomes": spec.outcomes}
    first: dict[str, str] = {}
    for section, declared in sections.items():
        for key, item in declared.items():
            for name in filter(None, {key.casefold(), item.variable.casefold()}):
                place = f'{section}["{key}"]'
                if name in first and first[name] != place:
                    raise InvalidModel(
                        "{file}: {place}: {name!r} is already used by {first}",
                        file=file,
                        place=place,
                        name=name,
                        first=first[name],
                    )
                first[name] = place


def _check_references(spec: ModelSpec, file: str) -> None:
    for measurement in spec.measurements.values():
        _check_loading(spec, f'{file}: measurements["{measurement.key}"]', measurement.loading)
        if measurement.alternatives:
            for series in (measurement.national, *measurement.alternatives):
                if series not in spec.definitions:
                    place = f'{file}: measurements["{measurement.key}"].alternatives'
                    raise InvalidModel(
                        "{place}: no definition {series!r}.{suggestion}",
                        place=place,
                        series=series,
                        suggestion=suggest(series, spec.definitions),
                    )
    _check_bindings(spec, file)
    for ridge in spec.ridges.values():
        for key in ridge.keys:
            _check_known(spec, f'{file}: ridges["{ridge.key}"].keys', key)
    for region_input in spec.inputs.values():
        if region_input.proxy is not None:
            place, proxy = f'{file}: inputs["{region_input.key}"].proxy', region_input.proxy
            _check_loading(spec, place, proxy.loading)
            if isinstance(proxy.level, str):
                _check_known(spec, f"{place}.level", proxy.level)


def _check_bindings(spec: ModelSpec, file: str) -> None:
    if spec.bindings is None:
        return
    for meaning, key in bound_keys(spec.bindings.parameters):
        _check_known(spec, f"{file}: bindings.parameters.{meaning}", key)
    for meaning, key in bound_keys(spec.bindings.inputs):
        if key not in spec.inputs:
            raise InvalidModel(
                "{file}: bindings.inputs.{meaning}: no input {key!r}.{suggestion}",
                file=file,
                meaning=meaning,
                key=key,
                suggestion=suggest(key, spec.inputs),
            )


def _check_loading(spec: ModelSpec, place: str, loading: str) -> None:
    if loading:
        _check_known(spec, f"{place}.loading", loading)


def _check_known(spec: ModelSpec, place: str, key: str) -> None:
    if key not in spec.parameters:
        raise InvalidModel(
            "{place}: no parameter {key!r}.{suggestion}", place=place, key=key, suggestion=suggest(key, spec.parameters)
        )
