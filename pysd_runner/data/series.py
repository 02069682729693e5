"""Interpret a table of time series: its quantities as cells, their times and their entities."""

import datetime
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pysd_runner.core.calendar import checked_unit, counted, read_dates, unit_of_time
from pysd_runner.core.errors import Message, suggest
from pysd_runner.core.findings import Finding, errors_of, with_hint
from pysd_runner.core.types import Array
from pysd_runner.data.cells import (
    Cells,
    Entries,
    IndexArray,
    TextArray,
    TextFile,
    each_once,
    is_empty,
    is_typed,
    merged,
    same,
    stacked,
    text_of,
    texts_of,
)
from pysd_runner.data.mapping import IGNORE, PanelMapping, mapped, selected_rows
from pysd_runner.data.names import ROLE_OF, bare, key, split_unit, visible
from pysd_runner.data.numbers import STYLES, NumberStyle

# Roles of columns that hold neither entities nor observations.
_BESIDE = ("unit", "flag", "source")
# Headings of a time column, in addition to those of the years of a panel.
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
_ELEMENT = re.compile(r"(?P<name>.+?)\s*\[(?P<labels>[^\[\]]+)\]")


@dataclass(slots=True)
class ObservedQuantity:
    """One observed quantity: its unit, the variable it observes, its cells by column, and their positions."""

    name: str
    unit: str = ""
    target: str = ""
    parts: list[Cells] = field(default_factory=list)
    axes: list[str] = field(default_factory=list)
    places: list[IndexArray] = field(default_factory=list)  # position of each cell on each axis

    @property
    def cells(self) -> Cells:
        """All cells, once the parts have been merged."""
        return self.parts[0]


class SeriesTable:
    """Interpretation of a table; findings are added to `problems`."""

    quantities: Mapping[str, ObservedQuantity]  # by name
    times: Array  # time of each row, NaN if it has none
    time_unit: str

    def __init__(self, raw: TextFile, asked: PanelMapping) -> None:
        self._asked = asked
        table, told = selected_rows(raw, asked)
        self.problems: list[Finding] = [*table.problems, *told]
        if errors_of(self.problems):
            return
        self.labels: dict[str, tuple[str, ...]] = {}  # names of the entities on each axis
        self.dates: dict[float, datetime.datetime] = {}  # by time, if the times are dates
        # Invisible characters would make equal names differ.
        columns = (column if is_typed(column) else each_once(visible, column) for column in table.columns)
        self._table = replace(table, columns=tuple(columns))
        self._check_mapping()
        time = self._time_column()
        if time is None:
            return
        taken = {time, *self._other_times(time)}
        variable, value = self._role("variable"), self._role("value")
        if variable is not None and value is not None:
            entities = self._entities({*taken, variable, value})
            self.quantities = self._long(variable, value)
        else:
            entities = self._entities(taken)
            self.quantities = self._wide({*taken, *entities})
        self._read_times(time)
        if not errors_of(self.problems):
            self._place(entities)

    def _check_mapping(self) -> None:
        """Report headings named by the caller that are not in the table."""
        asked, table, variable = self._asked, self._table, self._role("variable")
        values = [] if variable is None else dict.fromkeys(each_once(text_of, table.columns[variable]))
        header = table.header
        known = [*header, *filter(None, values)]
        keys = {item for heading in header for item in (key(heading), bare(heading), key(heading.partition("[")[0]))}
        keys |= set(map(key, known))
        times = [] if asked.time is None else [asked.time]
        for heading in (*asked.columns, *asked.units, *asked.entity, *times):
            if key(heading) not in keys:
                message = Message("there is no such column{hint}", hint=with_hint(suggest(heading, known)))
                found = ", ".join(header)
                self.problems.append(Finding("unknown-column", message, column=heading, found=found, expected=heading))

    def _position(self, heading: str) -> int | None:
        named = (place for place, item in enumerate(self._table.header) if key(heading) in (key(item), bare(item)))
        return next(named, None)

    def _role(self, role: str) -> int | None:
        return next((place for place, item in enumerate(self._table.header) if _role_of(item) == role), None)

    def _time_column(self) -> int | None:
        if self._asked.time is not None:
            return self._position(self._asked.time)
        header = self._table.header
        times = [place for place, item in enumerate(header) if _is_time(item)]
        # Numbers in a column called `Time`, as in models, are in the unit of the model, unlike dates.
        times.sort(key=lambda place: key(header[place]) != "time" or self._is_names(self._table.columns[place]))
        if times:
            return times[0]
        across = [place for place, item in enumerate(header) if not np.isnan(_number(item)) or read_dates([item])]
        if len(across) > 1:
            self._turn(across)
            return self._time_column()
        self._no_column(
            Message("no column of times was found; name it with `time` (--time)"),
            Message("a column called time, day, month, year, date, ..."),
        )
        return None

    def _no_column(self, message: str, expected: str) -> None:
        found, row = ", ".join(self._table.header), self._table.header_row
        self.problems.append(Finding("missing-column", message, row=row, found=found, expected=expected))

    def _other_times(self, time: int) -> list[int]:
        """Further columns that are called times, unless nothing is left or the caller says what they are."""
        header, named = self._table.header, {key(item) for item in (*self._asked.columns, *self._asked.entity)}
        others = [
            place
            for place, item in enumerate(header)
            if place != time and _is_time(item) and named.isdisjoint({key(item), bare(item)})
        ]
        if len(others) + 1 == len(header):
            return []
        told = Message("a second column of times is not used; --time takes it instead")
        self.problems += [Finding("second-time", told, "warning", column=header[place]) for place in others]
        return others

    def _turn(self, across: Sequence[int]) -> None:
        """Reshape a table with one column per time to one row per value."""
        table = self._table.turned(across, time=[self._table.header[place] for place in across])
        if len(table.header) == 2:
            table = table.with_column("variable", "value")
        elif not any(ROLE_OF.get(key(heading)) == "variable" for heading in table.header):
            table = replace(table, header=("variable", *table.header[1:]))
        self._table = table

    def _entities(self, taken: set[int]) -> list[int]:
        """Columns that name entities: those given by the caller, or text columns in which no cell is a number."""
        if self._asked.entity:
            return [place for item in self._asked.entity if (place := self._position(item)) is not None]
        return [
            place
            for place, (item, column) in enumerate(self._table.named)
            if place not in taken
            and not mapped(item, self._asked.columns)
            and ROLE_OF.get(key(item)) not in _BESIDE
            and not is_typed(column)
            and self._is_names(column)
        ]

    def _is_names(self, column: Entries) -> bool:
        held = {*each_once(text_of, column)} - {*self._asked.missing, ""}
        return bool(held) and not any(style.fits(text) for text in held for style in STYLES)

    def _wide(self, taken: set[int]) -> dict[str, ObservedQuantity]:
        """Quantities of a file with one column for each quantity, or for each element of one."""
        found: dict[str, ObservedQuantity] = {}
        asked, header = self._asked, self._table.header
        left = {
            place: _ELEMENT.fullmatch(item)
            for place, item in enumerate(header)
            if place not in taken and ROLE_OF.get(key(item)) not in _BESIDE
        }
        shared = Counter(key(match["name"]) for match in left.values() if match)
        names = set[str]()
        for place, match in left.items():
            name, unit = split_unit(header[place])
            labels: list[str] = []
            if match and shared[key(match["name"])] > 1:
                name, unit = match["name"], ""
                labels = [label.strip() for label in match["labels"].split(",")]
            elif key(name) in names or not name:
                self._no_heading(place, name)
                continue
            else:
                names.add(key(name))
            targets = [mapped(item, asked.columns) or "" for item in (name, header[place])]
            if IGNORE in targets:
                continue
            quantity = found.setdefault(name, ObservedQuantity(name))
            quantity.unit = (
                quantity.unit or unit or mapped(header[place], asked.units) or mapped(name, asked.units) or ""
            )
            quantity.target = quantity.target or targets[0] or targets[1]
            if any(len(part.rows) and len(part.labels) != len(labels) for part in quantity.parts):
                self._no_heading(place, name)
            self._add(quantity, place, np.arange(len(self._table.rows)), labels)
        if not found:
            self._no_column(
                Message("there is no column of observations beside times and names"), Message("a column of numbers")
            )
        return found

    def _add(self, quantity: ObservedQuantity, place: int, rows: IndexArray, labels: Sequence[str] = ()) -> None:
        """Add the non-empty cells of a column in the given rows."""
        take = rows[~is_empty(self._table.columns[place][rows], self._asked.missing)]
        whos = tuple(same(label, len(take)) for label in labels)
        variable = Message("column {column}", column=quantity.name)
        quantity.parts.append(self._table.cells(place, take, variable=variable, labels=whos))

    def _no_heading(self, place: int, name: str) -> None:
        rule, message = "empty-heading", Message("a column has no heading")
        if name:
            rule, message = "repeated-heading", Message("a heading stands twice")
        expected = Message("one heading for each column")
        self.problems.append(self._table.problem(rule, message, place, expected=expected))

    def _long(self, variable: int, value: int) -> dict[str, ObservedQuantity]:
        """Quantities of a file with one row for each value."""
        import pandas as pd

        texts, unit = texts_of(self._table.columns[variable]), self._role("unit")
        self.problems += self._table.without_variable(variable)
        units = same("", len(texts)) if unit is None else each_once(text_of, self._table.columns[unit])
        inner = each_once(lambda text: split_unit(text)[1], texts)
        codes, names = pd.factorize(each_once(lambda text: split_unit(text)[0], texts))
        found: dict[str, ObservedQuantity] = {}
        for code, name in enumerate(names):
            target = mapped(name, self._asked.columns) or ""
            if not name or target == IGNORE:
                continue
            rows = np.flatnonzero(codes == code)
            said = next(filter(None, [*inner[rows], *units[rows]]), "") or mapped(name, self._asked.units) or ""
            found[name] = ObservedQuantity(name, said, target)
            self._add(found[name], value, rows)
        return found

    def _read_times(self, position: int) -> None:
        """The time of every row as a number, their unit, and the dates if they are dates."""
        import pandas as pd

        table, asked = self._table, self._asked
        heading, column = table.named[position]
        texts = each_once(text_of, column)
        codes, held = pd.factorize(texts)
        told = [text for text in held if text]
        message, expected = Message("the time is empty"), Message("a number or a date")
        for place in np.flatnonzero(texts == "").tolist():
            self.problems.append(table.problem("not-a-time", message, position, place, expected))
        dates = None if is_typed(column) else read_dates(told)
        if dates is not None:
            days, written = dates
            self.time_unit = checked_unit(asked.time_unit) if asked.time_unit else written
            numbers = counted(days, self.time_unit, min(days))
            self.dates = dict(zip(numbers, days, strict=True))
        else:
            numbers = list(map(float if is_typed(column) else self._moment, told))
            message = Message("not a time; dates and numbers may not be mixed")
            expected = Message("a number, or a date such as 2020-03-01, 2020-03 or 2020Q1")
            for text, number in zip(told, numbers, strict=True):
                if not np.isfinite(number):
                    place = int((texts == text).argmax())
                    self.problems.append(table.problem("not-a-time", message, position, place, expected))
            label, inner = split_unit(heading)
            self.time_unit = asked.time_unit or inner or unit_of_time(label)
            if ROLE_OF.get(key(label)) == "year" and all(1500 <= item <= 2500 for item in numbers):
                self.time_unit = self.time_unit or "year"
        known = dict(zip(told, numbers, strict=True))
        self.times = np.array([known.get(text, np.nan) for text in held])[codes]

    def _moment(self, text: str) -> float:
        style = NumberStyle(decimal=self._asked.decimal or ".")
        if style.fits(text):
            return float(style.plain(text))
        return _number(text.removesuffix("\u5e74")) if text.endswith("\u5e74") else np.nan

    def _place(self, entities: Sequence[int]) -> None:
        """Find the entities of all axes, and the position of each cell on them."""
        import pandas as pd

        items = self.quantities.values()
        for item in items:
            item.parts = [merged([part for part in item.parts if len(part.rows)] or item.parts[-1:])]
        for place in entities:
            codes, texts = pd.factorize(texts_of(self._table.columns[place]))
            own = np.concatenate([codes[:0], *(codes[item.cells.take] for item in items)])
            self._add_axis(self._table.header[place], items, own, texts)
        for number in range(max((len(item.cells.labels) for item in items), default=0)):
            named = [item for item in items if len(item.cells.labels) > number]
            codes, texts = pd.factorize(stacked([item.cells.labels[number] for item in named]))
            self._add_axis(f"element{'' if number == 0 else number + 1}", named, codes, texts)

    def _add_axis(self, axis: str, items: Collection[ObservedQuantity], codes: IndexArray, texts: TextArray) -> None:
        """Add an axis to some quantities, with its entities in order of first appearance."""
        import pandas as pd

        places, used = pd.factorize(codes)
        self.labels[axis] = names = tuple(texts[used])
        ends = np.cumsum([len(item.cells.rows) for item in items])
        for item, own in zip(items, np.split(places, ends[:-1]), strict=False):
            item.axes.append(axis)
            item.places.append(own)
        if "" in names:
            rows = np.concatenate([item.cells.rows for item in items])
            message, expected = Message("the row does not say whom it is about"), Message("a name")
            row = int(rows[(places == names.index("")).argmax()])
            self.problems.append(Finding("empty-entity", message, row=row, column=axis, expected=expected))


def _role_of(heading: str) -> str | None:
    return ROLE_OF.get(bare(heading))


def _is_time(heading: str) -> bool:
    return bare(heading) in _TIMES or _role_of(heading) == "year"


def _number(text: str) -> float:
    try:
        return float(text.strip())
    except ValueError:
        return np.nan
