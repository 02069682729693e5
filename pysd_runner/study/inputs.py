"""Common inputs of all scenarios of a projection: model, data, fit, draws, and the time span of the run."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.core.types import Array, Arrays, Interval, Record, Values, frozen
from pysd_runner.data import Data, Entity
from pysd_runner.engine import Engine, TimePath
from pysd_runner.engine.memory import check_run
from pysd_runner.engine.validation import check_integer, year
from pysd_runner.model import Model
from pysd_runner.simulation.run import constant_values, located, simulate
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import Baseline, FittedParameters, ModelSpec
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.spec.design import DRAWS as DRAWS, PLAIN as PLAIN_DESIGN, StudyDesign
from pysd_runner.spec.own import parameter_of
from pysd_runner.study.binding import RegionalModel, calendar_of, end_of, in_time_of
from pysd_runner.study.draws import CommonDraws, check_fit, common_draws, panel_differences
from pysd_runner.study.equations import PREFIX, check_equations, with_starts
from pysd_runner.study.region_inputs import RegionInputs, time_step

# Outcomes by lever and region that are saved; saving all would make results several times as large.
BY_LEVER = ("lever_budget",)
# Copies of the results in memory: raw and labelled arrays coexist (measured: 1.8).
COPIES = 2


@frozen(eq=False)
class ProjectionInputs:
    """Common inputs of all scenarios of a projection.

    Attributes
    ----------
    model
        The model; for regions with as many regions as the panel.
    run_model
        The model with constants for the initial values that were estimated.
    data
        Observations, for regions up to the origin; None without data.
    fitted
        Result of a calibration; None for priors (regions) or the values of the model file.
    baseline
        Forecast that the no-policy run follows; None for a free run of the model.
    common
        Draws of parameters, initial states and shocks.
    bounds
        First and last time; for regions the origin and the last year.
    step
        Length of a step.
    design
        What a study of the model needs besides its runs.
    calendar
        Years or dates of the model times.
    time_unit
        Unit of the axis of time.
    past
        Data of the entities in whose state runs start; empty if they start as the file says.
    observed
        Data whose columns observe variables; None if there are none.
    doubts
        What a reader needs to know of the data, and of a fit made on others.
    settings
        Settings that determined the draws.
    """

    model: Model
    run_model: Model
    data: Data | None
    fitted: FittedParameters | None
    baseline: Baseline | None
    common: CommonDraws
    bounds: Interval
    step: float
    design: StudyDesign = PLAIN_DESIGN
    calendar: Calendar = PLAIN
    time_unit: str = "year"
    past: tuple[Data, ...] = ()
    observed: Data | None = None
    doubts: tuple[str, ...] = ()
    settings: Record

    @property
    def regions(self) -> tuple[Entity, ...]:
        """Entities of the data in whose state runs start."""
        return tuple(item for data in self.past for item in data.regions)

    @property
    def spec(self) -> ModelSpec:
        """Declarations of the model."""
        return self.model.declarations

    @property
    def panel(self) -> Data:
        """Observations of regions."""
        assert self.data is not None  # noqa: S101
        return self.data

    @property
    def clocked(self) -> Data | None:
        """Observations by column in the unit of time of the model."""
        if self.observed is None:
            return None
        return in_time_of(self.model, self.observed, self.bounds[0], calendar=self.calendar)[0]

    @property
    def seen(self) -> Data | None:
        """Observations by column, by the years or dates of the calendar."""
        clocked = self.clocked
        if clocked is None:
            return None
        shown = self.calendar.shown(clocked.times)
        if shown.dtype.kind == "M":
            return clocked
        return replace(clocked, times=shown, dates=(), time_unit=self.calendar.unit_of(clocked.time_unit))

    @property
    def years(self) -> tuple[int, int]:
        """Origin and last year."""
        return int(self.bounds[0]), int(self.bounds[1])


def inputs_of(  # noqa: PLR0913 - public entry point
    model: Model,
    data: Data | None = None,
    fitted: FittedParameters | None = None,
    *,
    until: float | str | None = None,
    draws: int | None = None,
    seed: int = 0,
    origin: int | None = None,
    baseline: Baseline | None = None,
    shocks: bool = True,
    engine: Engine = "auto",
    yuan_per_unit: float = 1.0,
) -> ProjectionInputs:
    """Draw the common inputs of all scenarios, without running any.

    Parameters
    ----------
    model
        Any model; to project regions, one with declarations and as many regions as the panel.
    data
        A panel of regions; or, for any other model, observations to plot with its outcomes; None without data.
    fitted
        Result of a calibration. None draws the parameters of a regional model from their priors, and runs any other
        model once with the values of its file.
    until
        Last time, a year or a date such as ``"2040-06-01"`` where the data or the fit have them; None for 2040 with
        regions, and for the end time of the file for any other model.
    draws
        Number of draws; 1 gives central values without shocks. For regions, more draws leave the first ones unchanged.
        None for 200 with regions, 500 for any other model.
    seed
        Seed of all draws, a non-negative integer.
    origin
        Last year of data to use; None for the origin of the baseline, or else the last year in which every region has
        output.
    baseline
        Forecast that the no-policy run of regions follows; None for a free run of the model.
    shocks
        Whether to add shocks to regional growth, of the size observed in the past, if there is no baseline.
    engine
        ``"numpy"`` or ``"pysd"``.
    yuan_per_unit
        Value of one unit of the panel's currency in yuan.

    Returns
    -------
    ProjectionInputs
        The inputs; equal for equal seeds.

    Raises
    ------
    InvalidInput
        If years, draws or regions do not match, or the fit is for another model or used data after the origin.
    """
    design = model.design.given(data)
    counted = check_integer("draws", design.draws if draws is None else draws, least=1)
    settings: dict[str, Any] = {"until": design.until if until is None else until, "draws": counted}
    settings |= {"seed": check_integer("seed", seed, least=0), "origin": origin, "shocks": shocks}
    found = _BEGIN[design.start](model, data, fitted, baseline, settings | {"yuan_per_unit": yuan_per_unit}, engine)
    return ProjectionInputs(model=model, fitted=fitted, baseline=baseline, design=design, **found)


def _from_state(
    model: Model,
    data: Data | None,
    fitted: FittedParameters | None,
    baseline: Baseline | None,
    settings: Record,
    engine: Engine,
) -> Record:
    """Start from the state of the entities that was observed at the origin."""
    assert data is not None  # noqa: S101
    until, origin = year("until", settings["until"]), settings["origin"]
    _check_regions(model, data)
    origin = _origin(data, baseline.origin if origin is None and baseline is not None else origin, until)
    check_projection(model, (origin, until), settings["draws"])
    if fitted is not None:
        check_fit(fitted, model, origin)
    seen = data.subset(times=range(data.years[0], origin + 1))
    asked = {key: settings[key] for key in ("draws", "seed", "shocks", "yuan_per_unit")}
    common = common_draws(model, seen, fitted, baseline, bounds=(origin, until), engine=engine, **asked)
    others = [] if fitted is None else panel_differences(fitted, data)
    return {
        "run_model": model,
        "data": seen,
        "past": (seen,),
        "doubts": (*others, *_lacking(seen, common.inputs)),
        "common": common,
        "bounds": (origin, until),
        "step": time_step(model),
        "settings": {**settings, "until": until, "origin": origin},
    }


def _lacking(panel: Data, begun: RegionInputs) -> Iterator[str]:
    """Warnings about series that the data of entities lack."""
    if not begun.has_population:
        yield Message(
            "The panel has no population: totals, shares, the Theil index, gaps of the nation and of classes, "
            "and all else that is weighted by population are left out."
        )
    if "current" in panel.price_basis.casefold():
        yield Message("The panel is in current prices: relative prices of regions are part of the gaps.")


def _from_file(
    model: Model,
    data: Data | None,
    fitted: FittedParameters | None,
    baseline: Baseline | None,
    settings: Record,
    _engine: Engine,
) -> Record:
    """Start from the values in the model file, with the initial values that a fit estimated entered as constants."""
    if baseline is not None or settings["origin"] is not None:
        raise InvalidInput(
            "{model} declares no shock by which a run could follow a baseline from an origin; leave them out",
            model=model.path.name,
        )
    calendar = calendar_of(model, data, fitted)
    until = end_of(model, settings["until"], data, fitted, calendar)
    draws = 1 if fitted is None else settings["draws"]
    start = None if fitted is None else fitted.provenance.get("start")
    if fitted is not None:
        # A run saves at least one outcome; which ones is not known here, so `simulate` checks all of them.
        rows = len(prepared(model, None, start=start, stop=until, outcomes=[]).clock.saved_times)
        check_run([()], 0, (1, draws), rows + len(fitted.keys), copies=COPIES)
    values = {} if fitted is None else fitted_values(model, fitted, draws=draws, seed=settings["seed"])
    run_model = model if fitted is None else with_starts(model, starts_of(model, fitted))
    clock = prepared(run_model, values, start=start, stop=until, outcomes=[]).clock
    return {
        "run_model": run_model,
        "data": data,
        "observed": data,
        "time_unit": calendar.unit_of(time_unit(model)),
        "common": CommonDraws(
            values=values,
            parameters={},
            inputs=RegionInputs(round(clock.start), {}, ()),
            draws=tuple(range(draws)),
            implied=None,
            sources=(),
        ),
        "bounds": (clock.start, clock.stop),
        "step": clock.step,
        "calendar": calendar,
        "settings": {**settings, "draws": draws},
    }


_BEGIN = {"state": _from_state, "file": _from_file}


def values_at(inputs: ProjectionInputs, parameters: Arrays) -> Values:
    """Values of runs without shocks for other parameter vectors, shape (1, draw, element...), by variable."""
    return _AT[inputs.design.start](inputs, parameters)


def _state_at(inputs: ProjectionInputs, parameters: Arrays) -> Values:
    bound = RegionalModel(
        model=inputs.model,
        panel=inputs.panel,
        parameters=parameters,
        yuan_per_unit=inputs.common.yuan_per_unit,
    )
    return bound.values(bound.start(inputs.years[0], None if inputs.fitted is None else inputs.fitted.first_year))


def _file_at(inputs: ProjectionInputs, parameters: Arrays) -> Values:
    assert inputs.fitted is not None  # noqa: S101
    return entered(inputs.model, inputs.fitted, parameters)


_AT = {"state": _state_at, "file": _file_at}


def _check_regions(model: Model, panel: Data) -> None:
    count = len(model.ranges[model.bindings.ranges.region])
    if count != len(panel.regions):
        raise InvalidInput(
            "the model has {count} regions, panel {panel!r} has {held}; load it with load_model({model!r}, "
            "regions={held})",
            count=count,
            panel=panel.name,
            held=len(panel.regions),
            model=model.name,
        )


def last_origin(panel: Data) -> int:
    """Last year in which every region of a panel has output per head."""
    complete = np.isfinite(panel.array("output_per_head")).all(axis=0)
    if not complete.any():
        raise InvalidPanel(
            "panel {panel!r} has no year in which every region has output per head; leave regions out", panel=panel.name
        )
    return panel.years[int(np.flatnonzero(complete)[-1])]


def _origin(panel: Data, origin: int | None, until: int) -> int:
    origin = check_integer("origin", last_origin(panel) if origin is None else origin)
    if origin not in panel.years:
        raise InvalidInput(
            "panel {panel!r} has no year {year}; it has {first} to {last}",
            panel=panel.name,
            year=origin,
            first=panel.years[0],
            last=panel.years[-1],
        )
    if until <= origin:
        raise InvalidInput(
            "until must lie after the origin; found until {until}, origin {origin}", until=until, origin=origin
        )
    return origin


def check_projection(model: Model, bounds: tuple[int, int], draws: int, scenarios: int = 1) -> None:
    """Raise if the horizon is too long, or the results would not fit into memory."""
    origin, until = bounds
    check_ahead(until, origin)
    shapes = [model.ir.shape(model.ir.variables[name].dims) for name in saved_outcomes(model.design, model)]
    check_run(shapes, 0, (scenarios, draws), until - origin + 1, copies=COPIES)


def saved_outcomes(design: StudyDesign, model: Model) -> list[str]:
    """Variables of the outcomes with names of their own that are saved."""
    kept = [
        item.variable
        for item in design.outcomes.values()
        if item.key in BY_LEVER or set(model.variables[item.variable].dims) <= {design.ranges.region}
    ]
    return list(dict.fromkeys(kept))


def spec_of(fitted: FittedParameters) -> ModelSpec:
    """Declarations of the parameters of a fit of a model without regions."""
    records = fitted.provenance.get("declarations")
    if records is None:
        raise InvalidInput("the fit was made on a panel of regions; project it with that panel")
    parameters = {record["key"]: parameter_of(record) for record in records}
    spec = ModelSpec(
        name=fitted.model, parameters=parameters, inputs={}, outcomes={}, measurements={}, levers={}, classes={}
    )
    fitted.check_bounds(spec)
    return spec


def declared_in(fitted: FittedParameters, model: Model) -> ModelSpec:
    """Declarations of the parameters of a fit: those that it carries, else those of the model."""
    return spec_of(fitted) if model.spec is None or "declarations" in fitted.provenance else model.declarations


def fitted_values(model: Model, fitted: FittedParameters, *, draws: int, seed: int) -> Values:
    """Draws from a fit as values of a run, shape (1, draw, element...), with the values that the fit held fixed."""
    spec = spec_of(fitted)
    vectors = fitted.sample(np.random.default_rng(seed), draws, spec=spec)
    if draws == 1:
        vectors = {key: np.array([value]) for key, value in fitted.as_values().items() if key in vectors}
    return entered(model, fitted, vectors)


def entered(model: Model, fitted: FittedParameters, vectors: Arrays) -> Values:
    """Convert parameter vectors to values of a run, shape (1, draw, element...), with those that the fit held fixed."""
    check_equations(model, fitted.provenance.get("equations", {}), "the fit")
    found: dict[str, Any] = held_of(fitted)
    draws = len(next(iter(vectors.values()), ()))
    for name in fitted.keys:
        variable, position = located(model, name)
        is_start = model.ir.variables[variable].kind == "stock"
        entered = f"{PREFIX}{variable}" if is_start else variable
        if not position:
            found[entered] = vectors[name][None, :]
            continue
        if entered not in found or np.ndim(found[entered]) != len(position) + 2:
            found[entered] = np.repeat(_elements(model, variable, is_start, found)[None, None], draws, axis=1)
        found[entered][(0, slice(None), *position)] = vectors[name]
    return found


def _elements(model: Model, variable: str, is_start: bool, held: Values) -> Array:
    if variable in held and not isinstance(held[variable], TimePath):
        return np.asarray(held[variable], dtype=float)
    if not is_start:
        return np.array(constant_values(model, variable), dtype=float)
    plain = {name: value for name, value in held.items() if not name.startswith(PREFIX)}
    return np.asarray(simulate(model, plain, outcomes=[variable])[variable][0, 0, ..., 0], dtype=float)


def held_of(fitted: FittedParameters) -> dict[str, Any]:
    """Values that a fit held fixed: constants, and paths of data-driven inputs."""
    found: dict[str, Any] = {}
    for name, value in fitted.provenance.get("held", {}).items():
        if isinstance(value, Mapping):
            found[name] = TimePath(
                times=np.array(value["times"]), values=np.array(value["values"]), interpolate=value["interpolate"]
            )
        else:
            found[name] = np.array(value, dtype=float)
    return found


def starts_of(model: Model, fitted: FittedParameters) -> list[str]:
    """Stocks whose initial values a fit estimated."""
    variables = dict.fromkeys(located(model, name)[0] for name in fitted.keys)
    return [name for name in variables if model.ir.variables[name].kind == "stock"]
