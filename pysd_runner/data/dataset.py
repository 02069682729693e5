"""The `Data` class: observed time series of one or several entities, or a panel by region and year."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.calendar import checked_unit, counted, unit_of_time
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.core.findings import Finding, listed
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Texts, frozen
from pysd_runner.data import sources
from pysd_runner.data.cells import Column, TextArray, series_column
from pysd_runner.data.names import CURRENCY, Entity, by_label, key, label_key
from pysd_runner.export.files import Tabled

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

REGION = "region"
# Maximum number of columns named in `repr`.
MAX_COLUMNS_NAMED = 4


def is_panel(data: "Data | None") -> "TypeGuard[Data]":
    """Whether data are given and form a panel: regions by year with their output."""
    return data is not None and data.is_panel


@frozen(eq=False, repr=False)
class Data(Tabled):
    """Observations by entity and time, made by `load_data`.

    ``data[name]`` is a labelled array, ``data.array(name)`` a plain one of shape (entity..., time).

    Parameters
    ----------
    name
        Name of a shipped panel or of the file, or a name given by the caller.
    times
        Times in increasing order, shape (time,); years for a panel.
    columns
        Observed columns by name, including supplementary series with times of their own.
    entities
        Entities by axis name, in order of first appearance; the axis of a panel is ``"region"``.
    time_unit
        Unit of the times; empty if unknown.
    dates
        The times as dates, if the data gave dates; otherwise empty.
    currency
        Currency of the monetary values of a panel, ``"currency"`` if the file does not give it; empty for other data.
    price_basis
        For instance ``"current prices"``; empty if the file does not give it.
    provenance
        How the data were read: file, its SHA-256, encoding, layout, headings used, units given.
    problems
        Warnings, which did not prevent the data from loading.
    """

    name: str
    times: Array
    columns: Mapping[str, Column]
    entities: Mapping[str, tuple[Entity, ...]] = field(default_factory=dict)
    time_unit: str = ""
    dates: tuple[datetime.datetime, ...] = ()
    currency: str = ""
    price_basis: str = ""
    provenance: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        for name, column in self._own.items():
            shape = (*(len(self.entities[axis]) for axis in column.axes), len(self.times))
            if column.values.shape != shape:
                raise InvalidInput(
                    "column {name!r} has shape {shape}; expected {expected}",
                    name=name,
                    shape=column.values.shape,
                    expected=shape,
                )

    @classmethod
    def by_region(
        cls,
        *,
        name: str,
        regions: Iterable[Entity],
        years: Iterable[int],
        values: Mapping[str, ArrayLike],
        units: Texts,
        national: Mapping[str, Mapping[int, float]] | None = None,
        currency: str = CURRENCY,
        price_basis: str = "",
    ) -> Self:
        """Create a panel from arrays.

        Parameters
        ----------
        name
            Name of the panel.
        regions, years
            Labels of the axes.
        values
            Arrays (region, year) by variable, in canonical units.
        units
            Unit by variable.
        national
            National series, ``{variable: {year: value}}``; shares as fractions.
        currency, price_basis
            Currency and price basis of the monetary values.
        """
        empty = cls(
            name=name,
            times=np.array(list(years), dtype=float),
            columns={},
            entities={REGION: tuple(regions)},
            time_unit="year",
            currency=currency,
            price_basis=price_basis,
        )
        return empty.with_values(values, units).with_national(national or {})

    @property
    def _own(self) -> dict[str, Column]:
        """Columns on the time axis of the data, without supplementary series."""
        return {name: column for name, column in self.columns.items() if column.times is None}

    @property
    def is_panel(self) -> bool:
        """Whether the data are a panel: regions by year with their output, in canonical units."""
        return bool(self.currency)

    def for_model(self, *, regional: bool | None) -> Self:
        """Return the data for a model; if it is not regional, a panel becomes ordinary data by entity."""
        return self if regional or not self.is_panel else replace(self, currency="")

    @property
    def axis(self) -> str:
        """Name of the time axis."""
        return "year" if self.is_panel else "time"

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns, those of the file first, derived ones last."""
        return tuple(self._own)

    @property
    def values(self) -> Arrays:
        """Arrays (entity..., time) by name."""
        return {name: column.values for name, column in self._own.items()}

    @property
    def units(self) -> Texts:
        """Units by name."""
        return {name: column.unit for name, column in self._own.items()}

    @property
    def national(self) -> dict[str, dict[int, float]]:
        """Supplementary (national) series, ``{name: {year: value}}``."""
        return {column.name: column.series() for column in self.columns.values() if column.times is not None}

    @property
    def marks(self) -> dict[str, TextArray]:
        """Marks by column name, arrays of the shape of the values; columns without marks are omitted."""
        return {name: column.marks for name, column in self._own.items() if column.marks is not None}

    @property
    def flags(self) -> dict[tuple[str, str, int], str]:
        """Marks of a panel by variable, region code and year."""
        codes, years = self.codes, self.years
        return {
            (name, codes[row], years[place]): str(marks[row, place])
            for name, marks in self.marks.items()
            for row, place in np.argwhere(np.asarray(marks != ""))
        }

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Entity codes by axis name."""
        return {axis: tuple(entity.code for entity in found) for axis, found in self.entities.items()}

    @property
    def regions(self) -> tuple[Entity, ...]:
        """Regions of a panel, in order of first appearance in the file."""
        return self.entities.get(REGION, ())

    @property
    def count(self) -> int | None:
        """Number of regions of a panel; None for other data, whose elements are those of the model file."""
        return len(self.regions) if self.is_panel else None

    @property
    def codes(self) -> tuple[str, ...]:
        """Region codes, in order."""
        return tuple(region.code for region in self.regions)

    @property
    def years(self) -> tuple[int, ...]:
        """The times as integers."""
        return tuple(map(int, self.times.tolist()))

    @property
    def moments(self) -> NDArray[Any]:
        """The times of the data: as dates if they were given as dates, otherwise as numbers."""
        return np.array(self.dates, "datetime64[ns]") if self.dates else self.times

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the region groups, in order of first appearance, without the empty one."""
        return tuple(dict.fromkeys(region.group for region in self.regions if region.group))

    @property
    def reading(self) -> Mapping[str, Any]:
        """Record of the files that say how the data are read, with their hashes; empty if there are none."""
        return {name: self.provenance[name] for name in ("reading",) if name in self.provenance}

    @property
    def span(self) -> str:
        """Number of times, and the first and the last, as text."""
        unit = f" {self.time_unit}" if self.time_unit and self.time_unit != "year" else ""
        count = len(self.times)
        moments = Message("1 moment") if count == 1 else Message("{count} moments", count=count)
        first, last = f"{self.times[0]:g}", f"{self.times[-1]:g}{unit}"
        if self.dates:
            first, last = f"{self.dates[0]:%Y-%m-%d}", f"{self.dates[-1]:%Y-%m-%d}"
        return Message("{moments} from {first} to {last}", moments=moments, first=first, last=last)

    def __repr__(self) -> str:
        shown = listed(self.variables, MAX_COLUMNS_NAMED)
        over = ", ".join(f"{len(items)} by {axis}" for axis, items in self.entities.items())
        span = self.span if len(self.times) else "no moment"
        return f"<Data {self.name!r}: {shown}; {span}{f'; {over}' if over else ''}>"

    def __contains__(self, name: object) -> bool:
        """Whether a column has this name, ignoring case and spacing."""
        return isinstance(name, str) and (name in self._own or key(name) in map(key, self._own))

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._own)

    def by_time(self, name: str) -> "pd.Series[float] | pd.DataFrame":
        """Observed values by time without missing ones: a series, or a frame with one column per entity."""
        return sources.by_time(self, name)

    def __getitem__(self, name: str) -> "xr.DataArray":
        """Observed values with their labels, dimensions (entities..., year or time)."""
        return self.to_xarray([name])[self.column(name).name]

    def array(self, name: str) -> Array:
        """Observed values, shape (entity..., time), NaN where missing.

        Parameters
        ----------
        name
            Name of the column, ignoring case and spacing.

        Raises
        ------
        UnknownName
            If there is no such column.
        """
        return self.column(name).values

    def column(self, name: str) -> Column:
        """One column.

        Parameters
        ----------
        name
            Name of the column, ignoring case and spacing.

        Raises
        ------
        UnknownName
            If there is no such column.
        """
        known = self._own
        if name in known:
            return known[name]
        found = next((item for item in known if key(item) == key(name)), None)
        if found is None:
            listed = f"{', '.join(known)}.{suggest(name, known)}"
            raise UnknownName(
                "data {data!r} has no column {column!r}; it has {columns}", data=self.name, column=name, columns=listed
            )
        return known[found]

    def entity(self, name: str, axis: str = REGION) -> Entity:
        """Return the entity with this code or name.

        Parameters
        ----------
        name
            Code, or name in either language.
        axis
            Name of the axis.

        Raises
        ------
        UnknownName
            If no entity has this code or name.
        """
        return self._entities([name], axis)[0]

    def _entities(self, names: Iterable[str], axis: str) -> list[Entity]:
        entities = self.entities.get(axis, ())
        known = by_label(entities)
        found = []
        for name in names:
            if label_key(name) not in known:
                labels = [label for item in entities for label in (item.code, item.name_en, item.name_zh)]
                raise UnknownName(
                    "data {data!r} has no {axis} {name!r}.{suggestion}",
                    data=self.name,
                    axis=axis,
                    name=name,
                    among=labels,
                )
            found.append(known[label_key(name)])
        return found

    def years_with(self, name: str) -> tuple[int, ...]:
        """Return the years in which at least one entity has an observation.

        Raises
        ------
        UnknownName
            If there is no such column.
        """
        seen = np.isfinite(self.array(name)).reshape(-1, len(self.times)).any(axis=0)
        return tuple(map(int, self.times[seen].tolist()))

    def subset(
        self, *, entities: Iterable[str] | None = None, times: Iterable[float] | None = None, axis: str = REGION
    ) -> Self:
        """Select entities and times, in the order of the data; supplementary series are kept whole.

        Parameters
        ----------
        entities
            Codes or names; None keeps all.
        times
            Times, for instance a range of years; None keeps all. Times that the data lack are an error unless a range
            is given.
        axis
            Axis of the entities.

        Raises
        ------
        UnknownName
            If an entity or a time is not in the data, or nothing is left.
        """
        kept = {name: np.arange(len(items)) for name, items in self.entities.items()}
        if entities is not None:
            codes = {item.code for item in self._entities(entities, axis)}
            kept[axis] = np.flatnonzero([item.code in codes for item in self.entities[axis]])
        moments = self._places_of(times)
        if not len(moments) or not all(map(len, kept.values())):
            raise UnknownName("nothing is left of data {data!r}, which has {span}", data=self.name, span=self.span)
        columns = {
            name: column if column.times is not None else column.cut(np.ix_(*(kept[a] for a in column.axes), moments))
            for name, column in self.columns.items()
        }
        return replace(
            self,
            times=self.times[moments],
            columns=columns,
            entities={name: tuple(items[place] for place in kept[name]) for name, items in self.entities.items()},
            dates=tuple(self.dates[place] for place in moments) if self.dates else (),
        )

    def _places_of(self, times: Iterable[float] | None) -> Indices:
        if times is None:
            return np.arange(len(self.times))
        wanted = set(times)
        missing = sorted(wanted - set(self.times.tolist()))
        if missing and not isinstance(times, range):
            ends = f"{self.times[0]:g} to {self.times[-1]:g}"
            raise UnknownName(
                "data {data!r} has nothing for {time:g}; it has {ends}", data=self.name, time=missing[0], ends=ends
            )
        return np.flatnonzero([time in wanted for time in self.times.tolist()])

    def until(self, time: float) -> Self:
        """Return the data up to a time (inclusive), supplementary series as well.

        Parameters
        ----------
        time
            Last time kept, in the time unit of the data.

        Raises
        ------
        InvalidInput
            If nothing is left.
        """
        return self._cut(lambda times: times <= time, Message("at or before {time:g}", time=time))

    def after(self, time: float) -> Self:
        """Return the data after a time (exclusive); the counterpart of `until`."""
        return self._cut(lambda times: times > time, Message("after {time:g}", time=time))

    def _cut(self, keeps: Callable[[Array], Flags], where: Message) -> Self:
        """Select the times for which `keeps` is true, those of supplementary series as well."""
        kept = keeps(self.times)
        if not kept.any():
            raise InvalidInput(
                "data {data!r} has nothing {where}; it has {span}", data=self.name, where=where, span=self.span
            )
        cut = self.subset(times=self.times[kept].tolist())
        beside = {
            name: replace(column, values=column.values[keeps(column.times)], times=column.times[keeps(column.times)])
            for name, column in cut.columns.items()
            if column.times is not None
        }
        return replace(cut, columns={**cut.columns, **beside})

    def in_unit(self, unit: str) -> Self:
        """Return the data with their dates converted to times in another unit, counted from the first date.

        Parameters
        ----------
        unit
            Hours, days, weeks, months, quarters or years; years are calendar years.

        Raises
        ------
        InvalidInput
            If the data have no dates, or the unit is unknown.
        """
        wanted = checked_unit(unit)
        if not self.dates:
            if unit_of_time(self.time_unit) == wanted:
                return self
            raise InvalidInput(
                "data {data!r} has numbers for times, no dates; they cannot be counted in {unit}",
                data=self.name,
                unit=unit,
            )
        times = np.array(counted(self.dates, wanted, self.dates[0]))
        return replace(self, times=times, time_unit=wanted)

    def with_values(
        self,
        values: Mapping[str, ArrayLike],
        units: Texts | None = None,
        marks: Mapping[str, TextArray] | None = None,
    ) -> Self:
        """Return the data with these columns in place of all others; supplementary series are kept.

        Parameters
        ----------
        values
            Arrays over the axes of the existing column of that name; over all axes for a new one.
        units
            Unit by name; None keeps the existing units.
        marks
            Marks by name; columns that are not named keep theirs.
        """
        own, axes = self._own, tuple(self.entities)
        columns = {}
        for name, array in values.items():
            old = own.get(name, Column(name=name, values=np.empty(0), axes=axes))
            unit = old.unit if units is None else units.get(name, "")
            new = np.array(array, dtype=float)
            columns[name] = replace(old, values=new, unit=unit, marks=(marks or {}).get(name, old.marks))
        beside = {name: column for name, column in self.columns.items() if column.times is not None}
        return replace(self, columns={**columns, **beside})

    def with_national(self, national: Mapping[str, Mapping[int, float]]) -> Self:
        """Return the data with these national series in place of all supplementary ones."""
        columns, own = self._own, self.variables
        for name, series in national.items():
            columns[f"{name} (national)" if name in own else name] = series_column(name, series)
        return replace(self, columns=columns)

    def table(self) -> "pd.DataFrame":
        """Summary, one row per column: unit, axes, first and last time, number of values and of gaps between."""
        return sources.contents(self)

    def _repr_html_(self) -> str:
        """Summary table as HTML, at most one screen long."""
        from pysd_runner.export.files import one_screen

        return one_screen(self.table())

    def to_frame(self) -> "pd.DataFrame":
        """Every observation as a long table: time, entities, column, value.

        For a panel the columns are region, year, variable, value, unit and flag, and missing observations are included
        as rows with a missing value.
        """
        return sources.frame(self)

    def to_xarray(self, names: Iterable[str] | None = None) -> "xr.Dataset":
        """Return an xarray data set, dimensions (entities..., year or time), with units as attributes.

        Parameters
        ----------
        names
            Columns; None takes all.
        """
        return sources.labelled(self, self.variables if names is None else names)

    def to_excel(self, path: str | Path) -> Path:
        """Write the observations to a workbook, with one row per time if there are no entities.

        Parameters
        ----------
        path
            File to write, ``.xlsx``.

        Returns
        -------
        Path
            The file.
        """
        return sources.workbook(self, path)

    @property
    def sha256(self) -> str:
        """SHA-256 of the content: entities, times, values, units, and for a panel groups, marks and national series.

        File format, encoding, headings and row numbers do not change it.
        """
        return sources.hash_of_panel(self) if self.is_panel else sources.hash_of_table(self)
