"""Scenarios of any model, run for draws of what a fit found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, InvalidScenario, SimulationFailed
from pysd_runner.engine import Task, TimePath
from pysd_runner.model import Model
from pysd_runner.panel import Table
from pysd_runner.scenarios import Scenario
from pysd_runner.scenarios.load import load_changes
from pysd_runner.simulation.elements import constant_values, element_name, located
from pysd_runner.simulation.run import failure_message, simulate
from pysd_runner.simulation.task import prepared, time_unit
from pysd_runner.spec import FittedParameters, ModelSpec
from pysd_runner.spec.weak import parameter_of
from pysd_runner.study.clock import check_end, in_time_of
from pysd_runner.study.equations import check_equations, equations_of
from pysd_runner.study.future import BASELINE, Future
from pysd_runner.study.starting import PREFIX, with_starts
from pysd_runner.study.values import changed_values

Array = NDArray[np.float64]

DRAWS = 500
# Stocks that are saved where nobody said what to save.
MOST_STOCKS = 12
# Draws of the posterior from which the ends of intervals are taken.
SWING_DRAWS = 4000

Scenarios = Sequence[Scenario | str | Mapping[str, Any]] | Scenario | str


def project_any(  # noqa: PLR0913 - a front door
    model: Model,
    data: Table | None,
    scenarios: Scenarios,
    fitted: FittedParameters | None = None,
    *,
    until: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    outcomes: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Future:
    """Run scenarios of any model for draws of a fit; the baseline is the model without any change.

    Parameters
    ----------
    model
        Any model the engine covers.
    data
        Observations, drawn beside the outcomes; None for none.
    scenarios
        Scenarios (`Scenario.of`), or files of them.
    fitted
        What a calibration found; None runs the values of the file once.
    until
        Last moment; None takes the file's.
    draws, seed
        Number of draws of the posterior, and what decides them; all scenarios share them.
    outcomes
        Variables to save; None takes what is observed or declared, and the stocks.
    progress
        Called with the number of draws finished.

    Returns
    -------
    Future
        Every outcome by scenario and draw. Draws that fail under some scenario are NaN there, and counted in its
        `warnings`.

    Raises
    ------
    InvalidInput
        If the fit was made with other equations; changed variables are named.
    InvalidScenario
        If a scenario changes what is no constant, or two have one name.
    SimulationFailed
        If no draw gives numbers.
    """
    cast = cast_of(scenarios)
    run_model, common, task = run_of(model, fitted, until=until, draws=draws, seed=seed, data=data)
    clock = task.clock
    changes = changed_values(model, cast, common, start=clock.start, stop=clock.stop, step=clock.step)
    observed = observed_of(model, data, fitted)
    names = outcomes_of(model, outcomes, observed)
    values = {**common, **changes}
    run = simulate(
        run_model,
        values,
        start=clock.start,
        stop=clock.stop,
        outcomes=names,
        throw=False,
        progress=progress,
    )
    if run.failed.all():
        raise SimulationFailed(failure_message(run.failed, run.failures))
    return Future(
        model=model.name,
        data=_dataset(run, cast, max(draws, 1) if fitted is not None else 1),
        scenarios=tuple(cast),
        observed=observed,
        history=_history(model, data, clock.start),
        better={key: item.better for key, item in (model.spec.outcomes if model.spec else {}).items() if item.better},
        time_unit=time_unit(model),
        warnings=_warnings(run, fitted),
        provenance={
            **{key: value for key, value in run.provenance.items() if key != "moments_not_saved"},
            "equations": equations_of(model),
            "fit": None if fitted is None else {"data": fitted.panel, "sha256": fitted.panel_sha256},
            "draws": draws if fitted is not None else 1,
            "draws_seed": seed,
        },
    )


def cast_of(scenarios: Scenarios) -> list[Scenario]:
    """Scenarios as they are run: the baseline first."""
    several: Iterable[Any] = [scenarios] if isinstance(scenarios, str | Scenario) else scenarios
    found = [Scenario.of(BASELINE, {})]
    for number, item in enumerate(several, start=1):
        if isinstance(item, Scenario):
            scenario = item
        elif isinstance(item, Mapping):
            scenario = Scenario.of(f"scenario {number}", item)
        elif isinstance(item, str) and item == BASELINE:
            continue
        else:
            scenario = load_changes(str(item))
        if scenario.model:
            raise InvalidScenario(
                f"scenario {scenario.name!r} sets the policy of {scenario.model}; give changes of constants, as "
                "Scenario.of does"
            )
        if scenario.name in {other.name for other in found}:
            raise InvalidScenario(f"two scenarios are called {scenario.name!r}; a run needs different names")
        found.append(scenario)
    return found


def swings(
    model: Model,
    name: str,
    fitted: FittedParameters,
    *,
    until: float | None = None,
    level: float = 0.9,
) -> tuple[dict[str, tuple[float, float]], float]:
    """An outcome at the end of a run as each parameter goes through its interval, the others at the estimate."""
    variable, position = located(model, name)
    drawn = fitted.sample(np.random.default_rng(0), SWING_DRAWS, spec=spec_of(fitted))
    keys = list(fitted.keys)
    vectors = {key: np.full(2 * len(keys) + 1, fitted.as_values()[key]) for key in keys}
    for place, key in enumerate(keys):
        vectors[key][2 * place : 2 * place + 2] = np.quantile(drawn[key], [(1 - level) / 2, (1 + level) / 2])
    run = simulate(
        with_starts(model, _starts(model, fitted)),
        entered(model, fitted, vectors),
        start=fitted.provenance.get("start"),
        stop=until,
        outcomes=[variable],
        throw=False,
    )
    where: tuple[Any, ...] = (0, slice(None), *(position or ()), ..., -1)
    values = np.asarray(run[variable][where], dtype=float)
    if values.ndim > 1:
        first = element_name(model.ir, variable, (0,) * (values.ndim - 1))
        raise InvalidInput(f"{variable!r} has elements; name one, such as {first!r}")
    ranges = {key: (float(values[2 * place]), float(values[2 * place + 1])) for place, key in enumerate(keys)}
    return ranges, float(values[-1])


def run_of(
    model: Model,
    fitted: FittedParameters | None,
    *,
    until: float | None,
    draws: int,
    seed: int,
    data: Table | None = None,
) -> tuple[Model, dict[str, Any], Task]:
    """What all scenarios share: the model with its starting values as constants, draws, and the moments of the run."""
    check_end(model, until, data, fitted)
    if fitted is None:
        return model, {}, prepared(model, {}, stop=until, outcomes=[])
    common = fitted_values(model, fitted, draws=draws, seed=seed)
    run_model = with_starts(model, _starts(model, fitted))
    task = prepared(run_model, common, start=fitted.provenance.get("start"), stop=until, outcomes=[])
    return run_model, common, task


def spec_of(fitted: FittedParameters) -> ModelSpec:
    """Declarations of the parameters of a fit of any model."""
    records = fitted.provenance.get("declarations")
    if records is None:
        raise InvalidInput("the fit was made on a panel of regions; project it with that panel")
    parameters = {record["key"]: parameter_of(record) for record in records}
    spec = ModelSpec(
        name=fitted.model, parameters=parameters, inputs={}, outcomes={}, measurements={}, levers={}, classes={}
    )
    fitted.check_bounds(spec)
    return spec


def fitted_values(model: Model, fitted: FittedParameters, *, draws: int, seed: int) -> dict[str, Any]:
    """Draws of a fit as values of a run, shape (1, draw, element...), with what the fit held."""
    spec = spec_of(fitted)
    if draws < 1:
        raise InvalidInput(f"draws must be at least 1; found {draws}")
    vectors = fitted.sample(np.random.default_rng(seed), draws, spec=spec)
    if draws == 1:
        vectors = {key: np.array([value]) for key, value in fitted.as_values().items() if key in vectors}
    return entered(model, fitted, vectors)


def entered(model: Model, fitted: FittedParameters, vectors: Mapping[str, Array]) -> dict[str, Any]:
    """Values of the parameters of a fit as values of a run, shape (1, draw, element...), with what the fit held."""
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


def _elements(model: Model, variable: str, is_start: bool, held: Mapping[str, Any]) -> Array:
    if variable in held and not isinstance(held[variable], TimePath):
        return np.asarray(held[variable], dtype=float)
    if not is_start:
        return np.array(constant_values(model, variable), dtype=float)
    plain = {name: value for name, value in held.items() if not name.startswith(PREFIX)}
    return np.asarray(simulate(model, plain, outcomes=[variable])[variable][0, 0, ..., 0], dtype=float)


def held_of(fitted: FittedParameters) -> dict[str, Any]:
    """What a fit held: set values, and paths of inputs that follow data."""
    found: dict[str, Any] = {}
    for name, value in fitted.provenance.get("held", {}).items():
        if isinstance(value, Mapping):
            found[name] = TimePath(
                times=np.array(value["times"]), values=np.array(value["values"]), interpolate=value["interpolate"]
            )
        else:
            found[name] = np.array(value, dtype=float)
    return found


def _starts(model: Model, fitted: FittedParameters) -> list[str]:
    variables = dict.fromkeys(located(model, name)[0] for name in fitted.keys)
    return [name for name in variables if model.ir.variables[name].kind == "stock"]


def observed_of(model: Model, data: Table | None, fitted: FittedParameters | None) -> dict[str, str]:
    """Which column observes a variable."""
    found: dict[str, str] = {}
    for item in ({} if fitted is None else fitted.provenance.get("measurements", {})).values():
        try:
            variable, position = located(model, item["outcome"])
        except InvalidInput:
            continue
        if position is None and item["kind"] == "level":
            found[variable] = item["column"]
    for name in () if data is None else data.columns:
        target = data.column(name).variable if data is not None else ""
        try:
            variable, position = located(model, target or name)
        except InvalidInput:
            continue
        if position is None and model.ir.variables[variable].kind not in ("constant", "data", "lookup"):
            found.setdefault(variable, name)
    return {name: column for name, column in found.items() if data is None or column in data}


def outcomes_of(model: Model, asked: Sequence[str] | None, observed: Mapping[str, str]) -> list[str]:
    """What is saved: what was asked for, else what is observed or declared, and the first stocks.

    Parameters
    ----------
    model
        The model.
    asked
        Names; None for none.
    observed
        Columns by variable.
    """
    if asked is not None:
        return list(dict.fromkeys(model.find(name) for name in asked))
    declared = [] if model.spec is None else [item.variable for item in model.spec.outcomes.values()]
    stocks = [name for name, item in model.variables.items() if item.kind == "stock"]
    return list(dict.fromkeys([*observed, *declared, *stocks[:MOST_STOCKS]]))


def _dataset(run: Any, cast: Sequence[Scenario], draws: int) -> Any:
    import xarray as xr

    arrays = {}
    for name, values in run.data.items():
        full = np.broadcast_to(values, (len(cast), draws, *values.shape[2:])).copy()
        full[np.broadcast_to(run.failed, (len(cast), draws))] = np.nan
        dims = ["scenario", "draw", *run.dims[name], "time"]
        arrays[name] = xr.DataArray(full, dims=dims, attrs={"units": run.units[name]})
    used = {dim for dims in (run.dims[name] for name in run.data) for dim in dims}
    coords: dict[str, Any] = {dim: list(run.ranges[dim]) for dim in sorted(used)}
    coords |= {"scenario": [item.name for item in cast], "draw": np.arange(draws)}
    coords["time"] = ("time", run.years, {"units": run.time_unit} if run.time_unit else {})
    return xr.Dataset(arrays, coords=coords)


def _history(model: Model, data: Table | None, start: float) -> Table | None:
    """The data with their times in the model's unit, as a fit counts them."""
    return None if data is None else in_time_of(model, data, start)[0]


def _warnings(run: Any, fitted: FittedParameters | None) -> tuple[str, ...]:
    found = []
    if run.failed.any():
        found.append(f"{failure_message(run.failed, run.failures)}; they are left out.")
    if fitted is None:
        found.append("No fit was given: the values of the file were run once, without uncertainty.")
    elif fitted.status != "converged":
        found.append(f"The fit did not converge: {fitted.message}")
    notes = () if fitted is None else fitted.provenance.get("notes", ())
    return (*found, *(note for note in notes if "its last value holds" in note))
