"""Series of anything over time and entities: from a file to data as they stand in it."""

import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pysd_runner.core.errors import Message, suggest
from pysd_runner.panel.calendar import checked_unit, counted, read_dates, unit_of_time
from pysd_runner.panel.column import Array, Column, Entity
from pysd_runner.panel.conversion import Measure
from pysd_runner.panel.data import Data
from pysd_runner.panel.mapping import PanelMapping
from pysd_runner.panel.names import ROLE_OF, key, split_unit, visible
from pysd_runner.panel.observations import Cells, Keys, Observations
from pysd_runner.panel.panel_reading import selected_rows
from pysd_runner.panel.problems import Problem, errors_of, with_hint
from pysd_runner.panel.sources import Source
from pysd_runner.panel.tables import (
    Entries,
    IndexArray,
    TextArray,
    TextFile,
    is_empty,
    is_typed,
    stacked,
    text_of,
    texts_of,
)
from pysd_runner.panel.validation import STYLES, NumberStyle, numbers_of, styles_of

IGNORE = "ignore"
# What a column may hold beside names and numbers.
_BESIDE = ("unit", "flag", "source")
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
_ELEMENT = re.compile(r"(?P<name>.+?)\s*\[(?P<labels>[^\[\]]+)\]")
_NO_MEASURE = Measure(text="", unit="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What the caller says of times and entities; None lets them be found."""

    time: str | None = None
    entity: Sequence[str] | None = None
    unit: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything is said."""
        return self.time is not None or self.entity is not None or self.unit is not None


def read_series(file: Source, raw: TextFile, mapping: PanelMapping, clock: Clock) -> tuple[list[Problem], Data | None]:
    """Read a file as series of anything, as they stand in it."""
    text, told = selected_rows(raw, mapping)
    problems = [*text.problems, *told]
    if errors_of(problems):
        return problems, None
    reading = _Reading(text, mapping, clock)
    data = reading.data()
    if data is None or errors_of(reading.problems):
        return [*problems, *reading.problems], None
    if file.held is None:
        named = replace(data, name=file.path.stem, provenance={"file": file.path.name})
    else:
        named = replace(data, name="table", provenance={"file": file.called})
    return [*problems, *reading.problems], named


@dataclass(frozen=True, slots=True)
class _Part:
    """Cells of one column of the data: the rows they stand in, and the elements that the heading names."""

    heading: str
    take: IndexArray
    entries: Entries
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    """One observed quantity: its unit, and its cells column by column."""

    unit: str = ""
    parts: list[_Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Moments:
    """The moment of each row, NaN where it has none; their unit, and dates by moment if they are such."""

    numbers: Array
    unit: str
    dates: Mapping[float, datetime.datetime] = field(default_factory=dict)


class _Reading:
    """One table in the making; `problems` grows."""

    def __init__(self, text: TextFile, asked: PanelMapping, clock: Clock) -> None:
        self._asked, self._clock = asked, clock
        self.problems: list[Problem] = []
        # Characters that cannot be seen would make two names of one.
        self._text = replace(
            text, columns=tuple(column if is_typed(column) else _seen(column) for column in text.columns)
        )

    def data(self) -> Data | None:
        """Everything put together; None where it cannot be."""
        self._check_mapping()
        time = self._time_column()
        if time is None:
            return None
        variable, value = self._role("variable"), self._role("value")
        is_long = variable is not None and value is not None
        entities = self._entities({time, variable, value} if is_long else {time})
        found = self._long(variable or 0, value or 0) if is_long else self._wide({time, *entities})
        moments = self._moments(time)
        if errors_of(self.problems):
            return None
        return self._assembled(found, entities, moments)

    def _problem(self, rule: str, message: str, *, row: int | None = None, **fields: str) -> None:
        self.problems.append(Problem(rule=rule, message=message, row=row, **fields))  # type: ignore[arg-type]

    def _check_mapping(self) -> None:
        """Every heading the caller names must be there."""
        values = self._values_of(self._role("variable"))
        header = self._text.header
        known = {key(item) for heading in header for item in (heading, split_unit(heading)[0])}
        known |= {key(item.partition("[")[0]) for item in header} | {key(item) for item in values}
        named = [*self._asked.columns, *self._asked.units, *(self._clock.entity or ())]
        for heading in (*named, *([self._clock.time] if self._clock.time else [])):
            if key(heading) not in known:
                self._problem(
                    "unknown-column",
                    Message("there is no such column{hint}", hint=with_hint(suggest(heading, [*header, *values]))),
                    column=heading,
                    found=", ".join(header),
                    expected=heading,
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
        """Texts of a column, each once."""
        return [] if position is None else [text for text in _each_once(self._text.columns[position]) if text]

    def _time_column(self) -> int | None:
        if self._clock.time is not None:
            return self._position(self._clock.time)
        header = self._text.header
        for place, item in enumerate(header):
            if key(split_unit(item)[0]) in _TIMES or ROLE_OF.get(key(split_unit(item)[0])) == "year":
                return place
        across = [place for place, item in enumerate(header) if _number(item) is not None or read_dates([item])]
        if len(across) > 1:
            self._turn(across)
            return self._time_column()
        self._problem(
            "missing-column",
            Message("no column of times was found; name it with `time` (--time)"),
            row=self._text.header_row,
            found=", ".join(header),
            expected=Message("a column called time, day, month, year, date, ..."),
        )
        return None

    def _turn(self, across: Sequence[int]) -> None:
        """A column for each moment becomes a row for each value."""
        text, count = self._text, len(across)
        kept = [place for place in range(len(text.header)) if place not in across]
        named = any(ROLE_OF.get(key(text.header[place])) == "variable" for place in kept)
        headings = [text.header[place] for place in kept]
        if not named:
            headings[:1] = ["variable"]
        ahead = [text.columns[place] for place in kept] or [np.full(len(text.rows), "value", dtype=object)]
        moments = np.array([text.header[place] for place in across], dtype=object)
        values = stacked([text.columns[place] for place in across]).reshape(count, -1).T.ravel()
        columns = (*(np.repeat(column, count) for column in ahead), np.tile(moments, len(text.rows)), values)
        rows = np.repeat(text.rows, count)
        self._text = replace(text, header=(*headings, "time", "value"), columns=columns, rows=rows)

    def _entities(self, taken: set[int | None]) -> list[int]:
        """Columns that name entities: those named, or those of names, in which no cell is a number."""
        if self._clock.entity is not None:
            found = [self._position(item) for item in self._clock.entity]
            return [item for item in found if item is not None]
        return [
            place
            for place, (item, column) in enumerate(self._text.named)
            if place not in taken
            and not self._target(item)
            and ROLE_OF.get(key(item)) not in _BESIDE
            and not is_typed(column)
            and self._is_names(column)
        ]

    def _is_names(self, column: Entries) -> bool:
        held = set(_each_once(column)) - {*self._asked.missing, ""}
        return bool(held) and not any(style.fits(text) for text in held for style in STYLES)

    def _target(self, heading: str) -> str:
        """What the caller's mapping makes of a heading."""
        return self._said(self._asked.columns, heading, split_unit(heading)[0])

    @staticmethod
    def _said(said: Mapping[str, str], *headings: str) -> str:
        known = set(map(key, headings))
        return next((text for name, text in said.items() if key(name) in known), "")

    def _held(self, entries: Entries) -> IndexArray:
        return np.flatnonzero(~is_empty(entries, self._asked.missing))

    def _wide(self, taken: set[int]) -> dict[str, _Found]:
        """Cells of a file with a column for each quantity, or for each element of one."""
        found: dict[str, _Found] = {}
        header = self._text.header
        left = [
            place
            for place in range(len(header))
            if place not in taken and ROLE_OF.get(key(header[place])) not in _BESIDE
        ]
        matches = {place: _ELEMENT.fullmatch(header[place]) for place in left}
        shared = Counter(key(match["name"]) for match in matches.values() if match)
        names = set[str]()
        for place in left:
            match = matches[place]
            labels: tuple[str, ...] = ()
            if match and shared[key(match["name"])] > 1:
                name, labels = match["name"], tuple(label.strip() for label in match["labels"].split(","))
                unit = self._said(self._asked.units, header[place], name)
            else:
                name, unit = split_unit(header[place])
                if key(name) in names or not name:
                    self._no_heading(header[place], name)
                    continue
                names.add(key(name))
                unit = unit or self._said(self._asked.units, header[place], name)
            if IGNORE in (self._target(header[place]), self._target(name)):
                continue
            take = self._held(self._text.columns[place])
            column = found.setdefault(name, _Found())
            column.unit = column.unit or unit
            column.parts += [_Part(header[place], take, self._text.columns[place][take], labels)] if len(take) else []
        if not found:
            self._problem(
                "missing-column",
                Message("there is no column of observations beside times and names"),
                row=self._text.header_row,
                found=", ".join(header),
                expected=Message("a column of numbers"),
            )
        return found

    def _no_heading(self, heading: str, name: str) -> None:
        self._problem(
            "repeated-heading" if name else "empty-heading",
            Message("a heading stands twice") if name else Message("a column has no heading"),
            row=self._text.header_row,
            column=heading,
            found=heading,
            expected=Message("one heading for each column"),
        )

    def _long(self, variable: int, value: int) -> dict[str, _Found]:
        """Cells of a file with a row for each value."""
        import pandas as pd

        texts = texts_of(self._text.columns[variable])
        for place in np.flatnonzero(texts == ""):
            self._problem(
                "empty-variable",
                Message("the row does not say which variable it holds"),
                row=int(self._text.rows[place]),
                column=self._text.header[variable],
                expected=Message("the name of a variable"),
            )
        codes, given = pd.factorize(texts)
        unit = self._role("unit")
        units = None if unit is None else texts_of(self._text.columns[unit])
        held = ~is_empty(self._text.columns[value], self._asked.missing)
        parted = [split_unit(text) for text in given]
        found: dict[str, _Found] = {}
        for name in dict.fromkeys(label for label, _ in parted if label):
            if self._target(name) == IGNORE:
                continue
            own = [code for code, (label, _) in enumerate(parted) if label == name]
            rows = np.flatnonzero(codes == own[0] if len(own) == 1 else np.isin(codes, own))
            take = rows[held[rows]]
            said = next((inner for code in own for inner in [parted[code][1]] if inner), "")
            if not said and units is not None:
                said = next((text for text in _each_once(units[rows]) if text), "")
            part = _Part(self._text.header[value], take, self._text.columns[value][take])
            unit_of = said or self._said(self._asked.units, name)
            found[name] = _Found(unit_of, [part] if len(take) else [])
        return found

    def _moments(self, position: int) -> _Moments:
        """The time of every row as a number."""
        import pandas as pd

        heading, column = self._text.named[position]
        codes, found = pd.factorize(column)
        held = [text_of(item) for item in found]
        for place in np.flatnonzero(np.append(np.array(held, dtype=object) == "", [True])[codes]):
            self._problem(
                "not-a-time",
                Message("the time is empty"),
                row=int(self._text.rows[place]),
                column=heading,
                expected=Message("a number or a date"),
            )
        dates = None if is_typed(column) else read_dates([text for text in held if text])
        if dates is not None:
            days, written = dates
            unit = checked_unit(self._clock.unit) if self._clock.unit else written
            numbers = counted(days, unit, min(days))
            known = iter(numbers)
            every = [next(known) if text else np.nan for text in held]
            return _Moments(np.array([*every, np.nan])[codes], unit, dict(zip(numbers, days, strict=True)))
        every = found.astype(float).tolist() if is_typed(column) else [self._moment(text) for text in held]
        for code, number in enumerate(every):
            if held[code] and not np.isfinite(number):
                self._problem(
                    "not-a-time",
                    Message("not a time; dates and numbers may not be mixed"),
                    row=int(self._text.rows[np.flatnonzero(codes == code)[0]]),
                    column=heading,
                    found=held[code],
                    expected=Message("a number, or a date such as 2020-03-01, 2020-03 or 2020Q1"),
                )
        label, inner = split_unit(heading)
        unit = self._clock.unit or inner or unit_of_time(label)
        if not unit and ROLE_OF.get(key(label)) == "year" and all(1500 <= item <= 2500 for item in every):
            unit = "year"
        return _Moments(np.array([*every, np.nan])[codes], unit)

    def _moment(self, text: str) -> float:
        style = NumberStyle(decimal=self._asked.decimal or ".")
        if style.fits(text):
            return float(style.plain(text))
        number = _number(text.removesuffix("\u5e74")) if text.endswith("\u5e74") else None
        return np.nan if number is None else number

    def _assembled(self, found: Mapping[str, _Found], entities: Sequence[int], moments: _Moments) -> Data | None:
        used, times = np.unique(moments.numbers, return_inverse=True)
        axes, extents, codes = self._axes(found, entities)
        columns = {}
        for called, quantity in found.items():
            over = axes[: max((len(entities) + len(part.labels) for part in quantity.parts), default=len(entities))]
            places = [*codes[called], times[_taken(quantity)]]
            shape = (*(len(extents[axis]) for axis in over), len(used))
            values = self._filled(called, quantity, places, shape, extents)
            headings = [called, *(part.heading for part in quantity.parts)]
            target = next((target for heading in headings if (target := self._target(heading))), "")
            columns[called] = Column(name=called, values=values, axes=over, unit=quantity.unit, variable=target)
            if not np.isfinite(values).any():
                self._problem(
                    "no-values",
                    Message("{variable} has no value at all", variable=called),
                    column=called,
                    expected=Message("numbers"),
                )
        if errors_of(self.problems) or not columns:
            return None
        return Data(
            name="table",
            times=used,
            columns=columns,
            time_unit=moments.unit,
            entities={
                axis: tuple(map(Entity.of, extents[axis]))
                for axis in axes
                if any(axis in item.axes for item in columns.values())
            },
            dates=tuple(moments.dates[moment] for moment in used) if moments.dates else (),
        )

    def _axes(
        self, found: Mapping[str, _Found], entities: Sequence[int]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, list[IndexArray]]]:
        """Names of all axes, the entities on each, and for every quantity the place of each cell on its axes."""
        import pandas as pd

        depth = max((len(part.labels) for item in found.values() for part in item.parts), default=0)
        axes = [self._text.header[place] for place in entities]
        axes += [f"element{'' if number == 0 else number + 1}" for number in range(depth)]
        extents: dict[str, tuple[str, ...]] = {}
        codes: dict[str, list[IndexArray]] = {name: [] for name in found}
        for number, axis in enumerate(axes):
            whole = texts_of(self._text.columns[entities[number]]) if number < len(entities) else None
            label = number - len(entities)
            whos = {
                name: whole[_taken(item)]
                if whole is not None
                else np.repeat(
                    np.array([part.labels[label] for part in item.parts], dtype=object),
                    [len(part.take) for part in item.parts],
                )
                for name, item in found.items()
                if whole is not None or (item.parts and len(item.parts[0].labels) > label)
            }
            every, texts = pd.factorize(stacked(list(whos.values())))
            extents[axis] = tuple(texts)
            ends = np.cumsum([len(who) for who in whos.values()])[:-1]
            for name, part in zip(whos, np.split(every, ends), strict=True):
                codes[name].append(part)
            if "" in extents[axis]:
                self._nobody(axis, next(_taken(found[name])[who == ""][0] for name, who in whos.items() if "" in who))
        return tuple(axes), extents, codes

    def _nobody(self, axis: str, place: int) -> None:
        self._problem(
            "empty-entity",
            Message("the row does not say whom it is about"),
            row=int(self._text.rows[place]),
            column=axis,
            expected=Message("a name"),
        )

    def _filled(
        self,
        name: str,
        quantity: _Found,
        places: Sequence[IndexArray],
        shape: tuple[int, ...],
        extents: Mapping[str, tuple[str, ...]],
    ) -> Array:
        """Values of one quantity on the grid; repeated cells and what is no number are problems."""
        values = np.full(shape, np.nan)
        cells, keys = self._cells(name, quantity)
        numbers = self._numbers(cells, keys)
        flat = np.ravel_multi_index(tuple(places), shape)
        first = np.full(values.size, -1, dtype=np.int64)
        first[flat[::-1]] = np.arange(len(flat))[::-1]
        for cell in np.flatnonzero(first[flat] != np.arange(len(flat))):
            at = np.unravel_index(flat[cell], shape)[:-1]
            labels = ", ".join(items[place] for items, place in zip(extents.values(), at, strict=False))
            who = Message(" for {names}", names=labels) if labels else ""
            self._problem(
                "duplicate",
                Message(
                    "{name} has a second value at this time{who}; the first stands in row {row}. Name the columns that "
                    "tell the rows apart with `entity` (--entity), or leave one out",
                    name=name,
                    who=who,
                    row=keys.rows[first[flat[cell]]],
                ),
                row=int(keys.rows[cell]),
                column=str(cells.columns[cell]),
                found=text_of(cells.entries[cell]),
                expected=Message("one value for each time and entity"),
            )
        values.flat[flat[::-1]] = numbers[::-1]
        return values

    def _cells(self, name: str, quantity: _Found) -> tuple[Cells, Keys]:
        """The cells of one quantity as those of a panel, whose messages they share."""
        take = _taken(quantity)
        empty = np.full(len(take), "", dtype=object)
        keys = Keys(rows=self._text.rows[take], regions=empty, names=empty, groups=empty, years=empty)
        headings = np.array([part.heading for part in quantity.parts], dtype=object)
        cells = Cells(
            variable=Message("column {column}", column=name),
            columns=np.repeat(headings, [len(part.take) for part in quantity.parts]),
            take=np.arange(len(take)),
            years=empty,
            entries=stacked([part.entries for part in quantity.parts]),
            units=empty,
            flags=empty,
        )
        return cells, keys

    def _numbers(self, cells: Cells, keys: Keys) -> Array:
        missing = frozenset(self._asked.missing)
        styles, told = styles_of(Observations(keys=keys, cells=(cells,)), missing, self._asked.decimal)
        read, found = numbers_of(cells, keys, _NO_MEASURE, missing, styles[cells.variable])
        self.problems += [*told, *found]
        return np.asarray(read.values, dtype=float)


def _seen(column: TextArray) -> TextArray:
    import pandas as pd

    codes, found = pd.factorize(column)
    return np.array([*map(visible, found), None], dtype=object)[codes]


def _each_once(column: Entries) -> list[str]:
    import pandas as pd

    return [text_of(item) for item in pd.unique(column)]


def _taken(quantity: _Found) -> IndexArray:
    """Rows of all cells of a quantity."""
    parts = [part.take for part in quantity.parts]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None
