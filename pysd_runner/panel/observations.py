"""The cells of a panel file in one form, whatever its shape: keys, and for each variable its texts."""

import datetime
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message, suggest
from pysd_runner.panel.layout import IGNORE, Layout, mapped, variable_name
from pysd_runner.panel.names import ROLE_OF, VARIABLE_OF, VARIABLES, key, split_unit, visible
from pysd_runner.panel.problems import Problem, with_hint
from pysd_runner.panel.tables import Entries, IndexArray, TextArray, TextFile, read_table, same, stacked, texts_of
from pysd_runner.panel.units import parse_unit

FIRST_YEAR, LAST_YEAR = 1800, 2100

_WHOLE_YEAR = re.compile(r"([0-9]{1,4})(?:\.0+)?\s*\u5e74?")
# 2004/05 or 2004-2005, and 2004-12-31, as workbooks give it with the hour.
_SPAN = re.compile(r"([0-9]{4})\s*[-/–—]\s*([0-9]{2}|[0-9]{4})")
_DATE = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2}[-/.][0-9]{1,2})(?:[ T]00:00:00)?")
_NO_YEAR = -1
SIDECAR = "national.csv"

Series = dict[str, dict[int, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """Where and when, one entry for each row of the file."""

    rows: IndexArray  # row of the file
    regions: TextArray
    names: TextArray
    groups: TextArray
    years: TextArray  # texts of the year; empty where each year has its own column


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """The observations of one variable as they stand in the file."""

    variable: str  # canonical name, or a name of the user's own
    columns: TextArray  # heading of each cell's column
    take: IndexArray  # entry of the keys that each cell belongs to
    years: TextArray  # year of each cell as text
    entries: Entries
    units: TextArray  # unit text of each cell; empty where the file gives none
    flags: TextArray  # mark of each cell
    unit_row: int | None = None  # row of the file that gives the unit when it is not each cell's own; None when it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations:
    """Everything a file says, still as text."""

    keys: Keys
    cells: tuple[Cells, ...]


def observe(table: TextFile, layout: Layout, columns: Mapping[str, str]) -> tuple[Observations, list[Problem]]:
    """Collect the cells of each variable."""
    text = _columns(table, layout)
    invisible = _without_invisible(table, layout, text)
    keys = _keys(table, layout, text)
    if layout.shape == "wide":
        return Observations(keys=keys, cells=_wide(table, layout, keys, text)), invisible
    if layout.shape == "years" and "variable" not in layout.roles:
        everything = np.arange(len(keys.rows))
        chosen = [(layout.value_variable, everything)] if layout.value_variable else []
        units = _optional(text, layout, "unit", len(keys.rows))
        return Observations(
            keys=keys, cells=tuple(_by_year(name, rows, layout, table, text, units) for name, rows in chosen)
        ), invisible
    observations, problems = _named(table, layout, columns, keys, text)
    return observations, invisible + problems


def _columns(table: TextFile, layout: Layout) -> list[Entries]:
    """The columns, those that say what a row is about as texts."""
    columns = list(table.columns)
    for role, meaning in layout.roles.items():
        if role != "value":
            columns[meaning.position] = texts_of(columns[meaning.position])
    return columns


def _without_invisible(table: TextFile, layout: Layout, text: list[Entries]) -> list[Problem]:
    """Take characters that cannot be seen out of names of regions and groups; each spelling once."""
    import pandas as pd

    problems = []
    for role in ("region", "region_name", "group"):
        if (position := layout.position(role)) is None:
            continue
        codes, found_texts = pd.factorize(text[position])
        as_seen = {found: visible(found) for found in found_texts}
        problems += [
            Problem(
                rule="invisible",
                message=Message("the name holds characters that cannot be seen, and is read as {seen!r}", seen=seen),
                row=int(table.rows[int(np.flatnonzero(text[position] == found)[0])]),
                column=table.header[position],
                found=ascii(found),
                expected=seen,
                severity="warning",
            )
            for found, seen in as_seen.items()
            # Composed letters look as they did.
            if seen != unicodedata.normalize("NFC", " ".join(found.split()))
        ]
        text[position] = np.array([*as_seen.values(), None], dtype=object)[codes]
    return problems


def _optional(text: Sequence[Entries], layout: Layout, role: str, count: int) -> TextArray:
    position = layout.position(role)
    return same("", count) if position is None else text[position]


def _keys(table: TextFile, layout: Layout, text: Sequence[Entries]) -> Keys:
    count = len(table.rows)
    return Keys(
        rows=table.rows,
        regions=_optional(text, layout, "region", count),
        names=_optional(text, layout, "region_name", count),
        groups=_optional(text, layout, "group", count),
        years=_optional(text, layout, "year", count),
    )


def _wide(table: TextFile, layout: Layout, keys: Keys, text: Sequence[Entries]) -> tuple[Cells, ...]:
    count = len(keys.rows)
    everything = np.arange(count)
    return tuple(
        Cells(
            variable=meaning.name,
            columns=same(meaning.heading, count),
            take=everything,
            years=keys.years,
            entries=text[meaning.position],
            units=same(meaning.unit, count),
            flags=_optional(text, layout, "flag", count),
            unit_row=meaning.unit_row or table.header_row,
        )
        for meaning in layout.observed
    )


def _named(
    table: TextFile, layout: Layout, columns: Mapping[str, str], keys: Keys, text: Sequence[Entries]
) -> tuple[Observations, list[Problem]]:
    """Group rows by the variable they name, in a long file or in one with a column for each year."""
    import pandas as pd

    position = layout.roles["variable"].position
    codes, names = pd.factorize(text[position])
    problems = _unnamed(keys, text[position], layout)
    chosen, clashes = _variables(list(names), columns, keys, codes, layout)
    units = _optional(text, layout, "unit", len(keys.rows))
    cells = []
    for code, variable in chosen.items():
        rows = np.flatnonzero(codes == code)
        unit_in_name = split_unit(str(names[code]))[1]
        here = np.where(units == "", unit_in_name, units) if unit_in_name else units
        if layout.shape == "years":
            cells.append(_by_year(variable, rows, layout, table, text, here))
        else:
            cells.append(_long(variable, rows, layout, keys, text, here))
    return Observations(keys=keys, cells=tuple(cells)), problems + clashes


def _long(
    variable: str, rows: IndexArray, layout: Layout, keys: Keys, text: Sequence[Entries], units: TextArray
) -> Cells:
    value = layout.roles["value"]
    return Cells(
        variable=variable,
        columns=same(value.heading, len(rows)),
        take=rows,
        years=keys.years[rows],
        entries=text[value.position][rows],
        units=units[rows],
        flags=_optional(text, layout, "flag", len(keys.rows))[rows],
    )


def _by_year(
    variable: str, rows: IndexArray, layout: Layout, table: TextFile, text: Sequence[Entries], units: TextArray
) -> Cells:
    positions = list(layout.years)
    headings = np.array([table.header[position] for position in positions], dtype=object)
    years = np.array([str(layout.years[position]) for position in positions], dtype=object)
    blocks = [text[position][rows] for position in positions]
    return Cells(
        variable=variable,
        columns=np.repeat(headings, len(rows)),
        take=np.tile(rows, len(positions)),
        years=np.repeat(years, len(rows)),
        entries=stacked(blocks),
        units=np.tile(units[rows], len(positions)),
        flags=same("", len(rows) * len(positions)),
    )


def _unnamed(keys: Keys, variables: TextArray, layout: Layout) -> list[Problem]:
    return [
        Problem(
            rule="empty-variable",
            message=Message("the row does not say which variable it holds"),
            row=int(keys.rows[position]),
            column=layout.roles["variable"].heading,
            expected=Message("the name of a variable"),
        )
        for position in np.flatnonzero(variables == "")
    ]


def _by_alias(name: str, taken: set[str]) -> tuple[str, bool]:
    """Return the variable a name of the file means, and whether the name is known."""
    label = split_unit(name)[0]
    known = VARIABLE_OF.get(key(name)) or VARIABLE_OF.get(key(label))
    if known is None:
        return label, False
    is_alias = key(label) != key(known)
    return (label if is_alias and known in taken else known), True


def _ambiguous(variable: str, found: str, row: int, layout: Layout) -> Problem:
    return Problem(
        rule="ambiguous-variable",
        message=Message(
            "several names would be {variable!r}: {found}; choose one with a mapping", variable=variable, found=found
        ),
        row=row,
        column=layout.roles["variable"].heading,
        found=found,
        expected=Message("one name for {name!r}", name=variable),
    )


def _own_name(name: str, row: int, layout: Layout) -> Problem:
    return Problem(
        rule="own-variable",
        message=Message(
            "no variable of that name is known; it is kept as it stands{hint}", hint=with_hint(suggest(name, VARIABLES))
        ),
        row=row,
        column=layout.roles["variable"].heading,
        found=name,
        expected=Message("a known variable, or a mapping to one or to 'ignore'"),
        severity="warning",
    )


def _variables(
    names: list[str], columns: Mapping[str, str], keys: Keys, codes: IndexArray, layout: Layout
) -> tuple[dict[int, str], list[Problem]]:
    """Choose the variable of each name; an alias of what the user mapped keeps its own name."""
    explicit = {
        code: variable_name(target) for code, name in enumerate(names) if (target := mapped(name, columns)) is not None
    }
    chosen = dict(explicit)
    problems: list[Problem] = []
    firsts = {code: int(keys.rows[np.flatnonzero(codes == code)[0]]) for code in range(len(names))}
    for code, name in enumerate(names):
        if code not in explicit and name:
            chosen[code], is_known = _by_alias(name, set(explicit.values()))
            problems += [] if is_known else [_own_name(name, firsts[code], layout)]
    for variable in dict.fromkeys(chosen.values()):
        rivals = [code for code, other in chosen.items() if other == variable]
        if len(rivals) > 1 and variable != IGNORE:
            found = ", ".join(repr(names[code]) for code in rivals)
            problems.append(_ambiguous(variable, found, firsts[rivals[1]], layout))
            chosen |= {code: names[code] for code in rivals[1:]}
    return {code: variable for code, variable in chosen.items() if variable != IGNORE}, problems


def years_of(texts: TextArray, rows: IndexArray, heading: str) -> tuple[IndexArray, list[Problem]]:
    """Read the year column."""
    # A column of years that span two, such as 2004/05, is read as the year each begins in; a column of dates of one day
    # of the year as their years. Both are said. A column that mixes forms is not read.
    import pandas as pd

    codes, found = pd.factorize(texts)
    forms, told = _form(found)
    matches = [forms.fullmatch(text) for text in found]
    years = np.array([_NO_YEAR if match is None else int(match[1]) for match in matches], dtype=np.int64)[codes]
    problems = [_as_years(told, texts, rows, heading)] if told else []
    out_of_range = (years < FIRST_YEAR) | (years > LAST_YEAR)
    for position in np.flatnonzero(out_of_range):
        text, is_year = str(texts[position]), years[position] != _NO_YEAR
        problems.append(
            Problem(
                rule="year-range" if is_year else "not-a-year",
                message=Message("the year is out of range") if is_year else _no_year(text),
                row=int(rows[position]),
                column=heading,
                found=text,
                expected=Message("a whole year from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR),
            )
        )
    years[out_of_range] = _NO_YEAR
    return years, problems


def _no_year(text: str) -> str:
    if not text:
        return Message("the year is empty")
    if _SPAN.fullmatch(text) or _DATE.fullmatch(text):
        return Message(
            "not a whole year; years that span two, or dates of one day of the year, must fill the whole column"
        )
    return Message("not a whole year")


def _form(texts: TextArray) -> tuple[re.Pattern[str], str]:
    """The form in which all cells can be read, and what is to be said of it."""
    held = {str(text) for text in texts} - {""}
    spans = [match for text in held if (match := _SPAN.fullmatch(text))]
    # 2010-11 and 2011-12 could be months; of three years, or where no month has that number, they are not.
    years = len(spans) > 2 or any(len(span[2]) == 4 or not 1 <= int(span[2]) <= 12 for span in spans)
    if years and len(spans) == len(held) > 1 and all(map(_consecutive, spans)):
        return _SPAN, "years that span two are read as the one they begin in"
    dates = [match for text in held if (match := _DATE.fullmatch(text))]
    if len(dates) == len(held) > 0 and all(map(_is_date, dates)) and len({_day(date) for date in dates}) == 1:
        return _DATE, "dates are read as their years"
    return _WHOLE_YEAR, ""


def _consecutive(span: re.Match[str]) -> bool:
    return str(int(span[1]) + 1).endswith(span[2])


def _day(date: re.Match[str]) -> tuple[int, int]:
    month, day = map(int, re.split(r"[-/.]", date[2]))
    return month, day


def _is_date(date: re.Match[str]) -> bool:
    try:
        datetime.date(int(date[1]), *_day(date))
    except ValueError:
        return False
    return True


def _as_years(told: str, texts: TextArray, rows: IndexArray, heading: str) -> Problem:
    first = int(np.flatnonzero(texts != "")[0])
    return Problem(
        rule="year-form",
        message=told,
        row=int(rows[first]),
        column=heading,
        found=str(texts[first]),
        expected=str(texts[first])[:4],
        severity="warning",
    )


def read_national(path: Path) -> Series:
    """Read national series."""
    return national_of(read_table(path), path)


def national_of(table: TextFile, path: Path) -> Series:
    """National series of a file, or of what stands for one; the path is what messages call it."""
    if table.problems:
        raise InvalidPanel("{where}: {said}", where=path, said=str(table.problems[0]))
    roles = {
        ROLE_OF[key(heading)]: position
        for position, heading in reversed(list(enumerate(table.header)))
        if key(heading) in ROLE_OF
    }
    if "year" not in roles:
        raise InvalidPanel("{path}: no column 'year'; columns found: {columns}", path=path, columns=list(table.header))
    series: Series = {}
    for row, *cells in zip(table.rows, *map(texts_of, table.columns), strict=True):
        for name, text, unit in _entries(table, cells, roles):
            _add(series, name, cells[roles["year"]], text, unit, Message("{path}: row {row}", path=path, row=row))
    return series


def _entries(table: TextFile, cells: list[str], roles: Mapping[str, int]) -> list[tuple[str, str, str]]:
    if "variable" in roles and "value" in roles:
        unit = cells[roles["unit"]] if "unit" in roles else ""
        return [(cells[roles["variable"]], cells[roles["value"]], unit)]
    used = set(roles.values())
    return [
        (label, cells[position], unit)
        for position, heading in enumerate(table.header)
        if position not in used
        for label, unit in [split_unit(heading)]
    ]


def _add(series: Series, name: str, year_text: str, text: str, unit: str, where: str) -> None:
    if not text:
        return
    if not (year_text.isdecimal() and len(year_text) == 4):
        raise InvalidPanel(
            "{where}: year: found {what!r}; expected a whole year such as 2020", where=where, what=year_text
        )
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidPanel(
            "{where}: {name}: found {what!r}; expected a plain number such as 45.8", where=where, name=name, what=text
        ) from error
    years = series.setdefault(name, {})
    if int(year_text) in years:
        raise InvalidPanel(
            "{where}: {name} already has a value for {year}; expected one value a year",
            where=where,
            name=name,
            year=year_text,
        )
    years[int(year_text)] = _converted(value, unit)


def _converted(value: float, unit: str) -> float:
    """Convert what has a unit; counts of things without one here (platforms) stay as they are."""
    if not unit:
        return value
    try:
        factor = parse_unit(unit).factor
    except InvalidInput:
        return value
    return value * factor if factor >= 1 else value / (1 / factor)


def joined(parts: Sequence[tuple[str, Layout, Observations]]) -> tuple[Layout, Observations]:
    """Observations of several files as those of one long file."""
    roles = {role: meaning for _, layout, _ in reversed(parts) for role, meaning in layout.roles.items()}
    years = next((layout.roles["region"] for _, layout, _ in parts if "region" in layout.roles), None)
    if "year" not in roles and years is not None:
        # Where each year has a column of its own, nothing heads the years.
        roles["year"] = replace(years, name="year", heading="year")
    keys: list[Keys] = []
    cells: dict[str, list[Cells]] = {}
    count = 0
    for name, _, observations in parts:
        for found in observations.cells:
            keys.append(_of_cells(observations.keys, found))
            take = np.arange(count, count + len(found.take))
            count += len(take)
            columns = np.array([f"{name}: {heading}" for heading in found.columns], dtype=object)
            cells.setdefault(found.variable, []).append(replace(found, take=take, columns=columns, unit_row=None))
    observations = Observations(keys=_one_below_the_other(keys), cells=tuple(map(_merged, cells.values())))
    return Layout(shape="long", roles=roles), observations


def _of_cells(keys: Keys, cells: Cells) -> Keys:
    """A key for each cell, with the year of the cell."""
    take = cells.take
    return Keys(
        rows=keys.rows[take],
        regions=keys.regions[take],
        names=keys.names[take],
        groups=keys.groups[take],
        years=cells.years,
    )


def _one_below_the_other(keys: Sequence[Keys]) -> Keys:
    rows: IndexArray = np.concatenate([item.rows for item in keys]) if keys else np.empty(0, dtype=np.int64)
    return Keys(
        rows=rows,
        regions=stacked([item.regions for item in keys]),
        names=stacked([item.names for item in keys]),
        groups=stacked([item.groups for item in keys]),
        years=stacked([item.years for item in keys]),
    )


def _merged(parts: Sequence[Cells]) -> Cells:
    """One variable that stands in several files."""
    first = parts[0]
    return replace(
        first,
        columns=stacked([item.columns for item in parts]),
        take=np.concatenate([item.take for item in parts]),
        years=stacked([item.years for item in parts]),
        entries=stacked([item.entries for item in parts]),
        units=stacked([item.units for item in parts]),
        flags=stacked([item.flags for item in parts]),
    )
