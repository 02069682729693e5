"""Create the engine's task of a simulation, and the labels and provenance that all results share."""

import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypedDict

from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Flags, Record, Texts, Values
from pysd_runner.engine import Engine, Task, prepared as prepared_task
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, Method, key
from pysd_runner.model import Model

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# Packages whose versions can affect results, and the additional one of the compiled engine.
PACKAGES, COMPILER = ("gapsim", "numpy", "scipy", "pysd"), "llvmlite"

# Time controls of a model by argument name.
CONTROLS = {"start": INITIAL_TIME, "stop": FINAL_TIME, "step": TIME_STEP, "save_every": SAVEPER}


class RunSettings(TypedDict, total=False):
    """Settings of a run, for all functions that run a model; omitted settings and None keep those of the file.

    Parameters
    ----------
    start, stop, step, save_every
        Time controls in the model's unit of time. The save interval must be a multiple of the step; where that of the
        file is not, only times that fall on a step are saved, with a warning.
    engine
        ``"llvm"``: compiled, vectorised over draws; ``"numpy"``: NumPy arrays; ``"pysd"``: PySD, one case after the
        other. ``"auto"`` is the compiled engine, or NumPy where llvmlite cannot be loaded, and for models of more than
        400 equations whose compilation is predicted to take longer than the whole run with NumPy.
    seed
        Seed of the model's random functions, a whole number from 0. The same seed gives the same random numbers; they
        differ between draws, not between scenarios. PySD uses its own random numbers.
    method
        Integration method of stocks: ``"euler"``, or ``"rk4"``, the classical Runge-Kutta method; None uses that of the
        file, or the most similar one with a warning. Values updated once per step (fixed delays, DELAY N, SMOOTH N,
        samples, random numbers) are constant within a step. PySD knows Euler only.
    """

    start: float | None
    stop: float | None
    step: float | None
    save_every: float | None
    engine: Engine
    seed: int
    method: Method | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Labelled:
    """Outcomes at saved times, with the labels and units that all results have."""

    years: Array
    data: Mapping[str, NDArray[Any]]
    dims: Mapping[str, tuple[str, ...]]
    units: Texts
    ranges: Mapping[str, tuple[str, ...]]
    failed: Flags
    provenance: Record = field(default_factory=dict)
    time_unit: str = ""

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.data)

    def _arrays(self) -> "dict[str, xr.DataArray]":
        """Outcomes as xarray arrays, with named axes and units."""
        import xarray as xr

        axes = {name: ["scenario", "draw", *(dim.lower() for dim in self.dims[name]), "year"] for name in self.data}
        return {
            name: xr.DataArray(values, dims=axes[name], attrs={"units": self.units[name]})
            for name, values in self.data.items()
        }

    def _coords(self) -> Values:
        """Times and elements as coordinates of an xarray data set."""
        used = {dim for dims in self.dims.values() for dim in dims}
        found: dict[str, Any] = {dim.lower(): list(self.ranges[dim]) for dim in sorted(used)}
        return {**found, "year": time_axis(self.years, self.time_unit)}


def long_frame(dataset: "xr.Dataset") -> "pd.DataFrame":
    """Long table of a data set: its dimensions, variable, unit, value."""
    import pandas as pd

    parts = [
        array.to_series().rename("value").reset_index().assign(variable=str(name), unit=array.attrs["units"])
        for name, array in dataset.data_vars.items()
    ]
    return pd.concat(parts, ignore_index=True)


def spelled(name: str, known: Iterable[str]) -> str | None:
    """The spelling of a name among known names, ignoring case and spacing; None if it is unknown."""
    return {key(item): item for item in known}.get(key(name))


def prepared(model: Model, values: Values | None, *, outcomes: Sequence[str] | None = None, **settings: Any) -> Task:
    """Check the arguments of a simulation and create its task; settings are those of `simulate`."""
    given = model.by_variable({} if values is None else values)
    if (model.declared or model.changes) and settings.get("engine") == "pysd":
        raise InvalidInput("PySD reads the file itself, without the values declared for it; use another engine")
    return prepared_task(
        model.ir,
        model.file,
        given,
        {control: settings.pop(word, None) for word, control in CONTROLS.items()},
        outcomes=_wanted(model, outcomes),
        seconds=model.budgets.seconds,
        **settings,
    )


def provenance(model: Model, task: Task) -> Record:
    """How a task was computed: model, hash, engine, time controls, seed, method, and rule for non-negative stocks."""
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "engine": task.engine,
        "start": task.clock.start,
        "stop": task.clock.stop,
        "step": task.clock.step,
        "save_every": task.clock.save_every,
        "seed": task.seed,
        "method": task.method,
        **({"inflows_leave_in": model.ir.outflows} if model.ir.outflows else {}),
        **({"moments_not_saved": task.clock.lost} if task.clock.lost else {}),
    }


def _wanted(model: Model, outcomes: Sequence[str] | None) -> list[str]:
    if outcomes is not None:
        if isinstance(outcomes, str) or not isinstance(outcomes, Iterable):
            raise InvalidInput(
                "outcomes are a list of names; found {outcomes!r}, write [{outcomes!r}]", outcomes=outcomes
            )
        return list(dict.fromkeys(model.find(name) for name in outcomes))
    return [name for name, item in model.variables.items() if item.kind not in ("lookup", "control")]


def versions(engine: Engine) -> dict[str, str]:
    """Versions of Python and of the packages that can affect results."""
    packages = (*PACKAGES, COMPILER) if engine == "llvm" else PACKAGES
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


@cache
def _version(package: str) -> str:
    """Version of a package, cached because looking it up takes longer than a small ensemble."""
    return metadata.version(package)


def one_line(kind: str, outcomes: Collection[str], cases: tuple[int, int], years: Array, made: Record) -> str:
    """Summary of results on one line, for ``repr``."""
    names = next(iter(outcomes)) if len(outcomes) == 1 else f"{len(outcomes)} outcomes"
    scenarios, draws = (
        f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in zip(cases, ("scenario", "draw"), strict=True)
    )
    moments = f"{years.size} moments from {years[0]:g} to {years[-1]:g}" if years.size else "no moments"
    source = f" of {made['model']!r}" if "model" in made else ""
    engine = f", engine {made['engine']}" if "engine" in made else ""
    return f"<{kind}{source}: {names}, {scenarios} x {draws}, {moments}{engine}>"


def time_unit(model: Model) -> str:
    """Unit of time of a model, from its time controls."""
    return model.ir.time_unit


def labels(model: Model, names: Iterable[str]) -> Record:
    """Labels of results: subscript ranges and units of variables, elements of the ranges, unit of time."""
    known = {name: model.ir.variables[name] for name in names}
    return {
        "dims": {name: item.dims for name, item in known.items()},
        "units": {name: item.unit for name, item in known.items()},
        "ranges": model.ir.ranges,
        "time_unit": time_unit(model),
    }


def time_axis(years: Array, unit: str) -> tuple[str, Array, dict[str, str]]:
    """The coordinate of saved times for an xarray data set."""
    return "year", years, {"units": unit} if unit else {}
