"""Containers of the data reader: raw columns of a file, cells in long form, values on a grid, observed columns."""

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding, Severity
from pysd_runner.core.types import Array, Flags, Indices, frozen

if TYPE_CHECKING:
    import pandas as pd

TextArray = NDArray[np.object_]
IndexArray = NDArray[np.int64]
# A column: strings as in a file, or the numbers of a data frame, which are converted to strings only for messages.
Entries = NDArray[Any]

DERIVED = "derived"
VALUE = "value"  # heading of the values of a table that had a column for each time

_THOUSANDS = re.compile(r"-?[0-9]{1,3}\.[0-9]{3}")


@frozen(eq=False)
class TextFile:
    """Contents of a file, or of a data frame given instead of a file."""

    header: tuple[str, ...] = ()
    header_row: int = 1  # row of the header in the file
    rows: IndexArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # file row number of each data row
    columns: tuple[Entries, ...] = ()  # one for each heading, each as long as `rows`
    encoding: str = ""  # encoding of a text file, or the name of the sheet
    titles: tuple[str, ...] = ()  # lines above the header
    across: TextArray | None = None  # heading of each row's value, if each time had a column of its own
    problems: tuple[Finding, ...] = ()  # faults of the file itself, such as rows of unequal length

    @classmethod
    def failed(
        cls, rule: str, message: str, *, row: int | None = None, found: str = "", expected: str = ""
    ) -> "TextFile":
        """Create the result for a file that cannot be read."""
        return cls(problems=(Finding(rule, message, row=row, found=found, expected=expected),))

    @property
    def named(self) -> list[tuple[str, Entries]]:
        """Pairs of heading and column."""
        return list(zip(self.header, self.columns, strict=True))

    def problem(
        self,
        rule: str,
        message: str,
        position: int,
        place: int | None = None,
        expected: str = "",
        severity: Severity = "error",
    ) -> Finding:
        """Create a finding about a cell, or about the heading of a column."""
        heading = self.header[position]
        return Finding(
            rule,
            message,
            severity,
            row=self.header_row if place is None else int(self.rows[place]),
            column=heading,
            found=heading if place is None else text_of(self.columns[position][place]),
            expected=expected,
        )

    def without_variable(self, position: int) -> list[Finding]:
        """Report rows with an empty cell in the column that names the variable."""
        message = Message("the row does not say which variable it holds")
        expected = Message("the name of a variable")
        empty = np.flatnonzero(texts_of(self.columns[position]) == "").tolist()
        return [self.problem("empty-variable", message, position, place, expected) for place in empty]

    def taken(self, kept: NDArray[Any] | slice) -> "TextFile":
        """Return a copy with the selected rows only."""
        across = None if self.across is None else self.across[kept]
        return replace(
            self, rows=self.rows[kept], columns=tuple(column[kept] for column in self.columns), across=across
        )

    def chosen(self, places: Sequence[int]) -> "TextFile":
        """Return a copy with the selected columns only."""
        header = tuple(self.header[place] for place in places)
        return replace(self, header=header, columns=tuple(self.columns[place] for place in places))

    def with_column(self, heading: str, column: Entries | str) -> "TextFile":
        """Return a copy with a further column, which has the same string in every row."""
        cells = same(column, len(self.rows)) if isinstance(column, str) else column
        return replace(self, header=(*self.header, heading), columns=(*self.columns, cells))

    def turned(self, across: Sequence[int], **labels: Sequence[str]) -> "TextFile":
        """Return a copy in long form: one row for each cell of some columns, identified by labels."""
        kept, count = self.chosen([place for place in range(len(self.header)) if place not in across]), len(across)
        values = stacked([self.columns[place] for place in across]).reshape(count, -1).T.ravel()
        columns = [np.repeat(column, count) for column in kept.columns]
        headings = [self.header[place] for place in across]
        *described, named = (np.tile(of_texts(texts), len(self.rows)) for texts in (*labels.values(), headings))
        return replace(
            self,
            header=(*kept.header, *labels, VALUE),
            columns=(*columns, *described, values),
            rows=np.repeat(self.rows, count),
            across=named,
        )

    def cells(self, position: int, take: IndexArray | None = None, *, variable: str, **more: Any) -> "Cells":
        """Return the cells of one column in the given rows, by default in all."""
        kept: IndexArray | slice = slice(None) if take is None else take
        rows, heading = self.rows[kept], self.header[position]
        return Cells(
            variable=variable,
            columns=same(heading, len(rows)) if self.across is None or heading != VALUE else self.across[kept],
            take=np.arange(len(rows)) if take is None else take,
            rows=rows,
            entries=self.columns[position][kept],
            **more,
        )


def decimal_text(text: str) -> str:
    """Append a zero to a text such as ``1.234``, so that its point is not read as a thousands separator."""
    return f"{text}0" if _THOUSANDS.fullmatch(text) else text


def text_of(value: Any) -> str:
    """The string that a file would contain for an entry; numbers keep full precision."""
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
    """Whether a column holds numbers, not strings."""
    return entries.dtype != object


def texts_of(entries: Entries) -> TextArray:
    """Convert a column to strings; each distinct number is converted only once."""
    return each_once(text_of, entries) if is_typed(entries) else entries


def each_once(change: Callable[[Any], str], entries: "Entries | pd.Series[Any]") -> TextArray:
    """Convert a column to strings, calling `change` once for each distinct entry."""
    import pandas as pd

    codes, found = pd.factorize(entries)
    # Missing values have code -1, which selects the last string.
    return of_texts([*map(change, found), ""])[codes]


def is_empty(entries: Entries, missing: Collection[str] = ()) -> Flags:
    """Mask of entries that are empty or one of the strings for missing values."""
    if not is_typed(entries):
        empty = np.asarray(entries == "", dtype=bool)
        return empty | np.isin(entries.astype(str), list(missing)) if missing else empty
    empty = np.isnan(entries)
    for text in missing:
        with suppress(ValueError):
            empty = empty | (entries == float(text))
    return empty


def same(text: str, count: int) -> TextArray:
    """Column with the same string in every row, as a broadcast view."""
    return np.broadcast_to(np.array(text, dtype=object), count)


def stacked(parts: Sequence[Entries]) -> Entries:
    """Concatenate columns; the result is text if any of them is text."""
    if not parts:
        return np.empty(0, dtype=object)
    return np.concatenate(parts if all(map(is_typed, parts)) else list(map(texts_of, parts)))


def of_texts(texts: Sequence[str]) -> TextArray:
    """Make a column (object array) of strings."""
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column


def of_frame(frame: "pd.DataFrame") -> TextFile:
    """Convert a data frame: numeric columns stay numeric, all others become text."""
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


@frozen
class Cells:
    """Raw observations of one quantity, one entry for each cell of the file."""

    variable: str  # name used in messages: canonical, or the user's own
    columns: TextArray  # heading of each cell's column
    take: IndexArray  # index of the table row to which each cell belongs
    rows: IndexArray  # file row number of each cell
    entries: Entries
    units: TextArray = field(default_factory=lambda: of_texts([]))  # unit text of each cell; empty where none is given
    flags: TextArray = field(default_factory=lambda: of_texts([]))  # mark of each cell, such as "imputed"
    unit_row: int | None = None  # file row that gives the unit of all cells; None if each row has its own
    labels: tuple[TextArray, ...] = ()  # entity labels taken from the headings

    @property
    def heading(self) -> str:
        """Heading of the first cell's column."""
        return str(self.columns[0]) if len(self.columns) else self.variable

    def problem(
        self, place: int, rule: str, message: str, expected: str = "", *, severity: Severity = "error"
    ) -> Finding:
        """Create a finding about one of the cells."""
        return Finding(
            rule,
            message,
            severity,
            row=int(self.rows[place]),
            column=str(self.columns[place]),
            found=text_of(self.entries[place]),
            expected=expected,
        )


@frozen
class Observations:
    """Raw contents of a panel file: cells by variable, and the columns of region, year and other roles."""

    keys: Mapping[str, Entries]  # one entry for each row; ``"row"`` is the row of the file
    cells: Sequence[Cells]


def joined(parts: Sequence[tuple[str, Observations]]) -> Observations:
    """Combine the observations of several named files as if they were one long file."""
    keys: dict[str, list[Entries]] = {}
    cells: dict[str, list[Cells]] = {}
    count = 0
    for name, observations in parts:
        for found in observations.cells:
            for role, texts in observations.keys.items():
                keys.setdefault(role, []).append(texts[found.take])
            take = np.arange(count, count + len(found.take))
            count += len(take)
            columns = of_texts([f"{name}: {heading}" for heading in found.columns])
            cells.setdefault(found.variable, []).append(replace(found, take=take, columns=columns, unit_row=None))
    of_rows = {role: stacked(texts) for role, texts in keys.items()} or parts[0][1].keys
    return Observations(keys=of_rows, cells=[*map(merged, cells.values())])


def merged(parts: Sequence[Cells]) -> Cells:
    """Concatenate the cells of one quantity from several columns or files."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = [item.name for item in fields(first) if isinstance(getattr(first, item.name), np.ndarray)]
    whole: dict[str, Any] = {name: stacked([getattr(part, name) for part in parts]) for name in names}
    labels = zip(*(part.labels for part in parts), strict=True)
    return replace(first, labels=tuple(map(stacked, labels)), **whole)


@frozen(eq=False, repr=False)
class Column:
    """One observed quantity.

    Parameters
    ----------
    name
        Name in the data.
    values
        Shape (entity..., time), one axis for each of `axes`; NaN where nothing was observed.
    axes
        Names of the axes of entities, empty for a single series.
    unit
        As written in the data, or the canonical unit; empty where none is given.
    variable
        Model variable that it observes, if the caller gave one.
    marks
        Marks such as ``"derived"`` or ``"imputed"``, an array of texts of the shape of the values, empty for values
        without a mark; None if no value has one.
    times
        Times of a supplementary series, such as a national one; None for a column on the time axis of the data.
    """

    name: str
    values: Array
    axes: tuple[str, ...] = ()
    unit: str = ""
    variable: str = ""
    marks: TextArray | None = None
    times: Array | None = None

    def __post_init__(self) -> None:
        self.values.setflags(write=False)
        if self.marks is not None and not (self.marks != "").any():
            object.__setattr__(self, "marks", None)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<Column {self.name!r}{over}, {int(np.isfinite(self.values).sum())} values>"

    def cut(self, where: tuple[Indices, ...]) -> "Column":
        """Select entities and times by the index arrays that `numpy.ix_` returns."""
        marks = None if self.marks is None else self.marks[where]
        return replace(self, values=self.values[where], marks=marks)

    def series(self) -> dict[int, float]:
        """Return a supplementary series as a dictionary by year."""
        times = () if self.times is None else self.times
        return {int(time): float(value) for time, value in zip(times, self.values, strict=True)}


def series_column(name: str, series: Mapping[int, float]) -> Column:
    """Create a supplementary column, which has its own times, from a series by year."""
    times = np.array(list(series), dtype=float)
    return Column(name=name, values=np.array(list(series.values()), dtype=float), times=times)


@frozen
class Grid:
    """Values of one quantity on the grid of its entities and times."""

    values: Array  # NaN where nothing was observed
    rows: IndexArray  # file row of each value, 0 for none
    faulty: Flags  # cells whose text could not be used
    cells: Cells
    index: IndexArray  # index of the cell at each grid point, -1 for none

    def column(self, place: tuple[int, ...]) -> str:
        """Heading of a value's column in the file; empty if there is no value."""
        index = self.index[place]
        return "" if index < 0 else str(self.cells.columns[index])

    def text(self, place: tuple[int, ...]) -> str:
        """Original text of a value in the file."""
        index = self.index[place]
        return "" if index < 0 else text_of(self.cells.entries[index])

    def problem(
        self, place: tuple[int, ...], rule: str, message: str, expected: str, severity: Severity = "error"
    ) -> Finding:
        """Create a finding about one of the values."""
        return self.cells.problem(self.index[place], rule, message, expected, severity=severity)

    def marks(self) -> TextArray:
        """Flag of each value (such as "imputed"), empty for none."""
        # Grid points without a cell have index -1, which selects the last string.
        return np.append(np.where(is_empty(self.cells.entries), "", self.cells.flags), "")[self.index]


def to_grid(
    cells: Cells, numbers: Array, wrong: Flags, places: Sequence[IndexArray], shape: tuple[int, ...]
) -> tuple[Grid, list[tuple[int, tuple[int, ...]]]]:
    """Put cells on a grid by one index array per axis; also return the cells whose grid point was already taken."""
    usable = np.flatnonzero(np.all([place >= 0 for place in places], axis=0))
    flat = np.ravel_multi_index(tuple(place[usable] for place in places), shape)
    index = np.full(shape, -1, dtype=np.int64)
    index.reshape(-1)[flat[::-1]] = usable[::-1]
    held = index >= 0
    values, rows, faulty = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    for array, of_cells in ((values, numbers), (rows, cells.rows), (faulty, wrong)):
        array[held] = of_cells[index[held]]
    repeats = usable[index.reshape(-1)[flat] != usable].tolist()
    grid = Grid(values=values, rows=rows, faulty=faulty, cells=cells, index=index)
    return grid, [(cell, tuple(int(place[cell]) for place in places)) for cell in repeats]
