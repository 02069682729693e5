"""Observations of anything over time: values by time, and by entity where there are several."""

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.export.tables import Tabled
from pysd_runner.panel.calendar import checked_unit, counted, unit_of_time
from pysd_runner.panel.names import key
from pysd_runner.panel.problems import Problem

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]

# Columns a table shows on one line.
SHOWN = 4


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Column:
    """One observed quantity.

    Attributes
    ----------
    name
        As it is called in the data.
    values
        Shape (entity..., time), one axis for each of `axes`; NaN where nothing was observed.
    axes
        Names of the axes of entities, empty for a single series.
    unit
        As written in the data; empty where none is given.
    variable
        Variable of the model that it observes, if the caller said so.
    """

    name: str
    values: Array
    axes: tuple[str, ...] = ()
    unit: str = ""
    variable: str = ""

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<Column {self.name!r}{over}, {int(np.isfinite(self.values).sum())} values>"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Table(Tabled):
    """Observations by time and entity, made by `load_table`.

    Attributes
    ----------
    name
        Name of the file, or what the caller called it.
    times
        Increasing moments of all columns, shape (time,).
    time_unit
        Their unit; empty where none is known.
    columns
        What was observed, by name.
    axes
        Names of the entities, by name of the axis.
    dates
        The moments as dates, where the data gave dates; otherwise empty.
    problems
        Doubts about the data.
    source
        Where they come from.
    """

    name: str
    times: Array
    columns: Mapping[str, Column]
    time_unit: str = ""
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: tuple[datetime.datetime, ...] = ()
    problems: tuple[Problem, ...] = ()
    source: str = ""

    def __repr__(self) -> str:
        names = list(self.columns)
        shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        sizes = "".join(f", {len(items)} {name}" for name, items in self.axes.items())
        return f"<Table {self.name!r}: {shown}; {self.span}{sizes}>"

    def _repr_html_(self) -> str:
        """The contents as a small table."""
        from pysd_runner.export.tables import one_screen

        return one_screen(self.table())

    @property
    def span(self) -> str:
        """First and last moment in words."""
        unit = f" {self.time_unit}" if self.time_unit and self.time_unit != "year" else ""
        moments = f"{len(self.times)} moment{'' if len(self.times) == 1 else 's'}"
        if self.dates:
            return f"{moments} from {self.dates[0]:%Y-%m-%d} to {self.dates[-1]:%Y-%m-%d}"
        return f"{moments} from {self.times[0]:g} to {self.times[-1]:g}{unit}"

    @property
    def sha256(self) -> str:
        """Hash of the moments and all values."""
        digest = hashlib.sha256(np.ascontiguousarray(self.times).tobytes())
        for name, column in sorted(self.columns.items()):
            digest.update(repr((name, column.axes, column.unit, column.variable)).encode())
            digest.update(np.ascontiguousarray(column.values).tobytes())
        digest.update(repr(sorted(self.axes.items())).encode())
        return digest.hexdigest()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key(name) in {key(item) for item in self.columns}

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    def __getitem__(self, name: str) -> "pd.Series[float] | pd.DataFrame":
        """Observed values by time, missing ones left out: a series, or one column for each entity."""
        import pandas as pd

        column = self.column(name)
        index = pd.Index(self.times, name="time")
        if not column.axes:
            return pd.Series(column.values, index=index, name=column.name).dropna()
        labels = pd.MultiIndex.from_product([self.axes[axis] for axis in column.axes], names=list(column.axes))
        columns = labels if len(column.axes) > 1 else labels.get_level_values(0)
        frame = pd.DataFrame(column.values.reshape(-1, len(self.times)).T, index=index, columns=columns)
        return frame.dropna(how="all")

    def column(self, name: str) -> Column:
        """One column.

        Parameters
        ----------
        name
            In any case and spacing.

        Raises
        ------
        UnknownName
            If there is none.
        """
        known = {key(item): item for item in self.columns}
        if key(name) not in known:
            raise UnknownName(f"table {self.name!r} has no column {name!r}.{suggest(name, self.columns)}")
        return self.columns[known[key(name)]]

    def until(self, time: float) -> "Table":
        """The table without anything after a moment.

        Parameters
        ----------
        time
            The last moment kept, in the unit of the table.

        Raises
        ------
        InvalidInput
            If nothing is left.
        """
        return self._kept(self.times <= time, f"at or before {time:g}")

    def after(self, time: float) -> "Table":
        """The table without anything up to a moment; the counterpart of `until`."""
        return self._kept(self.times > time, f"after {time:g}")

    def _kept(self, kept: NDArray[np.bool_], where: str) -> "Table":
        if not kept.any():
            raise InvalidInput(f"table {self.name!r} has nothing {where}; it has {self.span}")
        columns = {name: replace(item, values=item.values[..., kept]) for name, item in self.columns.items()}
        dates = tuple(date for date, keep in zip(self.dates, kept, strict=True) if keep) if self.dates else ()
        return replace(self, times=self.times[kept], columns=columns, dates=dates)

    def in_unit(self, unit: str, *, since: datetime.datetime | None = None) -> "Table":
        """The same table with its dates counted in another unit.

        Parameters
        ----------
        unit
            Hours, days, weeks, months, quarters or years.
        since
            Date that is moment zero; None takes the first one. Years are those of the calendar whatever it is.

        Raises
        ------
        InvalidInput
            If the table has no dates, or there is no such unit.
        """
        wanted = checked_unit(unit)
        if not self.dates:
            if unit_of_time(self.time_unit) == wanted:
                return self
            raise InvalidInput(f"table {self.name!r} has numbers for times, no dates; they cannot be counted in {unit}")
        times = np.array(counted(self.dates, wanted, self.dates[0] if since is None else since))
        return replace(self, times=times, time_unit=wanted)

    def table(self) -> "pd.DataFrame":
        """What it holds, one row a column: unit, entities, values, missing ones, first and last moment."""
        import pandas as pd

        rows = []
        for column in self.columns.values():
            seen = np.isfinite(column.values)
            when = self.times[seen.reshape(-1, len(self.times)).any(axis=0)]
            rows.append(
                {
                    "column": column.name,
                    "variable": column.variable,
                    "unit": column.unit,
                    "over": ", ".join(column.axes),
                    "values": int(seen.sum()),
                    "missing": int((~seen).sum()),
                    "first": when[0] if when.size else np.nan,
                    "last": when[-1] if when.size else np.nan,
                }
            )
        return pd.DataFrame(rows)

    def to_frame(self) -> "pd.DataFrame":
        """The observations, one row each: time, entities, column, value."""
        import pandas as pd

        parts = []
        for column in self.columns.values():
            places = np.argwhere(np.isfinite(column.values))
            part: dict[str, Any] = {"time": self.times[places[:, -1]]}
            for number, axis in enumerate(column.axes):
                part[axis] = [self.axes[axis][place] for place in places[:, number]]
            part["column"], part["value"] = column.name, column.values[tuple(places.T)]
            parts.append(pd.DataFrame(part))
        frame = pd.concat(parts, ignore_index=True)
        return frame[["time", *self.axes, "column", "value"]]

    def to_xarray(self) -> "xr.Dataset":
        """The observations as a labelled data set, dimensions (entities..., time)."""
        import xarray as xr

        arrays = {
            item.name: xr.DataArray(item.values, dims=[*item.axes, "time"], attrs={"units": item.unit})
            for item in self.columns.values()
        }
        coords: dict[str, Any] = {name: list(items) for name, items in self.axes.items()}
        coords["time"] = ("time", self.times, {"units": self.time_unit} if self.time_unit else {})
        return xr.Dataset(arrays, coords=coords, attrs={"name": self.name})

    def to_excel(self, path: str | Path) -> Path:
        """Write the observations into a workbook, one row a moment where there are no entities.

        Parameters
        ----------
        path
            File to write, ``.xlsx``.

        Returns
        -------
        Path
            The file.
        """
        from pysd_runner.export.tables import save_workbook

        frame = self.to_frame()
        if not self.axes:
            frame = frame.pivot_table(index="time", columns="column", values="value").reset_index()
        return save_workbook({"observations": frame, "columns": self.table()}, path)
