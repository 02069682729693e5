"""Simulate a model over scenarios and draws, and look up variables and elements by name."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed, UnknownName, suggest
from pysd_runner.core.types import Array, Flags, Values
from pysd_runner.engine import Failure, Task, TimePath, fitted_to
from pysd_runner.engine.ir import ModelIr, key, written
from pysd_runner.export.files import Tabled
from pysd_runner.model import Model, load_model
from pysd_runner.simulation.task import (
    CONTROLS,
    Labelled,
    RunSettings,
    labels,
    long_frame,
    one_line,
    prepared,
    provenance,
    spelled,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, kw_only=True, repr=False)
class Run(Labelled, Tabled):
    """The results of a simulation.

    Parameters
    ----------
    years
        Saved times, shape (year,).
    data
        Outcomes by variable, shape (scenario, draw, ..., year).
    dims
        Subscript ranges of each outcome.
    units
        Unit of each outcome.
    ranges
        Elements of the subscript ranges.
    failed
        Whether each case has a non-finite value, shape (scenario, draw).
    failures
        First non-finite value of each of the first few failed cases.
    provenance
        How it was computed: model, hash, engine, start, stop, time step and save interval.
    time_unit
        Unit of the saved times, as in the model file.
    """

    failures: tuple[Failure, ...] = ()

    def __repr__(self) -> str:
        scenarios, draws = self.failed.shape
        return one_line("Run", self.data, (scenarios, draws), self.years, self.provenance)

    def __getitem__(self, name: str) -> Array:
        """One outcome, shape (scenario, draw, ..., year)."""
        found = spelled(name, self.data)
        if found is None:
            raise UnknownName(
                "the run did not save {name!r}.{suggestion}", name=name, suggestion=suggest(name, self.data)
            )
        return self.data[found]

    def table(self) -> "pd.DataFrame":
        """The run as a wide table: one row per time, one column per variable or element of one.

        Returns
        -------
        pandas.DataFrame
            Times are the index; index levels for scenario and draw come first, where there are several of them.
        """
        import pandas as pd

        scenarios, draws = self.failed.shape
        count = scenarios * draws * len(self.years)
        columns: dict[str, Array] = {}
        for name, values in self.data.items():
            # Times vary fastest, elements become columns.
            wide = np.broadcast_to(values, (scenarios, draws, *values.shape[2:]))
            wide = np.moveaxis(wide, -1, 2).reshape(count, -1)
            elements = product(*(self.ranges[dim] for dim in self.dims[name]))
            labels = [f"{name}[{', '.join(element)}]" if element else name for element in elements]
            columns |= dict(zip(labels, wide.T, strict=True))
        cases = {"scenario": range(scenarios), "draw": range(draws)}
        several = {key: places for key, places in cases.items() if len(places) > 1}
        moments = pd.Index(self.years, name=self.time_unit or "time")
        index = pd.MultiIndex.from_product([*several.values(), moments], names=[*several, moments.name])
        return pd.DataFrame(columns, index=index if several else moments)

    def to_xarray(self) -> "xr.Dataset":
        """The run as an xarray data set with units, dimensions (scenario, draw, ..., year)."""
        import xarray as xr

        return xr.Dataset(self._arrays(), coords=self._coords(), attrs=dict(self.provenance))

    def to_frame(self) -> "pd.DataFrame":
        """The run as a long table: scenario, draw, subscripts, year, variable, unit, value."""
        return long_frame(self.to_xarray())

    def plot(self, outcome: str | None = None, *, lang: str = "en", ax: Any = None) -> Any:
        """Plot an outcome over time: its median and range over the draws under each scenario.

        Parameters
        ----------
        outcome
            Name of a variable without subscripts; None for the last one that changes over time, in most files a stock.
        lang
            Language of labels.
        ax
            Axes to draw on; None makes a figure.

        Returns
        -------
        ReportFigure or Axes
            The axes if some were given.

        Raises
        ------
        UnknownName
            If the run did not save it.
        InvalidInput
            If it has subscripts.
        """
        from pysd_runner.plots.over_time import plot_fan

        if outcome is None:
            moving = [name for name, values in self.data.items() if not self.dims[name] and np.ptp(values) > 0]
            outcome = moving[-1] if moving else next(iter(self.data))
        self[outcome]
        name = str(spelled(outcome, self.data))
        if self.dims[name]:
            raise InvalidInput(
                "{name} has subscripts; plot columns of `table()`, as in run.table().filter(like={name!r}).plot()",
                name=name,
            )
        values = self.to_xarray()[name].rename({"year": "time"})
        values = values.assign_coords(scenario=[str(place + 1) for place in range(values.sizes["scenario"])])
        return plot_fan(values, None, ax=ax, time_unit=self.time_unit, lang=lang)

    def save(self, path: str | Path) -> Path:
        """Write the run to a netCDF file; if writing fails no incomplete file is left.

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
    model: Model | str | Path,
    values: Values | None = None,
    *,
    outcomes: str | Sequence[str] | None = None,
    threads: int | None = None,
    throw: bool = True,
    progress: Callable[[int], None] | None = None,
    **settings: Unpack[RunSettings],
) -> Run:
    """Simulate a model.

    Parameters
    ----------
    model
        Model returned by `load_model`.
    values
        Values that replace those of the file, by variable name or key of the declarations: a number, an array over the
        subscripts of the variable, with leading axes (scenario, draw) if it varies, or a `TimePath`. They apply to this
        run only.
    outcomes
        Variables to save; None saves every variable of the file.
    threads
        Number of blocks of draws that the compiled engine runs in parallel; None uses every available core. Results do
        not depend on it.
    throw
        Whether a case with a non-finite value raises; otherwise it is reported in the result.
    progress
        Function that is called with the number of draws that have just been finished.
    **settings
        ``start``, ``stop``, ``step``, ``save_every``, ``engine``, ``seed`` and ``method``: see `RunSettings`.

    Returns
    -------
    Run
        The outcomes, with axes (scenario, draw, ..., year).

    Raises
    ------
    UnknownName
        If a variable does not exist.
    InvalidInput
        If a value does not fit its variable, a variable is given twice, or an option is not usable.
    UnsupportedFeature
        If the engine does not support a feature of the model.
    SimulationFailed
        If a case has a non-finite value and `throw` is true; the message gives its variable, element, time and draw.
    """
    model = model if isinstance(model, Model) else load_model(model)
    failures: tuple[Failure, ...] = ()
    outcomes = [outcomes] if isinstance(outcomes, str) else outcomes
    found = None if progress else _repeated(model, {} if values is None else values, outcomes, settings)
    if found is not None:
        (task, data), failed = found, np.zeros((1, 1), dtype=bool)
    else:
        task = prepared(model, values, outcomes=outcomes, threads=threads, runs=1, **settings)
        data = task.compute(progress=progress)
        failed = task.failed_cases(data)
        failures = task.traced(failed, data)
    if throw and failed.any():
        raise SimulationFailed(failure_message(failed, failures))
    return Run(
        years=task.clock.saved_times,
        data=data,
        failed=failed,
        failures=failures,
        provenance=provenance(model, task),
        **labels(model, data),
    )


# The latest call of one case by all but its numbers, its model, and once it was repeated its task and compiled case.
_LATEST: dict[str, Any] = {"call": None}
_LOCK = Lock()


def _repeated(
    model: Model, values: Values, outcomes: Sequence[str] | None, settings: RunSettings
) -> tuple[Task, dict[str, Array]] | None:
    """The task and outcomes of a call that differs from the latest one only in its numbers; None for other calls."""
    # All other calls take the general path: arrays, missing numbers, failures, mistakes, and several threads.
    if not (isinstance(outcomes, list | tuple) and outcomes and isinstance(values, Mapping)):
        return None
    are_plain = all(isinstance(number, float | int) and number == number for number in values.values())
    are_plain &= not any(isinstance(item, np.ndarray) for item in settings.values())
    if not are_plain or not _LOCK.acquire(blocking=False):
        return None
    try:
        call = (id(model), *values, None, *outcomes, settings)
        if _LATEST["call"] != call:
            _LATEST.update(call=call, model=model, task=None)
            return None
        if _LATEST["task"] is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a call with warnings takes the general path
                task = prepared(model, values, outcomes=outcomes, runs=1, **settings)
            _LATEST.update(task=task, case=task.single() if _is_plain(task, len(values)) else None)
        task, case = _LATEST["task"], _LATEST["case"]
        if case is None:
            return None
        for array, number in zip(task.values.values(), values.values(), strict=True):
            array[...] = number
        data = {name: view.copy() for name, view in case.run(task.values).items()}
        return None if task.failed_cases(data).any() else (task, data)
    finally:
        _LOCK.release()


def _is_plain(task: Task, given: int) -> bool:
    """Whether no value is a time control or an order of a delay, and the clock gives no warnings."""
    clock = task.clock
    is_odd = len(task.values) < given or clock.lost or clock.left or task.ir.structural
    return not is_odd and all(written(task.ir, name) is not None for name in CONTROLS.values())


def failure_message(failed: Flags, failures: Sequence[Failure]) -> str:
    """Number of failed cases, and the first non-finite value."""
    found = Message(
        "{count} of {size} cases gave values that are not finite", count=int(failed.sum()), size=failed.size
    )
    return Message("{found}; first: {failure}", found=found, failure=failures[0].message) if failures else found


Position = tuple[int, ...]


def located(model: Model, name: str) -> tuple[str, Position | None]:
    """The variable a name refers to, and the position of the element, or None for a whole variable."""
    try:
        return model.find(name), None
    except UnknownName:
        plain, bracket, labels = name.strip().removesuffix("]").rpartition("[")
        if not bracket or not name.strip().endswith("]"):
            raise
    variable = model.find(plain)
    return variable, position_of(model, variable, [label.strip() for label in labels.split(",")])


def position_of(model: Model, variable: str, labels: Sequence[str]) -> Position:
    """Position of one element of a variable, from its labels."""
    dims = model.ir.variables[variable].dims
    if len(labels) != len(dims):
        raise InvalidInput(
            "{variable!r} has the subscripts ({names}); {count} labels are given: {labels}",
            variable=variable,
            names=", ".join(dims),
            count=len(labels),
            labels=tuple(labels),
        )
    places = []
    for label, dim in zip(labels, dims, strict=True):
        known = {key(item): place for place, item in enumerate(model.ir.ranges[dim])}
        if key(label) not in known:
            raise UnknownName(
                "{dim!r} has no element {label!r}.{suggestion}",
                dim=dim,
                label=label,
                suggestion=suggest(label, model.ir.ranges[dim]),
            )
        places.append(known[key(label)])
    return tuple(places)


def element_name(model: ModelIr, variable: str, position: Position | None) -> str:
    """Name of a variable, or of one of its elements, with labels in brackets."""
    if not position:
        return variable
    dims = model.variables[variable].dims
    labels = [model.ranges[dim][place] for dim, place in zip(dims, position, strict=True)]
    return f"{variable}[{', '.join(labels)}]"


def constant_values(model: Model, variable: str) -> Array:
    """Values of a constant in the model file."""
    run = simulate(model, outcomes=[variable], stop=0, start=0, step=1, save_every=1, method="euler")
    return run[variable][0, 0, ..., 0]


def stacked_values(each: Sequence[Values], model: Model, common: Values, times: Array) -> dict[str, Array | TimePath]:
    """Values of several policies, stacked along the scenario axis."""
    names = list(dict.fromkeys(name for values in each for name in values))
    stacked = {}
    for name in names:
        default = common[name] if name in common else constant_values(model, name)[None, None]
        chosen = [fitted_to(model.ir, name, values.get(name, default)) for values in each]
        stacked[name] = _stacked(chosen, times)
    return stacked


def _stacked(known: Sequence[Array | TimePath], times: Array) -> Array | TimePath:
    draws = max((value.values.shape[2] if isinstance(value, TimePath) else value.shape[1]) for value in known)
    if not any(isinstance(value, TimePath) for value in known):
        return np.concatenate([_spread(np.asarray(value), 1, draws) for value in known], axis=0)
    sampled = [
        np.stack([value.at(time) for time in times])
        if isinstance(value, TimePath)
        else np.broadcast_to(value, (times.size, *value.shape))
        for value in known
    ]
    values = np.concatenate([_spread(value, 2, draws) for value in sampled], axis=1)
    return TimePath(times=times, values=values, interpolate="step")


def _spread(value: Array, axis: int, draws: int) -> Array:
    """A value broadcast along the axis of draws."""
    return np.broadcast_to(value, (*value.shape[:axis], draws, *value.shape[axis + 1 :]))


def only_draws(model: Model, values: Values, kept: NDArray[Any]) -> dict[str, Array | TimePath]:
    """Keep some draws of every value that varies between draws."""
    return {name: _only(fitted_to(model.ir, name, value), kept) for name, value in values.items()}


def _only(value: Array | TimePath, kept: NDArray[Any]) -> Array | TimePath:
    if isinstance(value, TimePath):
        some = value.values if value.values.shape[2] == 1 else value.values[:, :, kept]
        return TimePath(times=value.times, values=some, interpolate=value.interpolate)
    return value if value.shape[1] == 1 else value[:, kept]
