"""Combine models and data: a regional model with a panel, and the columns and times of a table with any model."""

from dataclasses import field, replace
from functools import cache

import numpy as np

from pysd_runner.core.calendar import CALENDAR, PLAIN, Calendar, date_of, time_of, unit_of_time
from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.types import Array, Arrays, Texts, Values, frozen
from pysd_runner.data import Column, Data
from pysd_runner.engine import TimePath
from pysd_runner.engine.ir import key
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import located
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.bindings import Bindings
from pysd_runner.study.region_inputs import RegionInputs, region_inputs, time_step, yearly_memory

SHIPPED = "regional_digital"
# Years simulated before the origin, to obtain the initial values that no series observes.
HISTORY_YEARS = 10
# Stocks that no series observes.
CARRIED_STOCKS = ("shared_data", "governance", "platform")


@frozen(eq=False)
class RegionalModel:
    """A regional model on a panel, for one parameter vector or many.

    Attributes
    ----------
    model
        A model with declared bindings and as many regions as the panel.
    panel
        Observations; years after the start of a run are not used.
    parameters
        Numbers or arrays of shape (draw,), by key; missing parameters take their declared values.
    yuan_per_unit
        Value of one unit of the panel's currency in the currency of the model (yuan).
    """

    model: Model
    panel: Data
    parameters: Values = field(default_factory=dict)
    yuan_per_unit: float = 1.0

    @property
    def bindings(self) -> Bindings:
        """Names of the variables, inputs, parameters and ranges of the model, by their role."""
        return self.model.bindings

    def at(self, parameters: Values) -> "RegionalModel":
        """Copy with other parameters."""
        return replace(self, parameters=parameters)

    def inputs(
        self, year: int, *, carried: Arrays | None = None, reference_years: int = 0, errors: Arrays | None = None
    ) -> RegionInputs:
        """Initial values of the regions in a year."""
        return region_inputs(
            self.model,
            self.panel,
            year,
            parameters=self.parameters,
            carried=carried,
            reference_years=reference_years,
            yuan_per_unit=self.yuan_per_unit,
            errors=errors,
        )

    def start(self, origin: int, first_year: int | None = None, errors: Arrays | None = None) -> RegionInputs:
        """Initial values of a projection; unobserved ones come from a run of the years before the origin."""
        carried = self.carried(origin, first_year)
        return self.inputs(origin, carried=carried, reference_years=HISTORY_YEARS, errors=errors)

    def carried(self, origin: int, first_year: int | None = None) -> Arrays:
        """National levels and unobserved stocks at an origin, from a run of the years before, by key of their input."""
        wanted_first = origin - HISTORY_YEARS if first_year is None else first_year
        whole = np.asarray(np.isfinite(self.panel.array("output_per_head")).all(axis=0))
        years = [year for year, is_whole in zip(self.panel.years, whole, strict=True) if is_whole and year < origin]
        if not years:
            return {}
        first = min(years, key=lambda year: (abs(year - wanted_first), year))
        keys, names = self.bindings.inputs, self.bindings.variables
        stocks = {getattr(keys, name): getattr(names, name) for name in CARRIED_STOCKS}
        levels = {keys.skills: names.national_skills, keys.application: names.application}
        run = simulate(
            self.model,
            self.values(self.inputs(first)),
            start=first,
            stop=origin,
            save_every=origin - first,
            outcomes=[*levels.values(), *stocks.values(), names.population],
        )
        people = run[names.population][0, ..., -1]
        found = {key: run[variable][0, ..., -1] for key, variable in stocks.items()}
        for level_of, variable in levels.items():
            level = run[variable][0, ..., -1]
            found[level_of] = level if level.ndim == 1 else (level * people).sum(axis=1) / people.sum(axis=1)
        return found

    def memory(self) -> Array:
        """Share of growth momentum that remains after a year with the Euler steps of the model, shape (draw,)."""
        return yearly_memory(self._momentum_decay, time_step(self.model))

    def memory_slope(self) -> Array:
        """Derivative of `memory` with respect to the decay time of momentum."""
        decay, step = self._momentum_decay, time_step(self.model)
        return np.maximum(1 - step / decay, 0.0) ** (1 / step - 1) / decay**2

    @property
    def _momentum_decay(self) -> Array:
        key = self.bindings.parameters.momentum_decay
        return np.asarray(self.parameters.get(key, self.model.declarations.parameters[key].value), dtype=float)

    def values(self, inputs: RegionInputs) -> dict[str, Array | TimePath]:
        """Values of model variables from initial values and parameters."""
        values: dict[str, Array | TimePath] = dict(inputs.values)
        declared = self.model.declarations.parameters
        for name, value in self.parameters.items():
            variable = declared[name].variable if name in declared else self.model.find(name)
            if variable:
                values[variable] = np.asarray(value, dtype=float)
        return values


@cache
def shipped_model() -> Model:
    """The regional model shipped with the package, with the regions of its file."""
    return load_model(SHIPPED)


# Maximum length of a run, as a multiple of the time span of its model or data.
FURTHEST = 5


def same(name: str, other: str) -> bool:
    """Whether two names are equal up to case, spaces and underscores."""
    return key(name.replace("_", " ")) == key(other.replace("_", " "))


def matched(model: Model, table: Data) -> Texts:
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
    found = dict.fromkeys(table.columns, "")
    for name, target in matched(model, table).items():
        variable = model.ir.variables.get(target)
        drives = variable is not None and variable.kind in ("constant", "data")
        found[name] = Message("drives {name}", name=target) if drives else Message("observes {name}", name=target)
    for item in model.declarations.observations.values():
        if item.column in table:
            found[table.column(item.column).name] = Message("observes {name}", name=item.outcome)
    return found


def problems_of(model: Model, table: Data) -> list[Finding]:
    """List problems of a table with a model: unmatched columns, and times in another unit or before the start."""
    uses = uses_of(model, table)
    found = _unknown(model, table)
    for name, use in uses.items():
        if not use:
            near = suggest(name, model.variables)
            message: str = Message(
                "no variable of {file} is called like column {name!r}, so it is not used.{suggestion}",
                file=model.path.name,
                name=name,
                suggestion=near,
            )
            found.append(
                Finding(
                    rule="unused-column",
                    message=message,
                    column=name,
                    expected=Message("a name of the model, or --map {name}=variable", name=name),
                    severity="warning",
                )
            )
    if not any(use.startswith("observes") for use in uses.values()):
        message = Message(
            "no column observes anything of {file}; say what one is with --map column=variable", file=model.path.name
        )
        found.append(Finding(rule="nothing-observed", message=message))
    clock = prepared(model, {}, outcomes=[]).clock
    try:
        moments = in_time_of(model, table)[0].times
    except InvalidInput as error:
        return [*found, Finding(rule="time-unit", message=str(error))]
    early = int((moments < clock.start - 1e-9).sum())
    if early:
        message = Message(
            "{count} of {all} moments lie before the start of the model ({start:g}) and are left out; "
            "--start says otherwise",
            count=early,
            all=len(moments),
            start=clock.start,
        )
        is_all = early == len(moments)
        found.append(Finding(rule="before-start", message=message, severity="error" if is_all else "warning"))
    return found


def _unknown(model: Model, table: Data) -> list[Finding]:
    """List columns that are mapped to unknown names; expressions are checked by the fit."""
    found = []
    for name, column in table.columns.items():
        if not column.variable or any(sign in column.variable for sign in "+-*/("):
            continue
        try:
            located(model, column.variable)
        except InvalidInput as error:
            found.append(Finding(rule="unknown-variable", message=str(error), column=name, found=column.variable))
    return found


def in_time_of(
    model: Model, table: Data, start: float | str | None = None, *, calendar: Calendar | None = None
) -> tuple[Data, Calendar]:
    """Convert the times of a table to the unit of the model, with the calendar of a model that does not count years.

    `start` is the moment of the first row; or, given as a year or date, when the first moment of the model is. A
    `calendar` with a date settles both.
    """
    unit, clock = unit_of_time(time_unit(model)), prepared(model, None, outcomes=[]).clock
    theirs = unit_of_time(table.time_unit)
    if unit and theirs and unit != theirs and not table.dates:
        raise InvalidInput(
            "times of table {table!r} are in {theirs}s, those of {model} in {unit}s; give dates, or convert the "
            "column, or say time_unit={label!r} (--time-unit) if one of the two is mislabelled",
            table=table.name,
            theirs=table.time_unit,
            model=model.path.name,
            unit=unit,
            label=unit,
        )
    counted = table.in_unit(unit) if table.dates and unit else table
    first, counts_years = float(counted.times[0]), max(clock.start, clock.stop) >= CALENDAR
    # Years that a mislabelled model (time_unit repeats its unit) could not reach.
    is_mislabelled = not table.dates and first > FURTHEST * max(clock.stop, 1.0)
    is_yearly = first >= CALENDAR and (is_mislabelled or (unit or theirs or "year") == "year")
    if (is_yearly and counts_years) or not (is_yearly or table.dates):
        return counted, PLAIN
    begins = clock.start if start is None else time_of(start)
    found = calendar or PLAIN
    if found.since is None:
        given = begins >= CALENDAR and not counts_years
        moment = clock.start if given else begins
        if is_yearly:
            found = Calendar("year", moment, date_of(begins if given else first))
        else:
            found = Calendar(unit or theirs, moment, date_of(begins) if given else table.dates[0])
    if is_yearly:
        return replace(counted, times=np.array([found.moment_of(time) for time in counted.times])), found
    return replace(counted, times=counted.times - first + found.moment_of_date(table.dates[0])), found


def calendar_of(model: Model, table: Data | None, fitted: FittedParameters | None) -> Calendar:
    """Calendar of a fit, or else of a model with a table."""
    if fitted is not None and "calendar" in fitted.provenance:
        return Calendar.of(fitted.provenance["calendar"])
    return PLAIN if table is None else in_time_of(model, table)[1]


def end_of(
    model: Model, until: float | str | None, table: Data | None, fitted: FittedParameters | None, calendar: Calendar
) -> float | None:
    """Model time of an end time; raise if it is implausible, such as 2040 for a model without a calendar."""
    clock = prepared(model, None, outcomes=[]).clock
    start, span, last = clock.start, clock.stop - clock.start, clock.stop
    if fitted is not None:
        start, last = fitted.first_year, max(last, fitted.last_year)
    if table is not None:
        last = max(last, float(in_time_of(model, table, start, calendar=calendar)[0].times[-1]))
    if until is None:
        return last
    moment = calendar.moment_of(time_of(until))
    most = start + FURTHEST * max(span, last - start)
    if calendar.since is None and unit_of_time(time_unit(model)) == "year" and max(start, clock.stop) < CALENDAR:
        most = min(most, CALENDAR)
    if moment <= most:
        return moment
    unit = time_unit(model)
    is_year = calendar.since is None and time_of(until) >= CALENDAR
    where = Message(", or give the table (--data), whose years or dates say when moment {start:g} is", start=start)
    raise InvalidInput(
        "until {until} lies more than {times} times as far as {model} and its data go ({start} to {last}): write "
        "--until {most} or less{hint}",
        until=f"{until:g}" if isinstance(until, float | int) else until,
        times=FURTHEST,
        model=model.path.name,
        start=calendar.said(start),
        last=calendar.said(last, unit),
        most=calendar.said(most),
        hint=where if is_year else "",
    )
