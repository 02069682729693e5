"""One simulation of a model, over all scenarios and draws handed to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import Clock
from pysd_runner.engine.names import key
from pysd_runner.engine.numpy_target import compiled, run
from pysd_runner.engine.paths import TimePath
from pysd_runner.engine.tracing import Failure, trace
from pysd_runner.engine.values import fitted_to
from pysd_runner.errors import InvalidInput, SimulationFailed
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
    ready = {name: fitted_to(ir, name, value) for name, value in given.items()}
    clock = _clock(model, ready, (start, stop, step, save_every))
    wanted = _wanted(model, outcomes)
    if engine == "pysd":
        from pysd_runner.engine.reference import run_reference

        data = run_reference(model.source, ir, ready, clock, wanted, progress=progress)
    else:
        data = _run_numpy(model, ready, clock, wanted, progress)
    failed = _failed(data)
    failures = _failures(model, ready, clock, failed)
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
        return list(dict.fromkeys(model.find(name) for name in outcomes))
    return [name for name, item in model.variables.items() if item.kind not in ("lookup", "control")]


def _clock(model: Model, ready: Mapping[str, Array | TimePath], bounds: tuple[float | None, ...]) -> Clock:
    names = {key(name): name for name in model.variables}
    controls = {
        control: names[key(control)]
        for control in (INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER)
        if key(control) in names
    }
    wanted = [name for control, name in controls.items()]
    moment = np.zeros(1)
    found = run(compiled(model.ir, wanted, tuple(ready), _moving(ready)), ready, moment, np.ones(1, dtype=bool))
    file = {control: float(found[name].ravel()[0]) for control, name in controls.items()}
    start, stop, step, save_every = (
        file.get(control) if bound is None else float(bound)
        for control, bound in zip((INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER), bounds, strict=True)
    )
    if start is None or stop is None or step is None:
        raise InvalidInput(f"{model.path.name} does not say when it starts, stops or how long a step is; pass them")
    return Clock(start, stop, step, step if save_every is None else save_every)


def _moving(ready: Mapping[str, Array | TimePath]) -> frozenset[str]:
    return frozenset(name for name, value in ready.items() if isinstance(value, TimePath))


def _run_numpy(
    model: Model,
    ready: Mapping[str, Array | TimePath],
    clock: Clock,
    wanted: Sequence[str],
    progress: Callable[[int], None] | None,
) -> dict[str, Array]:
    inputs = {**_controls(model, clock), **ready}
    program = compiled(model.ir, wanted, tuple(inputs), _moving(inputs))
    return run(program, inputs, clock.times, clock.saved, progress=progress)


def _controls(model: Model, clock: Clock) -> dict[str, Array | TimePath]:
    bounds = {INITIAL_TIME: clock.start, FINAL_TIME: clock.stop, TIME_STEP: clock.step, SAVEPER: clock.save_every}
    names = {key(name): name for name in model.variables}
    return {names[key(name)]: np.full((1, 1), value) for name, value in bounds.items() if key(name) in names}


def _failed(data: Mapping[str, Array]) -> NDArray[np.bool_]:
    failed = np.zeros((1, 1), dtype=bool)
    for values in data.values():
        failed = failed | ~np.isfinite(values).all(axis=tuple(range(2, values.ndim)))
    return failed


def _failures(
    model: Model, ready: Mapping[str, Array | TimePath], clock: Clock, failed: NDArray[np.bool_]
) -> tuple[Failure, ...]:
    inputs = {**_controls(model, clock), **ready}
    cases = np.argwhere(failed)[:TRACED]
    traced = [trace(model.ir, inputs, clock, int(scenario), int(draw)) for scenario, draw in cases]
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
