"""Set up any model for a table: observed columns, columns that are inputs, and parameters to estimate."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from calibration.fitting.columns import Binding, Measurements, bound, driven_paths, series_of
from calibration.fitting.entering import FromFile, Target, targets_of
from calibration.fitting.space import ParameterSpace, listed
from calibration.fitting.tying import Block, ModelRuns, Tied, outcomes_of, whole_steps
from calibration.observation import Series
from pysd_runner.core.calendar import time_of, unit_of_time
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, joined
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Texts, Values
from pysd_runner.data import Data
from pysd_runner.engine import TimePath
from pysd_runner.engine.ir import references
from pysd_runner.model import Model, facts_of
from pysd_runner.simulation.run import constant_values
from pysd_runner.simulation.task import time_unit
from pysd_runner.spec import ErrorModel, FittedParameters, ModelSpec, Observation, Parameter, Prior
from pysd_runner.spec.design import StudyDesign
from pysd_runner.spec.own import DECLARED, is_off, left_out, record_of, weak_parameter, with_prior
from pysd_runner.study.binding import end_of, in_time_of

# Name of the single block of a model without declared blocks.
BLOCK = Message("Model")
NOTHING = ParameterSpace.of(())


def parameters_of(
    model: Model, targets: Iterable[Target], *, spec: ModelSpec | None, priors: Mapping[str, Prior]
) -> tuple[Parameter, ...]:
    """Parameter declarations of scalars: priors from the caller, the model's declarations, or weak default priors."""
    wanted = tuple(targets)
    facts = facts_of(model.ir)
    own = {target.name: prior for name, prior in priors.items() for target in targets_of(model, [name])}
    for name in own:
        if name not in {item.name for item in wanted}:
            raise UnknownName(
                "a prior is given for {name!r}, which is not estimated.{suggestion}",
                name=name,
                among=[item.name for item in wanted],
            )
    found = []
    for target in wanted:
        fact = facts[target.name]
        declared = None if spec is None else spec.parameters.get(target.name)
        value = fact.value if fact.value is not None else _computed(model, target)
        label = fact.label or (f"Starting value of {target.name}" if target.is_start else target.name)
        if target.name in own:
            # A placeholder value is used since a weak prior cannot be built for every value; the prior is replaced.
            base = replace(weak_parameter(target.name, value=1.0, unit=fact.unit, label=label), value=value)
            found.append(with_prior(base, own[target.name]))
        elif declared is not None:
            found.append(declared)
        else:
            weak = weak_parameter(target.name, value=value, unit=fact.unit, limits=fact.limits, label=label)
            found.append(weak)
    return tuple(found)


def _computed(model: Model, target: Target) -> float:
    """Value of a constant that is computed from other constants."""
    if target.is_start:
        raise InvalidInput(
            "the starting value of {variable!r} is computed from other numbers in the model file; estimate those, or "
            "declare its value and prior beside the model",
            variable=target.variable,
        )
    return float(np.asarray(constant_values(model, target.variable))[target.position])


# Words of a name that mark a quantity somebody measured out.
_DOSE = re.compile(r"\b(?:dose|dosage)s?\b|\u5242\u91cf", re.IGNORECASE)
# Largest ratio of a number in the file to the first observation by which it was taken from there.
ALIKE = 1.25


def known_numbers(model: Model, series: Sequence[Series], start: float) -> Texts:
    """Constants that are known, with the reason: doses, and initial values of stocks as they are observed at first."""
    initial: dict[str, set[str]] = {}
    elsewhere: set[str] = set()
    for variable in model.ir.variables.values():
        for block in variable.blocks:
            elsewhere |= references(block.expression)
            for name in references(block.initial) if block.initial is not None else ():
                initial.setdefault(name, set()).add(variable.name)
    first = {
        item.outcome: float(item.observed[0, 0])
        for item in series
        if item.kind == "level" and item.expression.text == item.outcome and item.times[0] <= start
    }
    declared = {} if model.spec is None else model.spec.parameters
    wanted = {key for key, item in declared.items() if item.note.startswith(DECLARED)}
    found = {}
    for name, fact in facts_of(model.ir).items():
        if model.ir.variables[fact.variable].kind != "constant" or not fact.value or name in wanted:
            continue
        seen = [stock for stock in initial.get(name, ()) if first.get(stock, 0.0) / fact.value > 0]
        if _DOSE.search(name.replace("_", " ")):
            found[name] = Message(
                "{name} stays at {value}: a dose is known; named with --free it is estimated.",
                name=name,
                value=three_digits(fact.value),
            )
        elif name not in elsewhere and any(1 / ALIKE <= first[stock] / fact.value <= ALIKE for stock in seen):
            found[name] = Message(
                "{name} stays at {value}: it only starts {stock}, which is observed then; named with --free it is "
                "estimated.",
                name=name,
                value=three_digits(fact.value),
                stock=seen[0],
            )
    return found


def _candidates(
    model: Model, held: Values, own: Mapping[str, Prior], known: Container[str]
) -> tuple[list[str], list[str]]:
    """Scalars that could be estimated, those with priors from the caller first, and notes on what is off."""
    declared = {} if model.spec is None else model.spec.parameters
    facts = facts_of(model.ir)
    if declared:
        names = [key for key, item in declared.items() if item.role.startswith("FREE") and item.prior is not None]
    else:
        names = [
            name
            for name, item in model.variables.items()
            if item.kind == "constant" and not item.dims and facts[name].value is not None
        ]
    given = {item.name for item in targets_of(model, own)}
    found = [item for item in targets_of(model, names) if item.variable not in held]
    found = [item for item in found if item.name in given or item.name not in known]
    weak = {item.name: _parameter(model, item) for item in found}
    levers = set() if model.spec is None else {item.element for item in model.spec.levers.values()}
    off = {
        name: facts[name].value or 0.0
        for name, item in weak.items()
        if name not in given and item is not None and (name in levers or is_off(item))
    }
    bare = [name for name, item in weak.items() if item is None and name not in given and facts[name].value == 0]
    left = [name for name, item in weak.items() if (item is not None or name in given) and name not in off]
    if not left:
        listed = ", ".join([*off, *bare])
        raise InvalidInput(
            "{model} has no constant that could be estimated{why}; name some with free (--free)",
            model=model.path.name,
            why=Message(": each is a lever, 0 or an end of its bounds ({listed})", listed=listed) if listed else "",
        )
    return sorted(left, key=lambda name: name not in given), left_out(off, bare)


def _parameter(model: Model, target: Target) -> Parameter | None:
    """Declaration of a scalar; None if there is nothing to build a prior from."""
    try:
        (found,) = parameters_of(model, [target], spec=model.spec, priors={})
    except InvalidInput:
        return None
    return found


def tied_to_table(  # noqa: PLR0913 - the arguments of a public entry point
    model: Model,
    table: Data,
    design: StudyDesign,
    *,
    free: Iterable[str] | None,
    values: Values | None,
    priors: Mapping[str, Prior] | None,
    observations: Measurements | None,
    start: float | None,
    until: float | None,
    yuan_per_unit: float,
    seed: int,
) -> Tied:
    """Set up a model for a table; see `calibration.Problem`."""
    if yuan_per_unit != 1:
        raise InvalidInput("yuan_per_unit does not apply to a table: nothing in it is converted")
    named: Iterable[str] | None = None if free is None else listed(free)
    clocked, calendar = in_time_of(model, table, start)
    given = start
    start = None if start is None else calendar.moment_of(time_of(start))
    until = None if until is None else end_of(model, until, table, None, calendar)
    kept = clocked if until is None else clocked.until(until)
    binding = bound(model, kept, spec=model.spec, measurements=observations)
    paths, ends = driven_paths(model, kept, binding.driven)
    held = {**paths, **_entered(model, values or {})}
    begins, stop, step = _span_of(model, kept, held, start)
    moments = np.asarray(begins + step * np.arange(round((stop - begins) / step) + 1), dtype=float)
    series, left_out = series_of(model, kept, binding, held=held, moments=moments, step=step, sizes=design.errors)
    notes = (*calendar.told, *binding.notes, *ends, *left_out, *_too_close(model, kept, step))
    known = known_numbers(model, series, begins) if named is None else {}
    names, off = _candidates(model, held, priors or {}, known) if named is None else (named, [])
    notes = (*notes, *known.values(), *off)
    unit, cells = time_unit(model), sum(len(item.cells) for item in series)
    spelled = "" if unit_of_time(unit) == "year" else unit
    tied = Tied(
        model=model,
        data=clocked,
        design=design,
        spec=_spec_of(model, NOTHING),
        fixed={name: float(value) for name, value in (values or {}).items() if np.ndim(value) == 0},
        space=NOTHING,
        first_year=begins,
        last_year=stop,
        stages=(),
        series=series,
        runs=ModelRuns(
            FromFile(model, (), held=held),
            outcomes=outcomes_of(series),
            start=begins,
            stop=stop,
            save_every=step,
        ),
        lines=tuple(map(_line, series)),
        opening=Message(
            "Table {table}: {count} observations; {model} runs from {first} to {last}.",
            table=clocked.name,
            count=cells,
            model=model.name,
            first=calendar.said(begins),
            last=calendar.said(stop, spelled),
        ),
        calendar=calendar,
        record={"notes": list(notes)},
        # A problem that is made again finds its calendar anew from dates, but has years as moments already.
        asked={"values": values, "priors": priors, "start": given if clocked.dates else start, "seed": seed},
        binding=binding,
        until=until,
        time_unit=unit,
    )
    return with_free(tied, names)


def with_free(tied: Tied, names: Iterable[str], reasons: Sequence[str] = ()) -> Tied:
    """Copy of a setup in which the named scalars are estimated; `reasons` for the selection go into its notes."""
    model, held, priors = tied.model, tied.runs.entering.held, tied.asked["priors"] or {}
    targets = targets_of(model, names)
    _check_free(model, tied.binding, targets, tied.asked["values"] or {})
    parameters = parameters_of(model, targets, spec=model.spec, priors=priors)
    space = ParameterSpace.of(parameters)
    told = (*reasons, *(Message("{key}: prior {note}.", key=item.key, note=item.note) for item in parameters))
    keys = tuple(item.measurement for item in tied.series)
    return replace(
        tied,
        spec=_spec_of(model, space),
        space=space,
        stages=(Block(name=BLOCK, parameters=space.keys, measurements=keys),),
        runs=ModelRuns(FromFile(model, targets, held=held), outcomes=tied.runs.outcomes, **tied.runs.bounds),
        notes=(*tied.record["notes"], *told),
        record={
            "declarations": [record_of(item) for item in parameters],
            "measurements": {
                item.label: {**asdict(item.observation), "errors": asdict(item.errors)} for item in tied.series
            },
            "start": tied.first_year,
            "held": {name: _held(value) for name, value in held.items()},
            "notes": tied.record["notes"],
            **({"calendar": tied.calendar.record} if tied.calendar.record else {}),
            "chosen": list(reasons),
            "time_unit": tied.time_unit,
            "until": tied.until,
        },
    )


def _check_free(model: Model, binding: Binding, targets: Sequence[Target], values: Values) -> None:
    """Raise ``InvalidInput`` if a parameter to estimate is also set to a value or given by a column."""
    given = {item.name for name in values for item in targets_of(model, [name])}
    for target in targets:
        if target.name in given or target.variable in binding.driven:
            raise InvalidInput("parameter {name!r} is both set and to be estimated; leave it in one", name=target.name)


def _held(value: Any) -> Any:
    """Convert a value or time path to a form suitable for JSON."""
    if isinstance(value, TimePath):
        return {"times": value.times.tolist(), "values": value.values.tolist(), "interpolate": value.interpolate}
    return np.asarray(value).tolist()


def _span_of(model: Model, table: Data, held: Values, start: float | None) -> tuple[Any, Any, float]:
    """Start, stop and step of the run: from `start`, or that of the model file, to the last observation."""
    last = float(table.times[-1])
    begins, stop, step = whole_steps(model, held, start=start, last=last)
    if last <= begins:
        raise InvalidInput(
            "table {table!r} ends at {last:g}, but {model} starts at {start:g}; are the times in the model's "
            "unit{unit}? Another start is start=... (--start)",
            table=table.name,
            last=last,
            model=model.path.name,
            start=begins,
            unit=Message(" ({unit})", unit=time_unit(model)) if time_unit(model) else "",
        )
    return begins, stop, step


def _too_close(model: Model, table: Data, step: float) -> list[str]:
    """Note that the time unit may be wrong if observations are closer together than a time step of the model."""
    apart = float(np.median(np.diff(table.times))) if table.times.size > 1 else np.inf
    if apart > step * (1 - 1e-6):
        return []
    unit = time_unit(model) or Message("units of time")
    return [
        Message(
            "Observations lie {apart:.3g} apart, closer than a step of {model} ({step:g} {unit}); does it really count "
            "in {unit}? If not, give numbers for times instead of dates, and --time-unit.",
            apart=apart,
            model=model.path.name,
            step=step,
            unit=unit,
        )
    ]


def _entered(model: Model, values: Values) -> Values:
    """Values set by the caller, by variable; values of elements are inserted into the array of the model file."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        for target in targets_of(model, [name]) if np.ndim(value) == 0 else ():
            if target.is_start:
                raise InvalidInput(
                    "{name!r} is a stock; set the constants its starting value is computed from", name=name
                )
            if not target.position:
                plain[target.variable] = float(value)
                continue
            array = plain.setdefault(target.variable, np.array(constant_values(model, target.variable)))
            array[target.position] = float(value)
        if np.ndim(value) > 0:
            plain[model.find(name)] = np.asarray(value, dtype=float)
    return plain


def _spec_of(model: Model, space: ParameterSpace) -> ModelSpec:
    """Declarations of a fit: those of the model, with the estimated parameters added or replaced."""
    declared = model.spec or ModelSpec(name=model.name)
    return replace(declared, parameters={**declared.parameters, **{item.key: item for item in space.parameters}})


def _line(series: Series) -> str:
    cells, entities = len(series.cells), len(series.labels)
    parts = [
        Message(
            "{what} from column {column}: {count} value{s}",
            what=series.expression.text,
            column=series.indicator,
            count=cells,
            s="" if cells == 1 else "s",
        )
    ]
    if entities > 1:
        parts.append(Message(" for {count} entities", count=entities))
    if series.kind in _KINDS:
        parts.append(_KINDS[series.kind])
    if not series.errors.is_count:
        parts.append(Message(", compared by {scale}", scale=_SCALES[series.scale]))
    return joined([*parts, Message(", {said}", said=series.errors.words)], "")


_KINDS = {"flow": Message(", added up over each interval"), "cumulative": Message(", added up from the start")}
_SCALES = {"level": Message("level"), "log": Message("logarithm"), "logit": Message("log odds")}


def measurements_of(fitted: FittedParameters) -> dict[str, Observation]:
    """Observation specifications of the columns in a fit, by key."""
    return {
        key: Observation(**{**record, "errors": ErrorModel(**record["errors"])})
        for key, record in fitted.provenance["measurements"].items()
    }
