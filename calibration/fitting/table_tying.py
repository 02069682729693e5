"""Any model tied to a table: which columns observe it, which drive it, which of its numbers are estimated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.columns import Binding, Measurements, bound, driven_paths, series_of
from calibration.fitting.selection import Target, TargetValues, parameters_of, selected, targets_of
from calibration.fitting.space import ParameterSpace, listed
from calibration.fitting.tying import Block, Description, ModelRuns, Tied
from calibration.observation import Series
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.panel import Data
from pysd_runner.panel.calendar import unit_of_time
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import ErrorModel, FittedParameters, ModelSpec, Observation, Prior
from pysd_runner.spec.own import record_of
from pysd_runner.study.matching import in_time_of

Array = NDArray[np.float64]

# The one block of a model of which nobody said how its parts hang together.
BLOCK = "Model"


def tied_to_table(  # noqa: PLR0913 - the settings of a front door
    model: Model,
    table: Data,
    *,
    free: Iterable[str] | None,
    values: Mapping[str, Any] | None,
    priors: Mapping[str, Prior] | None,
    observations: Measurements | None,
    start: float | None,
    until: float | None,
    seed: int,
) -> Tied:
    """Tie a model to a table; see `calibration.CalibrationProblem`."""
    named: Iterable[str] | None = None if free is None else listed(free)
    clocked, told = in_time_of(model, table, prepared(model, None, start=start, outcomes=[]).clock.start)
    kept = clocked if until is None else clocked.until(until)
    binding = bound(model, kept, spec=model.spec, measurements=observations)
    paths, ends = driven_paths(model, kept, binding.driven)
    held = {**paths, **_entered(model, values or {})}
    run = _run_of(model, kept, held, start)
    series, left_out = series_of(model, kept, binding, held=held, moments=run.moments, step=run.step)
    notes = (*told, *binding.notes, *ends, *left_out, *_too_close(model, kept, run))
    names = list(dict.fromkeys(name for item in series for name in item.expression.variables))
    bounds = {"start": run.start, "stop": run.stop, "save_every": run.step}
    reasons: tuple[str, ...] = ()
    if named is None:
        named, reasons = selected(model, held, series, bounds, priors=priors or {}, seed=seed)
    targets = targets_of(model, named)
    _check_free(model, binding, targets, values or {})
    parameters = parameters_of(model, targets, spec=model.spec, priors=priors or {})
    space, unit = ParameterSpace.of(parameters), time_unit(model)
    cells = sum(len(item.cells) for item in series)
    spelled = f" {unit}" if unit and unit_of_time(unit) != "year" else ""
    keys = tuple(item.measurement for item in series)
    fixed = {name: float(value) for name, value in (values or {}).items() if np.ndim(value) == 0}
    return Tied(
        model=model,
        data=clocked,
        spec=_spec_of(model, space),
        fixed=fixed,
        space=space,
        first_year=run.start,
        last_year=run.stop,
        stages=(Block(name=BLOCK, parameters=space.keys, measurements=keys),),
        series=series,
        runs=ModelRuns(TargetValues(model, targets, held=held), outcomes=names, **bounds),
        description=Description(
            panel=clocked.name,
            regions=0,
            first_year=run.start,
            last_year=run.stop,
            series=tuple(_line(item) for item in series),
            absent=(),
            fixed=fixed,
            notes=(*notes, *reasons, *(f"{item.key}: prior {item.note}." for item in parameters)),
            opening=f"Table {clocked.name}: {cells} observations; {model.name} runs from {run.start:g} to "
            f"{run.stop:g}{spelled}.",
        ),
        record={
            "declarations": [record_of(item) for item in parameters],
            "measurements": {
                item.label: {**asdict(item.observation), "errors": asdict(item.errors)} for item in series
            },
            "start": run.start,
            "held": {name: _held(value) for name, value in held.items()},
            "notes": list(notes),
            "chosen": list(reasons),
            "time_unit": unit,
            "until": until,
        },
        asked={"values": values, "priors": priors, "start": start, "seed": seed},
        binding=binding,
        until=until,
        time_unit=unit,
    )


def _check_free(model: Model, binding: Binding, targets: Sequence[Target], values: Mapping[str, Any]) -> None:
    """Refuse what is both set, by itself or with all elements, or follows a column, and to be estimated."""
    given = {item.name for name in values for item in targets_of(model, [name])}
    for target in targets:
        if target.name in given or target.variable in binding.driven:
            raise InvalidInput("parameter {name!r} is both set and to be estimated; leave it in one", name=target.name)


def _held(value: Any) -> Any:
    """A set value or a path as JSON can hold it."""
    if isinstance(value, TimePath):
        return {"times": value.times.tolist(), "values": value.values.tolist(), "interpolate": value.interpolate}
    return np.asarray(value).tolist()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOf:
    """Bounds of the run that is compared."""

    start: float
    stop: float
    step: float
    moments: Array


def _run_of(model: Model, table: Data, held: Mapping[str, Any], start: float | None) -> RunOf:
    """From the start of the file to the last observation, in whole steps."""
    clock = prepared(model, held, start=start, outcomes=[]).clock
    last = float(table.times[-1])
    if last <= clock.start:
        raise InvalidInput(
            "table {table!r} ends at {last:g}, but {model} starts at {start:g}; are the times in the model's "
            "unit{unit}? Another start is start=... (--start)",
            table=table.name,
            last=last,
            model=model.path.name,
            start=clock.start,
            unit=Message(" ({unit})", unit=time_unit(model)) if time_unit(model) else "",
        )
    steps = max(int(np.ceil((last - clock.start) / clock.step - 1e-6)), 1)
    stop = clock.start + steps * clock.step
    moments = clock.start + clock.step * np.arange(steps + 1)
    return RunOf(start=clock.start, stop=stop, step=clock.step, moments=np.asarray(moments, dtype=float))


def _too_close(model: Model, table: Data, run: RunOf) -> list[str]:
    """Doubt the unit of the model's time where a step of it holds several observations."""
    apart = float(np.median(np.diff(table.times))) if table.times.size > 1 else np.inf
    if apart > run.step * (1 - 1e-6):
        return []
    unit = time_unit(model) or "units of time"
    return [
        f"Observations lie {apart:.3g} apart, closer than a step of {model.path.name} ({run.step:g} {unit}); does it "
        f"really count in {unit}? If not, give numbers for times instead of dates, and --time-unit."
    ]


def _entered(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set values under the names of the file; elements change an array of the file."""
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
            from pysd_runner.simulation.run import constant_values

            array = plain.setdefault(target.variable, np.array(constant_values(model, target.variable)))
            array[target.position] = float(value)
        if np.ndim(value) > 0:
            plain[model.find(name)] = np.asarray(value, dtype=float)
    return plain


def _spec_of(model: Model, space: ParameterSpace) -> ModelSpec:
    """Declarations of a fit: those of the file, and the parameters as they are estimated."""
    declared = model.spec or ModelSpec(
        name=model.name, parameters={}, inputs={}, outcomes={}, measurements={}, levers={}, classes={}
    )
    return replace(declared, parameters={**declared.parameters, **{item.key: item for item in space.parameters}})


def _line(series: Series) -> str:
    cells = len(series.cells)
    who = f" for {len(series.labels)} entities" if len(series.labels) > 1 else ""
    text = f"{series.expression.text} from column {series.indicator}: {cells} value{'' if cells == 1 else 's'}{who}"
    kind = {"flow": ", added up over each interval", "cumulative": ", added up from the start"}
    text += kind.get(series.kind, "")
    text += f", {series.errors.words}" if series.errors.is_count else f", compared by {_SCALES[series.scale]}"
    return text if series.errors.is_count else f"{text}, {series.errors.words}"


_SCALES = {"level": "level", "log": "logarithm", "logit": "log odds"}


def measurements_of(fitted: FittedParameters) -> dict[str, Observation]:
    """How columns observe the model in a fit, by key."""
    return {
        key: Observation(**{**record, "errors": ErrorModel(**record["errors"])})
        for key, record in fitted.provenance["measurements"].items()
    }
