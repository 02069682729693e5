"""One simulation of a model, over all scenarios and draws handed to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import SimulationFailed
from pysd_runner.engine import Engine, Failure, Precision
from pysd_runner.engine.ir import Method, key
from pysd_runner.export.tables import Tabled
from pysd_runner.model import Model
from pysd_runner.simulation.showing import labels, one_line, time_axis
from pysd_runner.simulation.task import prepared, provenance

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False)
class Run(Tabled):
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
    time_unit
        Unit of the saved moments, as the model file writes it.
    """

    years: Array
    data: Mapping[str, Array]
    dims: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]
    ranges: Mapping[str, tuple[str, ...]]
    failed: NDArray[np.bool_]
    failures: tuple[Failure, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    time_unit: str = ""

    def __repr__(self) -> str:
        scenarios, draws = self.failed.shape
        return one_line("Run", self.data, (scenarios, draws), self.years, self.provenance)

    def __getitem__(self, name: str) -> Array:
        """One outcome, shape (scenario, draw, ..., year)."""
        from pysd_runner.core.errors import UnknownName, suggest

        known = {key(item): item for item in self.data}
        if key(name) not in known:
            raise UnknownName(f"the run did not save {name!r}.{suggest(name, self.data)}")
        return self.data[known[key(name)]]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.data)

    def table(self) -> "pd.DataFrame":
        """The run as a wide table: one row a moment, one column a variable or element of one.

        Returns
        -------
        pandas.DataFrame
            Moments are the index; before them the numbers of scenario and draw, where there are several.
        """
        import pandas as pd

        scenarios, draws = self.failed.shape
        count = scenarios * draws * len(self.years)
        columns: dict[str, Array] = {}
        for name, values in self.data.items():
            # Moments vary fastest, elements become columns.
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
        return xr.Dataset(
            arrays, coords={**coords, "year": time_axis(self.years, self.time_unit)}, attrs=dict(self.provenance)
        )

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


def simulate(  # noqa: PLR0913 - a front door
    model: Model,
    values: Mapping[str, Any] | None = None,
    *,
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    save_every: float | None = None,
    outcomes: Sequence[str] | None = None,
    engine: Engine = "auto",
    seed: int = 0,
    threads: int | None = None,
    precision: Precision = "float64",
    method: Method | None = None,
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
        Bounds and steps in years; None takes those of the file. The save interval is a multiple of the step; where the
        file's own is not, moments that fall on a step are saved, with a warning.
    outcomes
        Variables to save; None saves every variable of the file.
    engine
        ``"llvm"``: compiled, vectors over draws; ``"numpy"``: the same with arrays; ``"pysd"``: the same through PySD,
        one case after the other. ``"auto"`` is the compiled one; or NumPy where llvmlite cannot be loaded, and where a
        model of more than 300 equations is predicted to be compiled longer than NumPy takes for all of the run.
    seed
        Seed of the model's random functions, a whole number from 0. The same seed gives the same numbers; every draw
        has its own, and scenarios share theirs. PySD draws numbers of its own.
    threads
        How many blocks of draws the compiled engine runs at once; None takes every core the process may
        use. Results do not depend on it.
    precision
        Type of the numbers; ``"float32"`` needs the compiled engine.
    method
        How stocks are integrated: ``"euler"``, or ``"rk4"``, the classical method of Runge and Kutta; None takes what
        the file asks for, with a warning where that is neither. What moves once per step (fixed delays, DELAY N,
        SMOOTH N, samples, random numbers) is held within a step. PySD knows Euler only.
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
        If a value does not fit its variable, a variable is given twice, or an option is not usable.
    UnsupportedFeature
        If the engine does not cover the model.
    SimulationFailed
        If a case is not finite and `throw` is true; the message names the first variable, element, time and draw.
    """
    task = prepared(
        model,
        values,
        start=start,
        stop=stop,
        step=step,
        save_every=save_every,
        outcomes=outcomes,
        engine=engine,
        seed=seed,
        threads=threads,
        precision=precision,
        method=method,
        runs=1,
    )
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


def failure_message(failed: NDArray[np.bool_], failures: Sequence[Failure]) -> str:
    """How many cases failed, and where the first one went wrong."""
    count = f"{int(failed.sum())} of {failed.size} cases gave values that are not finite"
    return f"{count}; first: {failures[0]}" if failures else count
