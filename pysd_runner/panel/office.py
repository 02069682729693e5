"""Tables as statistical offices export them, put into the form of a panel file.

China's National Bureau of Statistics (one indicator a file, named above the table with its unit), Eurostat (SDMX-CSV,
TSV) and the World Bank (a column for each year, the indicator in a column). Layouts as documented in 2025.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pysd_runner.panel.names import OFFICES, ROLE_OF, VARIABLE_OF, key, split_unit, tidy, year_heading
from pysd_runner.panel.problems import Problem
from pysd_runner.panel.tables import Table

# geo\TIME_PERIOD heads the first column of a TSV, and the names of the others stand before it.
_KEYS = re.compile(r"(?P<names>[\w,]+)\\(?:time(?:_period)?)", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<number>[-+\d.eE]++)?\s*(?P<flags>[:a-z]*)")
_FLOW = re.compile(r"(?:[A-Z_]+:)?(?P<code>\w+)")
_DATED = re.compile(r"(?:estat_)?(?P<code>[a-z0-9]+(?:_[a-z0-9]+)*)", re.IGNORECASE)

_EUROSTAT: Mapping[str, Any] = OFFICES["eurostat"]


def in_form(table: Table, path: Path) -> Table:
    """Put the export of an office into the form of a panel file; any other table stays as it is."""
    if not table.readable:
        return table
    if _KEYS.fullmatch(table.header[0]):
        return _of_tsv(table, path)
    if {"geo", "obsvalue", "timeperiod"} <= {key(heading) for heading in table.header}:
        return _of_sdmx(table)
    if {"countryname", "countrycode"} <= {key(heading) for heading in table.header}:
        return _of_world_bank(table)
    return _with_indicator(table)


def _of_tsv(table: Table, path: Path) -> Table:
    """Part the keys of the first column, and flags from numbers."""
    match = _KEYS.fullmatch(table.header[0])
    assert match is not None  # noqa: S101
    names = match["names"].split(",")
    parts = [cells[0].split(",") for cells in table.cells]
    uneven = next((place for place, part in enumerate(parts) if len(part) != len(names)), None)
    if uneven is not None:
        return replace(
            table,
            problems=(
                *table.problems,
                Problem(
                    rule="row-length",
                    message="the first column does not have a key for each name in its heading",
                    row=table.numbers[uneven],
                    column=table.header[0],
                    found=table.cells[uneven][0],
                    expected=f"{len(names)} keys with commas between",
                ),
            ),
        )
    cells = tuple(
        [part.strip() for part in keys] + [_plain(text) for text in row[1:]]
        for keys, row in zip(parts, table.cells, strict=True)
    )
    code = _DATED.match(path.stem)
    return _named(replace(table, header=(*names, *table.header[1:]), cells=cells), code["code"] if code else "")


def _plain(text: str) -> str:
    """A number without its flags; a colon stands for none."""
    match = _NUMBER.fullmatch(text.strip())
    return text.strip() if match is None else match["number"] or ""


def _of_sdmx(table: Table) -> Table:
    """Leave out what describes the file, and name the variable by the data set."""
    flow = next((place for place, name in enumerate(table.header) if key(name) in ("dataflow", "structureid")), None)
    told = table.cells[0][flow] if flow is not None and table.cells else ""
    match = _FLOW.match(told)
    left_out = set(map(key, _EUROSTAT["described"]))
    kept = [place for place, name in enumerate(table.header) if key(name) not in left_out]
    cells = tuple([row[place] for place in kept] for row in table.cells)
    header = tuple(table.header[place] for place in kept)
    return _named(replace(table, header=header, cells=cells), match["code"] if match else "")


def _named(table: Table, code: str) -> Table:
    """Name the variable by data set and unit, say units in words, and leave out keys that are the same in all rows."""
    plain = [key(name) for name in table.header]
    unit = plain.index("unit") if "unit" in plain else None
    constant = [
        place
        for place, name in enumerate(table.header)
        if ROLE_OF.get(key(name)) is None
        and year_heading(name) is None
        and len({row[place] for row in table.cells}) == 1
    ]
    variable = _EUROSTAT["variables"].get(code.lower(), code.lower())
    kept = [place for place in range(len(table.header)) if place not in constant]
    rows = []
    for row in table.cells:
        given = row[unit] if unit is not None else ""
        name = _EUROSTAT["by_unit"].get(given, variable)
        cells = list(row)
        if unit is not None:
            cells[unit] = _EUROSTAT["units"].get(given, given)
        rows.append([*(cells[place] for place in kept), name])
    header = tuple("region" if key(table.header[place]) == "geo" else table.header[place] for place in kept)
    return replace(table, header=(*header, "variable"), cells=tuple(rows))


def _of_world_bank(table: Table) -> Table:
    """Leave out the codes of indicators, which say what their names say, and take two points for no value."""
    left_out = {key(name) for name in OFFICES["world_bank"]["described"]}
    kept = [place for place, name in enumerate(table.header) if key(name) not in left_out]
    cells = tuple(["" if row[place].strip() == ".." else row[place] for place in kept] for row in table.cells)
    return replace(table, header=tuple(table.header[place] for place in kept), cells=cells)


def _with_indicator(table: Table) -> Table:
    """Put the indicator that stands above a table beside each of its rows."""
    plain = [ROLE_OF.get(key(split_unit(name)[0])) for name in table.header]
    years = [name for name in table.header if year_heading(name) is not None]
    if not table.titles or "variable" in plain or not (len(years) > 1 or "value" in plain):
        return table
    indicator = _indicator(table.titles)
    if not indicator:
        return table
    return replace(table, header=(*table.header, "variable"), cells=tuple([*cells, indicator] for cells in table.cells))


def _indicator(titles: Sequence[str]) -> str:
    """Name and unit of what a table holds, from the lines above it."""
    found, unit = "", ""
    for title in titles:
        for line in title.split("\n"):
            word, _, rest = tidy(line).partition(":")
            if rest and key(word) in _WORDS["unit"]:
                unit = rest.strip()
            elif rest and key(word) in _WORDS["indicator"]:
                found = rest.strip()
            elif not found and VARIABLE_OF.get(key(split_unit(line)[0])):
                found = tidy(line)
    return f"{found} ({unit})" if found and unit and not split_unit(found)[1] else found


_WORDS = {kind: set(map(key, words)) for kind, words in OFFICES["words"].items()}


def nearest_layout(header: Sequence[str]) -> str:
    """Name the known layout that a heading row comes nearest to, with what it needs."""
    names = {key(split_unit(name)[0]) for name in header}
    if {"geo", "timeperiod", "obsvalue"} & names or any("\\" in name for name in header):
        return "Eurostat's SDMX-CSV or TSV: geo, TIME_PERIOD, OBS_VALUE, or keys and a column for each year"
    if {"countryname", "countrycode", "seriesname", "indicatorname"} & names:
        return "the World Bank's: Country Name, Country Code, Indicator Name, and a column for each year"
    if sum(year_heading(name) is not None for name in header) > 1:
        return "a column for each year, as China's NBS exports it: a region column, and the indicator in a line above"
    if {ROLE_OF.get(name) for name in names} & {"variable", "value"}:
        return "long: columns region, year, variable and value"
    return "wide: columns region and year, and one for each variable"
