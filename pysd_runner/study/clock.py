"""The times of a table in the unit of a model."""

from dataclasses import replace

from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import Model
from pysd_runner.panel import Table
from pysd_runner.panel.calendar import unit_of_time
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import FittedParameters

# Starts from here on are years of the calendar.
FIRST_YEAR = 1000.0
# A run goes on so many times as long as its model or its data at most.
FURTHEST = 10


def in_time_of(model: Model, table: Table, start: float) -> tuple[Table, list[str]]:
    """The table with its times in the model's unit."""
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
            f"times of table {table.name!r} are in {table.time_unit}s, those of {model.path.name} in {unit}s; give "
            f"dates, or convert the column, or say time_unit={unit!r} (--time-unit) if one of the two is mislabelled"
        )
    first = float(table.times[0])
    if start < FIRST_YEAR <= first and prepared(model, None, outcomes=[]).clock.stop < FIRST_YEAR:
        counted = replace(table, times=table.times - first + start)
        return counted, [f"{first:g} is moment {start:g} of the model, which does not count calendar years."]
    return table, []


def check_end(model: Model, until: float | None, table: Table | None, fitted: FittedParameters | None) -> None:
    """Refuse a last moment that is meant for another clock than that of a model."""
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
            f"until {until:g} is no moment of this run: the clock of {model.path.name} counts from {start:g} to "
            f"{clock.stop:g} ({time_unit(model) or 'no unit'}), that of the data: {data}; "
            f"expected a moment of the model's clock, {most:g} at most"
        )
