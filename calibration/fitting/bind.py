"""Set up a model for data: what is observed, where runs start, and which parameters are estimated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from calibration.fitting.bound import (
    FIRST_YEAR,
    Block,
    Bound,
    Choices,
    ModelRuns,
    outcomes_of,
    stages_of,
    whole_steps,
)
from calibration.fitting.candidates import candidates, known_numbers, parameters_of
from calibration.fitting.columns import driven_paths, matched_columns, series_of
from calibration.fitting.entering import FromFile, FromState, targets_of
from calibration.fitting.payoff import Payoff, check_count
from calibration.fitting.space import ParameterSpace, chosen, listed, overrides
from calibration.fitting.window import window_of
from calibration.observation import Series, build_series
from pysd_runner.core.calendar import time_of, unit_of_time
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, UnknownName, joined
from pysd_runner.core.types import Values
from pysd_runner.data import Data
from pysd_runner.data.checks import JUMPED
from pysd_runner.data.coverage import LEFT_OUT
from pysd_runner.data.names import CURRENCY
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.simulation.run import constant_values
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import ErrorModel, FittedParameters, Measurement, ModelSpec, Observation, Parameter
from pysd_runner.spec.declarations import Objective
from pysd_runner.spec.design import StudyDesign
from pysd_runner.spec.load import check_measurement
from pysd_runner.spec.own import record_of
from pysd_runner.spec.reader import fail_at
from pysd_runner.study.binding import RegionalModel, end_of, in_time_of

# Name of the single block of a model without declared blocks.
BLOCK = Message("Model")


def bind(model: Model, data: Data | None, design: StudyDesign, asked: Choices) -> Bound:
    """Set up a model for data, by what its design compares, or for its own payoff; see `calibration.Problem`."""
    if data is None:
        return _of_payoff(model, design, asked)
    return _OBSERVED[design.target](model, data, design, asked)


def _of_measurements(model: Model, panel: Data, design: StudyDesign, asked: Choices) -> Bound:
    """Compare a panel by declared measurements; runs start in the state of its regions."""
    if asked.priors:
        raise InvalidInput("priors do not apply to a panel: those of the model are declared beside it")
    spec = _with_observations(model.declarations, asked.observations)
    fixed = overrides(spec, asked.values)
    space = ParameterSpace.of(chosen(spec, free=asked.free, fixed=fixed))
    first, last = window_of(spec, panel, asked.start, asked.until)
    count = len(panel.regions)
    whole = model if len(model.ranges[model.design.ranges.region]) == count else model.with_regions(count)
    seen = panel.until(last)
    series, absent = build_series(spec, seen, first_year=first, last_year=last, sizes=design.errors)
    if not series:
        told = [item for item in absent if item.indicator in panel] or absent
        raise InvalidPanel(
            "panel {panel!r} says nothing the model can be compared with: {why}",
            panel=panel.name,
            why=joined(map(str, told), "; "),
        )
    entering = FromState(RegionalModel(model=whole, panel=seen, yuan_per_unit=asked.yuan_per_unit), first)
    return Bound(
        model=whole,
        data=seen,
        design=design,
        asked=asked,
        spec=spec,
        fixed=fixed,
        space=space,
        first_year=first,
        last_year=last,
        stages=stages_of(whole),
        series=series,
        runs=ModelRuns(entering, outcomes=outcomes_of(series), start=first, stop=last, save_every=design.save_every),
        absent=tuple(map(str, absent)),
        notes=(*_notes_on(seen, asked.yuan_per_unit), *_notes_on_errors(series)),
        record={
            "yuan_per_unit": asked.yuan_per_unit,
            "currency": seen.currency,
            "price_basis": seen.price_basis,
            "first_year_treatment": FIRST_YEAR,
            "definitions": {key: item.national for key, item in spec.measurements.items() if item.alternatives},
            "absent": list(map(str, absent)),
            "likelihood": {item.label: item.errors.words for item in series},
        },
    )


def _with_observations(spec: ModelSpec, changes: Mapping[str, Values]) -> ModelSpec:
    """Copy of the declarations with other error models or national series for some measurements."""
    measurements = dict(spec.measurements)
    for key, fields in changes.items():
        if key not in measurements:
            raise UnknownName("the model declares no measurement {name!r}.{suggestion}", name=key, among=measurements)
        for name in fields:
            if name not in _SETTABLE:
                raise UnknownName(
                    "{name!r} of measurement {measurement!r} cannot be set.{suggestion}",
                    measurement=key,
                    name=name,
                    among=_SETTABLE,
                )
        _check_national(measurements[key], fields.get("national", measurements[key].national))
        measurements[key] = replace(measurements[key], **fields)
        check_measurement(measurements[key], fail_at(f'measurements["{key}"]'))
    return replace(spec, measurements=measurements)


def _check_national(item: Measurement, series: str) -> None:
    if series not in (item.national, *item.alternatives):
        known = [name for name in (item.national, *item.alternatives) if name]
        raise UnknownName(
            "measurement {name!r} cannot be read from {series!r}; {what}",
            name=item.key,
            series=series,
            what=Message("expected {expected}", expected=" or ".join(known))
            if known
            else Message("expected nothing else"),
        )


# Entries of a declared measurement that a caller may change.
_SETTABLE = ("errors", "national")


def line_of(series: Series) -> str:
    """Describe a series in one line."""
    cells, entities = int(series.used.sum()), len(series.labels)
    values = {"count": cells, "s": "" if cells == 1 else "s"}
    changes = Message("{count} change{s}", **values) if series.increments else Message("{count} value{s}", **values)
    parts = [
        Message(
            "{measurement} from {indicator}: {values}",
            measurement=series.measurement,
            indicator=series.indicator,
            values=changes,
        ),
        Message(", {count} entities", count=entities) if entities > 1 else "",
        _KINDS[series.kind],
        Message(
            ", compared with {what}: {said}",
            what=series.expression.text,
            said=series.words,
        ),
    ]
    if series.missing > series.recounted:
        parts.append(Message(", {count} missing and left out", count=series.missing - series.recounted))
    if series.recounted:
        parts.append(Message(", {count} left out because population was counted anew", count=series.recounted))
    if series.unusable:
        parts.append(Message(", {count} without a logarithm (zero or less) and left out", count=series.unusable))
    return joined(parts, "")


_KINDS = {
    "level": "",
    "flow": Message(", added up over each interval"),
    "cumulative": Message(", added up from the start"),
}


def _notes_on_errors(series: Sequence[Series]) -> tuple[str, ...]:
    """Notes on levels whose errors are declared independent."""
    return tuple(
        Message(
            "Errors of {measurement} ({indicator}) are declared independent although levels are compared: if they "
            "persist, every year is treated as independent information and standard errors are too small.",
            measurement=item.measurement,
            indicator=item.indicator,
        )
        for item in series
        if item.errors.memory == "independent" and not item.increments and (item.used.sum(axis=1) > 1).any()
    )


def _notes_on(panel: Data, yuan_per_unit: float) -> tuple[str, ...]:
    """Notes on currency, prices and omitted regions of a panel."""
    notes: list[str] = []
    if "constant" not in panel.price_basis:
        basis = (
            Message("is in {basis}", basis=Message(panel.price_basis))
            if panel.price_basis
            else Message("may be in current prices; the file does not say")
        )
        notes.append(
            Message(
                "Output {basis}: relative prices between regions count as output, and the trend is not read.",
                basis=basis,
            )
        )
    if "yuan" not in panel.currency.casefold() and yuan_per_unit == 1:
        notes.append(
            Message(
                "Output is in {currency}, and the model's costs and affordable income in yuan: pass yuan_per_unit "
                "(--yuan-per-unit) if access is to be read.",
                currency=Message("a currency the file does not name") if panel.currency == CURRENCY else panel.currency,
            )
        )
    told = [item.message for item in panel.problems if item.rule in (LEFT_OUT, JUMPED)]
    notes += [f"{text.removesuffix('?')}." if text.endswith("?") else Message("{said}.", said=text) for text in told]
    return tuple(notes)


def _of_columns(model: Model, table: Data, design: StudyDesign, asked: Choices) -> Bound:
    """Compare columns with variables; runs start from the initial values in the model file."""
    if asked.yuan_per_unit != 1:
        raise InvalidInput("yuan_per_unit does not apply to a table: nothing in it is converted")
    clocked, calendar = in_time_of(model, table, asked.start)
    start = None if asked.start is None else calendar.moment_of(time_of(asked.start))
    until = None if asked.until is None else end_of(model, asked.until, table, None, calendar)
    kept = clocked if until is None else clocked.until(until)
    observations, driven, unused = matched_columns(model, kept, asked.observations)
    paths, ends = driven_paths(model, kept, driven)
    held = {**paths, **_entered(model, asked.values)}
    begins, stop, step = _span_of(model, kept, held, start)
    moments = np.asarray(begins + step * np.arange(round((stop - begins) / step) + 1), dtype=float)
    series, left_out = series_of(model, kept, observations, held=held, moments=moments, step=step, sizes=design.errors)
    notes = (*calendar.told, *unused, *ends, *left_out, *_too_close(model, kept, step))
    known = known_numbers(model, series, begins) if asked.free is None else {}
    names, off = candidates(model, held, asked.priors, known) if asked.free is None else (listed(asked.free), [])
    unit = time_unit(model)
    found = Bound(
        model=model,
        data=clocked,
        design=design,
        # When a problem is rebuilt, its calendar is derived from dates again, whereas years are already model times.
        asked=asked if clocked.dates else replace(asked, start=start),
        spec=model.declarations,
        fixed={name: float(value) for name, value in asked.values.items() if np.ndim(value) == 0},
        first_year=begins,
        last_year=stop,
        series=series,
        runs=ModelRuns(
            FromFile(model, (), held=held), outcomes=outcomes_of(series), start=begins, stop=stop, save_every=step
        ),
        opening=Message(
            "Table {table}: {count} observations; {model} runs from {first} to {last}.",
            table=clocked.name,
            count=sum(len(item.cells) for item in series),
            model=model.name,
            first=calendar.said(begins),
            last=calendar.said(stop, "" if unit_of_time(unit) == "year" else unit),
        ),
        calendar=calendar,
        record={"notes": [*notes, *known.values(), *off]},
        observations=observations,
        until=until,
        time_unit=unit,
        is_open=asked.free is None and model.declarations.objective is None,
    )
    return with_free(found, names)


def _of_payoff(model: Model, design: StudyDesign, asked: Choices) -> Bound:
    """Compare nothing: the model computes its own log posterior, and runs as long as its file says."""
    held = _entered(model, asked.values)
    clock = prepared(model, held, start=asked.start, outcomes=[]).clock
    stop = clock.stop if asked.until is None else float(asked.until)
    names, off = candidates(model, held, asked.priors, {}) if asked.free is None else (listed(asked.free), [])
    found = Bound(
        model=model,
        data=Data(name=model.path.name, times=np.zeros(0), columns={}),
        design=design,
        asked=asked,
        spec=model.declarations,
        fixed={name: float(value) for name, value in asked.values.items() if np.ndim(value) == 0},
        first_year=clock.start,
        last_year=stop,
        series=(),
        runs=ModelRuns(
            FromFile(model, (), held=held), outcomes=(), start=clock.start, stop=stop, save_every=clock.step
        ),
        record={"notes": off},
        time_unit=time_unit(model),
    )
    return with_free(found, names)


def with_free(bound: Bound, names: Iterable[str], reasons: Sequence[str] = ()) -> Bound:
    """Copy of a setup in which the named scalars are estimated; `reasons` for the selection go into its notes."""
    model, held, priors = bound.model, bound.runs.entering.held, bound.asked.priors
    targets = targets_of(model, names)
    given = {item.name for name in bound.asked.values for item in targets_of(model, [name])}
    for target in targets:
        if target.name in given or isinstance(held.get(target.variable), TimePath):
            raise InvalidInput("parameter {name!r} is both set and to be estimated; leave it in one", name=target.name)
    parameters = parameters_of(model, targets, priors)
    objective = model.declarations.objective
    if objective is not None or bound.asked.is_own:
        check_count(len(parameters), model)
    space = ParameterSpace.of(parameters, is_flat=bound.asked.is_own or objective is not None)
    entering = FromFile(model, targets, held=held)
    payoff = None if objective is None else _payoff_of(bound, objective, entering, parameters)
    told = (*reasons, *(Message("{key}: prior {note}.", key=item.key, note=item.note) for item in parameters))
    keys = tuple(item.measurement for item in bound.series)
    declared = model.declarations
    return replace(
        bound,
        spec=replace(declared, parameters={**declared.parameters, **{item.key: item for item in parameters}}),
        space=space,
        stages=(Block(name=BLOCK, parameters=space.keys, measurements=keys),),
        runs=ModelRuns(entering, outcomes=bound.runs.outcomes, **bound.runs.bounds),
        payoff=payoff,
        opening=joined([text for text in (bound.opening, payoff and payoff.words) if text], " "),
        notes=(*bound.record["notes"], *([] if payoff is None else payoff.notes), *told),
        record={
            "declarations": [record_of(item) for item in parameters],
            "measurements": {
                item.label: {**asdict(item.observation), "errors": asdict(item.errors)} for item in bound.series
            },
            "start": bound.first_year,
            "held": {name: _held(value) for name, value in held.items()},
            "notes": bound.record["notes"],
            **({"calendar": bound.calendar.record} if bound.calendar.record else {}),
            **({} if objective is None else {"objective": asdict(objective)}),
            "chosen": list(reasons),
            "time_unit": bound.time_unit,
            "until": bound.until,
        },
    )


def _payoff_of(bound: Bound, objective: Objective, entering: FromFile, parameters: Sequence[Parameter]) -> Payoff:
    """The payoff of a model over all of its time steps, whatever the data; its values of the file start the search."""
    model, held = bound.model, bound.runs.entering.held
    clock = prepared(model, held, start=bound.runs.bounds["start"], outcomes=[]).clock
    stop = clock.stop if bound.series else bound.last_year
    start = {item.key: np.array([item.value]) for item in parameters}
    return Payoff.of(model, objective, entering, start, start=clock.start, stop=stop, save_every=clock.step)


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


def measurements_of(fitted: FittedParameters) -> dict[str, Observation]:
    """Observation specifications of the columns in a fit, by key."""
    return {
        key: Observation(**{**record, "errors": ErrorModel(**record["errors"])})
        for key, record in fitted.provenance["measurements"].items()
    }


# How data are compared with a model, by the target of a design.
_OBSERVED: Mapping[str, Callable[[Model, Data, StudyDesign, Choices], Bound]] = {
    "columns": _of_columns,
    "relative_output": _of_measurements,
}
