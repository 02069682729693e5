"""A row of units below the headings, as statistical yearbooks print it."""

from dataclasses import replace

from pysd_runner.core.errors import InvalidInput
from pysd_runner.panel.layout import Layout
from pysd_runner.panel.names import ROLE_OF, key
from pysd_runner.panel.tables import Table
from pysd_runner.panel.units import parse_unit


def take_unit_row(table: Table, layout: Layout) -> tuple[Table, Layout]:
    """Move a row of units from the data to the meaning of the columns."""
    if layout.shape != "wide" or not table.cells or not _is_unit_row(table, layout):
        return table, layout
    cells, row = table.cells[0], table.numbers[0]
    observed = tuple(
        meaning if meaning.unit else replace(meaning, unit=cells[meaning.position].strip(), unit_row=row)
        for meaning in layout.observed
    )
    return replace(table, cells=table.cells[1:], numbers=table.numbers[1:]), replace(layout, observed=observed)


def _is_unit_row(table: Table, layout: Layout) -> bool:
    cells = table.cells[0]
    keys = [cells[meaning.position].strip() for role, meaning in layout.roles.items() if role in {"region", "year"}]
    units = [text for meaning in layout.observed if (text := cells[meaning.position].strip())]
    nameless = all(not text or ROLE_OF.get(key(text)) == "unit" for text in keys)
    return nameless and bool(units) and all(_is_unit(text) for text in units)


def _is_unit(text: str) -> bool:
    if text[0].isdecimal() and text.replace(".", "").isdecimal():
        return False
    try:
        parse_unit(text)
    except InvalidInput:
        return False
    return True
