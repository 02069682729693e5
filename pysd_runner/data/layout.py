"""Interpret the headings of a panel file, determine which of two shapes it has, and collect its cells."""

import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from difflib import get_close_matches
from typing import Literal

import numpy as np

from pysd_runner.core.errors import Message, suggest
from pysd_runner.core.findings import Finding, with_hint
from pysd_runner.core.types import Texts, frozen
from pysd_runner.data.cells import (
    Cells,
    Entries,
    IndexArray,
    Observations,
    TextFile,
    each_once,
    same,
    text_of,
    texts_of,
)
from pysd_runner.data.mapping import IGNORE, mapped, variable_name
from pysd_runner.data.names import REQUIRED, ROLE_OF, ROLES, VARIABLE_OF, VARIABLES, bare, key, split_unit, visible
from pysd_runner.data.units import known_unit

Shape = Literal["long", "wide"]

# Minimum similarity of a mapping target to a known name to count as a typo.
_SLIP = 0.85
# A name of a level of regions: ITL1, gva_NUTS2, "TL 3", level_1, \u5c42\u7ea72.
_LEVEL = re.compile(r"((?:.*(?<![a-z]))?(?:ITL|NUTS|TL|level)|.*\u7ea7)[\W_]?[0-9]", re.IGNORECASE)
_PLAIN_YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")


@frozen
class Meaning:
    """Interpretation of one column."""

    position: int  # column, counted from zero
    heading: str  # as in the file
    name: str  # a role or a variable; empty if the column is not used
    unit: str = ""  # unit named in the heading
    explicit: bool = False  # whether `name` comes from a mapping
    unit_row: int | None = None  # file row that gives the unit, if it is not the header row


@frozen
class Layout:
    """Layout of a panel file: its shape, and the columns of roles and variables."""

    shape: Shape
    roles: Mapping[str, Meaning] = field(default_factory=dict)  # column of each role
    observed: Sequence[Meaning] = ()  # columns of one variable each

    def position(self, role: str) -> int | None:
        """Column of a role, or None."""
        return self.roles[role].position if role in self.roles else None


def interpret(table: TextFile, columns: Texts) -> tuple[Layout, list[Finding]]:
    """Interpret the headings of a panel file."""
    found = [_meaning(position, heading, columns) for position, heading in enumerate(table.header)]
    meanings, clashes = _settle(found, table.header_row)
    roles = {meaning.name: meaning for meaning in meanings if meaning.name in ROLES}
    is_long = {"variable", "value"} <= {*roles}
    observed = [meaning for meaning in meanings if meaning.name not in ("", *ROLES, IGNORE) and not is_long]
    layout = Layout(shape="long" if is_long else "wide", roles=roles, observed=observed)
    problems = [*_mapping_faults(columns), *_repeated(table), *clashes, *_unused(meanings, layout, table.header_row)]
    return layout, [*problems, *_missing(layout, table)]


def _mapping_faults(columns: Texts) -> list[Finding]:
    known = (*VARIABLES, *ROLES, IGNORE)
    return [
        Finding(
            "unknown-variable",
            Message(
                "the mapping of {heading!r} names no known variable{hint}",
                heading=heading,
                hint=with_hint(suggest(target, known)),
            ),
            column=heading,
            found=target,
            expected=Message("a variable such as output or population, or a name of your own"),
        )
        for heading, target in columns.items()
        if variable_name(target) not in known
        and (not target.strip() or get_close_matches(target.casefold(), known, n=1, cutoff=_SLIP))
    ]


def _meaning(position: int, heading: str, columns: Texts) -> Meaning:
    label, unit = split_unit(heading)
    given = mapped(heading, columns)
    if given is not None:
        return Meaning(position=position, heading=heading, name=variable_name(given), unit=unit, explicit=True)
    for text, its_unit in ((heading, ""), (label, unit)):
        name = ROLE_OF.get(key(text)) or VARIABLE_OF.get(key(text))
        if name:
            return Meaning(position=position, heading=heading, name=name, unit=its_unit)
    return Meaning(position=position, heading=heading, name="")


def _repeated(table: TextFile) -> list[Finding]:
    header = table.header
    return [
        table.problem(
            "repeated-heading",
            Message(
                "the heading stands over columns {first} and {second}",
                first=header.index(heading) + 1,
                second=position + 1,
            ),
            position,
            expected=Message("each heading once; rename or remove one"),
        )
        for position, heading in enumerate(header)
        if heading and heading in header[:position]
    ]


def _settle(meanings: list[Meaning], row: int) -> tuple[list[Meaning], list[Finding]]:
    """Assign each role and variable to one column, and report headings that are ambiguous."""
    settled = list(meanings)
    problems = []
    for name in dict.fromkeys(meaning.name for meaning in meanings if meaning.name not in {"", IGNORE}):
        rivals = [meaning for meaning in meanings if meaning.name == name]
        winner = _winner(rivals, name)
        for loser in rivals:
            if loser is not (winner or rivals[0]):
                # A tie is reported below; a column that loses to another is reported as unused.
                settled[loser.position] = replace(loser, name="" if winner else IGNORE)
        if winner is None and len({rival.heading for rival in rivals}) > 1:
            headings = [rival.heading for rival in rivals]
            problems.append(_ambiguous("ambiguous-heading", headings, name, row, headings[1]))
    return settled, problems


def _ambiguous(rule: str, names: Sequence[str], variable: str, row: int, column: str) -> Finding:
    found = ", ".join(map(repr, names))
    message = Message(
        "several names would be {variable!r}: {found}; choose one with --map {example}",
        variable=variable,
        found=found,
        example=shlex.quote(f"{names[0]}={variable}"),
    )
    expected = Message("one name for {name!r}", name=variable)
    return Finding(rule, message, row=row, column=column, found=found, expected=expected)


def _winner(rivals: list[Meaning], name: str) -> Meaning | None:
    explicit = [rival for rival in rivals if rival.explicit]
    own = [rival for rival in rivals if bare(rival.heading) == key(name)]
    chosen = rivals[:1] if name in {"region_name", "source", "flag"} else explicit or own or rivals
    return chosen[0] if len(chosen) == 1 else None


def _unused(meanings: list[Meaning], layout: Layout, row: int) -> list[Finding]:
    used = {meaning.position for meaning in layout.observed}
    used |= {meaning.position for meaning in layout.roles.values()}
    return [
        Finding(
            "unused-column",
            Message("the column is not read: no such variable; map it to one, or to {ignore!r}", ignore=IGNORE),
            row=row,
            column=meaning.heading or Message("column {column}", column=meaning.position + 1),
            found=meaning.heading,
            expected=Message("a known heading"),
            severity="warning",
        )
        for meaning in meanings
        if meaning.position not in used and meaning.name != IGNORE
    ]


def _missing(layout: Layout, table: TextFile) -> list[Finding]:
    header, row = table.header, table.header_row
    problems = [
        missing_column(role, header, row, _guess(role, layout, table))
        for role in ("region", "year")
        if role not in layout.roles
    ]
    if layout.shape == "wide" and not any(meaning.name in REQUIRED for meaning in layout.observed):
        missing = missing_column("output", header, row, _guess("output", layout, table))
        if "value" in layout.roles:
            example = shlex.quote(f"{layout.roles['value'].heading}=output")
            message = Message(
                "nothing says which variable the values are; name it as in --map {example}", example=example
            )
            missing = Finding("missing-variable-name", message, row=row, expected=Message("a column of variables"))
        problems.append(missing)
    return problems


def _guess(role: str, layout: Layout, table: TextFile) -> str:
    """Heading of the first unused column whose entries look like those of a role or of output; empty for none."""
    used = {item.position for item in (*layout.roles.values(), *layout.observed)}
    for place, (heading, column) in enumerate(table.named):
        texts = set(texts_of(column)) - {""}
        kinds = {
            "year" if _PLAIN_YEAR.fullmatch(text) else "output" if _is_number(text) else "region" for text in texts
        }
        if place not in used and heading and kinds == {role}:
            return heading
    return ""


def _is_number(text: str) -> bool:
    return text[0].isdecimal() and text.replace(".", "").isdecimal()


def missing_column(name: str, found: Sequence[str], row: int, guess: str = "") -> Finding:
    """Create the finding for a missing required column or variable."""
    example = shlex.quote(f"{guess}={name}")
    advice = Message(" Is it {near!r}? Then add --map {example}.", near=guess, example=example) if guess else ""
    what = Message("output (or output_per_head)") if name == "output" else name
    levels = _levels(found)
    choice = Message(
        " {levels} look like levels of regions: keep the rows or the column of one level; which one?", levels=levels
    )
    return Finding(
        "missing-column",
        Message(
            "required column {what} is missing.{levels}{advice} Rename a heading or map it",
            what=what,
            levels=choice if levels else "",
            advice=advice,
        ),
        row=row,
        column=name,
        found=", ".join(found),
        expected=what,
    )


def _levels(found: Sequence[str]) -> str:
    """Names that differ only in a final digit, like levels of regions (ITL1, ITL2, ITL3); empty if there are none."""
    matches = [match for name in found if (match := _LEVEL.fullmatch(name.strip()))]
    stems = {key(match[1]) for match in matches}
    return ", ".join(match[0] for match in matches) if len(matches) > 1 and len(stems) == 1 else ""


def take_unit_row(table: TextFile, layout: Layout) -> tuple[TextFile, Layout]:
    """Remove a row of units from the data, and store the units in the layout."""
    if not len(table.rows):
        return table, layout
    cells = [text_of(column[0]) for column in table.columns]
    keys = [cells[meaning.position] for role, meaning in layout.roles.items() if role in {"region", "year"}]
    units = [text for meaning in layout.observed if (text := cells[meaning.position])]
    nameless = all(not text or ROLE_OF.get(key(text)) == "unit" for text in keys)
    if not nameless or not units or any(_is_number(text) or known_unit(text) is None for text in units):
        return table, layout
    row = int(table.rows[0])
    observed = [
        meaning if meaning.unit else replace(meaning, unit=cells[meaning.position], unit_row=row)
        for meaning in layout.observed
    ]
    return table.taken(slice(1, None)), replace(layout, observed=observed)


def observe(table: TextFile, layout: Layout, columns: Texts) -> tuple[Observations, list[Finding]]:
    """Collect the cells of each variable."""
    table, problems = _with_names(table, layout)
    keys: dict[str, Entries] = {
        role: same("", len(table.rows)) if (place := layout.position(role)) is None else table.columns[place]
        for role in ("region", "region_name", "group", "year", "unit", "flag")
    }
    if layout.shape == "wide":
        alone = len(layout.observed) == 1
        cells = [
            table.cells(
                item.position,
                variable=item.name,
                units=keys["unit"] if alone and not item.unit else same(item.unit, len(table.rows)),
                flags=keys["flag"],
                unit_row=item.unit_row or table.header_row,
            )
            for item in layout.observed
        ]
    else:
        cells, found = _named(table, layout, columns, keys)
        problems += found
    return Observations(keys={**keys, "row": table.rows}, cells=cells), problems


def _with_names(table: TextFile, layout: Layout) -> tuple[TextFile, list[Finding]]:
    """Convert the columns with roles to text, and remove invisible characters from names."""
    import pandas as pd

    columns = list(table.columns)
    for role, meaning in layout.roles.items():
        if role != "value":
            columns[meaning.position] = texts_of(columns[meaning.position])
    problems = []
    for role in ("region", "region_name", "group"):
        if (position := layout.position(role)) is None:
            continue
        problems += [
            Finding(
                "invisible",
                Message("the name holds characters that cannot be seen, and is read as {seen!r}", seen=seen),
                "warning",
                row=int(table.rows[(columns[position] == found).argmax()]),
                column=table.header[position],
                found=ascii(found),
                expected=seen,
            )
            for found in pd.unique(columns[position])
            # A name that differs only by Unicode normalisation looks the same and is not reported.
            if (seen := visible(found)) != unicodedata.normalize("NFC", " ".join(found.split()))
        ]
        columns[position] = each_once(visible, columns[position])
    return replace(table, columns=tuple(columns)), problems


def _named(
    table: TextFile, layout: Layout, columns: Texts, keys: Mapping[str, Entries]
) -> tuple[list[Cells], list[Finding]]:
    """Cells of each variable named in the variable column, with the units that it gives."""
    import pandas as pd

    position = layout.roles["variable"].position
    codes, found = pd.factorize(table.columns[position])
    firsts = np.unique(codes, return_index=True)[1]
    names = list(map(str, found))
    chosen, clashes = _variables(names, columns, table, position, firsts)
    cells = []
    for code, variable in chosen.items():
        rows = np.flatnonzero(codes == code)
        units, flags = keys["unit"][rows], keys["flag"][rows]
        units = np.where(units == "", split_unit(names[code])[1], units)
        cells.append(table.cells(layout.roles["value"].position, rows, variable=variable, units=units, flags=flags))
    return cells, table.without_variable(position) + clashes


def _variables(
    names: Sequence[str], columns: Texts, table: TextFile, position: int, firsts: IndexArray
) -> tuple[dict[int, str], list[Finding]]:
    """Choose the variable of each name; an alias of a variable that the user has mapped keeps its own name."""
    chosen = {
        code: variable_name(target) for code, name in enumerate(names) if (target := mapped(name, columns)) is not None
    }
    explicit = {*chosen.values()}
    problems: list[Finding] = []
    for code, name in enumerate(names):
        if code in chosen or not name:
            continue
        label = split_unit(name)[0]
        known = VARIABLE_OF.get(key(name)) or VARIABLE_OF.get(key(label))
        if known is None:
            message = Message(
                "no variable of that name is known; it is kept as it stands{hint}",
                hint=with_hint(suggest(name, VARIABLES)),
            )
            expected = Message("a known variable, or a mapping to one or to 'ignore'")
            problems.append(table.problem("own-variable", message, position, firsts[code], expected, "warning"))
        chosen[code] = label if known is None or (known in explicit and key(label) != key(known)) else known
    for variable in dict.fromkeys(chosen.values()):
        rivals = [code for code, other in chosen.items() if other == variable]
        if len(rivals) > 1 and variable != IGNORE:
            told = [names[code] for code in rivals]
            row = int(table.rows[firsts[rivals[1]]])
            problems.append(_ambiguous("ambiguous-variable", told, variable, row, table.header[position]))
            chosen |= {code: names[code] if names[code] != variable else IGNORE for code in rivals[1:]}
    return {code: variable for code, variable in chosen.items() if variable != IGNORE}, problems
