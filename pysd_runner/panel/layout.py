"""What each heading of a panel file means, and so which of three shapes the file has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from pysd_runner.core.errors import InvalidInput, Message, suggest
from pysd_runner.panel.names import (
    REQUIRED,
    ROLE_OF,
    ROLES,
    SPELLINGS,
    VARIABLE_OF,
    VARIABLES,
    key,
    split_unit,
    year_heading,
)
from pysd_runner.panel.office import nearest_layout
from pysd_runner.panel.problems import Problem, with_hint
from pysd_runner.panel.tables import TextFile, text_of
from pysd_runner.panel.units import parse_unit

Shape = Literal["long", "wide", "years"]

IGNORE = "ignore"
_CODE_HEADINGS, _NATIONS, _WITHIN_NATIONS = (
    set(map(key, SPELLINGS[name])) for name in ("codes", "nations", "within_nations")
)
# Above this likeness a name a user maps to is a slip of the pen, not a variable of their own.
_SLIP = 0.85
_NEAR = 0.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What one column is."""

    position: int  # column, counted from zero
    heading: str  # as it stands in the file
    name: str  # A role, a variable, or empty when it is not used
    unit: str = ""  # unit named in the heading
    explicit: bool = False  # whether a mapping said so
    unit_row: int | None = None  # row of the file that gives the unit, when it is not the row of the headings


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The shape of a panel file."""

    shape: Shape
    roles: Mapping[str, Meaning] = field(default_factory=dict)  # column of each role
    observed: tuple[Meaning, ...] = ()  # columns that hold a variable each
    years: Mapping[int, int] = field(default_factory=dict)  # columns that hold a year each: position to year
    value_variable: str = ""  # variable of the cells of a file with a column for each year and no variable column

    def position(self, role: str) -> int | None:
        """Column of a role, or None."""
        return self.roles[role].position if role in self.roles else None


def interpret(header: Sequence[str], row: int, columns: Mapping[str, str]) -> tuple[Layout, list[Problem]]:
    """Find the meaning of each heading."""
    problems = _mapping_faults(columns)
    meanings = [_meaning(position, heading, columns) for position, heading in enumerate(header)]
    problems += _repeated(header, row)
    meanings, clashes = _settle(meanings, row)
    problems += clashes
    roles = {meaning.name: meaning for meaning in meanings if meaning.name in ROLES}
    observed = tuple(meaning for meaning in meanings if meaning.name and meaning.name not in (*ROLES, IGNORE))
    years = {
        meaning.position: year
        for meaning in meanings
        if not meaning.name and (year := year_heading(meaning.heading)) is not None
    }
    layout = _shaped(roles, observed, years, columns)
    problems += _unused(meanings, layout, row)
    problems += _missing(layout, header, row)
    return layout, problems


def mapped(name: str, columns: Mapping[str, str]) -> str | None:
    """Look a name up in the user's mapping: the exact spelling first, then one that differs in case or signs."""
    if name in columns:
        return columns[name]
    loose = {key(given): target for given, target in columns.items()}
    return loose.get(key(name), loose.get(key(split_unit(name)[0])))


def variable_name(target: str) -> str:
    """Return what a mapping points at: a role, a known variable in any spelling, or a name of the user's own."""
    if target in (*ROLES, IGNORE) or target in VARIABLES:
        return target
    return ROLE_OF.get(key(target), VARIABLE_OF.get(key(target), target.strip()))


def _mapping_faults(columns: Mapping[str, str]) -> list[Problem]:
    known = (*VARIABLES, *ROLES, IGNORE)
    problems = []
    for heading, target in columns.items():
        if variable_name(target) in known:
            continue
        near = get_close_matches(target.casefold(), known, n=1, cutoff=_SLIP)
        if near or not target.strip():
            problems.append(
                Problem(
                    rule="unknown-variable",
                    message=Message(
                        "the mapping of {heading!r} names no known variable{hint}",
                        heading=heading,
                        hint=with_hint(suggest(target, known)),
                    ),
                    column=heading,
                    found=target,
                    expected=Message("a variable such as output or population, or a name of your own"),
                )
            )
    return problems


def _meaning(position: int, heading: str, columns: Mapping[str, str]) -> Meaning:
    label, unit = split_unit(heading)
    given = mapped(heading, columns)
    if given is not None:
        return Meaning(position=position, heading=heading, name=variable_name(given), unit=unit, explicit=True)
    for text, its_unit in ((heading, ""), (label, unit)):
        name = ROLE_OF.get(key(text)) or VARIABLE_OF.get(key(text))
        if name:
            return Meaning(position=position, heading=heading, name=name, unit=its_unit)
    return Meaning(position=position, heading=heading, name="")


def _repeated(header: Sequence[str], row: int) -> list[Problem]:
    problems = []
    for position, heading in enumerate(header):
        if heading and heading in header[:position]:
            problems.append(
                Problem(
                    rule="repeated-heading",
                    message=Message(
                        "the heading stands over columns {first} and {second}",
                        first=header.index(heading) + 1,
                        second=position + 1,
                    ),
                    row=row,
                    column=heading,
                    found=heading,
                    expected=Message("each heading once; rename or remove one"),
                )
            )
    return problems


def _settle(meanings: list[Meaning], row: int) -> tuple[list[Meaning], list[Problem]]:
    """Give each role and variable to one column; a tie that cannot be decided is a problem."""
    meanings = _codes_before_names(_countries_as_groups(meanings))
    settled = list(meanings)
    problems = []
    for name in dict.fromkeys(meaning.name for meaning in meanings if meaning.name not in {"", IGNORE}):
        rivals = [meaning for meaning in meanings if meaning.name == name]
        winner = _winner(rivals, name)
        losers = [meaning for meaning in rivals if meaning is not (winner or rivals[0])]
        for loser in losers:
            # A tie is a problem already; the loser of a decision is reported as not read.
            name_left = "" if winner else IGNORE
            settled[loser.position] = Meaning(position=loser.position, heading=loser.heading, name=name_left)
        if winner is None and len({rival.heading for rival in rivals}) > 1:
            headings = ", ".join(repr(rival.heading) for rival in rivals)
            problems.append(
                Problem(
                    rule="ambiguous-heading",
                    message=Message(
                        "several columns would be {name!r}: {headings}; choose one with a mapping",
                        name=name,
                        headings=headings,
                    ),
                    row=row,
                    column=rivals[1].heading,
                    found=headings,
                    expected=Message("one column for {name!r}", name=name),
                )
            )
    return settled, problems


def _countries_as_groups(meanings: list[Meaning]) -> list[Meaning]:
    """Beside a column of regions, one of countries is their group, unless there is a group."""
    names, headings = {meaning.name for meaning in meanings}, {key(meaning.heading) for meaning in meanings}
    if "group" in names or not headings & _WITHIN_NATIONS:
        return meanings
    return [
        replace(meaning, name="group")
        if meaning.name == "region" and not meaning.explicit and key(meaning.heading) in _NATIONS
        else meaning
        for meaning in meanings
    ]


def _codes_before_names(meanings: list[Meaning]) -> list[Meaning]:
    """With a code column, another region column holds labels."""
    regions = [meaning for meaning in meanings if meaning.name == "region"]
    codes = [meaning for meaning in regions if key(meaning.heading) in _CODE_HEADINGS or meaning.explicit]
    if len(regions) < 2 or len(codes) != 1:
        return meanings
    return [
        Meaning(position=meaning.position, heading=meaning.heading, name="region_name")
        if meaning.name == "region" and meaning is not codes[0]
        else meaning
        for meaning in meanings
    ]


def _winner(rivals: list[Meaning], name: str) -> Meaning | None:
    if len(rivals) == 1 or name in {"region_name", "source", "flag"}:
        return rivals[0]
    explicit = [rival for rival in rivals if rival.explicit]
    if explicit:
        return explicit[0] if len(explicit) == 1 else None
    own = [rival for rival in rivals if key(split_unit(rival.heading)[0]) == key(name)]
    return own[0] if len(own) == 1 else None


def _shaped(
    roles: dict[str, Meaning],
    observed: tuple[Meaning, ...],
    years: dict[int, int],
    columns: Mapping[str, str],
) -> Layout:
    value = mapped("value", columns)
    if "year" not in roles and len(years) > (0 if value or "variable" in roles else 1):
        return Layout(shape="years", roles=roles, years=years, value_variable=variable_name(value) if value else "")
    if "variable" in roles and "value" in roles:
        return Layout(shape="long", roles=roles)
    return Layout(shape="wide", roles=roles, observed=observed)


def _unused(meanings: list[Meaning], layout: Layout, row: int) -> list[Problem]:
    used = {meaning.position for meaning in layout.observed} | set(layout.years)
    used |= {meaning.position for meaning in layout.roles.values()}
    return [
        Problem(
            rule="unused-column",
            message=Message("the column is not read: no such variable; map it to one, or to {ignore!r}", ignore=IGNORE),
            row=row,
            column=meaning.heading or Message("column {column}", column=meaning.position + 1),
            found=meaning.heading,
            expected=Message("a known heading"),
            severity="warning",
        )
        for meaning in meanings
        if meaning.position not in used and meaning.name != IGNORE
    ]


def _missing(layout: Layout, header: Sequence[str], row: int) -> list[Problem]:
    needed = ("region",) if layout.shape == "years" else ("region", "year")
    problems = [missing_column(role, header, row) for role in needed if role not in layout.roles]
    if problems:
        near = nearest_layout(header)
        problems[0] = replace(
            problems[0],
            message=Message("{message}. The nearest layout is {layout}", message=problems[0].message, layout=near),
        )
    if layout.shape == "wide" and not any(meaning.name in REQUIRED for meaning in layout.observed):
        problems.append(missing_column("output", header, row))
    if layout.shape == "years" and "variable" not in layout.roles and not layout.value_variable:
        problems.append(
            Problem(
                rule="missing-variable-name",
                message=Message("a column for each year, but nothing says which variable; map 'value' to it"),
                row=row,
                expected=Message("a variable column, or a mapping such as value=output"),
            )
        )
    return problems


def nearest_heading(name: str, headings: Sequence[str]) -> str:
    """Return the heading that comes nearest to any spelling of a role or variable, or an empty text."""
    spellings = [spelling for spelling, meant in (ROLE_OF | VARIABLE_OF).items() if meant == name]
    for heading in headings:
        label = key(split_unit(heading)[0])
        if label not in ROLE_OF | VARIABLE_OF and get_close_matches(label, spellings, n=1, cutoff=_NEAR):
            return heading
    return ""


def missing_column(name: str, found: Sequence[str], row: int) -> Problem:
    """Problem that a required column or variable is not there."""
    near = nearest_heading(name, found)
    advice = Message(" Is it {near!r}?", near=near) if near else ""
    what = Message("output (or output_per_head)") if name == "output" else name
    return Problem(
        rule="missing-column",
        message=Message(
            "required column {what} is missing.{advice} Rename a heading or map it", what=what, advice=advice
        ),
        row=row,
        column=name,
        found=", ".join(found),
        expected=what,
    )


def take_unit_row(table: TextFile, layout: Layout) -> tuple[TextFile, Layout]:
    """Move a row of units from the data to the meaning of the columns."""
    if layout.shape != "wide" or not len(table.rows) or not _is_unit_row(table, layout):
        return table, layout
    row = int(table.rows[0])
    observed = tuple(
        meaning if meaning.unit else replace(meaning, unit=text_of(table.columns[meaning.position][0]), unit_row=row)
        for meaning in layout.observed
    )
    return table.taken(slice(1, None)), replace(layout, observed=observed)


def _is_unit_row(table: TextFile, layout: Layout) -> bool:
    cells = [text_of(column[0]) for column in table.columns]
    keys = [cells[meaning.position] for role, meaning in layout.roles.items() if role in {"region", "year"}]
    units = [text for meaning in layout.observed if (text := cells[meaning.position])]
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
