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


@dataclass(frozen=True, slots=True)
class RowTimes:
    """Time of each row (NaN if it has none), the unit, and the dates by time if the times are dates."""

    numbers: Array
    unit: str
    dates: Mapping[float, datetime.datetime] = field(default_factory=dict)


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
    moments: RowTimes

    def __init__(self, raw: TextFile, asked: PanelMapping) -> None:
        self._asked = asked
        table, told = selected_rows(raw, asked)
        self.problems: list[Finding] = [*table.problems, *told]
        if errors_of(self.problems):
            return
        self.labels: dict[str, tuple[str, ...]] = {}  # names of the entities on each axis
        self._other_times: set[int] = set()  # further columns of times, which are not used
        # Invisible characters would make equal names differ.
        self._table = replace(
            table, columns=tuple(column if is_typed(column) else each_once(visible, column) for column in table.columns)
        )
        self._check_mapping()
        time = self._time_column()
        if time is None:
            return
        self._leave_other_times(time)
        variable, value = self._role("variable"), self._role("value")
        if variable is not None and value is not None:
            entities = self._entities({time, variable, value, *self._other_times})
            self.quantities = self._long(variable, value)
        else:
            entities = self._entities({time, *self._other_times})
            self.quantities = self._wide({time, *entities, *self._other_times})
        self.moments = self._moments(time)
        if not errors_of(self.problems):
            self._place(entities)

    def _problem(self, rule: str, message: str, *, row: int | None = None, **fields: str) -> None:
        self.problems.append(Finding(rule, message, row=row, **fields))  # type: ignore[arg-type]

    def _check_mapping(self) -> None:
        """Report headings named by the caller that are not in the table."""
        variable = self._role("variable")
        values = [] if variable is None else [text for text in _different(self._table.columns[variable]) if text]
        header = self._table.header
        known = {item for heading in header for item in (key(heading), bare(heading))}
        known |= {key(item.partition("[")[0]) for item in header} | {key(item) for item in values}
        named = [*self._asked.columns, *self._asked.units, *self._asked.entity]
        for heading in (*named, *([self._asked.time] if self._asked.time else [])):
            if key(heading) not in known:
                self._problem(
                    "unknown-column",
                    Message("there is no such column{hint}", hint=with_hint(suggest(heading, [*header, *values]))),
                    column=heading,
                    found=", ".join(header),
                    expected=heading,
                )

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
        # Numbers called `Time`, as models call theirs, count in the unit of the model where dates may not.
        times.sort(key=lambda place: key(header[place]) != "time" or self._is_names(self._table.columns[place]))
        if times:
            return times[0]
        across = [place for place, item in enumerate(header) if _number(item) is not None or read_dates([item])]
        if len(across) > 1:
            self._turn(across)
            return self._time_column()
        self._problem(
            "missing-column",
            Message("no column of times was found; name it with `time` (--time)"),
            row=self._table.header_row,
            found=", ".join(header),
            expected=Message("a column called time, day, month, year, date, ..."),
        )
        return None

    def _leave_other_times(self, time: int) -> None:
        """Leave out further columns that are called times, unless nothing is left or the caller says what they are."""
        named = {key(item) for item in (*self._asked.columns, *self._asked.entity)}
        for place, item in enumerate(self._table.header):
            if place != time and _is_time(item) and not {key(item), bare(item)} & named:
                self._other_times.add(place)
        if len(self._other_times) + 1 == len(self._table.header):
            self._other_times.clear()
        told = Message("a second column of times is not used; --time takes it instead")
        columns = (self._table.header[place] for place in sorted(self._other_times))
        self.problems += [Finding("second-time", told, "warning", column=item) for item in columns]

    def _turn(self, across: Sequence[int]) -> None:
        """Reshape a table with one column per time to one row per value."""
        table = self._table.turned(across, time=[self._table.header[place] for place in across])
        header = list(table.header)
        if len(header) == 2:
            table, header = table.with_column("variable", "value"), [*header, "variable"]
        elif not any(ROLE_OF.get(key(heading)) == "variable" for heading in header):
            header[0] = "variable"
        self._table = replace(table, header=tuple(header))

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
        held = set(_different(column)) - {*self._asked.missing, ""}
        return bool(held) and not any(style.fits(text) for text in held for style in STYLES)

    def _wide(self, taken: set[int]) -> dict[str, ObservedQuantity]:
        """Quantities of a file with one column for each quantity, or for each element of one."""
        found: dict[str, ObservedQuantity] = {}
        header = self._table.header
        left = {
            place: _ELEMENT.fullmatch(item)
            for place, item in enumerate(header)
            if place not in taken and ROLE_OF.get(key(item)) not in _BESIDE
        }
        shared = Counter(key(match["name"]) for match in left.values() if match)
        names = set[str]()
        for place, match in left.items():
            name, unit = split_unit(header[place])
            labels: tuple[str, ...] = ()
            if match and shared[key(match["name"])] > 1:
                name, unit = match["name"], ""
                labels = tuple(label.strip() for label in match["labels"].split(","))
            elif key(name) in names or not name:
                self._no_heading(header[place], name)
                continue
            else:
                names.add(key(name))
            targets = [mapped(item, self._asked.columns) or "" for item in (name, header[place])]
            if IGNORE in targets:
                continue
            quantity = found.setdefault(name, ObservedQuantity(name))
            quantity.unit = quantity.unit or unit or self._unit(header[place], name)
            quantity.target = quantity.target or targets[0] or targets[1]
            self._add(quantity, place, np.arange(len(self._table.rows)), labels)
        if not found:
            self._problem(
                "missing-column",
                Message("there is no column of observations beside times and names"),
                row=self._table.header_row,
                found=", ".join(header),
                expected=Message("a column of numbers"),
            )
        return found

    def _unit(self, *headings: str) -> str:
        """Unit that the caller gives for one of the headings."""
        return next((unit for item in headings if (unit := mapped(item, self._asked.units))), "")

    def _add(self, quantity: ObservedQuantity, place: int, rows: IndexArray, labels: Sequence[str] = ()) -> None:
        """Add the non-empty cells of a column in the given rows."""
        take = rows[~is_empty(self._table.columns[place][rows], self._asked.missing)]
        whos = tuple(np.full(len(take), label, dtype=object) for label in labels)
        cells = self._table.cells(place, take, variable=Message("column {column}", column=quantity.name), labels=whos)
        if not quantity.parts or not len(quantity.parts[0].rows):
            quantity.parts = [cells]
        elif len(take):
            quantity.parts.append(cells)

    def _no_heading(self, heading: str, name: str) -> None:
        self._problem(
            "repeated-heading" if name else "empty-heading",
            Message("a heading stands twice") if name else Message("a column has no heading"),
            row=self._table.header_row,
            column=heading,
            found=heading,
            expected=Message("one heading for each column"),
        )

    def _long(self, variable: int, value: int) -> dict[str, ObservedQuantity]:
        """Quantities of a file with one row for each value."""
        import pandas as pd

        texts = texts_of(self._table.columns[variable])
        self.problems += self._table.without_variable(variable)
        codes, given = pd.factorize(texts)
        unit = self._role("unit")
        units = None if unit is None else texts_of(self._table.columns[unit])
        parted = [split_unit(text) for text in given]
        found: dict[str, ObservedQuantity] = {}
        for name in dict.fromkeys(label for label, _ in parted if label):
            target = mapped(name, self._asked.columns) or ""
            if target == IGNORE:
                continue
            own = [code for code, (label, _) in enumerate(parted) if label == name]
            rows = np.flatnonzero(np.isin(codes, own))
            said = [parted[code][1] for code in own] + ([] if units is None else _different(units[rows]))
            unit_of = next((text for text in said if text), "") or self._unit(name)
            found[name] = ObservedQuantity(name, unit_of, target)
            self._add(found[name], value, rows)
        return found

    def _moments(self, position: int) -> RowTimes:
        """The time of every row as a number."""
        import pandas as pd

        heading, column = self._table.named[position]
        codes, found = pd.factorize(column)
        held = [text_of(item) for item in found]
        for row in self._table.rows[np.append(np.array(held, dtype=object) == "", [True])[codes]].tolist():
            expected = Message("a number or a date")
            self._problem("not-a-time", Message("the time is empty"), row=row, column=heading, expected=expected)
        dates = None if is_typed(column) else read_dates([text for text in held if text])
        if dates is not None:
            days, written = dates
            unit = checked_unit(self._asked.time_unit) if self._asked.time_unit else written
            numbers = counted(days, unit, min(days))
            known = iter(numbers)
            every = [next(known) if text else np.nan for text in held]
            return RowTimes(np.array([*every, np.nan])[codes], unit, dict(zip(numbers, days, strict=True)))
        every = found.astype(float).tolist() if is_typed(column) else [self._moment(text) for text in held]
        for code, number in enumerate(every):
            if held[code] and not np.isfinite(number):
                self._problem(
                    "not-a-time",
                    Message("not a time; dates and numbers may not be mixed"),
                    row=int(self._table.rows[np.flatnonzero(codes == code)[0]]),
                    column=heading,
                    found=held[code],
                    expected=Message("a number, or a date such as 2020-03-01, 2020-03 or 2020Q1"),
                )
        label, inner = split_unit(heading)
        unit = self._asked.time_unit or inner or unit_of_time(label)
        if not unit and ROLE_OF.get(key(label)) == "year" and all(1500 <= item <= 2500 for item in every):
            unit = "year"
        return RowTimes(np.array([*every, np.nan])[codes], unit)

    def _moment(self, text: str) -> float:
        style = NumberStyle(decimal=self._asked.decimal or ".")
        if style.fits(text):
            return float(style.plain(text))
        number = _number(text.removesuffix("\u5e74")) if text.endswith("\u5e74") else None
        return np.nan if number is None else number

    def _place(self, entities: Sequence[int]) -> None:
        """Find the entities of all axes, and the position of each cell on them."""
        import pandas as pd

        items = self.quantities.values()
        for item in items:
            item.parts = [merged(item.parts)]
        for place in entities:
            codes, texts = pd.factorize(texts_of(self._table.columns[place]))
            self._add_axis(self._table.header[place], items, [codes[item.cells.take] for item in items], texts)
        for number in range(max((len(item.cells.labels) for item in items), default=0)):
            named = [item for item in items if len(item.cells.labels) > number]
            codes, texts = pd.factorize(stacked([item.cells.labels[number] for item in named]))
            ends = np.cumsum([len(item.cells.rows) for item in named])[:-1]
            self._add_axis(f"element{'' if number == 0 else number + 1}", named, np.split(codes, ends), texts)

    def _add_axis(
        self, axis: str, items: Collection[ObservedQuantity], codes: Sequence[IndexArray], texts: TextArray
    ) -> None:
        """Add an axis to some quantities, with its entities in order of first appearance."""
        import pandas as pd

        used = pd.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes]))
        order = np.full(len(texts), -1, dtype=np.int64)
        order[used] = np.arange(len(used))
        self.labels[axis] = names = tuple(texts[used])
        for item, own in zip(items, codes, strict=True):
            item.axes.append(axis)
            item.places.append(order[own])
        if "" in names:
            nobody = names.index("")
            first = next(item for item in items if nobody in item.places[-1])
            self._problem(
                "empty-entity",
                Message("the row does not say whom it is about"),
                row=int(first.cells.rows[first.places[-1] == nobody][0]),
                column=axis,
                expected=Message("a name"),
            )


def _role_of(heading: str) -> str | None:
    return ROLE_OF.get(bare(heading))


def _is_time(heading: str) -> bool:
    return bare(heading) in _TIMES or _role_of(heading) == "year"


def _different(column: Entries) -> list[str]:
    import pandas as pd

    return [text_of(item) for item in pd.unique(column)]


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None
