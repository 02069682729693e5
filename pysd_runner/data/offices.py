"""Convert exports of statistical offices to the form of a panel file.

No office is known by name: the columns of regions, times and values are found, and what else tells rows apart is the
measure.
"""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pysd_runner.core.calendar import read_dates
from pysd_runner.core.errors import Message
from pysd_runner.core.findings import Finding, listed
from pysd_runner.core.types import Flags, Texts
from pysd_runner.data.cells import VALUE, Entries, TextFile, each_once, of_texts, same, texts_of
from pysd_runner.data.files import TWO_ROWS, is_of_regions
from pysd_runner.data.mapping import IGNORE, mapped, variable_name
from pysd_runner.data.names import (
    OFFICES,
    ROLE_OF,
    ROLES,
    SPELLINGS,
    VARIABLE_OF,
    VARIABLES,
    bare,
    key,
    split_unit,
    tidy,
    year_heading,
)
from pysd_runner.data.regions import not_yearly
from pysd_runner.data.units import fits, is_main_unit, unit_in

# First heading of a TSV, which names the keys of a row, such as ``freq,unit,geo\TIME_PERIOD``.
_KEYS = re.compile(r"(?P<names>[\w,]+)\\(?:time(?:_period)?)", re.IGNORECASE)
_CODED = re.compile(r"([\w.-]+): ?(\S.*)")
# A number with flags, such as ``123 p``, or flags alone, such as ``: c``.
_FLAGGED = re.compile(r"([-+]?[0-9.][0-9.,eE]*+)?(?:\s+[a-z]{1,3}|\s*:\s*[a-z]{0,3})?")
_FOOTNOTE = re.compile(r"\s*[0-9]+/$")
# Codes in which each further character is a finer level, as in NUTS, or trailing zeros are a coarser one.
_LEVEL = re.compile(r"[A-Z]{2}[A-Z0-9]{0,3}|[0-9]{5,6}")
_LETTERS = re.compile(r"[A-Z]{2,3}")
_ZEROS = re.compile(r"(?<=^[0-9]{2})0{3,4}$|(?<=^[0-9]{4})00$")
_NAMED = "named"  # role of values whose variable the caller names
_BETWEEN = "\x1f"

_DESCRIBED, _SCALES, _TOTALS, _WHOLES, _CODES = (
    set(map(key, OFFICES.get(name) or SPELLINGS[name])) for name in ("described", "scales", "totals", "wholes", "codes")
)
_MISSING: set[str] = {*OFFICES["missing"]}
_UNITS: Texts = OFFICES["units"]
_NATIONS = {key(name) for names in SPELLINGS["countries"].values() for name in names}
_FLOWS = {code: name for name, codes in OFFICES["flows"].items() for code in codes}
# Names of the main variables at the beginning of a title, the longest first.
_BEFORE = r"(?:\S*[0-9]\S* )?(?:(?:real|current-dollar|average|annual|total) )*"
_PHRASES = [
    (re.compile(f"{_BEFORE}{text.replace('_', ' ')}(?![a-z])"), name)
    for name in ("output_per_head", "output", "population")
    for text in SPELLINGS["variables"][name]
    if "a" <= text[0] <= "z" and len(text) > 2 and text not in ("output", "pop")
]


def parted(table: TextFile, name: str) -> TextFile:
    """Split headings of two rows, keys packed into the first column, and cells and headings like ``DE: Germany``."""
    if match := _KEYS.fullmatch(table.header[0]):
        table = _unpacked(table, match["names"].split(",")).with_column("dataflow", name)
    pairs = [heading.split(TWO_ROWS) for heading in table.header]
    across = [place for place, parts in enumerate(pairs) if len(parts) == 2]
    dated = [sorted(pairs[place], key=lambda part: year_heading(part) is None) for place in across]
    if across and all(year_heading(year) is not None for year, _ in dated):
        years, names = zip(*dated, strict=True)
        table = table.turned(across, year=years, variable=names)
    for line in table.titles:
        word, _, rest = tidy(line).partition(":")
        if rest and is_of_regions(word) and not any(map(is_of_regions, table.header)):
            table = table.with_column(word, rest.strip())
    header, columns = [], []
    for heading, column in table.named:
        name, _, label = (part.strip() for part in heading.partition(":"))
        header.append(name if label and not name.isdecimal() else heading)
        parts = [] if _role(name, {}) in ("year", "value") else _codes_and_labels(column)
        columns += parts or [column]
        header += [f"{header[-1]} {label or 'label'}"] if parts else []
    return replace(table, header=tuple(header), columns=tuple(columns))


def _unpacked(table: TextFile, names: Sequence[str]) -> TextFile:
    parts = [text.split(",") for text in table.columns[0]]
    uneven = next((place for place, part in enumerate(parts) if len(part) != len(names)), None)
    if uneven is not None:
        message = Message("the first column does not have a key for each name in its heading")
        expected = Message("{count} keys with commas between", count=len(names))
        problem = table.problem("row-length", message, 0, uneven, expected)
        return replace(table, problems=(*table.problems, problem))
    keys = [of_texts([part.strip() for part in column]) for column in zip(*parts, strict=True)]
    return replace(table, header=(*names, *table.header[1:]), columns=(*keys, *table.columns[1:]))


def _codes_and_labels(column: Entries) -> list[Entries]:
    """The two parts of a column whose cells are all like ``DE: Germany``; empty for any other column."""
    import pandas as pd

    codes, found = pd.factorize(column)
    matches = [match for text in found if (match := _CODED.fullmatch(text))]
    if not matches or len(matches) < len(found):
        return []
    return [of_texts([match[part] for match in matches])[codes] for part in (1, 2)]


def _role(heading: str, columns: Texts) -> str:
    """Role of a heading, from the caller or from known spellings; empty if it has none."""
    given = mapped(heading, columns)
    name = ROLE_OF.get(bare(heading), "")
    if given is None or variable_name(given) in ROLES:
        return name if given is None else variable_name(given)
    return _NAMED if name == "value" else ""


def with_years_below(table: TextFile, columns: Texts) -> TextFile:
    """Turn a table with a column for each year to one with a row for each."""
    roles = [_role(heading, columns) for heading in table.header]
    years = [
        place
        for place, heading in enumerate(table.header)
        if not roles[place] and mapped(heading, columns) is None and year_heading(heading) is not None
    ]
    fewest = 1 if mapped(VALUE, columns) or "variable" in roles else 2
    if "year" in roles or len(years) < fewest:
        return table
    return table.turned(years, year=[str(year_heading(table.header[place])) for place in years])


def in_panel_form(table: TextFile, columns: Texts, *, is_file: bool) -> tuple[TextFile, list[Finding]]:
    """Convert a file in the format of a statistical office; in other files, only identify the column of regions."""
    export = _Export(table, columns, is_file=is_file)
    return export.table, export.problems


class _Export:
    """An export of an office: values by region and year, among columns that describe them.

    One column is found for each role; columns that say nothing, or the same as another in other words, are dropped. The
    columns that tell the rows of one region and year apart name the measure, of which one is read for each variable.
    """

    def __init__(self, table: TextFile, columns: Texts, *, is_file: bool) -> None:
        self.table, self.columns = table, columns
        self.problems: list[Finding] = []
        self.roles = [_role(heading, columns) for heading in table.header]
        dated = [name for name, role in zip(table.header, self.roles, strict=True) if not role and read_dates([name])]
        if len(dated) > 1 and "year" not in self.roles:
            self.problems += not_yearly(dated, row=table.header_row)
        if not (len(table.rows) and self._at("region", "region_name")):
            return
        if not (is_file and self._at("year") and self._at("value", _NAMED)):
            self._find_regions(self._at("region", "region_name"))
        else:
            self._clean()
            self._find_regions(self._at("region", "region_name", ""))
            self._leave_out_others()
            self._find_measures()

    def _at(self, *roles: str) -> list[int]:
        return [place for place, role in enumerate(self.roles) if role in roles]

    def _joined(self, places: Sequence[int]) -> Entries:
        """Entries of some columns, joined into one."""
        return sum((texts_of(self.table.columns[place]) + _BETWEEN for place in places), same("", len(self.table.rows)))

    def _count(self, *places: int) -> int:
        """Number of different entries of some columns."""
        import pandas as pd

        return len(pd.unique(self._joined(places)))

    def _alike(self, place: int, other: int) -> bool:
        """Whether two columns correspond one to one, such as codes and labels."""
        return self._count(place) == self._count(other) == self._count(place, other)

    def _drop(self, places: Collection[int]) -> None:
        kept = [place for place in range(len(self.roles)) if place not in places]
        self.roles = [self.roles[place] for place in kept]
        self.table = self.table.chosen(kept)

    def _rename(self, place: int, role: str) -> None:
        """Give a column a role by its heading, unless the caller has named it."""
        if mapped(self.table.header[place], self.columns) is None:
            header = list(self.table.header)
            self.roles[place] = header[place] = role
            self.table = replace(self.table, header=tuple(header))

    def _clean(self) -> None:
        """Drop columns that hold nothing or describe single values, and read signs of missing values as such."""
        columns = list(self.table.columns)
        for place in self._at("value", _NAMED):
            columns[place] = each_once(_plain, columns[place])
        self.table = replace(self.table, columns=tuple(columns))
        gone = {
            place
            for place, heading in enumerate(self.table.header)
            if (key(heading) in _DESCRIBED or not (columns[place] != "").any())
            and mapped(heading, self.columns) is None
        }
        for role in ("year", "value"):
            gone |= {*[place for place in self._at(role) if place not in gone][1:]}
        self._drop(gone)

    def _find_regions(self, places: Sequence[int]) -> None:
        """Take the finest column of regions as their codes; others are their names, or groups of regions."""
        rivals = self._at("region") or self._at("region_name")[:1]
        if not rivals:
            return
        keys = [key(heading) for heading in self.table.header]
        # Beside "region_code", "region" is a name, even if a code has two of them.
        longer = {place: {keys[item] for item in rivals if keys[item].startswith(keys[place])} for place in rivals}
        named = [place for place in rivals if len(longer[place]) > 1]
        given = [place for place in rivals if mapped(self.table.header[place], self.columns) == "region"]
        chosen = given or [place for place in rivals if place not in named]
        code = max(chosen, key=lambda place: (self._count(place), keys[place] in _CODES, -place))
        for place in places if self._count(code) > 1 or named else [code]:
            is_name = self._alike(place, code) or (place in named and keys[code].startswith(keys[place]))
            if place != code and (self.roles[place] or is_name):
                self._rename(place, "region_name" if is_name else "group")
        if self.roles[code] != "region":
            self._rename(code, "region")
        self._drop([*self._at("group")[1:], *self._at("region_name")[1:]])

    def _leave_out_others(self) -> None:
        """Leave out quarters and months beside years, and regions that contain others."""
        for place in self._at("year"):
            texts = self.table.columns[place]
            within = each_once(lambda text: "" if year_heading(text) or not read_dates([text]) else text, texts) != ""
            if not within.all():
                self._leave_out(within, Message("quarters and months"))
        for place in self._at("region"):
            codes = self.table.columns[place]
            names = self.table.columns[(self._at("region_name") or [place])[0]]
            wholes = wholes_of(dict(zip(codes, names, strict=True)))
            what = Message("regions that contain others ({names})", names=listed(wholes))
            self._leave_out(np.isin(codes.astype(str), wholes), what)

    def _leave_out(self, rows: Flags, what: str) -> None:
        if rows.any():
            message = Message("{count} rows are left out: {what}", count=int(rows.sum()), what=what)
            self.problems.append(Finding("left-out", message, "warning", row=int(self.table.rows[rows.argmax()])))
            self.table = self.table.taken(~rows)

    def _find_measures(self) -> None:
        """Name the measure of each row, and read one for each variable."""
        scales = [place for place, heading in enumerate(self.table.header) if key(heading) in _SCALES]
        free = [place for role in ("variable", "", "unit") for place in self._at(role) if place not in scales]
        telling = self._telling(free)
        alike = {place: [item for item in free if item == place or self._alike(item, place)] for place in telling}
        for place in (item for places in alike.values() for item in places):
            column = self.table.columns[place]
            totals = np.array([key(text) in _TOTALS for text in column], dtype=bool)
            if totals.any() and not totals.all():
                heading, total = self.table.header[place], str(column[totals.argmax()])
                self._leave_out(~totals, Message("{heading} is not {text}", heading=heading, text=total))
                self._find_measures()
                return
        header, variable, units = self.table.header, self._at("variable")[:1], self._at("unit")
        constant = [place for place in free if self._count(place) == 1]
        said = {*scales, *units, *constant, *(item for places in alike.values() for item in places)}
        unit = self._units(units, scales)
        name = self.table.columns[variable[0]] if variable else same("", len(self.table.rows))
        if not self._at(_NAMED) and (not variable or (telling or variable) != variable):
            name, unit = self._named(alike, constant, unit)
        self._drop({place for place in said if mapped(header[place], self.columns) is None}.union(variable))
        for heading, column in ((header[variable[0]] if variable else "variable", name), ("unit", unit)):
            if (column != "").any():
                self.table = self.table.with_column(heading, column)
        self._leave_out(name == IGNORE, Message("other measures"))

    def _telling(self, free: Sequence[int]) -> list[int]:
        """Columns that distinguish the rows of one region and year; empty if no columns do."""
        told: list[int] = self._at("region", "year")
        start, rows = len(told), len(self.table.rows)
        for place in free:
            if self._count(*told) < min(rows, self._count(*told, place)):
                told.append(place)
        return told[start:] if self._count(*told) == rows else self._at("variable")

    def _units(self, units: Sequence[int], scales: Sequence[int]) -> Entries:
        """Unit of each row: its label or code, whichever is understood, times the multiplier."""

        def unit(text: str) -> str:
            texts = text.split(_BETWEEN)[:-1]
            spelled = [_UNITS.get(item, item.replace("_", " ")) for item in reversed(texts[: len(units)]) if item]
            scale = next((item for item in texts[len(units) :] if item != "0" and fits(item, "person")), "")
            power = f"10^{scale} " if scale.isdecimal() else f"{scale} ".lstrip()
            return power + next(filter(is_main_unit, spelled), next(iter(spelled), ""))

        return each_once(unit, self._joined([*units, *scales]))

    def _named(
        self, alike: Mapping[int, Sequence[int]], constant: Sequence[int], units: Entries
    ) -> tuple[Entries, Entries]:
        """Variable and unit of each row; `IGNORE` for measures that are no variable, or not the one chosen."""
        import pandas as pd

        columns = self.table.columns
        codes, _ = pd.factorize(self._joined([*alike]))
        shared = [str(columns[place][0]) for place in constant]
        shared += [line for title in self.table.titles for line in title.split("\n")]
        found = []
        for first in np.unique(codes, return_index=True)[1]:
            parts = [[str(columns[place][first]) for place in places] for places in alike.values()]
            texts = [", ".join(part[:2][-1] for part in parts), *(text for part in parts for text in part)]
            texts += [] if alike else shared
            unit = units[first] or next(filter(None, map(unit_in, [*texts, *shared])), "")
            given = next((text for text in texts if mapped(text, self.columns)), "")
            variable = variable_name(mapped(given, self.columns) or "") if given else _variable_in(texts, unit)
            found.append(_Measured(texts[0], unit, given, variable))
        if not any(item.variable for item in found):
            found = [replace(item, variable=_variable_in(shared, item.unit)) for item in found]
        names = self._chosen(found) or [item.name or _indicator(shared) for item in found]
        return of_texts(names)[codes], of_texts([item.unit for item in found])[codes]

    def _chosen(self, found: Sequence["_Measured"]) -> list[str]:
        """Names by which the measures are read, `IGNORE` for others; empty if none is a variable."""
        names = [item.given or IGNORE for item in found]
        for variable in dict.fromkeys(item.variable for item in found if item.variable):
            rivals = [place for place, item in enumerate(found) if item.variable == variable]
            if any(found[place].given for place in rivals):
                continue
            names[rivals[0]] = variable
            if len(rivals) > 1:
                told = [found[place].name for place in rivals]
                message = Message(
                    "{count} measures could be {variable}: {names}; choose one with --map {example}",
                    count=len(told),
                    variable=variable,
                    names=listed(list(map(repr, told))),
                    example=shlex.quote(f"{told[0]}={variable}"),
                )
                expected = Message("one measure of {variable}", variable=variable)
                self.problems.append(Finding("several-measures", message, expected=expected))
        return names if set(names) != {IGNORE} else []


@dataclass(frozen=True, slots=True)
class _Measured:
    """A measure of an export: its name, its unit, the string by which the caller names it, and its variable."""

    name: str
    unit: str
    given: str
    variable: str


def _variable_in(texts: Sequence[str], unit: str) -> str:
    """Variable named by one of several strings and compatible with a unit; empty if there is none."""
    plain = [_FOOTNOTE.sub("", tidy(text)) for text in texts]
    named = [VARIABLE_OF.get(bare(text), "") for text in [*plain, *(text.partition(":")[2] for text in plain)]]
    named += [name for text in plain for code, name in _FLOWS.items() if code in text.casefold()]
    named += [name for phrase, name in _PHRASES for text in plain if phrase.match(text.casefold().replace("_", " "))]
    for name in filter(None, named):
        # Output per person is recognised by its unit.
        for variable in (name, "output_per_head") if name == "output" else (name,):
            if not unit or fits(unit, VARIABLES[variable].kind):
                return variable
    return ""


def _indicator(texts: Sequence[str]) -> str:
    """Name of an indicator that is no known variable, from the lines above the table."""
    for text in texts:
        word, _, rest = tidy(text).partition(":")
        if rest and ROLE_OF.get(key(word)) == "variable":
            return split_unit(rest.strip())[0]
    return ""


def _plain(text: str) -> str:
    """A number without its flags; empty for a sign of a missing value."""
    match = _FLAGGED.fullmatch(text)
    return "" if text.casefold() in _MISSING else text if match is None else match[1] or ""


def wholes_of(regions: Texts) -> list[str]:
    """Codes of regions that contain others, by their codes and names: nations, their groups, and coarser levels.

    >>> wholes_of({"DE": "Germany", "DE1": "Baden", "DE2": "Bayern"}), wholes_of({"R1": "", "R2": "", "R10": ""})
    (['DE'], [])
    """
    labels = {code: {key(code), key(name)} for code, name in regions.items()}
    coded = [code for code in regions if _LEVEL.fullmatch(code)]
    levels = {code: "" if code == "00000" else _ZEROS.sub("", code) for code in coded}
    inner = {level[:size] for level in levels.values() for size in range(len(level))}
    # A code such as R1 does not contain R10, since not all codes of its length have longer ones that begin with them.
    flat = {(level[:2], len(level)) for code, level in levels.items() if level not in inner and level == code}
    found = {code for code, names in labels.items() if names & _WHOLES}
    # A nation among regions, whose code has another form than theirs.
    letters = [code for code in regions if _LETTERS.fullmatch(code)]
    found |= {code for code in letters if len(letters) == 1 and key(regions[code]) in _NATIONS - {key(code)}}
    found |= {code for code, level in levels.items() if level in inner and (level[:2], len(level)) not in flat}
    return sorted(found) if len(found) < len(regions) - 1 else []
