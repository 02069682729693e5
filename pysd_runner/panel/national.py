"""National series beside a panel: one value a year."""

from collections.abc import Mapping
from pathlib import Path

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.panel.names import ROLE_OF, key, split_unit
from pysd_runner.panel.tables import Table, read_table
from pysd_runner.panel.units import parse_unit

SIDECAR = "national.csv"

Series = dict[str, dict[int, float]]


def read_national(path: Path) -> Series:
    """Read national series."""
    table = read_table(path)
    if table.problems:
        raise InvalidPanel(f"{path}: {table.problems[0]}")
    roles = {
        ROLE_OF[key(heading)]: position
        for position, heading in reversed(list(enumerate(table.header)))
        if key(heading) in ROLE_OF
    }
    if "year" not in roles:
        raise InvalidPanel(f"{path}: no column 'year'; columns found: {list(table.header)}")
    series: Series = {}
    for row, cells in zip(table.numbers, table.cells, strict=True):
        for name, text, unit in _entries(table, cells, roles):
            _add(series, name, cells[roles["year"]].strip(), text, unit, f"{path}: row {row}")
    return series


def _entries(table: Table, cells: list[str], roles: Mapping[str, int]) -> list[tuple[str, str, str]]:
    if "variable" in roles and "value" in roles:
        unit = cells[roles["unit"]] if "unit" in roles else ""
        return [(cells[roles["variable"]].strip(), cells[roles["value"]].strip(), unit.strip())]
    used = set(roles.values())
    return [
        (label, cells[position].strip(), unit)
        for position, heading in enumerate(table.header)
        if position not in used
        for label, unit in [split_unit(heading)]
    ]


def _add(series: Series, name: str, year_text: str, text: str, unit: str, where: str) -> None:
    if not text:
        return
    if not (year_text.isdecimal() and len(year_text) == 4):
        raise InvalidPanel(f"{where}: year: found {year_text!r}; expected a whole year such as 2020")
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidPanel(f"{where}: {name}: found {text!r}; expected a plain number such as 45.8") from error
    years = series.setdefault(name, {})
    if int(year_text) in years:
        raise InvalidPanel(f"{where}: {name} already has a value for {year_text}; expected one value a year")
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
