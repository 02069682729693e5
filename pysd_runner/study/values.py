"""Convert scenarios to values of a run, over scenarios, draws and, for schedules, time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import InvalidInput, InvalidScenario, Message, UnknownName
from pysd_runner.core.types import Array, Interval, Record, Values
from pysd_runner.data import Data, Entity
from pysd_runner.engine import TimePath
from pysd_runner.engine.ir import key
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.changed import TIMES
from pysd_runner.scenarios.policy import Amount, Change, Relative, Schedule
from pysd_runner.simulation.run import constant_values, located, stacked_values
from pysd_runner.spec import FittedParameters
from pysd_runner.study.equations import Expression, expression_of

# Duration of a jump in a linearly interpolated path, as a fraction of a time step.
BEFORE = 1e-6


def scenario_values(
    scenarios: Sequence[Scenario],
    model: Model,
    regions: Sequence[Entity],
    common: Mapping[str, Array | TimePath],
    bounds: Interval,
    *,
    step: float,
    calendar: Calendar = PLAIN,
) -> dict[str, Array | TimePath]:
    """Stack the values set by scenarios (policies, assumptions, changes), shape (scenario, draw, ...)."""
    # Variables that a scenario does not set keep the common draws, or the value of the model file.
    start, stop = bounds
    times = np.arange(start, stop + step / 2, step)
    each = [item.values(model, regions, default_start=float(start + 1), times=times) for item in scenarios]
    changed = changed_values(model, scenarios, common, start=start, stop=stop, step=step, calendar=calendar)
    return {**stacked_values(each, model, common, times), **changed}


def changed_values(
    model: Model,
    scenarios: Sequence[Scenario],
    common: Values,
    *,
    start: float,
    stop: float,
    step: float,
    calendar: Calendar = PLAIN,
) -> dict[str, Array | TimePath]:
    """Values of the variables that scenarios change, stacked along the scenario axis, by variable."""
    wanted: dict[str, list[tuple[int, tuple[int, ...] | None, Change, str]]] = {}
    for number, scenario in enumerate(scenarios):
        for name, change in scenario.changes.items():
            if name in TIMES:
                continue
            variable, position = _constant(model, scenario.name, name)
            if isinstance(change, Schedule):
                change = replace(change, times=tuple(map(calendar.moment_of, change.times)))
                _check_times(scenario.name, name, change, start, stop, calendar)
            wanted.setdefault(variable, []).append((number, position, change, name))
    return {
        variable: _lowered(model, variable, parts, common.get(variable), len(scenarios), start=start, step=step)
        for variable, parts in wanted.items()
    }


def _constant(model: Model, scenario: str, name: str) -> tuple[str, tuple[int, ...] | None]:
    try:
        variable, position = located(model, name)
    except UnknownName as error:
        raise InvalidScenario("scenario {scenario!r}: {error}", scenario=scenario, error=error) from error
    kind = model.ir.variables[variable].kind
    if kind not in ("constant", "data"):
        raise InvalidScenario(
            "scenario {scenario!r}: {variable!r} is computed by an equation ({kind}); a scenario changes constants "
            "and inputs that follow data",
            scenario=scenario,
            variable=variable,
            kind=Message(kind),
        )
    return variable, position


def _check_times(
    scenario: str, name: str, change: Schedule[Amount], start: float, stop: float, calendar: Calendar
) -> None:
    if change.times[0] > stop:
        raise InvalidScenario(
            "scenario {scenario!r}: the first change of {name!r} is at {change}, after the end of the run ({stop})",
            scenario=scenario,
            name=name,
            change=calendar.said(change.times[0]),
            stop=calendar.said(stop),
        )
    if change.times[-1] < start and change.interpolate == "linear":
        raise InvalidScenario(
            "scenario {scenario!r}: the schedule of {name!r} ends before the run starts ({start})",
            scenario=scenario,
            name=name,
            start=calendar.said(start),
        )


def _lowered(
    model: Model,
    variable: str,
    parts: Sequence[tuple[int, tuple[int, ...] | None, Change, str]],
    base: Any,
    count: int,
    *,
    start: float,
    step: float,
) -> Array | TimePath:
    own = _base(model, variable, base)
    times = _times(parts, own, start, step)
    still = np.stack([own.at(time)[0] if isinstance(own, TimePath) else own for time in times])
    values = np.repeat(still[:, None], count, axis=1)
    for number, position, change, _ in parts:
        place: tuple[Any, ...] = (slice(None), number, slice(None), *(position or ()))
        values[place] = _scheduled(change, times, values[place], step)
    return values[0] if len(times) == 1 else TimePath(times=times, values=values, interpolate="linear")


def _base(model: Model, variable: str, base: Any) -> Array | TimePath:
    """Value of a variable without a scenario: shape (draw, element...), or a path of (scenario, draw, element...)."""
    if isinstance(base, TimePath):
        dims = len(model.ir.variables[variable].dims)
        values = base.values if base.values.ndim == dims + 3 else base.values[:, None, None]
        return TimePath(times=base.times, values=values, interpolate=base.interpolate)
    if base is None:
        return np.array(constant_values(model, variable), dtype=float)[None]
    array = np.asarray(base, dtype=float)
    dims = len(model.ir.variables[variable].dims)
    if array.ndim == dims:
        return array[None]
    return array[0] if array.ndim == dims + 2 else array


def _times(parts: Sequence[Any], own: Array | TimePath, start: float, step: float) -> Array:
    """Time points of a linearly interpolated path; a jump has two, `BEFORE` steps apart."""
    found = {start}
    if isinstance(own, TimePath):
        found |= set(own.times.tolist())
        if own.interpolate == "step":
            found |= {time - BEFORE * step for time in own.times[1:]}
    for _, _, change, _ in parts:
        for number, time in enumerate(change.times if isinstance(change, Schedule) else ()):
            found.add(time)
            if number == 0 or change.interpolate == "step":
                found.add(time - BEFORE * step)
    return np.array(sorted(found))


def _scheduled(change: Change, times: Array, own: Array, step: float) -> Array:
    """Values of a changed variable at some times, in the shape of `own`, (time, draw, ...)."""
    if not isinstance(change, Schedule):
        return _applied(change, own)
    given = np.stack(
        [_applied(amount, own[_nearest(times, at)]) for at, amount in zip(change.times, change.values, strict=True)]
    )
    found = own.copy()
    for place, time in enumerate(times):
        number = int(np.searchsorted(change.times, time + 1e-3 * BEFORE * step, side="right")) - 1
        if number < 0:
            continue
        found[place] = given[number]
        if change.interpolate == "linear" and number + 1 < len(change.times):
            share = (time - change.times[number]) / (change.times[number + 1] - change.times[number])
            found[place] = given[number] + share * (given[number + 1] - given[number])
    return found


def _nearest(times: Array, time: float) -> int:
    return int(np.abs(times - time).argmin())


def _applied(amount: Amount, own: Array) -> Array:
    return own * amount.factor if isinstance(amount, Relative) else np.full_like(own, amount)


def observed_of(model: Model, data: Data | None, fitted: FittedParameters | None) -> dict[str, str]:
    """Column that observes each variable, from the fit, the declarations or by name."""
    found, records = {}, _records_of(model, fitted)
    for record in records:
        variable, position = _variable_of(model, record["outcome"])
        if variable and position is None and record["kind"] == "level":
            found[variable] = record["column"]
    taken = {record["column"] for record in records}
    for name in () if data is None else [name for name in data.columns if name in data and name not in taken]:
        variable, position = _variable_of(model, data.column(name).variable or name) if data is not None else ("", None)
        if variable and position is None and model.ir.variables[variable].kind not in ("constant", "data", "lookup"):
            found.setdefault(variable, name)
    return {name: column for name, column in found.items() if data is None or column in data}


def _records_of(model: Model, fitted: FittedParameters | None) -> list[Record]:
    """Column, outcome and kind of the measurements of a fit, or else of the declarations."""
    if fitted is not None:
        return list(fitted.provenance.get("measurements", {}).values())
    declared = model.declarations.observations
    return [asdict(item) for item in declared.values()]


def _variable_of(model: Model, name: str) -> tuple[str, tuple[int, ...] | None]:
    """Variable and element of a name; empty if there is none."""
    try:
        return located(model, name)
    except InvalidInput:
        return "", None


def formulas_of(
    model: Model, data: Data | None, fitted: FittedParameters | None, names: Sequence[str]
) -> dict[str, tuple[Expression, str, str]]:
    """Observed scalar formulas and flows as (formula, kind, column), by a name that is not in `names`."""
    found = {}
    for record in _records_of(model, fitted):
        kind, column = record["kind"], record["column"]
        if data is None or column not in data or (kind == "level" and _variable_of(model, record["outcome"])[0]):
            continue
        formula = expression_of(model, record["outcome"])
        name = (formula.text if kind == "level" else column).replace("/", "\u2215")
        if not formula.dims:
            found[f"{name} ({kind})" if key(name) in map(key, names) else name] = (formula, kind, column)
    return found
