"""From a file, a data frame, a dictionary or a labelled data set to a `Table`."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel, suggest
from pysd_runner.panel import tables
from pysd_runner.panel.calendar import checked_unit, counted, read_dates, unit_of_time
from pysd_runner.panel.conversion import Measure
from pysd_runner.panel.names import ROLE_OF, key, split_unit, visible
from pysd_runner.panel.observations import Cells, Keys, Observations
from pysd_runner.panel.problems import Problem, errors_of, in_file_order, summary
from pysd_runner.panel.table import Array, Column, Table
from pysd_runner.panel.validation import STYLES, NumberStyle, numbers_of, styles_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Source = "str | Path | pd.DataFrame | Mapping[str, Any] | xr.Dataset | xr.DataArray | Table"

IGNORE = "ignore"
# Headings of a column of times beside those a panel knows.
_TIMES = {
    "t",
    "time",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "quarter",
    "hour",
    "hours",
    "tick",
    "\u5929",
    "\u6708",
}
_THOUSANDS = re.compile(r"-?[0-9]{1,3}\.[0-9]{3}")
_ELEMENT = re.compile(r"(?P<name>.+?)\s*\[(?P<labels>[^\[\]]+)\]")
_NO_MEASURE = Measure(text="", unit="")


def load_table(  # noqa: PLR0913 - a front door
    source: "str | Path | pd.DataFrame | Mapping[str, Any] | xr.Dataset | xr.DataArray | Table",
    *,
    time: str | None = None,
    entity: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    time_unit: str | None = None,
    missing: Sequence[str] = (),
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    name: str | None = None,
) -> Table:
    """Read observations of anything over time.

    A file has a row for each moment and a column for each quantity (``day, infected, recovered``), or a row for each
    value (``day, variable, value``), or a column for each moment. Entities have a column of their own (``region``), or
    stand in the headings (``infected[north]``). Cells may be empty, and series of any length and frequency stand
    beside each other.

    Parameters
    ----------
    source
        CSV or xlsx file, data frame, dictionary of columns, or xarray object.
    time
        Heading of the times; None finds it. Times are numbers in any unit, or dates (``2020-03-01``, ``2020-03``,
        ``2020Q1``).
    entity
        Headings of the columns that name entities; None takes those that hold texts.
    columns
        Which variable of the model a column observes, by heading; ``"ignore"`` leaves a column out. Others are matched
        by their names when the table meets a model.
    units
        Unit by heading, where the file does not give it in brackets behind the heading.
    time_unit
        Unit of the times; for dates the one in which they are counted, from the first of them.
    missing
        Texts that stand for a missing value, besides an empty cell.
    decimal
        Decimal point of the numbers, ``"."`` or ``","``; None finds it.
    encoding, sheet
        Encoding of a text file; sheet of a workbook.
    name
        What the table is called; None takes the name of the file.

    Returns
    -------
    Table
        The observations; doubts are in its `problems`.

    Raises
    ------
    InvalidPanel
        If anything is wrong with the data; the message shows row and column of the first problems.
    InvalidInput
        If the source is of another kind, or there is no such unit of time.

    Examples
    --------
    >>> load_table({"day": [0, 1, 4], "infected": [5, 8, None], "recovered": [0, 1, 5]})
    <Table 'table': infected, recovered; 3 moments from 0 to 4 day>
    """
    if isinstance(source, Table):
        return source
    text, label, told = _as_text(source, encoding=encoding, sheet=sheet)
    asked = _Asked(
        time=time,
        entity=(entity,) if isinstance(entity, str) else None if entity is None else tuple(entity),
        columns=dict(columns or {}),
        units=dict(units or {}),
        time_unit=time_unit,
        missing=frozenset(missing),
        decimal=decimal,
    )
    called = name or label
    problems = list(text.problems)
    if not text.readable or errors_of(problems):
        raise _FaultyTable(problems, called)
    reading = _Reading(text, asked)
    found = reading.table(called, told)
    problems = in_file_order([*problems, *reading.problems])
    if errors_of(problems) or found is None:
        raise _FaultyTable(problems, called)
    return replace(found, problems=tuple(problems))


class _FaultyTable(InvalidPanel):
    """A table with errors; `problems` holds all of them and the warnings."""

    def __init__(self, problems: Sequence[Problem], called: str) -> None:
        super().__init__(summary(errors_of(problems), called))
        self.problems = list(problems)


def check_table(
    source: "str | Path | pd.DataFrame | Mapping[str, Any] | xr.Dataset | xr.DataArray | Table", **settings: Any
) -> list[Problem]:
    """List everything that is wrong with observations, in the order of the file.

    Parameters
    ----------
    source
        As for `load_table`.
    **settings
        Of `load_table`.

    Returns
    -------
    list of Problem
        Errors, which stop `load_table`, and warnings.

    Examples
    --------
    >>> [(fault.rule, fault.row) for fault in check_table({"day": [0, 1], "infected": [5, "many"]})]
    [('not-a-number', 3)]
    """
    try:
        return list(load_table(source, **settings).problems)
    except _FaultyTable as error:
        return error.problems


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What the caller says of the data."""

    time: str | None
    entity: tuple[str, ...] | None
    columns: Mapping[str, str]
    units: Mapping[str, str]
    time_unit: str | None
    missing: frozenset[str]
    decimal: str | None


def _as_text(source: Any, *, encoding: str | None, sheet: str | None) -> tuple[tables.Table, str, str]:
    """Any source as a file of text, with its name and where it comes from."""
    if isinstance(source, str | Path):
        path = Path(source)
        read = tables.read_table(path, encoding=encoding, sheet=sheet)
        return read, path.stem, str(path.name)
    import pandas as pd

    kind = f"{type(source).__module__.partition('.')[0]}.{type(source).__name__}"
    if kind == "xarray.DataArray":
        source = source.to_dataset(name=source.name or "value")
        kind = "xarray.Dataset"
    if kind == "xarray.Dataset":
        units = {str(item): str(source[item].attrs.get("units", "")) for item in source.data_vars}
        frame = source.to_dataframe().reset_index()
        frame = frame[[item for item in frame.columns if item in source.dims or item in source.data_vars]]
        frame = frame.rename(columns={item: f"{item} ({unit})" for item, unit in units.items() if unit})
        return of_frame(frame), "table", "xarray"
    if isinstance(source, pd.DataFrame):
        named = source.index.name is not None or isinstance(source.index, pd.DatetimeIndex | pd.MultiIndex)
        if named and not set(source.index.names) & set(source.columns):
            source = source.reset_index(names="time" if source.index.names == [None] else None)
        return of_frame(source), "table", "data frame"
    if isinstance(source, Mapping):
        try:
            return of_frame(pd.DataFrame(dict(source))), "table", "dictionary"
        except ValueError as error:
            raise InvalidInput(f"the dictionary is no table: {error}; give lists of one length") from error
    raise InvalidInput(
        f"a table is read from a file, a data frame, a dictionary of columns or an xarray object; found {source!r}"
    )


def of_frame(frame: "pd.DataFrame") -> tables.Table:
    """A data frame as text; numbers keep every digit."""
    if frame.empty:
        problem = Problem(rule="empty-file", message="the data hold no row", expected="a row for each moment")
        return tables.Table(problems=(problem,))
    cells = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    header = tuple(str(item) if not isinstance(item, datetime.date) else item.isoformat() for item in frame.columns)
    return tables.Table(header=header, numbers=tuple(range(2, len(cells) + 2)), cells=tuple(cells))


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, datetime.date):
        text = value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()
        return "" if text == "NaT" else text
    if isinstance(value, float | np.floating):
        # A number has a decimal point, whatever the texts beside it have: not to be taken for thousands.
        text = repr(float(value))
        return f"{text}0" if _THOUSANDS.fullmatch(text) else text
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[s]")).replace("T", " ")
    text = str(value)
    return "" if text in ("NaT", "<NA>", "nan") else text


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of numbers: where it stands, what it is called, and the elements its heading names."""

    position: int
    name: str
    unit: str
    labels: tuple[str, ...] = ()


class _Reading:
    """One table in the making; `problems` grows."""

    def __init__(self, text: tables.Table, asked: _Asked) -> None:
        self._text, self._asked = text, asked
        self.problems: list[Problem] = []
        # Characters that cannot be seen would make two names of one.
        self._cells = [[visible(cell) for cell in row] for row in text.cells]

    def table(self, name: str, source: str) -> Table | None:
        """Everything put together; None where it cannot be."""
        self._check_mapping()
        time = self._time_column()
        if time is None:
            return None
        variable, value = self._role("variable"), self._role("value")
        is_long = variable is not None and value is not None
        rows = self._long(time, variable or 0, value or 0) if is_long else self._wide(time)
        moments = self._moments([row[0] for row in rows.times], time)
        if moments is None or errors_of(self.problems):
            return None
        return self._assembled(name, source, rows, moments, time)

    def _check_mapping(self) -> None:
        """Every heading the caller names must be there."""
        values = self._values_of(self._role("variable"))
        known = {key(item): item for heading in self._text.header for item in (heading, split_unit(heading)[0])}
        known |= {key(item.partition("[")[0]): item for item in self._text.header} | {
            key(item): item for item in values
        }
        named = [*self._asked.columns, *self._asked.units, *(self._asked.entity or ())]
        for heading in (*named, *([self._asked.time] if self._asked.time else [])):
            if key(heading) not in known:
                near = suggest(heading, [*self._text.header, *values])
                self.problems.append(
                    Problem(
                        rule="unknown-column",
                        message=f"there is no such column.{near}",
                        column=heading,
                        found=", ".join(self._text.header),
                        expected=heading,
                    )
                )

    def _position(self, heading: str) -> int | None:
        wanted = key(heading)
        for place, item in enumerate(self._text.header):
            if wanted in (key(item), key(split_unit(item)[0])):
                return place
        return None

    def _role(self, role: str) -> int | None:
        found = [place for place, item in enumerate(self._text.header) if ROLE_OF.get(key(split_unit(item)[0])) == role]
        return found[0] if found else None

    def _values_of(self, position: int | None) -> list[str]:
        return [] if position is None else list(dict.fromkeys(row[position] for row in self._cells if row[position]))

    def _time_column(self) -> int | None:
        if self._asked.time is not None:
            return self._position(self._asked.time)
        known = [
            place
            for place, item in enumerate(self._text.header)
            if key(split_unit(item)[0]) in _TIMES or ROLE_OF.get(key(split_unit(item)[0])) == "year"
        ]
        if known:
            return known[0]
        if self._across():
            self._turn()
            return self._time_column()
        self.problems.append(
            Problem(
                rule="missing-column",
                message="no column of times was found; name it with `time` (--time)",
                row=self._text.header_row,
                found=", ".join(self._text.header),
                expected="a column called time, day, month, year, date, ...",
            )
        )
        return None

    def _across(self) -> list[int]:
        """Columns whose headings are moments; at least two, or there are none."""
        places = [
            place
            for place, item in enumerate(self._text.header)
            if _number(item) is not None or read_dates([item]) is not None
        ]
        return places if len(places) > 1 else []

    def _turn(self) -> None:
        """A column for each moment becomes a row for each value."""
        across = self._across()
        kept = [place for place in range(len(self._text.header)) if place not in across]
        named = any(ROLE_OF.get(key(self._text.header[place])) == "variable" for place in kept)
        headings = [self._text.header[place] for place in kept]
        if not named and kept:
            headings[0] = "variable"
        elif not kept:
            headings = ["variable"]
        cells, numbers = [], []
        for number, row in zip(self._text.numbers, self._cells, strict=True):
            for place in across:
                ahead = [row[item] for item in kept] or ["value"]
                cells.append([*ahead, self._text.header[place], row[place]])
                numbers.append(number)
        self._cells = cells
        self._text = replace(
            self._text, header=(*headings, "time", "value"), cells=tuple(cells), numbers=tuple(numbers)
        )

    def _entities(self, taken: set[int]) -> list[int]:
        """Columns that name entities."""
        if self._asked.entity is not None:
            found = [self._position(item) for item in self._asked.entity]
            return [item for item in found if item is not None]
        skipped = {place for place, item in enumerate(self._text.header) if self._target(item) == IGNORE}
        return [
            place
            for place, item in enumerate(self._text.header)
            if place not in taken
            and place not in skipped
            and ROLE_OF.get(key(item)) not in ("unit", "flag", "source")
            and not self._target(item)
            and self._is_text(place)
        ]

    def _is_text(self, position: int) -> bool:
        """Whether a column holds names: no cell is a number, and they are not all alike faults."""
        held = [row[position] for row in self._cells if row[position] and row[position] not in self._asked.missing]
        return bool(held) and not any(_looks_numeric(text) for text in held)

    def _target(self, heading: str) -> str:
        """What the caller's mapping makes of a heading."""
        for name, target in self._asked.columns.items():
            if key(name) in (key(heading), key(split_unit(heading)[0])):
                return target
        return ""

    def _unit(self, heading: str, name: str) -> str:
        for given, unit in self._asked.units.items():
            if key(given) in (key(heading), key(name)):
                return unit
        return ""

    def _wide(self, time: int) -> "_Rows":
        entities = self._entities({time})
        places = [
            item
            for item in self._headed({time, *entities})
            if self._target(self._text.header[item.position]) != IGNORE and self._target(item.name) != IGNORE
        ]
        if not places:
            self.problems.append(
                Problem(
                    rule="missing-column",
                    message="there is no column of observations beside times and names",
                    row=self._text.header_row,
                    found=", ".join(self._text.header),
                    expected="a column of numbers",
                )
            )
        rows = _Rows(axes=tuple(self._text.header[place] for place in entities))
        for item in places:
            for number, row in zip(self._text.numbers, self._cells, strict=True):
                if row[item.position] == "" or row[item.position] in self._asked.missing:
                    continue
                who = (*(row[place] for place in entities), *item.labels)
                rows.add(
                    item.name, item.unit, who, (row[time], number), row[item.position], self._text.header[item.position]
                )
            rows.seen(item.name, item.unit)
        rows.moments = [(row[time], number) for number, row in zip(self._text.numbers, self._cells, strict=True)]
        return rows

    def _headed(self, taken: set[int]) -> list[_Place]:
        """Columns of numbers with their names, units and elements."""
        header = self._text.header
        left = [place for place in range(len(header)) if place not in taken]
        left = [place for place in left if ROLE_OF.get(key(header[place])) not in ("unit", "flag", "source")]
        matches = {place: _ELEMENT.fullmatch(header[place]) for place in left}
        shared = [key(match["name"]) for match in matches.values() if match]
        found, names = [], dict[str, int]()
        for place in left:
            match = matches[place]
            if match and shared.count(key(match["name"])) > 1:
                labels = tuple(label.strip() for label in match["labels"].split(","))
                found.append(_Place(place, match["name"], self._unit(header[place], match["name"]), labels))
                continue
            name, unit = split_unit(header[place])
            if key(name) in names or not name:
                self.problems.append(
                    Problem(
                        rule="repeated-heading" if name else "empty-heading",
                        message="a heading stands twice" if name else "a column has no heading",
                        row=self._text.header_row,
                        column=header[place],
                        found=header[place],
                        expected="one heading for each column",
                    )
                )
                continue
            names[key(name)] = place
            found.append(_Place(place, name, unit or self._unit(header[place], name)))
        return found

    def _long(self, time: int, variable: int, value: int) -> "_Rows":
        entities = self._entities({time, variable, value})
        unit = self._role("unit")
        rows = _Rows(axes=tuple(self._text.header[place] for place in entities))
        for number, row in zip(self._text.numbers, self._cells, strict=True):
            name, inner = split_unit(row[variable])
            if not name:
                self.problems.append(
                    Problem(
                        rule="empty-variable",
                        message="the row does not say which variable it holds",
                        row=number,
                        column=self._text.header[variable],
                        expected="the name of a variable",
                    )
                )
                continue
            if self._target(name) == IGNORE:
                continue
            given = inner or (row[unit] if unit is not None else "") or self._unit(name, name)
            rows.seen(name, given)
            if row[value] != "" and row[value] not in self._asked.missing:
                who = tuple(row[place] for place in entities)
                rows.add(name, given, who, (row[time], number), row[value], self._text.header[value])
        rows.moments = [(row[time], number) for number, row in zip(self._text.numbers, self._cells, strict=True)]
        return rows

    def _moments(self, texts: list[str], column: int) -> "_Moments | None":
        """Every text of a time as a number."""
        heading = self._text.header[column]
        held = list(dict.fromkeys(text for text in texts if text))
        dates = read_dates(held)
        unit = self._asked.time_unit or ""
        if dates is not None:
            found, written = dates
            chosen = checked_unit(unit) if unit else written
            numbers = counted(found, chosen, min(found))
            return _Moments(dict(zip(held, numbers, strict=True)), chosen, dict(zip(held, found, strict=True)))
        label, inner = split_unit(heading)
        unit = (
            unit
            or inner
            or unit_of_time(label)
            or ("year" if ROLE_OF.get(key(label)) == "year" and _years(held) else "")
        )
        numbers_by_text: dict[str, float] = {}
        style = NumberStyle(decimal=self._asked.decimal or ".")
        for text in held:
            number = float(style.plain(text)) if style.fits(text) else None
            if number is None and text.endswith("\u5e74"):
                number = _number(text.removesuffix("\u5e74"))
            if number is None:
                self.problems.append(
                    Problem(
                        rule="not-a-time",
                        message="not a time; dates and numbers may not be mixed",
                        row=next(row for given, row in self._all_times(column) if given == text),
                        column=heading,
                        found=text,
                        expected="a number, or a date such as 2020-03-01, 2020-03 or 2020Q1",
                    )
                )
                continue
            numbers_by_text[text] = number
        return _Moments(numbers_by_text, unit, {})

    def _all_times(self, column: int) -> list[tuple[str, int]]:
        return [(row[column], number) for number, row in zip(self._text.numbers, self._cells, strict=True)]

    def _assembled(self, name: str, source: str, rows: "_Rows", moments: "_Moments", time: int) -> Table | None:
        for text, number in rows.moments:
            if not text:
                self.problems.append(
                    Problem(
                        rule="not-a-time",
                        message="the time is empty",
                        row=number,
                        column=self._text.header[time],
                        expected="a number or a date",
                    )
                )
        if errors_of(self.problems):
            return None
        used = sorted({moments.numbers[text] for text, _ in rows.moments})
        places = {moment: place for place, moment in enumerate(used)}
        axes, extents = self._axes(rows)
        columns = {}
        for called, cells in rows.cells.items():
            over = rows.axes_of(called, axes)
            values = self._filled(called, cells, [extents[axis] for axis in over], places, moments)
            if values is None:
                continue
            target = self._target(called) or next(
                (self._target(cell.heading) for cell in cells if self._target(cell.heading)), ""
            )
            columns[called] = Column(
                name=called, values=values, axes=over, unit=rows.units.get(called, ""), variable=target
            )
            if not np.isfinite(values).any():
                self.problems.append(
                    Problem(
                        rule="no-values", message=f"{called} has no value at all", column=called, expected="numbers"
                    )
                )
        dates = {number: date for text, date in moments.dates.items() for number in [moments.numbers[text]]}
        if errors_of(self.problems) or not columns:
            return None
        return Table(
            name=name,
            times=np.array(used, dtype=float),
            columns=columns,
            time_unit=moments.unit,
            axes={axis: extents[axis] for axis in axes if any(axis in item.axes for item in columns.values())},
            dates=tuple(dates[moment] for moment in used) if dates else (),
            source=source,
        )

    def _axes(self, rows: "_Rows") -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """Names of all axes and the entities on each."""
        depth = max((len(cell.who) for cells in rows.cells.values() for cell in cells), default=0)
        axes = (*rows.axes, *(f"element{'' if n == 0 else n + 1}" for n in range(depth - len(rows.axes))))
        extents: dict[str, tuple[str, ...]] = {}
        for place, axis in enumerate(axes):
            found = dict.fromkeys(
                cell.who[place] for cells in rows.cells.values() for cell in cells if len(cell.who) > place
            )
            extents[axis] = tuple(found)
            if "" in found:
                blank = next(
                    c for cells in rows.cells.values() for c in cells if len(c.who) > place and not c.who[place]
                )
                self.problems.append(
                    Problem(
                        rule="empty-entity",
                        message="the row does not say whom it is about",
                        row=blank.row,
                        column=axis,
                        expected="a name",
                    )
                )
        return axes, extents

    def _filled(
        self,
        name: str,
        cells: "list[_Cell]",
        extents: list[tuple[str, ...]],
        places: Mapping[float, int],
        moments: "_Moments",
    ) -> Array | None:
        """Values of one column on the grid; repeated cells and what is no number are problems."""
        values = np.full((*(len(items) for items in extents), len(places)), np.nan)
        numbers = self._numbers(name, cells)
        rows: dict[tuple[int, ...], int] = {}
        for cell, number in zip(cells, numbers, strict=True):
            at = (
                *(items.index(label) for items, label in zip(extents, cell.who, strict=True)),
                places[moments.numbers[cell.time]],
            )
            if at in rows:
                who = f" for {', '.join(cell.who)}" if cell.who else ""
                self.problems.append(
                    Problem(
                        rule="duplicate",
                        message=f"{name} has a second value at this time{who}; the first stands in row {rows[at]}. "
                        "Name the columns that tell the rows apart with `entity` (--entity), or leave one out",
                        row=cell.row,
                        column=cell.heading,
                        found=cell.text,
                        expected="one value for each time and entity",
                    )
                )
                continue
            rows[at] = cell.row
            values[at] = number
        return values

    def _numbers(self, name: str, cells: "list[_Cell]") -> Array:
        """The cells as numbers; the messages are those of a panel."""
        size = len(cells)
        empty = np.full(size, "", dtype=object)
        keys = Keys(
            rows=np.array([cell.row for cell in cells], dtype=np.int64),
            regions=empty,
            names=empty,
            groups=empty,
            years=np.array([cell.time for cell in cells], dtype=object),
        )
        observed = Cells(
            variable=f"column {name}",
            columns=np.array([cell.heading for cell in cells], dtype=object),
            take=np.arange(size),
            years=keys.years,
            texts=np.array([cell.text for cell in cells], dtype=object),
            units=empty,
            flags=empty,
        )
        styles, told = styles_of(Observations(keys=keys, cells=(observed,)), self._asked.missing, self._asked.decimal)
        self.problems += told
        if not size:
            return np.zeros(0)
        read, found = numbers_of(observed, keys, _NO_MEASURE, self._asked.missing, styles[observed.variable])
        self.problems += found
        return np.asarray(read.values, dtype=float)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Times by their text, their unit, and their dates if they are such."""

    numbers: Mapping[str, float]
    unit: str
    dates: Mapping[str, datetime.datetime]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One value as it stands in the data."""

    who: tuple[str, ...]
    time: str
    row: int
    text: str
    heading: str


class _Rows:
    """Cells by column."""

    def __init__(self, axes: tuple[str, ...]) -> None:
        self.axes = axes
        self.cells: dict[str, list[_Cell]] = {}
        self.units: dict[str, str] = {}
        self.moments: list[tuple[str, int]] = []

    @property
    def times(self) -> list[tuple[str, int]]:
        """All times with their rows."""
        return self.moments

    def seen(self, name: str, unit: str) -> None:
        """Note a column, whether it has a value or not."""
        self.cells.setdefault(name, [])
        if unit:
            self.units.setdefault(name, unit)

    def add(self, name: str, unit: str, who: tuple[str, ...], when: tuple[str, int], text: str, heading: str) -> None:
        """Note a value."""
        self.seen(name, unit)
        self.cells[name].append(_Cell(who, when[0], when[1], text, heading))

    def axes_of(self, name: str, axes: tuple[str, ...]) -> tuple[str, ...]:
        """Axes of one column: those its values have names on."""
        depth = max((len(cell.who) for cell in self.cells[name]), default=len(self.axes))
        return axes[:depth]


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None


def _looks_numeric(text: str) -> bool:
    return any(style.fits(text) for style in STYLES)


def _years(texts: Sequence[str]) -> bool:
    numbers = [_number(text) for text in texts]
    return all(item is not None and 1500 <= item <= 2500 for item in numbers)
