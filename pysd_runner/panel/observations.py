"""The cells of a panel file in one form, whatever its shape: keys, and for each variable its texts."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import suggest
from pysd_runner.panel.layout import IGNORE, Layout, mapped, variable_name
from pysd_runner.panel.names import VARIABLE_OF, key, split_unit, visible
from pysd_runner.panel.problems import Problem
from pysd_runner.panel.tables import Table
from pysd_runner.panel.variables import VARIABLES

TextArray = NDArray[np.object_]
IndexArray = NDArray[np.int64]


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
    texts: TextArray
    units: TextArray  # unit text of each cell; empty where the file gives none
    flags: TextArray  # mark of each cell
    unit_row: int | None = None  # row of the file that gives the unit when it is not each cell's own; None when it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations:
    """Everything a file says, still as text."""

    keys: Keys
    cells: tuple[Cells, ...]


def observe(table: Table, layout: Layout, columns: Mapping[str, str]) -> tuple[Observations, list[Problem]]:
    """Collect the cells of each variable."""
    text = _text_columns(table)
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


def _text_columns(table: Table) -> list[TextArray]:
    columns: list[TextArray] = []
    for position in range(len(table.header)):
        column = np.empty(len(table.cells), dtype=object)
        column[:] = [cells[position].strip() for cells in table.cells]
        columns.append(column)
    return columns


def _without_invisible(table: Table, layout: Layout, text: Sequence[TextArray]) -> list[Problem]:
    """Take characters that cannot be seen out of names of regions and groups, in place; each spelling once."""
    problems = []
    for role in ("region", "region_name", "group"):
        if (position := layout.position(role)) is None:
            continue
        column = text[position]
        as_seen = {found: visible(found) for found in dict.fromkeys(column)}
        problems += [
            Problem(
                rule="invisible",
                message=f"the name holds characters that cannot be seen, and is read as {seen!r}",
                row=table.numbers[int(np.flatnonzero(column == found)[0])],
                column=table.header[position],
                found=ascii(found),
                expected=seen,
                severity="warning",
            )
            for found, seen in as_seen.items()
            # Composed letters look as they did.
            if seen != unicodedata.normalize("NFC", " ".join(found.split()))
        ]
        column[:] = [as_seen[found] for found in column]
    return problems


def _optional(text: Sequence[TextArray], layout: Layout, role: str, count: int) -> TextArray:
    position = layout.position(role)
    return np.full(count, "", dtype=object) if position is None else text[position]


def _keys(table: Table, layout: Layout, text: Sequence[TextArray]) -> Keys:
    count = len(table.cells)
    return Keys(
        rows=np.array(table.numbers, dtype=np.int64),
        regions=_optional(text, layout, "region", count),
        names=_optional(text, layout, "region_name", count),
        groups=_optional(text, layout, "group", count),
        years=_optional(text, layout, "year", count),
    )


def _wide(table: Table, layout: Layout, keys: Keys, text: Sequence[TextArray]) -> tuple[Cells, ...]:
    count = len(keys.rows)
    everything = np.arange(count)
    blank = np.full(count, "", dtype=object)
    return tuple(
        Cells(
            variable=meaning.name,
            columns=np.full(count, meaning.heading, dtype=object),
            take=everything,
            years=keys.years,
            texts=text[meaning.position],
            units=np.full(count, meaning.unit, dtype=object) if meaning.unit else blank,
            flags=_optional(text, layout, "flag", count),
            unit_row=meaning.unit_row or table.header_row,
        )
        for meaning in layout.observed
    )


def _named(
    table: Table, layout: Layout, columns: Mapping[str, str], keys: Keys, text: Sequence[TextArray]
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
    variable: str, rows: IndexArray, layout: Layout, keys: Keys, text: Sequence[TextArray], units: TextArray
) -> Cells:
    value = layout.roles["value"]
    return Cells(
        variable=variable,
        columns=np.full(len(rows), value.heading, dtype=object),
        take=rows,
        years=keys.years[rows],
        texts=text[value.position][rows],
        units=units[rows],
        flags=_optional(text, layout, "flag", len(keys.rows))[rows],
    )


def _by_year(
    variable: str, rows: IndexArray, layout: Layout, table: Table, text: Sequence[TextArray], units: TextArray
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
        texts=np.concatenate(blocks) if blocks else np.empty(0, dtype=object),
        units=np.tile(units[rows], len(positions)),
        flags=np.full(len(rows) * len(positions), "", dtype=object),
    )


def _unnamed(keys: Keys, variables: TextArray, layout: Layout) -> list[Problem]:
    return [
        Problem(
            rule="empty-variable",
            message="the row does not say which variable it holds",
            row=int(keys.rows[position]),
            column=layout.roles["variable"].heading,
            expected="the name of a variable",
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
        message=f"several names would be {variable!r}: {found}; choose one with a mapping",
        row=row,
        column=layout.roles["variable"].heading,
        found=found,
        expected=f"one name for {variable!r}",
    )


def _own_name(name: str, row: int, layout: Layout) -> Problem:
    return Problem(
        rule="own-variable",
        message=f"no variable of that name is known; it is kept as it stands.{suggest(name, VARIABLES)}",
        row=row,
        column=layout.roles["variable"].heading,
        found=name,
        expected="a known variable, or a mapping to one or to 'ignore'",
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
