"""Results of an ensemble: labelled runs, or statistics of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import Message, UnknownName, suggest
from pysd_runner.core.types import Values
from pysd_runner.engine import Failure
from pysd_runner.ensemble.statistics import QUANTILE, Statistics
from pysd_runner.export.files import Tabled
from pysd_runner.simulation.task import Labelled, long_frame, one_line, spelled, time_axis

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.floating]

# Reserved names of dimensions and variables; a model variable with one of them gets the suffix `MARK`.
OWN = ("scenario", "draw", "year", "quantile", "failed", "failed cases")
MARK = "_"
# Quantiles shown in tables: the ends of the 90 % interval, and the median.
ENDS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, repr=False)
class Ensemble(Labelled, Tabled):
    """Results of an ensemble.

    Parameters
    ----------
    scenarios
        Names, in the order of the scenario axis.
    years
        Saved times, shape (year,).
    data
        Outcome by variable, shape (scenario, draw, ..., year); empty when only statistics were kept.
    statistics
        By variable and name of the statistic, shape (scenario, ..., year), quantiles (scenario, quantile, ..., year);
        over the cases that did not fail. Empty when the runs were kept.
    kept
        The statistics that were kept; None if the runs were kept.
    quantile_error
        Bound on the rank error of the quantiles, as a share of the draws; 0 if they are exact.
    dims, units
        Subscript ranges and unit of each outcome.
    ranges
        Elements of the subscript ranges.
    parameters
        Values that vary between draws, by variable, shape (draw, ...).
    failed
        Cases with a value that is not finite, shape (scenario, draw).
    failures
        First value that is not finite in each of the first few failed cases.
    planned
        Number of draws requested; fewer are present if the run was interrupted.
    provenance
        Provenance of the results: model, hash, engine, seed, design, scenarios, bounds, steps and versions.
    time_unit
        Unit of the saved times, as written in the model file.
    """

    scenarios: tuple[str, ...]
    statistics: Mapping[str, Mapping[str, Array]]
    kept: Statistics | None
    quantile_error: float
    parameters: Mapping[str, Array]
    failures: tuple[Failure, ...]
    planned: int

    def __repr__(self) -> str:
        kind = "Ensemble" if self.kept is None else "Statistics of an ensemble"
        cases = (len(self.scenarios), self.draws)
        return one_line(kind, self.data or self.statistics, cases, self.years, self.provenance)

    @property
    def draws(self) -> int:
        """Number of draws finished under every scenario."""
        return int(self.failed.shape[1])

    @property
    def complete(self) -> bool:
        """Whether all requested draws were finished."""
        return self.draws == self.planned

    def __getitem__(self, name: str) -> Array:
        """One outcome, shape (scenario, draw, ..., year)."""
        return self.data[self._find(name, self.data, Message("runs of"))]

    def statistic(self, name: str, outcome: str) -> Array:
        """One statistic of one outcome.

        Parameters
        ----------
        name
            ``"mean"``, ``"variance"``, ``"minimum"``, ``"maximum"`` or ``"quantile"``.
        outcome
            The variable.

        Returns
        -------
        ndarray
            Shape (scenario, ..., year), of quantiles (scenario, quantile, ..., year).

        Raises
        ------
        UnknownName
            If the statistic or the outcome was not kept.
        """
        found = self.statistics[self._find(outcome, self.statistics, Message("statistics of"))]
        if name not in found:
            raise UnknownName(
                "the ensemble did not keep {name!r}.{suggestion}", name=name, suggestion=suggest(name, found)
            )
        return found[name]

    def _find(self, name: str, known: Values, what: Message) -> str:
        found = spelled(name, known)
        if found is None:
            raise UnknownName(
                "the ensemble did not keep {what} {name!r}.{suggestion}",
                what=what,
                name=name,
                suggestion=suggest(name, known),
            )
        return found

    def describe(self) -> str:
        """Summarise in words how many cases there are, how many failed and where the first of them failed."""
        under = _counted(len(self.scenarios), "scenario")
        lines = [f"{_counted(self.draws, 'draw')} under {under}, {_counted(self.failed.size, 'case')}"]
        if not self.complete:
            lines.append(f"interrupted: {self.draws} of {self.planned} draws were finished")
        if self.failed.any():
            lines.append(f"{_counted(int(self.failed.sum()), 'case')} gave values that are not finite")
            lines += [str(item) for item in self.failures]
        return "\n".join(lines)

    def to_xarray(self) -> "xr.Dataset":
        """The ensemble as a labelled data set.

        Returns
        -------
        xarray.Dataset
            Dimensions (scenario, draw, ..., year) with units; values that vary between draws are
            coordinates, unless they are outcomes. If statistics were kept: variables ``"<outcome>, mean"`` and so on,
            dimensions (scenario, ..., year), for quantiles (scenario, quantile, ..., year).
        """
        import xarray as xr

        arrays: dict[str, Any] = {}
        for name, values in self.data.items():
            arrays[self._label(name)] = (self._axes("draw", name), values, {"units": self.units[name]})
        for name, found in self.statistics.items():
            for statistic, values in found.items():
                axes = self._axes("quantile" if statistic == QUANTILE else "", name)
                unit = _unit(self.units[name], statistic)
                arrays[f"{self._label(name)}, {statistic}"] = (axes, values, {"units": unit})
        arrays["failed cases"] = ("scenario", self.failed.sum(axis=1), {"long_name": "cases that are not finite"})
        return xr.Dataset(arrays, coords=self._coordinates(arrays), attrs=self._attributes())

    def to_frame(self) -> "pd.DataFrame":
        """The ensemble as a long table: scenario, draw or quantile, subscripts, year, variable, unit, value.

        If statistics were kept, each row holds one statistic, named in `variable` as in `to_xarray`.
        """
        return long_frame(self.to_xarray().drop_vars("failed cases"))

    def table(self, name: str | None = None) -> "pd.DataFrame":
        """Table of the outcomes at the last saved time.

        Parameters
        ----------
        name
            One outcome; None takes all.

        Returns
        -------
        pandas.DataFrame
            One row per outcome, scenario and element: median and 90 % interval over the cases that did not fail. If
            statistics were kept: one row per statistic.

        Raises
        ------
        UnknownName
            If the outcome was not kept.
        """
        import pandas as pd

        if not self.data:
            frame = self.to_frame().query("year == @last", local_dict={"last": self.years[-1]})
            return frame if name is None else frame.loc[frame["variable"].str.startswith(f"{name}, ")]
        chosen = list(self.data) if name is None else [self._find(name, self.data, Message("runs of"))]
        rows = []
        for outcome in chosen:
            dims = self.dims[outcome]
            for place, scenario in enumerate(self.scenarios):
                ends = self.data[outcome][place, ~self.failed[place], ..., -1]
                found = np.quantile(ends, ENDS, axis=0) if len(ends) else np.full((3, *ends.shape[1:]), np.nan)
                elements = product(*(self.ranges[dim] for dim in dims))
                for element, (low, middle, high) in zip(elements, found.reshape(3, -1).T, strict=True):
                    row = {"outcome": outcome, "scenario": scenario, **dict(zip(dims, element, strict=True))}
                    rows.append({**row, "median": middle, "low_90": low, "high_90": high, "unit": self.units[outcome]})
        return pd.DataFrame(rows)

    def plot(self, name: str | None = None, *, ax: Any = None) -> Any:
        """Fan chart: median, 50 % and 90 % intervals of an outcome over time.

        Parameters
        ----------
        name
            The outcome; None takes the first.
        ax
            Axes to draw on; None makes a figure, with a small chart for each element.

        Returns
        -------
        ReportFigure or Axes
            The figure, or `ax` where one was given.

        Raises
        ------
        UnknownName
            If its runs were not kept.
        """
        import xarray as xr

        from pysd_runner.plots.over_time import plot_fan

        name = next(iter(self.data), "") if name is None else name
        values = self[name].astype(float)
        values = np.where(self.failed.reshape(*self.failed.shape, *[1] * (values.ndim - 2)), np.nan, values)
        found = self._find(name, self.data, Message("runs of"))
        dims = self.dims[found]
        array = xr.DataArray(
            values,
            dims=["scenario", "draw", *dims, "time"],
            coords={
                "scenario": list(self.scenarios),
                "time": self.years,
                **{dim: list(self.ranges[dim]) for dim in dims},
            },
            name=found,
            attrs={"units": self.units[found]},
        )
        array = array.isel(scenario=0, drop=True) if len(self.scenarios) == 1 else array
        return plot_fan(array, ax=ax, time_unit=self.time_unit)

    def save(self, path: str | Path) -> Path:
        """Write the ensemble to a netCDF file, atomically.

        Parameters whose names contain a space are written as data variables rather than coordinates.

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

        dataset = self.to_xarray()
        # NetCDF lists coordinates in one attribute, separated by spaces, so that their names cannot contain spaces.
        return save_netcdf(dataset.reset_coords([name for name in dataset.coords if " " in str(name)]), path)

    def _axes(self, between: str, name: str) -> list[str]:
        inner = [_dimension(dim) for dim in self.dims[name]]
        return ["scenario", *([between] if between else []), *inner, "year"]

    def _label(self, name: str) -> str:
        """Name in the data set, with a suffix where it would clash with a dimension."""
        taken = {*OWN, *(_dimension(dim) for dims in self.dims.values() for dim in dims)}
        return name + MARK if name in taken else name

    def _coordinates(self, arrays: Values) -> Values:
        used = {dim for name in (*self.data, *self.statistics) for dim in self.dims[name]}
        coords: dict[str, Any] = {"scenario": list(self.scenarios), "year": time_axis(self.years, self.time_unit)}
        if self.data:
            coords |= {"draw": np.arange(self.draws), "failed": (["scenario", "draw"], self.failed)}
            for name, values in self.parameters.items():
                if self._label(name) not in arrays:
                    axes = ["draw", *(_dimension(dim) for dim in self.dims[name])]
                    coords[self._label(name)] = (axes, values, {"units": self.units[name]})
                    used.update(self.dims[name])
        elif self.kept is not None and self.kept.quantiles:
            coords["quantile"] = list(self.kept.quantiles)
        return coords | {_dimension(dim): list(self.ranges[dim]) for dim in sorted(used)}

    def _attributes(self) -> Values:
        return {
            "complete": int(self.complete),
            "draws": self.draws,
            "planned_draws": self.planned,
            "failed_cases": int(self.failed.sum()),
            "failures": [str(item) for item in self.failures] or "",
            "quantile_error": self.quantile_error,
            "provenance": json.dumps(self.provenance, ensure_ascii=False, sort_keys=True),
        }


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _dimension(name: str) -> str:
    name = name.lower()
    return name + MARK if name in OWN else name


def _unit(unit: str, statistic: str) -> str:
    if statistic != "variance" or not unit or unit.casefold() in ("dmnl", "dimensionless", "1"):
        return unit
    return f"({unit})^2"
