"""Read region files and national series of a panel, and identify the region and the year of each row."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.calendar import read_dates
from pysd_runner.core.errors import InvalidPanel, Message, suggest
from pysd_runner.core.findings import Finding, listed, with_hint
from pysd_runner.core.types import Texts
from pysd_runner.data.cells import Entries, IndexArray, TextArray, TextFile, same, texts_of
from pysd_runner.data.files import read_table
from pysd_runner.data.names import ROLE_OF, Entity, by_label, key, label_key, split_unit
from pysd_runner.data.units import known_unit, scaled

YearSeries = dict[str, dict[int, float]]

_FIELDS = ("code", "name_en", "name_zh", "class", "row", "column")
_ALIASES = {
    "group": "class",
    "region": "code",
    "tile_row": "row",
    "tile_column": "column",
    "col": "column",
    "name": "name_en",
}
_NO_VALUE = frozenset({"nan", "none", "null", "n/a", "#n/a", "<na>"})


class RegionBook:
    """Regions of a region file, which can be looked up by code or by name in either language."""

    def __init__(self, regions: Sequence[Entity]) -> None:
        self.regions = tuple(regions)
        self._known = by_label(regions)

    def find(self, text: str) -> Entity | None:
        """Return the region with this code or name, or None."""
        return self._known.get(label_key(text))

    def suggestion(self, text: str) -> str:
        """Return ``" Did you mean 'x'?"``, or an empty string if no label is similar."""
        labels = [label for region in self.regions for label in (region.name_en, region.name_zh, region.code) if label]
        return suggest(text, labels)


def regions_of(file: TextFile | Path, path: Path) -> RegionBook:
    """Read the regions of a region file or equivalent table, which is called `path` in messages."""
    table = _readable(file, path)
    records = _records(table, path)
    names = _groupings(records)
    rows = zip(records, table.rows.tolist(), strict=True)
    regions = with_tiles([_region(record, path, row, names) for record, row in rows])
    _no_repeats([region.code for region in regions], table, path, "code")
    if "row" in records[0]:
        _no_repeats([f"{region.row},{region.column}" for region in regions], table, path, "tile")
    return RegionBook(regions)


def _readable(file: TextFile | Path, path: Path) -> TextFile:
    table = read_table(file) if isinstance(file, Path) else file
    if table.problems:
        raise InvalidPanel("{where}: {said}", where=path, said=table.problems[0].message)
    return table


def _records(table: TextFile, path: Path) -> list[dict[str, str]]:
    names = [_ALIASES.get(heading.casefold(), heading.casefold()) for heading in table.header]
    if "code" not in names:
        raise InvalidPanel(
            "{path}: no column 'code'; columns found: {columns}; expected {fields}",
            path=path,
            columns=list(table.header),
            fields=", ".join(_FIELDS),
        )
    rows = zip(*map(texts_of, table.columns), strict=True)
    return [dict(zip(names, map(str, row), strict=True)) for row in rows]


def _groupings(records: Sequence[Texts]) -> list[str]:
    """Further columns that group regions: filled in every row, with at least two regions to a group in the mean."""
    groups = {name: {record[name] for record in records} for name in records[0] if name and name not in _FIELDS}
    return [name for name, found in groups.items() if "" not in found and 1 < len(found) <= len(records) / 2]


def _region(record: Texts, path: Path, row: int, groupings: Sequence[str]) -> Entity:
    code = record["code"]
    if not code:
        raise InvalidPanel(
            "{path}: row {row}: the code is empty; expected a code of the panel's region column", path=path, row=row
        )
    name_en = record.get("name_en") or record.get("name_zh") or code
    return Entity(
        code=code,
        name_en=name_en,
        name_zh=record.get("name_zh") or name_en,
        group=record.get("class", ""),
        row=_tile(record, "row", path, row),
        column=_tile(record, "column", path, row),
        groupings=tuple((name, record[name]) for name in groupings),
    )


def _tile(record: Texts, name: str, path: Path, row: int) -> int:
    text = record.get(name, "")
    if not text:
        return -1
    if not text.isdecimal():
        raise InvalidPanel(
            "{path}: row {row}, column {column!r}: found {what!r}; expected a whole number from zero up",
            path=path,
            row=row,
            column=name,
            what=text,
        )
    return int(text)


def _no_repeats(labels: Sequence[str], table: TextFile, path: Path, what: str) -> None:
    seen: dict[str, int] = {}
    for label, row in zip(labels, table.rows.tolist(), strict=True):
        if label in seen:
            raise InvalidPanel(
                "{path}: row {row}: {column} {label!r} already stands in row {other}; expected once",
                path=path,
                row=row,
                column=what,
                label=label,
                other=seen[label],
            )
        seen[label] = row


def with_tiles(regions: Iterable[Entity]) -> list[Entity]:
    """Place regions without a tile on a near-square grid below the existing tiles."""
    placed = list(regions)
    homeless = [position for position, region in enumerate(placed) if region.row < 0 or region.column < 0]
    below = 1 + max((region.row for region in placed if region.row >= 0 and region.column >= 0), default=-1)
    width = max(1, ceil(sqrt(len(homeless))))
    for count, position in enumerate(homeless):
        placed[position] = replace(placed[position], row=below + count // width, column=count % width)
    return placed


def places_of(
    keys: Mapping[str, Entries], heading: str, book: RegionBook | None
) -> tuple[tuple[Entity, ...], IndexArray, list[Finding]]:
    """Regions in order of first appearance, and the place of each row among them, -1 for no known region."""
    import pandas as pd

    codes, texts = pd.factorize(keys["region"])
    _, firsts = np.unique(codes, return_index=True)
    names = [str(text) for text in texts]
    problems = [
        Finding(
            "no-region",
            Message("the row does not say which region it is about"),
            row=int(keys["row"][place]),
            column=heading,
            expected=Message("a region code"),
        )
        for place in np.flatnonzero(keys["region"] == "")
    ]
    if book is None:
        found: list[Entity | None] = [replace(Entity.of(name), row=-1, column=-1) if name else None for name in names]
        problems += _spelling(names, keys["row"][firsts], heading)
    else:
        found = [book.find(name) if name else None for name in names]
        counts = np.bincount(codes, minlength=len(names))
        problems += _unknown(names, found, keys["row"][firsts], counts, heading, book)
    regions = list(dict.fromkeys(region for region in found if region is not None))
    position = {region.code: place for place, region in enumerate(regions)}
    of_text = np.array([-1 if region is None else position[region.code] for region in found], dtype=np.int64)
    index = of_text[codes]
    if book is None:
        for role, fields, what in (("region_name", ("name_en", "name_zh"), "name"), ("group", ("group",), "group")):
            said, clashing = _one_each(regions, index, keys[role], keys["row"], what)
            problems += clashing
            regions = [
                replace(region, **dict.fromkeys(fields, text)) if text else region  # type: ignore[arg-type]
                for region, text in zip(regions, said, strict=True)
            ]
    return tuple(with_tiles(regions)), index, problems


def _spelling(names: Sequence[str], rows: IndexArray, heading: str) -> list[Finding]:
    """Warn of region names that look like missing values, or are spelt almost like another."""
    spelled: dict[str, str] = {}
    problems = []

    def doubt(rule: str, message: str, row: int, name: str, expected: str) -> None:
        problems.append(Finding(rule, message, "warning", row=int(row), column=heading, found=name, expected=expected))

    for name, row in zip(names, rows, strict=True):
        if name.casefold() in _NO_VALUE:
            message = Message("the region is called as programs write a missing value, and is read as a region")
            meant = Message("the name of a region; a region file that names it settles the doubt")
            doubt("region-no-value", message, row, name, meant)
        other = spelled.setdefault(key(name), name)
        if other != name:
            message = Message(
                "the region is read as another than {other!r}, which is spelt almost the same", other=other
            )
            doubt("region-spelling", message, row, name, other)
    return problems


def _unknown(
    names: Sequence[str],
    found: Sequence[Entity | None],
    rows: IndexArray,
    counts: IndexArray,
    heading: str,
    book: RegionBook,
) -> list[Finding]:
    """Report regions that are not in the region file, and regions of that file that are not in the panel."""
    problems = []
    for name, region, row, count in zip(names, found, rows, counts, strict=True):
        if region is None and name:
            also = Message(" (in {count} rows)", count=count) if count > 1 else ""
            message = Message(
                "the region is not in the region file{also}{hint}", also=also, hint=with_hint(book.suggestion(name))
            )
            expected = Message("a code or name of the region file")
            problems.append(
                Finding("unknown-region", message, row=int(row), column=heading, found=name, expected=expected)
            )
    seen = {region.code for region in found if region is not None}
    absent = [f"{region.code} {region.name_en}" for region in book.regions if region.code not in seen]
    if absent:
        message = Message("{count} regions of the region file are not in the panel", count=len(absent))
        problems.append(Finding("absent-region", message, "warning", found=listed(absent)))
    return problems


def _one_each(
    regions: Sequence[Entity], index: IndexArray, texts: TextArray, rows: IndexArray, what: str
) -> tuple[list[str], list[Finding]]:
    """Take the name or group of each region from a column of the panel, and report contradicting rows."""
    import pandas as pd

    chosen = [""] * len(regions)
    problems = []
    said = pd.DataFrame({"place": index, "text": texts, "row": rows})[(texts != "") & (index >= 0)]
    for place, text, row in said.drop_duplicates(["place", "text"]).itertuples(index=False):
        if chosen[place]:
            message = Message(
                "region {region!r} has another {what} in an earlier row", region=regions[place].code, what=what
            )
            problems.append(Finding(f"two-{what}s", message, row=row, found=text, expected=chosen[place]))
        chosen[place] = chosen[place] or text
    return chosen, problems


def national_of(file: TextFile | Path, path: Path) -> YearSeries:
    """Read national series from a file or equivalent table, which is called `path` in messages."""
    table = _readable(file, path)
    roles = {
        ROLE_OF[key(heading)]: position
        for position, heading in reversed(list(enumerate(table.header)))
        if key(heading) in ROLE_OF
    }
    if "year" not in roles:
        raise InvalidPanel("{path}: no column 'year'; columns found: {columns}", path=path, columns=list(table.header))
    if not {"variable", "value"} <= {*roles}:
        across = [position for position in range(len(table.header)) if position not in roles.values()]
        if not across:
            return {}
        called, unit_of = zip(*(split_unit(table.header[position]) for position in across), strict=True)
        table = table.chosen([roles["year"], *across]).turned(range(1, len(across) + 1), variable=called, unit=unit_of)
        roles = {name: position for position, name in enumerate(("year", "variable", "unit", "value"))}
    years, names, texts = (texts_of(table.columns[roles[role]]) for role in ("year", "variable", "value"))
    units = texts_of(table.columns[roles["unit"]]) if "unit" in roles else same("", len(table.rows))
    series: YearSeries = {}
    for row, name, year, text, unit in zip(table.rows, names, years, texts, units, strict=True):
        _add(series, name, year, text, unit, Message("{path}: row {row}", path=path, row=row))
    return series


def _add(series: YearSeries, name: str, year_text: str, text: str, unit: str, where: str) -> None:
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
    """Convert a value to the canonical unit; without a unit, or with an unknown one, it is unchanged."""
    known = known_unit(unit)
    return value if known is None else scaled(value, known.factor)


NOT_YEARLY = "not-yearly"
FIRST_YEAR, LAST_YEAR = 1800, 2100
_WHOLE_YEAR = re.compile(r"([0-9]{1,4})(?:\.0+)?\s*\u5e74?")
# Two-year spans (2004/05, 2004-2005), and dates (2004-12-31), to which workbooks add a time of day.
_SPAN = re.compile(r"([0-9]{4})\s*[-/–—]\s*([0-9]{2}|[0-9]{4})")
_DATE = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2}[-/.][0-9]{1,2})(?:[ T]00:00:00)?")


def years_of(texts: TextArray, rows: IndexArray, heading: str) -> tuple[IndexArray, list[Finding]]:
    """Read the year column of a panel; -1 for cells without a valid year."""
    # A column of two-year spans such as 2004/05 is read as the first years, and a column of dates on one day of the
    # year as their years, both with a warning. A column of mixed formats is not read.
    import pandas as pd

    codes, found = pd.factorize(texts)
    if within := not_yearly(found, row=int(rows[0]) if len(rows) else None, column=heading):
        return np.full(len(rows), -1), within
    form, told = _form(found)
    matches = [form.fullmatch(text) for text in found]
    years = np.array([-1 if match is None else int(match[1]) for match in matches], dtype=np.int64)[codes]
    problems = []
    if told:
        first = int(np.flatnonzero(texts != "")[0])
        text = str(texts[first])
        problems.append(
            Finding("year-form", told, "warning", row=int(rows[first]), column=heading, found=text, expected=text[:4])
        )
    expected = Message("a whole year from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR)
    out_of_range = (years < FIRST_YEAR) | (years > LAST_YEAR)
    for place in np.flatnonzero(out_of_range):
        text, is_year = str(texts[place]), years[place] >= 0
        rule, message = (
            ("year-range", Message("the year is out of range")) if is_year else ("not-a-year", _no_year(text))
        )
        problems.append(Finding(rule, message, row=int(rows[place]), column=heading, found=text, expected=expected))
    years[out_of_range] = -1
    return years, problems


def not_yearly(texts: Iterable[str], **where: Any) -> list[Finding]:
    """Report times of which several are in one year."""
    held = [text for text in texts if text]
    dates = (read_dates(held) or ([], ""))[0]
    if len(dates) == len({date.year for date in dates}):
        return []
    message = Message(
        "there are several values a year ({first}, {second}, ...), and a panel has one: take the yearly figures of the "
        "source, or add them up",
        first=held[0],
        second=held[1],
    )
    return [Finding(NOT_YEARLY, message, expected=Message("years"), **where)]


def _no_year(text: str) -> str:
    if not text:
        return Message("the year is empty")
    if _SPAN.fullmatch(text) or _DATE.fullmatch(text):
        return Message(
            "not a whole year; years that span two, or dates of one day of the year, must fill the whole column"
        )
    return Message("not a whole year")


def _form(texts: TextArray) -> tuple[re.Pattern[str], str]:
    """Pattern that reads all cells, and the warning that it needs (empty for none)."""
    held = {str(text) for text in texts} - {""}
    spans = [match for text in held if (match := _SPAN.fullmatch(text))]
    # 2010-11 and 2011-12 could be months; three or more spans, or numbers that are not months, are years.
    years = len(spans) > 2 or any(len(span[2]) == 4 or not 1 <= int(span[2]) <= 12 for span in spans)
    if years and len(spans) == len(held) > 1 and all(str(int(span[1]) + 1).endswith(span[2]) for span in spans):
        return _SPAN, "years that span two are read as the one they begin in"
    days = {_day(match) for text in held if (match := _DATE.fullmatch(text))} if held else set()
    if len(days) == 1 and days != {None} and all(map(_DATE.fullmatch, held)):
        return _DATE, "dates are read as their years"
    return _WHOLE_YEAR, ""


def _day(date: re.Match[str]) -> tuple[int, int] | None:
    """Month and day of a date; None if there is no such day."""
    month, day = map(int, re.split(r"[-/.]", date[2]))
    try:
        datetime.date(int(date[1]), month, day)
    except ValueError:
        return None
    return month, day
