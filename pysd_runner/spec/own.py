"""Declarations of a user's model: all are optional; defaults come from the model file and weakly informative priors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, replace
from math import isfinite
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from pysd_runner.core.errors import InvalidInput, InvalidModel, Message, suggest
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.spec.declarations import (
    DIRECTIONS,
    ROLES,
    STEP_WEIGHTS,
    TERM_LAWS,
    TERM_TIMES,
    DeclaredLever,
    DeclaredLoop,
    DeclaredOutcome,
    DeclaredScenario,
    ModelSpec,
    Objective,
    ObjectiveTerm,
    Observation,
    Parameter,
    Published,
    Role,
)
from pysd_runner.spec.evidence import EvidenceTerm
from pysd_runner.spec.load import check_evidence, parsed, read_prior, without_schema
from pysd_runner.spec.priors import FAMILIES, Beta, LogNormal, Normal, Prior, Uniform
from pysd_runner.spec.reader import Fail, Reader, fail_at

SCHEMA = 2
# Standard deviation of the logarithm: a 90 % interval from a fifth to five times the value in the file.
SDLOG = 1.0
# Begins the note of a parameter whose prior is not the weakly informative one.
DECLARED = "declared: "
# Keys of ``[study]`` that are no settings of the design of a study.
NOT_DESIGN = ("changes", "sets", "ranges")
# Without limits, the bounds of an estimate are this factor above and below the value in the file.
BOUND_FACTOR = 1000.0


@frozen
class Fact:
    """A number of the model file, with its unit, label and limits."""

    name: str
    variable: str
    value: float | None
    unit: str = ""
    label: str = ""
    limits: tuple[float, ...] = ()


def loose(name: str) -> str:
    """Normalise a name, ignoring case, repeated spaces and underscores."""
    return " ".join(name.casefold().replace("_", " ").split())


@frozen
class _Number:
    """Declaration of a number of the model file."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    label: str = ""
    role: Role = "FREE"
    prior: dict | None = None  # type: ignore[type-arg]
    bounds_from: str = ""  # file whose bounds these are; between them the prior is flat, unless one is declared


@frozen
class _Seen:
    """Declaration of an outcome variable."""

    variable: str = ""
    better: str = ""
    label: str = ""


@frozen
class _Setting:
    """Declaration of a constant that is a policy lever."""

    constant: str = ""
    off: float | None = None
    to: float | None = None
    upper: float | None = None
    cost: float = 1.0
    label: str = ""


# What stands for the elements that the series of the data sets have.
FROM_DATA = "from data"


@frozen
class _Bound:
    """Data sets of the model, and the elements of ranges that they or the declarations replace."""

    sets: tuple[str, ...] = ()
    ranges: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@frozen
class _Study(_Bound):
    """Declaration of the outcomes and the length of a study of the model; see `StudyDesign`."""

    until: float | None = None
    draws: int | None = None
    save_every: float | None = None
    stocks: int | None = None
    leading: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


@frozen
class _Budget:
    total: float


@frozen
class _Declarations:
    """All declarations of the file."""

    name: str = ""
    parameters: Mapping[str, _Number] = field(default_factory=dict)
    measurements: Mapping[str, Observation] = field(default_factory=dict)
    outcomes: Mapping[str, _Seen] = field(default_factory=dict)
    levers: Mapping[str, _Setting] = field(default_factory=dict)
    objective: Objective | None = None
    budget: _Budget | None = None
    study: _Study = _Study()
    evidence: Mapping[str, EvidenceTerm] = field(default_factory=dict)
    loops: Mapping[str, DeclaredLoop] = field(default_factory=dict)
    scenarios: Mapping[str, DeclaredScenario] = field(default_factory=dict)
    published: Published = Published()


def load_own_spec(path: str | Path, facts: Mapping[str, Fact], variables: Texts) -> ModelSpec:
    """Read the declarations file of a user's model."""
    path = Path(path)
    place = f"{path.name}: "
    content = without_schema(parsed(path), place, SCHEMA, Message("declarations of a model of your own have"))
    declared = _READER.read(_Declarations, _with_columns(content), place)
    known = {loose(item): fact for item, fact in facts.items()}

    def fact_of(name: str, where: str, what: Message) -> Fact:
        found = known.get(loose(name))
        if found is None:
            raise InvalidModel(
                "{where}: the model has no such {what}.{suggestion}",
                where=where,
                what=what,
                suggestion=suggest(name, facts),
            )
        return found

    parameters = {}
    for given, number in _by_element(declared.parameters, facts).items():
        where = f'{path.name}: parameters["{given}"]'
        fact = fact_of(given, where, Message("constant or stock"))
        parameters[fact.name] = _parameter(fact, number, where)
        known[loose(given)] = replace(fact, value=parameters[fact.name].value)
    outcomes = [_outcome(given, seen, variables, path.name) for given, seen in declared.outcomes.items()]
    leading = {name: _variable(name, "study.leading", variables, path.name) for name in declared.study.leading}
    levers = {}
    for given, setting in declared.levers.items():
        where = f'{path.name}: levers["{given}"]'
        levers[given] = _lever(
            given, fact_of(setting.constant or given, where, Message("constant")), setting, fail_at(where)
        )
    return ModelSpec(
        name=declared.name or path.stem,
        parameters=parameters,
        outcomes={outcome.key: outcome for outcome in outcomes},
        levers=levers,
        observations=declared.measurements,
        evidence=declared.evidence,
        loops=declared.loops,
        objective=_objective(declared.objective, facts, variables, path.name),
        budget=None if declared.budget is None else declared.budget.total,
        scenarios=declared.scenarios,
        published=declared.published,
        study={
            name: value
            for name, value in asdict(declared.study).items()
            if value not in (None, ()) and name not in NOT_DESIGN
        }
        | {"leading": tuple(leading.values())},
    )


def study_changes(path: Path) -> list[Path]:
    """Change files that the declarations of a model name for every run of it, in order."""
    study = parsed(path).get("study", {})
    given = study.get("changes", ()) if isinstance(study, dict) else ()
    names = Reader().value(tuple[str, ...], given or [], f"{path.name}: study.changes")
    return [path.parent / PureWindowsPath(name).as_posix() for name in names]


def _by_element(numbers: Mapping[str, _Number], facts: Mapping[str, Fact]) -> dict[str, _Number]:
    """Declarations of numbers, with one for each element where a name stands for a whole variable."""
    found: dict[str, _Number] = {}
    for name, number in numbers.items():
        elements = [fact.name for fact in facts.values() if loose(fact.variable) == loose(name)]
        found |= dict.fromkeys(elements or [name], number)
    return found


def _objective(found: Objective | None, facts: Mapping[str, Fact], variables: Texts, file: str) -> Objective | None:
    """The declared objective with names as in the model file."""
    if found is None:
        return None
    if not found.terms:
        raise InvalidModel(
            '{file}: objective.terms is empty; expected at least one, such as {{variable = "BaseErr"}}', file=file
        )
    return replace(
        found, terms=tuple(_term(term, number, facts, variables, file) for number, term in enumerate(found.terms, 1))
    )


def _term(term: ObjectiveTerm, number: int, facts: Mapping[str, Fact], variables: Texts, file: str) -> ObjectiveTerm:
    place = f"objective.terms[{number}]"

    def spelled(name: str, key: str) -> str:
        plain, bracket, element = name.partition("[")
        return _variable(plain, f"{place}.{key}", variables, file) + bracket + element

    weight = term.weight
    if isinstance(weight, str):
        known = {loose(item): item for fact in facts.values() for item in (fact.variable, fact.name)}
        if loose(weight) not in known:
            raise InvalidModel(
                "{file}: {place}.weight: the model has no such constant; expected a number or the name of a constant."
                "{suggestion}",
                file=file,
                place=place,
                suggestion=suggest(weight, known.values()),
            )
        weight = known[loose(weight)]
    if bool(term.data) != bool(term.model):
        raise InvalidModel(
            "{file}: {place}: data and model are named together: the data variable, and what it observes",
            file=file,
            place=place,
        )
    pair = {key: spelled(name, key) for key, name in (("data", term.data), ("model", term.model)) if name}
    return replace(term, variable=spelled(term.variable, "variable"), weight=weight, **pair)


def study_sets(path: Path) -> tuple[list[Path], dict[str, tuple[str, ...] | None]]:
    """Data sets of ``[study]`` in the declarations of a model, and elements of ranges; None: those of the series."""
    place, study = f"{path.name}: study", parsed(path).get("study", {})
    known = study if isinstance(study, dict) else {}
    read = Reader().read(_Bound, {name: known[name] for name in _Bound.__dataclass_fields__ if name in known}, place)
    ranges: dict[str, tuple[str, ...] | None] = {}
    for name, given in read.ranges.items():
        if isinstance(given, str) and given != FROM_DATA:
            fail_at(place)(f"ranges.{name}", Message("expected 'from data' or elements"))
        ranges[name] = None if isinstance(given, str) else tuple(given)
    return [path.parent / PureWindowsPath(name).as_posix() for name in read.sets], ranges


def _with_columns(content: dict[str, Any]) -> Record:
    """Set the column of each measurement to the measurement's name, unless it declares another one."""
    measurements = content.get("measurements")
    if not isinstance(measurements, dict):
        return content
    named = {key: {"column": key, **item} if isinstance(item, dict) else item for key, item in measurements.items()}
    return {**content, "measurements": named}


def _parameter(fact: Fact, said: _Number, where: str) -> Parameter:
    value = fact.value if said.value is None else said.value
    if value is None:
        fail_at(where)(
            "value", Message("is missing: {name!r} is computed from other numbers in the model file", name=fact.name)
        )
    lower, upper = (
        limit if end is None else end
        for end, limit in zip((said.lower, said.upper), fact.limits or (None, None), strict=True)
    )
    label = said.label or fact.label
    try:
        flat = {"family": "uniform"} if said.bounds_from else None
        if said.prior is not None or flat is not None:
            size = max(abs(value), 1.0) * BOUND_FACTOR
            lower, upper = -size if lower is None else lower, size if upper is None else upper
            prior = read_prior(said.prior or flat, f"{where}.prior", lower, upper)
            weak = value if value or fact.limits else 1.0
            base = weak_parameter(fact.name, value=weak, unit=fact.unit, limits=fact.limits, label=label)
            note = base.note if prior == base.prior else _declared(prior)
            found = replace(base, value=value, prior=prior, lower=lower, upper=upper, note=note)
        else:
            limits = () if lower is None or upper is None else (lower, upper)
            found = weak_parameter(fact.name, value=value, unit=fact.unit, limits=limits, label=label)
    except InvalidModel:
        raise
    except InvalidInput as error:
        fail_at(where)("prior", Message(str(error)))
    if not found.lower <= found.value <= found.upper:
        fail_at(where)(
            "value",
            Message(
                "{value:g} lies outside [{lower:g}, {upper:g}]", value=found.value, lower=found.lower, upper=found.upper
            ),
        )
    if said.bounds_from and said.prior is None:
        found = replace(found, note=Message("declared: bounds from {file}", file=said.bounds_from))
    return replace(found, role=said.role)


def _variable(name: str, place: str, variables: Texts, file: str) -> str:
    """Name of a variable as in the file, from its name in any case."""
    known = {loose(item): item for item in variables}
    if loose(name) not in known:
        raise InvalidModel(
            "{file}: {place}: the model has no such variable.{suggestion}",
            file=file,
            place=place,
            suggestion=suggest(name, variables),
        )
    return known[loose(name)]


def _outcome(name: str, seen: _Seen, variables: Texts, file: str) -> DeclaredOutcome:
    variable = _variable(seen.variable or name, f'outcomes["{name}"]', variables, file)
    label = seen.label or variable
    return DeclaredOutcome(
        key=variable, variable=variable, unit=variables[variable], en=label, zh=label, better=seen.better
    )


def _lever(name: str, fact: Fact, setting: _Setting, fail: Fail) -> DeclaredLever:
    off = fact.value if setting.off is None else setting.off
    if off is None:
        fail("off", Message("is missing: {name!r} is computed from other numbers in the model file", name=fact.name))
    if setting.upper is not None and not setting.upper > off:
        fail(
            "upper",
            Message(
                "must lie above {low:g}, its value when it is off; found {found:g}; a lever that lowers has `to`",
                low=off,
                found=setting.upper,
            ),
        )
    to = setting.upper if setting.to is None else setting.to
    if to is None and len(fact.limits) > 1:
        to = fact.limits[1]
        if not to > off:
            fail("to", Message("is missing: {off:g}, its value when it is off, is not below its upper limit", off=off))
    if to == off:
        fail("to", Message("must differ from {off:g}, its value when it is off", off=off))
    label = setting.label or fact.label or fact.name
    return DeclaredLever(key=name, element=fact.name, en=label, zh=label, off=off, to=to, cost=setting.cost)


def _check_setting(setting: _Setting, fail: Fail) -> None:
    if setting.to is not None and setting.upper is not None:
        fail("upper", Message("is the old word for `to`: give one of them"))
    if not setting.cost > 0:
        fail("cost", Message("must be positive; found {found:g}", found=setting.cost))


def _check_seen(seen: _Seen, fail: Fail) -> None:
    if seen.better not in DIRECTIONS:
        fail("better", Message("expected 'higher' or 'lower', or nothing; found {found!r}", found=seen.better))


def _check_budget(budget: _Budget, fail: Fail) -> None:
    if not budget.total > 0:
        fail("total", Message("must be positive; found {found:g}", found=budget.total))


def _check_word(name: str, allowed: tuple[str, ...]) -> Callable[[Any, Fail], None]:
    """A check that a field holds one of some words."""

    def check(declared: Any, fail: Fail) -> None:
        word = getattr(declared, name)
        if word not in allowed:
            fail(
                name,
                Message(
                    "expected one of {names}, found {word!r}.{suggestion}",
                    names=", ".join(item for item in allowed if item),
                    word=word,
                    suggestion=suggest(word, allowed),
                ),
            )

    return check


def _check_term(term: ObjectiveTerm, fail: Fail) -> None:
    for name, allowed in (("at", TERM_TIMES), ("law", TERM_LAWS)):
        _check_word(name, allowed)(term, fail)


def _check_study(study: _Study, fail: Fail) -> None:
    if study.save_every is not None and not study.save_every > 0:
        fail("save_every", Message("must be positive; found {found:g}", found=study.save_every))


_READER = Reader(
    checks={
        _Study: _check_study,
        _Setting: _check_setting,
        _Seen: _check_seen,
        _Budget: _check_budget,
        Objective: _check_word("times", STEP_WEIGHTS),
        ObjectiveTerm: _check_term,
        EvidenceTerm: check_evidence,
    }
)


def weak_parameter(
    key: str, *, value: float, unit: str = "", limits: tuple[float, ...] = (), label: str = ""
) -> Parameter:
    """Declare a number of a model file with a weakly informative prior.

    A share (limits 0 and 1) is uniform. A positive number is lognormal with its value as the median and a standard
    deviation of the logarithm of one, with 90 % within a factor of five; any other number is normal, with a standard
    deviation of its absolute value or, if the file gives limits, of a quarter of their distance. Limits are bounds.

    A value that is not finite is refused, and so is zero without limits that give a scale.

    >>> weak_parameter("Duration", value=4.0, unit="day").prior
    LogNormal(median=4.0, sdlog=1.0, lower=0.004, upper=4000.0)
    """
    if not isfinite(value):
        raise InvalidInput(
            "{key!r} is {value} in the model file; declare its value, bounds and prior", key=key, value=value
        )
    prior = _prior(key, value, limits)
    return Parameter(
        key=key,
        variable=key,
        unit=unit or "Dmnl",
        value=value,
        lower=prior.lower,
        upper=prior.upper,
        prior=prior,
        role="FREE",
        sources=(),
        judgement=True,
        note=Message(
            "weakly informative: {prior}, from the {source} in the model file",
            prior=prior_words(prior),
            source=Message("limits") if limits else Message("value"),
        ),
        price_basis="",
        en=label or key,
        zh=label or key,
    )


def _prior(key: str, value: float, limits: tuple[float, ...]) -> Normal | LogNormal | Uniform:
    lower, upper = limits or (None, None)
    if lower == 0 and upper == 1:
        return Uniform(0.0, 1.0)
    if value > 0 and (lower is None or lower >= 0):
        low, high = (value / BOUND_FACTOR, value * BOUND_FACTOR) if lower is None or upper is None else (lower, upper)
        if low < value < high:
            return LogNormal(value, SDLOG, low, high)
    if lower is not None and upper is not None:
        middle = value if lower < value < upper else (lower + upper) / 2
        return Normal(middle, (upper - lower) / 4, lower, upper)
    if value == 0:
        raise InvalidInput(
            "{key!r} is 0 in the model file, which gives no limits: nothing tells how large it may "
            "be. Give it limits in the file, or a prior: priors={{{key!r}: LogNormal(1, 1)}} or "
            "[parameters.{key!r}] in the declarations",
            key=key,
        )
    size = abs(value)
    return Normal(value, size, value - BOUND_FACTOR * size, value + BOUND_FACTOR * size)


def is_off(parameter: Parameter) -> bool:
    """Whether a number without a declared prior is 0 or at one of its bounds, like a policy that is not in force."""
    is_weak = not parameter.note.startswith(DECLARED)
    return is_weak and parameter.value in (0.0, parameter.lower, parameter.upper)


def left_out(off: Mapping[str, float], unscaled: Sequence[str]) -> list[str]:
    """Sentences on numbers that a fit does not estimate unless they are named; `unscaled` are 0 without bounds."""
    told: list[str] = []
    if off:
        listed = ", ".join(f"{name} ({three_digits(value, digits=6)})" for name, value in off.items())
        told.append(
            Message(
                "Not estimated, as each is a lever, 0 or an end of its bounds: {listed}; those named with --free are.",
                listed=listed,
            )
        )
    if unscaled:
        told.append(
            Message(
                "Not estimated, as each is 0 without bounds that say how large it may be: {listed}; with bounds or a "
                "prior, those named with --free are.",
                listed=", ".join(unscaled),
            )
        )
    return told


def _declared(prior: Prior) -> str:
    return Message("declared: {prior}", prior=prior_words(prior))


def prior_words(prior: Prior) -> str:
    """Describe a prior in words.

    >>> prior_words(LogNormal(4.0, 1.0))
    'lognormal, median 4, standard deviation of the logarithm 1'
    """
    number = {name: three_digits(getattr(prior, name), digits=6) for name in vars(type(prior))["__dataclass_fields__"]}
    return Message(_PRIORS[type(prior)], **number)


_PRIORS: Mapping[type, str] = {
    LogNormal: Message("lognormal, median {median}, standard deviation of the logarithm {sdlog}"),
    Normal: Message("normal, mean {mean}, standard deviation {sd}"),
    Uniform: Message("uniform from {lower} to {upper}"),
    Beta: Message("beta ({a}, {b}) from {lower} to {upper}"),
}


def with_prior(parameter: Parameter, prior: Prior) -> Parameter:
    """Replace the prior of a parameter; finite bounds of the prior become its bounds."""
    lower, upper = (getattr(prior, name) for name in ("lower", "upper"))
    size = max(abs(parameter.value), 1.0) * BOUND_FACTOR
    lower, upper = (lower if isfinite(lower) else -size), (upper if isfinite(upper) else size)
    return replace(parameter, prior=prior, lower=lower, upper=upper, note=_declared(prior), judgement=True)


def record_of(parameter: Parameter) -> Record:
    """Convert a declaration for JSON, so that a fit can be read without the declarations file."""
    content = {**asdict(parameter), "sources": list(parameter.sources)}
    prior = parameter.prior
    family = next((name for name, kind in FAMILIES.items() if isinstance(prior, kind)), None)
    if prior is None or family is None:
        return {**content, "prior": None}
    numbers = {name: getattr(prior, name) for name in type(prior).__dataclass_fields__}  # type: ignore[attr-defined]
    # Infinite bounds are left out, since JSON has no infinity.
    finite = {name: value for name, value in numbers.items() if isfinite(value)}
    return {**content, "prior": {"family": family, **finite}}


def parameter_of(record: Record) -> Parameter:
    """Restore a declaration from the output of `record_of`."""
    try:
        content = dict(record)
        prior = content.pop("prior")
        numbers = dict(prior or {})
        family = numbers.pop("family", None)
        role = content.pop("role")
        if role not in ROLES:
            raise InvalidInput("role: unknown word {role!r}", role=role)
        found = None if family is None else FAMILIES[family](**numbers)
        return Parameter(**{**content, "sources": tuple(content["sources"])}, prior=found, role=cast("Role", role))
    except (TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            "the declarations kept with a fit cannot be read: {error}; calibrate again", error=error
        ) from error
