"""Match a data table to a model: columns to variables by name, and times to the unit of the model."""

from dataclasses import replace

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.data import Column, Data
from pysd_runner.data.times import unit_of_time
from pysd_runner.engine.ir import key
from pysd_runner.model import Model
from pysd_runner.simulation.run import located
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import FittedParameters

# Start times from this value on are calendar years.
FIRST_YEAR = 1000.0
# Maximum length of a run, as a multiple of the time span of its model or data.
FURTHEST = 10


def same(name: str, other: str) -> bool:
    """Whether two names are equal up to case, spaces and underscores."""
    return key(name.replace("_", " ")) == key(other.replace("_", " "))


def matched(model: Model, table: Data) -> dict[str, str]:
    """Model variable of each column that has its name, or that the caller mapped to it."""
    found = {}
    for name, column in table.columns.items():
        target = column.variable or next((item for item in model.variables if same(item, name)), "")
        if target:
            found[name] = _element(model, target, column)
    return found


def _element(model: Model, target: str, column: Column) -> str:
    """Element of a variable for a heading such as ``Stock[north]``, whose brackets were read as a unit."""
    element = f"{target}[{column.unit}]"
    if not column.unit or column.axes or target not in model.variables or not model.variables[target].dims:
        return target
    try:
        located(model, element)
    except InvalidInput:
        return target
    return element


def uses_of(model: Model, table: Data) -> dict[str, str]:
    """How a model uses each column of a table ("drives ..." or "observes ..."); empty for unused columns."""
    declared = {} if model.spec is None else {item.column: item.outcome for item in model.spec.observations.values()}
    found = dict.fromkeys(table.columns, "")
    for name, target in matched(model, table).items():
        variable = model.ir.variables.get(target)
        drives = variable is not None and variable.kind in ("constant", "data")
        found[name] = f"{'drives' if drives else 'observes'} {target}"
    for column, outcome in declared.items():
        if column in table:
            found[table.column(column).name] = f"observes {outcome}"
    return found


def problems_of(model: Model, table: Data) -> list[Finding]:
    """List problems of a table with a model: unmatched columns, and times in another unit or before the start."""
    uses = uses_of(model, table)
    found = _unknown(model, table)
    for name, use in uses.items():
        if not use:
            near = suggest(name, model.variables)
            message = f"no variable of {model.path.name} is called like column {name!r}, so it is not used.{near}"
            found.append(
                Finding(
                    rule="unused-column",
                    message=message,
                    column=name,
                    expected=f"a name of the model, or --map {name}=variable",
                    severity="warning",
                )
            )
    if not any(use.startswith("observes") for use in uses.values()):
        message = f"no column observes anything of {model.path.name}; say what one is with --map column=variable"
        found.append(Finding(rule="nothing-observed", message=message))
    clock = prepared(model, {}, outcomes=[]).clock
    try:
        moments = in_time_of(model, table, clock.start)[0].times
    except InvalidInput as error:
        return [*found, Finding(rule="time-unit", message=str(error))]
    early = int((moments < clock.start - 1e-9).sum())
    if early:
        message = (
            f"{early} of {len(moments)} moments lie before the start of the model ({clock.start:g}) and are left out; "
            "--start says otherwise"
        )
        is_all = early == len(moments)
        found.append(Finding(rule="before-start", message=message, severity="error" if is_all else "warning"))
    return found


def _unknown(model: Model, table: Data) -> list[Finding]:
    """List columns that are mapped to unknown names; expressions are left to the fit."""
    found = []
    for name, column in table.columns.items():
        if not column.variable or any(sign in column.variable for sign in "+-*/("):
            continue
        try:
            located(model, column.variable)
        except InvalidInput as error:
            found.append(Finding(rule="unknown-variable", message=str(error), column=name, found=column.variable))
    return found


def in_time_of(model: Model, table: Data, start: float) -> tuple[Data, list[str]]:
    """Convert the times of a table to the unit of the model, with notes on the conversion."""
    unit = unit_of_time(time_unit(model))
    if table.dates and unit:
        counted = table.in_unit(unit)
        if unit == "year" and start >= FIRST_YEAR:
            return counted, []
        counted = replace(counted, times=counted.times - counted.times[0] + start)
        return counted, [f"{table.dates[0]:%Y-%m-%d} is moment {start:g} of the model, in {unit}s."]
    theirs = unit_of_time(table.time_unit)
    if unit and theirs and unit != theirs:
        raise InvalidInput(
            "times of table {table!r} are in {theirs}s, those of {model} in {unit}s; give dates, or convert the "
            "column, or say time_unit={label!r} (--time-unit) if one of the two is mislabelled",
            table=table.name,
            theirs=table.time_unit,
            model=model.path.name,
            unit=unit,
            label=unit,
        )
    first = float(table.times[0])
    if start < FIRST_YEAR <= first and prepared(model, None, outcomes=[]).clock.stop < FIRST_YEAR:
        counted = replace(table, times=table.times - first + start)
        return counted, [f"{first:g} is moment {start:g} of the model, which does not count calendar years."]
    return table, []


def check_end(model: Model, until: float | None, table: Data | None, fitted: FittedParameters | None) -> None:
    """Raise if an end time is implausible for the time axis of a model, such as 2040 where it starts at 0."""
    if until is None:
        return
    clock = prepared(model, None, outcomes=[]).clock
    start, span, data = clock.start, clock.stop - clock.start, "-"
    if fitted is not None:
        start, span = fitted.first_year, max(span, fitted.last_year - fitted.first_year)
        data = f"{fitted.panel}, {fitted.first_year:g} … {fitted.last_year:g}"
    if table is not None:
        moments = in_time_of(model, table, start)[0].times
        ends = [f"{item:%Y-%m-%d}" for item in table.dates] or [f"{item:g}" for item in table.times]
        span, data = max(span, float(moments[-1] - start)), f"{table.name}, {ends[0]} … {ends[-1]}"
    most = start + FURTHEST * span
    if unit_of_time(time_unit(model)) == "year" and max(start, clock.stop) < FIRST_YEAR:
        most = min(most, FIRST_YEAR)
    if until > most:
        raise InvalidInput(
            "until {until:g} is no moment of this run: the clock of {model} counts from {start:g} to {stop:g} "
            "({unit}), that of the data: {data}; expected a moment of the model's clock, {most:g} at most",
            until=until,
            model=model.path.name,
            start=start,
            stop=clock.stop,
            unit=time_unit(model) or Message("no unit"),
            data=data,
            most=most,
        )
