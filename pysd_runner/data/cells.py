"""Columns of entries, nothing interpreted; observations as long cells and on a grid; and the columns made of them."""

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding, Severity

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
TextArray = NDArray[np.object_]
IndexArray = NDArray[np.int64]
# A column: texts as they stand in a file, or the numbers of a typed frame, which become text only where one is shown.
Entries = NDArray[Any]

DERIVED = "derived"

_THOUSANDS = re.compile(r"-?[0-9]{1,3}\.[0-9]{3}")
_Arrays = TypeVar("_Arrays", "Keys", "Cells")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextFile:
    """A file, or a data frame that stands for one."""

    header: tuple[str, ...] = ()
    header_row: int = 1  # row of the file they stand in
    rows: IndexArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # row of the file of each data row
    columns: tuple[Entries, ...] = ()  # one for each heading, each as long as `rows`
    encoding: str = ""  # encoding of a text file, or the name of the sheet
    titles: tuple[str, ...] = ()  # lines above the header
    problems: tuple[Finding, ...] = ()  # what is wrong with the file as a file

    @classmethod
    def failed(
        cls, rule: str, message: str, *, row: int | None = None, found: str = "", expected: str = ""
    ) -> "TextFile":
        """A file that cannot be read."""
        return cls(problems=(Finding(rule, message, row=row, found=found, expected=expected),))

    @property
    def named(self) -> list[tuple[str, Entries]]:
        """Columns with their headings."""
        return list(zip(self.header, self.columns, strict=True))

    def taken(self, kept: NDArray[Any] | slice) -> "TextFile":
        """Some of the rows."""
        return replace(self, rows=self.rows[kept], columns=tuple(column[kept] for column in self.columns))

    def cells(self, position: int, take: IndexArray | None = None, *, variable: str, **more: Any) -> "Cells":
        """The cells of a column in some of the rows, or in all."""
        kept: IndexArray | slice = slice(None) if take is None else take
        rows = self.rows[kept]
        return Cells(
            variable=variable,
            columns=same(self.header[position], len(rows)),
            take=np.arange(len(rows)) if take is None else take,
            rows=rows,
            entries=self.columns[position][kept],
            **more,
        )


def decimal_text(text: str) -> str:
    """A number has a decimal point, whatever the texts beside it have: not to be taken for thousands."""
    return f"{text}0" if _THOUSANDS.fullmatch(text) else text


def text_of(value: Any) -> str:
    """An entry as the text a file would hold; a number keeps every digit."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, datetime.date):
        text = value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()
        return "" if text == "NaT" else text
    if isinstance(value, float | np.floating):
        return decimal_text(repr(float(value)))
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[s]")).replace("T", " ")
    text = str(value).strip()
    return "" if text in ("NaT", "<NA>", "nan") else text


def is_typed(entries: Entries) -> bool:
    """Whether a column holds numbers, not texts."""
    return entries.dtype != object


def texts_of(entries: Entries) -> TextArray:
    """A column as texts; equal numbers are written once."""
    return each_once(text_of, entries) if is_typed(entries) else entries


def each_once(change: Callable[[Any], str], entries: "Entries | pd.Series[Any]") -> TextArray:
    """A column in which each different entry has been turned into a text, once."""
    import pandas as pd

    codes, found = pd.factorize(entries)
    # The last text is that of a missing value, whose code is -1.
    return of_texts([*map(change, found), ""])[codes]


def is_empty(entries: Entries, missing: Collection[str] = ()) -> NDArray[np.bool_]:
    """Where nothing stands, or a text for a missing value."""
    if not is_typed(entries):
        empty = np.asarray(entries == "", dtype=bool)
        return empty | np.isin(entries.astype(str), list(missing)) if missing else empty
    empty = np.isnan(entries)
    for text in missing:
        with suppress(ValueError):
            empty = empty | (entries == float(text))
    return empty


def same(text: str, count: int) -> TextArray:
    """A column with one text in every row, which takes no space."""
    return np.broadcast_to(np.array(text, dtype=object), count)


def stacked(parts: Sequence[Entries]) -> Entries:
    """Entries one below the other: texts where some of them are."""
    if not parts:
        return np.empty(0, dtype=object)
    return np.concatenate(parts if all(map(is_typed, parts)) else list(map(texts_of, parts)))


def of_texts(texts: Sequence[str]) -> TextArray:
    """Texts as a column."""
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column


def of_frame(frame: "pd.DataFrame") -> TextFile:
    """A data frame as it stands: numbers stay numbers, everything else is text."""
    if frame.empty:
        return TextFile.failed("empty-file", Message("the data hold no row"), expected=Message("a row for each moment"))
    header = tuple(str(item) if not isinstance(item, datetime.date) else item.isoformat() for item in frame.columns)
    columns = tuple(_of_series(frame.iloc[:, place]) for place in range(len(header)))
    return TextFile(header=header, rows=np.arange(2, len(frame) + 2), columns=columns)


def _of_series(series: "pd.Series[Any]") -> Entries:
    from pandas.api import types

    if types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype):
        if not types.is_complex_dtype(series.dtype):
            return series.to_numpy(float, na_value=np.nan) if series.hasnans else series.to_numpy()
    elif series.dtype != object or types.infer_dtype(series) == "string":
        return each_once(text_of, series)
    return of_texts(list(map(text_of, series)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """Where and when, one entry for each row of a panel file."""

    rows: IndexArray  # row of the file
    regions: TextArray
    names: TextArray
    groups: TextArray
    years: TextArray  # texts of the year; empty where each year has its own column


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """The observations of one quantity as they stand in the file."""

    variable: str  # as messages call it: canonical name, or a name of the user's own
    columns: TextArray  # heading of each cell's column
    take: IndexArray  # which row of the table each cell belongs to
    rows: IndexArray  # row of the file that is
    entries: Entries
    years: TextArray = field(default_factory=lambda: of_texts([]))  # year of each cell of a panel as text
    units: TextArray = field(default_factory=lambda: of_texts([]))  # unit text of each cell; empty where none is given
    flags: TextArray = field(default_factory=lambda: of_texts([]))  # mark of each cell
    unit_row: int | None = None  # row of the file that gives the unit when it is not each cell's own; None when it is
    labels: tuple[TextArray, ...] = ()  # entities that the headings name

    @property
    def heading(self) -> str:
        """Heading of the first cell."""
        return str(self.columns[0]) if len(self.columns) else self.variable

    def problem(
        self, place: int, rule: str, message: str, expected: str = "", *, severity: Severity = "error"
    ) -> Finding:
        """What is wrong with one of the cells."""
        return Finding(
            rule,
            message,
            severity,
            row=int(self.rows[place]),
            column=str(self.columns[place]),
            found=text_of(self.entries[place]),
            expected=expected,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations:
    """Everything a panel file says, still as text."""

    keys: Keys
    cells: tuple[Cells, ...]


def joined(parts: Sequence[tuple[str, Observations]]) -> Observations:
    """Observations of several files, by name, as those of one long file."""
    keys: list[Keys] = []
    cells: dict[str, list[Cells]] = {}
    count = 0
    for name, observations in parts:
        for found in observations.cells:
            own = observations.keys
            known = {item.name: getattr(own, item.name)[found.take] for item in fields(Keys)}
            keys.append(Keys(**known | {"years": found.years}))
            take = np.arange(count, count + len(found.take))
            count += len(take)
            columns = np.array([f"{name}: {heading}" for heading in found.columns], dtype=object)
            cells.setdefault(found.variable, []).append(replace(found, take=take, columns=columns, unit_row=None))
    return Observations(keys=merged(keys) if keys else parts[0][1].keys, cells=tuple(map(merged, cells.values())))


def merged(parts: "Sequence[_Arrays]") -> "_Arrays":
    """One quantity that stands in several columns or files, or the keys of several."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = [item.name for item in fields(first) if isinstance(getattr(first, item.name), np.ndarray)]
    whole: dict[str, Any] = {name: stacked([getattr(part, name) for part in parts]) for name in names}
    if isinstance(first, Cells):
        labels = zip(*(part.labels for part in parts if isinstance(part, Cells)), strict=True)
        return replace(first, **whole, labels=tuple(map(stacked, labels)))
    return replace(first, **whole)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Origins:
    """Where the values of a column stand in a file, each of the shape of the values.

    Parameters
    ----------
    rows
        Row of the file, 0 where there is no value.
    texts
        Text as it stood there; None for numbers of a data frame.
    """

    rows: NDArray[np.int64]
    texts: TextArray | None = None


@dataclass(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Column:
    """One observed quantity.

    Parameters
    ----------
    name
        As it is called in the data.
    values
        Shape (entity..., time), one axis for each of `axes`; NaN where nothing was observed.
    axes
        Names of the axes of entities, empty for a single series.
    unit
        As written in the data, or the canonical unit; empty where none is given.
    variable
        Variable of the model that it observes, if the caller said so.
    marks
        Marks such as ``"derived"`` or ``"imputed"``, text of the shape of the values, empty where nothing is marked;
        None where nothing is marked at all.
    origins
        Rows and texts of the file; None where they are not known.
    times
        Moments of a series that stands beside the data, such as a national one; None for the moments of the data.
    """

    name: str
    values: Array
    axes: tuple[str, ...] = ()
    unit: str = ""
    variable: str = ""
    marks: TextArray | None = None
    origins: Origins | None = None
    times: Array | None = None

    def __post_init__(self) -> None:
        self.values.setflags(write=False)
        if self.marks is not None and not (self.marks != "").any():
            object.__setattr__(self, "marks", None)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<Column {self.name!r}{over}, {int(np.isfinite(self.values).sum())} values>"

    def cut(self, where: tuple[NDArray[np.intp], ...]) -> "Column":
        """Some entities and moments, given as what `numpy.ix_` makes of their places."""
        origins = self.origins
        if origins is not None:
            texts = None if origins.texts is None else origins.texts[where]
            origins = Origins(rows=origins.rows[where], texts=texts)
        marks = None if self.marks is None else self.marks[where]
        return replace(self, values=self.values[where], marks=marks, origins=origins)

    def series(self) -> dict[int, float]:
        """A series by year that stands beside the data."""
        times = () if self.times is None else self.times
        return {int(time): float(value) for time, value in zip(times, self.values, strict=True)}


def series_column(name: str, series: Mapping[int, float]) -> Column:
    """A series by year as a column with moments of its own."""
    times = np.array(list(series), dtype=float)
    return Column(name=name, values=np.array(list(series.values()), dtype=float), times=times)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Cells of one quantity as numbers, in the panel's unit."""

    values: Array  # naN where the cell is empty or faulty
    faulty: NDArray[np.bool_]  # cells that are not a number, cannot be one of this variable, or are in no known unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """One quantity on the grid of its entities and moments."""

    values: Array  # naN where nothing was observed
    rows: IndexArray  # row of the file, 0 where there is none
    faulty: NDArray[np.bool_]  # cells whose text could not be used
    cells: Cells
    index: IndexArray  # which of the cells stands there, -1 where none does

    def column(self, place: tuple[int, ...]) -> str:
        """Heading of the column in which a value stands; empty where nothing does."""
        index = self.index[place]
        return "" if index < 0 else str(self.cells.columns[index])

    def text(self, place: tuple[int, ...]) -> str:
        """A value as it stands in the file."""
        index = self.index[place]
        return "" if index < 0 else text_of(self.cells.entries[index])

    def problem(
        self, place: tuple[int, ...], rule: str, message: str, expected: str, severity: Severity = "error"
    ) -> Finding:
        """What is wrong with one of the values."""
        found, column = self.text(place), self.column(place)
        return Finding(
            rule, message, severity, row=int(self.rows[place]), column=column, found=found, expected=expected
        )

    def origins(self) -> Origins:
        """Rows and texts of all values."""
        entries = self.cells.entries
        return Origins(rows=self.rows, texts=None if is_typed(entries) else self._placed(entries))

    def marks(self) -> TextArray | None:
        """Mark of each value; None where nothing is marked."""
        if not (self.cells.flags != "").any():
            return None
        return self._placed(np.where(is_empty(self.cells.entries), "", self.cells.flags))

    def _placed(self, texts: TextArray) -> TextArray:
        return np.where(self.index < 0, "", texts[self.index]) if len(texts) else np.full(self.index.shape, "", object)


def to_grid(
    cells: Cells, numbers: Numbers, places: Sequence[IndexArray], shape: tuple[int, ...]
) -> tuple[Grid, list[tuple[int, tuple[int, ...]]]]:
    """Put cells on the grid at their places, one array for each axis; and the cells whose place an earlier one has."""
    usable = np.flatnonzero(np.all([place >= 0 for place in places], axis=0))
    flat = np.zeros(len(usable), dtype=np.int64)
    for place, size in zip(places, shape, strict=True):
        flat = flat * size + place[usable]
    index = np.full(shape, -1, dtype=np.int64)
    index.reshape(-1)[flat[::-1]] = usable[::-1]
    held = index >= 0
    values, rows, faulty = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    for array, of_cells in ((values, numbers.values), (rows, cells.rows), (faulty, numbers.faulty)):
        array[held] = of_cells[index[held]]
    repeats = usable[index.reshape(-1)[flat] != usable].tolist()
    grid = Grid(values=values, rows=rows, faulty=faulty, cells=cells, index=index)
    return grid, [(cell, tuple(int(place[cell]) for place in places)) for cell in repeats]
