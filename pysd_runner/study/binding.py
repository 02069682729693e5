"""Combine models and data: a regional model with a panel, and the columns and times of a table with any model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.data import Column, Data
from pysd_runner.data.times import unit_of_time
from pysd_runner.engine import TimePath
from pysd_runner.engine.ir import key
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import located
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import FittedParameters
from pysd_runner.spec.bindings import Bindings
from pysd_runner.study.region_inputs import RegionInputs, region_inputs, time_step, yearly_memory

Array = NDArray[np.float64]

SHIPPED = "regional_digital"
# Years simulated before the origin, to obtain the initial values that no series observes.
HISTORY_YEARS = 10
# Stocks that no series observes.
CARRIED_STOCKS = ("shared_data", "governance", "platform")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
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
    parameters: Mapping[str, Any] = field(default_factory=dict)
    yuan_per_unit: float = 1.0

    @property
    def bindings(self) -> Bindings:
        """Names of the variables, inputs, parameters and ranges of the model, by their role."""
        return self.model.bindings

    def at(self, parameters: Mapping[str, Any]) -> "RegionalModel":
        """Copy with other parameters."""
        return replace(self, parameters=parameters)

    def inputs(
        self,
        year: int,
        *,
        carried: Mapping[str, Array] | None = None,
        reference_years: int = 0,
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
        )

    def start(self, origin: int, first_year: int | None = None) -> RegionInputs:
        """Initial values of a projection; unobserved ones come from a run of the years before the origin."""
        return self.inputs(origin, carried=self.carried(origin, first_year), reference_years=HISTORY_YEARS)

    def carried(self, origin: int, first_year: int | None = None) -> dict[str, Array]:
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
        return np.asarray(np.maximum(1 - step / decay, 0.0) ** (1 / step - 1) / decay**2)

    @property
    def _momentum_decay(self) -> Array:
        key = self.bindings.parameters.momentum_decay
        assert self.model.spec is not None  # noqa: S101
        value = self.parameters[key] if key in self.parameters else self.model.spec.parameters[key].value
        return np.asarray(value, dtype=float)

    def values(self, inputs: RegionInputs) -> dict[str, Array | TimePath]:
        """Values of model variables from initial values and parameters."""
        values: dict[str, Array | TimePath] = dict(inputs.values)
        declared = {} if self.model.spec is None else self.model.spec.parameters
        for name, value in self.parameters.items():
            variable = declared[name].variable if name in declared else self.model.find(name)
            if variable:
                values[variable] = np.asarray(value, dtype=float)
        return values


@cache
def shipped_model() -> Model:
    """The regional model shipped with the package, with the regions of its file."""
    return load_model(SHIPPED)


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
