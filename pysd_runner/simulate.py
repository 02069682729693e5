"""One simulation of a model, over all scenarios and draws handed to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.names import key
from pysd_runner.engine.numpy_target import compiled, run
from pysd_runner.engine.paths import TimePath
from pysd_runner.engine.tracing import Failure, defined, trace
from pysd_runner.engine.values import fitted_to
from pysd_runner.errors import InvalidInput, SimulationFailed, UnsupportedFeature
from pysd_runner.model import Model

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]
Engine = Literal["numpy", "pysd"]

INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER = "INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"

# At most this many failed cases are traced to their first variable; all are counted.
TRACED = 3


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a simulation gave.

    Parameters
    ----------
    years
        Saved moments, shape (year,).
    data
        Outcome by variable, shape (scenario, draw, ..., year).
    dims
        Subscript ranges of each outcome.
    units
        Unit of each outcome.
    ranges
        Elements of the subscript ranges.
    failed
        Cases with a value that is not finite, shape (scenario, draw).
    failures
        Where the first few of them went wrong.
    provenance
        How it was made: model, hash, engine, bounds and steps.
    """

    years: Array
    data: Mapping[str, Array]
    dims: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]
    ranges: Mapping[str, tuple[str, ...]]
    failed: NDArray[np.bool_]
    failures: tuple[Failure, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        """One outcome, shape (scenario, draw, ..., year).

        Raises
        ------
        UnknownName
            If the variable was not saved.
        """
        from pysd_runner.errors import UnknownName, suggest

        known = {key(item): item for item in self.data}
        if key(name) not in known:
            raise UnknownName(f"the run did not save {name!r}.{suggest(name, self.data)}")
        return self.data[known[key(name)]]

    def to_xarray(self) -> "xr.Dataset":
        """The run as a labelled data set, dimensions (scenario, draw, ..., year) with units."""
        import xarray as xr

        arrays = {}
        used = {dim for dims in self.dims.values() for dim in dims}
        for name, values in self.data.items():
            inner = [dim.lower() for dim in self.dims[name]]
            arrays[name] = xr.DataArray(
                values, dims=["scenario", "draw", *inner, "year"], attrs={"units": self.units[name]}
            )
        coords: dict[str, Any] = {dim.lower(): list(self.ranges[dim]) for dim in sorted(used)}
        return xr.Dataset(arrays, coords={**coords, "year": self.years}, attrs=dict(self.provenance))

    def to_frame(self) -> "pd.DataFrame":
        """The run as a long table: scenario, draw, subscripts, year, variable, unit, value."""
        import pandas as pd

        dataset = self.to_xarray()
        parts = []
        for name in self.data:
            part = dataset[name].to_series().rename("value").reset_index()
            parts.append(part.assign(variable=name, unit=self.units[name]))
        return pd.concat(parts, ignore_index=True)

    def save(self, path: str | Path) -> Path:
        """Write the run to a netCDF file, whole or not at all.

        Parameters
        ----------
        path
            File to write.

        Returns
        -------
        Path
            The file.
        """
        from pysd_runner.export import save_netcdf

        return Path(save_netcdf(self.to_xarray(), Path(path)))


def simulate(
    model: Model,
    values: Mapping[str, Any] | None = None,
    *,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save_every: float | None = None,
    outcomes: Sequence[str] | None = None,
    engine: Engine = "numpy",
    throw: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Simulate a model.

    Parameters
    ----------
    model
        What `load_model` returned.
    values
        Values that replace those of the file, by variable name or key of the declarations: a number, an array over the
        subscripts of the variable, with (scenario, draw) in front if it varies, or a `TimePath`. They hold for this
        run only.
    start, stop, step, save_every
        Bounds and steps in years; None takes those of the file.
    outcomes
        Variables to save; None saves every variable of the file.
    engine
        ``"numpy"``: the project's own; ``"pysd"``: the same through PySD, one case after the other.
    throw
        Whether a case that is not finite raises; otherwise it is counted and described in the result.
    progress
        Called with the number of draws finished.

    Returns
    -------
    Run
        Every outcome with the axes (scenario, draw, ..., year).

    Raises
    ------
    UnknownName
        If a variable does not exist.
    InvalidInput
        If a value does not fit its variable.
    UnsupportedFeature
        If the engine does not cover the model.
    SimulationFailed
        If a case is not finite and `throw` is true; the message names the first variable, element, time and draw.
    """
    if engine not in ("numpy", "pysd"):
        raise InvalidInput(f"engine must be 'numpy' or 'pysd'; found {engine!r}")
    ir = model.ir
    given = {model.find(name): value for name, value in (values or {}).items()}
    bounds = _bounds(given, {INITIAL_TIME: start, FINAL_TIME: stop, TIME_STEP: step, SAVEPER: save_every})
    ready = {name: fitted_to(ir, name, value) for name, value in given.items() if name not in bounds}
    _refuse_tables(model, given)
    clock = _clock(model, ready, bounds)
    wanted = _wanted(model, outcomes)
    if engine == "pysd":
        from pysd_runner.engine.reference import run_reference

        data = run_reference(model.source, ir, ready, clock, wanted, progress=progress)
    else:
        data = _run_numpy(model, ready, clock, wanted, progress)
    failed = _failed(model, data)
    failures = _failures(model, ready, clock, wanted, failed)
    if throw and failed.any():
        raise SimulationFailed(_failure_message(failed, failures))
    return Run(
        years=clock.saved_times,
        data=data,
        dims={name: ir.variables[name].dims for name in data},
        units={name: ir.variables[name].unit for name in data},
        ranges=ir.ranges,
        failed=failed,
        failures=failures,
        provenance=_provenance(model, clock, engine),
    )


def _wanted(model: Model, outcomes: Sequence[str] | None) -> list[str]:
    if outcomes is not None:
        found = list(dict.fromkeys(model.find(name) for name in outcomes))
        _refuse_tables(model, found)
        return found
    return [name for name, item in model.variables.items() if item.kind not in ("lookup", "control")]


def _refuse_tables(model: Model, names: Iterable[str]) -> None:
    tables = [name for name in names if model.ir.variables[name].kind == "lookup"]
    if tables:
        raise InvalidInput(
            f"{tables[0]!r} is a table function and has no value of its own; name a variable that uses it"
        )


def _bounds(given: Mapping[str, Any], asked: Mapping[str, float | None]) -> dict[str, float | None]:
    """Time bounds and steps a caller asked for, whether by keyword or as values of the model's own controls."""
    bounds: dict[str, float | None] = {}
    for control, keyword in asked.items():
        chosen = keyword
        if control in given:
            value = given[control]
            if keyword is not None or isinstance(value, TimePath) or np.size(value) != 1:
                raise InvalidInput(f"{control} holds for a whole run: give one number, once")
            chosen = np.asarray(value).item()
        try:
            bounds[control] = None if chosen is None else float(chosen)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{control} must be a number; found {chosen!r}") from error
    return bounds


def _clock(model: Model, ready: Mapping[str, Array | TimePath], bounds: Mapping[str, float | None]) -> Clock:
    program = compiled(model.ir, tuple(bounds), tuple(ready), _moving(ready))
    found = run(program, ready, np.zeros(1), np.ones(1, dtype=bool))
    times = {control: float(found[control].ravel()[0]) if bound is None else bound for control, bound in bounds.items()}
    missing = [control for control in (INITIAL_TIME, FINAL_TIME, TIME_STEP) if np.isnan(times[control])]
    if missing:
        raise InvalidInput(
            f"{model.path.name} does not say its {', '.join(missing)}; pass start, stop and step to the simulation"
        )
    save_every = times[TIME_STEP] if np.isnan(times[SAVEPER]) else times[SAVEPER]
    return Clock(times[INITIAL_TIME], times[FINAL_TIME], times[TIME_STEP], save_every)


def _moving(ready: Mapping[str, Array | TimePath]) -> frozenset[str]:
    return frozenset(name for name, value in ready.items() if isinstance(value, TimePath))


def _run_numpy(
    model: Model,
    ready: Mapping[str, Array | TimePath],
    clock: Clock,
    wanted: Sequence[str],
    progress: Callable[[int], None] | None,
) -> dict[str, Array]:
    inputs = {**_controls(clock), **ready}
    program = compiled(model.ir, wanted, tuple(inputs), _moving(inputs))
    return run(program, inputs, clock.times, clock.saved, step=clock.step, progress=progress)


def _controls(clock: Clock) -> dict[str, Array | TimePath]:
    bounds = {INITIAL_TIME: clock.start, FINAL_TIME: clock.stop, TIME_STEP: clock.step, SAVEPER: clock.save_every}
    return {name: np.full((1, 1), value) for name, value in bounds.items()}


def _failed(model: Model, data: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Cases with a value that is not finite, where some equation defines one."""
    failed = np.zeros((1, 1), dtype=bool)
    for name, values in data.items():
        wrong = ~np.isfinite(values)
        if wrong.any():
            wrong &= defined(model.ir, name)[..., None]
        failed = failed | wrong.any(axis=tuple(range(2, values.ndim)))
    return failed


def _failures(
    model: Model,
    ready: Mapping[str, Array | TimePath],
    clock: Clock,
    wanted: Sequence[str],
    failed: NDArray[np.bool_],
) -> tuple[Failure, ...]:
    inputs = {**_controls(clock), **ready}
    cases = np.argwhere(failed)[:TRACED]
    try:
        traced = [trace(model.ir, inputs, clock, wanted, (int(scenario), int(draw))) for scenario, draw in cases]
    except UnsupportedFeature:
        # A model that only PySD can run is not traced; that it failed is still said.
        return ()
    return tuple(item for item in traced if item is not None)


def _failure_message(failed: NDArray[np.bool_], failures: Sequence[Failure]) -> str:
    count = f"{int(failed.sum())} of {failed.size} cases gave values that are not finite"
    return f"{count}; first: {failures[0]}" if failures else count


def _provenance(model: Model, clock: Clock, engine: str) -> dict[str, Any]:
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "engine": engine,
        "start": clock.start,
        "stop": clock.stop,
        "step": clock.step,
        "save_every": clock.save_every,
    }
