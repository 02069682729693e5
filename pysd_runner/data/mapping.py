"""Settings for reading data: files of settings beside a user's data, and declarations of shipped panels."""

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidPanel, Message, joined, of_parser, suggest
from pysd_runner.core.findings import Finding, with_hint
from pysd_runner.core.types import Texts, frozen
from pysd_runner.data.cells import TextFile, texts_of
from pysd_runner.data.names import ROLE_OF, ROLES, VARIABLE_OF, VARIABLES, bare, key, visible
from pysd_runner.data.numbers import DECIMALS

IGNORE = "ignore"
DECLARATIONS = "sources.toml"
# Suffix of the file with the reading settings of a data file of the same name.
READING = ".reading.toml"
SCHEMA = 1
# Plausible exchange rates to the yuan; beyond them products could overflow or underflow.
LEAST_RATE, GREATEST_RATE = 1e-15, 1e15


@frozen
class PanelMapping:
    """Settings for reading a panel with the user's own headings.

    Parameters
    ----------
    columns
        Variable or role by heading (in a long file, by variable name).
    units
        Unit by variable or heading.
    drop
        Rows to leave out: ``{heading: (values,)}``. The number of rows left out is reported.
    keep
        Rows to keep, the number of all others being reported: ``{heading: (values,)}``.
    missing
        Texts that stand for a missing value, besides an empty cell.
    regions
        Region file, or the name of a shipped panel.
    national
        File of national series.
    encoding, sheet
        Encoding of a text file; sheet of a workbook.
    decimal
        Decimal point of the numbers, ``"."`` or ``","``; None detects it.
    yuan_per_unit
        Exchange rate, in yuan per unit of the panel's currency; None keeps the currency.
    price_basis
        Price basis of the monetary values; overrides that of the units.
    time, entity, time_unit
        Headings of the times and of the columns that name entities, and the unit of the times; None to detect them.
    headings
        Columns that the file must have; empty for any.
    """

    columns: Texts = field(default_factory=dict)
    units: Texts = field(default_factory=dict)
    drop: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    regions: str | None = None
    national: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    decimal: str | None = None
    yuan_per_unit: float | None = None
    price_basis: str = ""
    time: str | None = None
    entity: tuple[str, ...] = ()
    time_unit: str | None = None
    headings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.yuan_per_unit is not None:
            _rate(self.yuan_per_unit, "yuan_per_unit")

    def merged(self, **given: object) -> "PanelMapping":
        """Return a copy updated by the given values that are not None; `columns` and `units` are merged."""
        chosen = {name: value for name, value in given.items() if value is not None}
        columns = {**self.columns, **chosen.pop("columns", {})}  # type: ignore[dict-item]
        units = {**self.units, **chosen.pop("units", {})}  # type: ignore[dict-item]
        return replace(self, columns=columns, units=units, **chosen)  # type: ignore[arg-type]

    @property
    def of_panel(self) -> "PanelMapping":
        """The mapping for a panel of regions by year, in which the columns of times and entities are roles."""
        roles = dict.fromkeys(self.entity, "region") | ({} if self.time is None else {self.time: "year"})
        return self.merged(columns=roles)

    def said(self, folder: Path = Path()) -> dict[str, object]:
        """The settings by key, with paths relative to a folder."""
        told = {name: getattr(self, name) for name in PanelMapping.__dataclass_fields__}
        for name in ("regions", "national"):
            if told[name] is not None and Path(told[name]).is_file():
                told[name] = Path(os.path.relpath(told[name], folder.resolve())).as_posix()
        return {name: value for name, value in told.items() if value not in (None, "", (), {})}

    def __str__(self) -> str:
        return "; ".join(f"{name}: {_told(value)}" for name, value in self.said().items() if name != "headings")


def _told(value: object) -> str:
    """Names and values on one line.

    >>> _told({"Land": "region", "Jahr": "year"})
    'Land = region, Jahr = year'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_told(entry)}" for name, entry in value.items())
    return " or ".join(value) if isinstance(value, tuple) else str(value)


def mapped(name: str, columns: Texts) -> str | None:
    """Look a name up in the user's mapping: the exact spelling first, then ignoring case, separators and unit."""
    if name in columns:
        return columns[name]
    loose = {key(given): target for given, target in columns.items()}
    return loose.get(key(name), loose.get(bare(name)))


def variable_name(target: str) -> str:
    """Return the target of a mapping: a role, a known variable in any spelling, or a name of the user's own."""
    if target in (*ROLES, IGNORE) or target in VARIABLES:
        return target
    return ROLE_OF.get(key(target), VARIABLE_OF.get(key(target), target.strip()))


def selected_rows(table: TextFile, mapping: PanelMapping) -> tuple[TextFile, list[Finding]]:
    """Apply the `drop` and `keep` settings of a mapping, and report each selection."""
    kept = np.ones(len(table.rows), dtype=bool)
    problems: list[Finding] = []
    for selections, dropping in ((mapping.drop, True), (mapping.keep, False)):
        for heading, values in selections.items():
            position = next((place for place, name in enumerate(table.header) if key(name) == key(heading)), None)
            if position is None:
                problems.append(no_such_heading(heading, table, "drop" if dropping else "keep"))
                continue
            texts = texts_of(table.columns[position])
            chosen = np.array([not {text, visible(text)}.isdisjoint(values) for text in texts], dtype=bool)
            out = chosen if dropping else ~chosen
            kept &= ~out
            problems.append(_left_out(table, heading, values, out, dropping=dropping))
    return table if kept.all() else table.taken(kept), problems


def no_such_heading(heading: str, table: TextFile, what: str) -> Finding:
    """Create the finding for a heading of the mapping that is not in the file."""
    near = suggest(heading, table.header)
    return Finding(
        "unknown-column",
        Message(
            "the mapping names a column that the file does not have ({what}){hint}", what=what, hint=with_hint(near)
        ),
        column=heading,
        found=", ".join(table.header),
    )


def _left_out(table: TextFile, heading: str, values: tuple[str, ...], out: np.ndarray, *, dropping: bool) -> Finding:
    places = np.flatnonzero(out)
    rule = f"{heading} is{'' if dropping else ' not'} {' or '.join(values)}"
    return Finding(
        "left-out",
        Message("{count} rows are left out because the mapping says so: {rule}", count=len(places), rule=rule),
        row=int(table.rows[places[0]]) if len(places) else None,
        column=heading,
        found=Message("{count} of {all} rows", count=len(places), all=len(out)),
        severity="warning",
    )


def reading_beside(path: Path) -> Path:
    """Path of the file with the reading settings of a data file."""
    return path.with_name(f"{path.stem}{READING}")


def reading_text(mapping: PanelMapping, path: Path) -> str:
    """Reading settings of a data file, as the content of the file beside it."""
    told = mapping.said(path.parent)
    lines = [f"# How {path.name} is read. Every command finds this file beside it.", f"schema = {SCHEMA}"]
    lines += [f"{name} = {_quoted(value)}" for name, value in told.items() if not isinstance(value, Mapping)]
    for name, entries in told.items():
        if isinstance(entries, Mapping):
            lines += ["", f"[{name}]", *(f"{_quoted(key)} = {_quoted(value)}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def readings_of(paths: Iterable[Path], before: Iterable[Path] = ()) -> tuple[PanelMapping, dict[str, str]]:
    """Update settings with those in the files beside the data; also return the hash of each such file."""
    found, hashes, before = PanelMapping(), {}, list(before)
    for beside in (*before, *filter(Path.is_file, map(reading_beside, paths))):
        more = load_mapping(beside)
        headings = (*found.headings, *(() if beside in before else more.headings))
        found = found.merged(**more.said() | {"headings": headings})
        hashes[str(beside)] = hash_of(beside)
    return found, hashes


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


_KEYS = ("schema", *PanelMapping.__dataclass_fields__)


def as_mapping(given: "PanelMapping | Texts | str | Path | None") -> PanelMapping:
    """Convert None, a dictionary of columns, the path of a mapping file or a mapping to a `PanelMapping`."""
    if given is None:
        return PanelMapping()
    if isinstance(given, PanelMapping):
        return given
    if isinstance(given, str | Path):
        return load_mapping(given)
    return PanelMapping(columns=dict(given))


def load_mapping(path: str | Path) -> PanelMapping:
    """Read a mapping file.

    Parameters
    ----------
    path
        TOML or YAML 1.2 with the keys ``schema``, ``columns``, ``units``, ``drop``, ``keep``, ``missing``,
        ``regions``, ``national``, ``encoding``, ``sheet``, ``decimal``, ``yuan_per_unit``, ``price_basis``, ``time``,
        ``entity``, ``time_unit``, ``headings``; all but ``schema`` optional.

    Returns
    -------
    PanelMapping
        The mapping; files that it names are first looked up in the folder of the mapping file.

    Raises
    ------
    InvalidPanel
        If the file is missing, is not YAML, or has an unknown key, schema or type.
    """
    file = Path(path)
    content = _read(file)
    schema = content.pop("schema", None)
    if schema != SCHEMA:
        raise InvalidPanel(
            "{file}: schema: found {found!r}; this version reads {schema}; put `schema: {example}` first",
            file=file,
            found=schema,
            schema=SCHEMA,
            example=SCHEMA,
        )
    for name in content:
        if name not in _KEYS:
            raise InvalidPanel(
                "{file}: unknown key {name!r}; known keys: {keys}.{suggestion}",
                file=file,
                name=name,
                keys=", ".join(_KEYS),
                suggestion=suggest(str(name), _KEYS),
            )
    return _mapping(content, file)


def _read(file: Path) -> dict[str, object]:
    from ruamel.yaml.error import YAMLError

    from pysd_runner.core.yaml_text import guard, read_text, reader

    if not file.is_file():
        raise InvalidPanel("there is no mapping file {file!r}", file=str(file))
    if file.suffix == ".toml":
        return _toml(file)
    text = read_text(file, partial(_stop, file))
    try:
        guard(text, partial(_stop, file))
        content = reader().load(text)
    except InvalidPanel:
        raise
    except (YAMLError, ValueError) as error:  # ValueError: an overlong number or an invalid date
        raise InvalidPanel(
            "{file}: not readable as YAML in UTF-8: {reason}", file=file, reason=of_parser(error)
        ) from error
    if not isinstance(content, dict):
        raise InvalidPanel(
            "{file}: expected keys and values, such as `schema: {schema}`; found {found}",
            file=file,
            schema=SCHEMA,
            found=type(content).__name__,
        )
    return {str(name): value for name, value in content.items() if value is not None}


def _stop(file: Path, message: str, *, line: int | None = None, expected: str = "", **_: str) -> InvalidPanel:
    place = f"{file}:{line}" if line else f"{file}"
    said = joined([message, Message("expected {expected}", expected=expected)], "; ") if expected else message
    return InvalidPanel("{where}: {said}", where=place, said=said)


def _mapping(content: dict[str, object], file: Path) -> PanelMapping:
    fields = {name: _READERS.get(name, _text)(value, f"{file}: {name}") for name, value in content.items()}
    for name in ("regions", "national"):
        if name in fields:
            fields[name] = _beside(str(fields[name]), file)
    return PanelMapping(**fields)  # type: ignore[arg-type]


def _beside(name: str, file: Path) -> str:
    candidate = file.parent / name
    return str(candidate) if candidate.is_file() else name


def _entries(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidPanel("{where}: expected names and values, one a line; found {what!r}", where=where, what=value)
    return {str(name): entry for name, entry in value.items()}


def _texts(value: object, where: str) -> Texts:
    return {name: _text(entry, f"{where}.{name}") for name, entry in _entries(value, where).items()}


def _lists(value: object, where: str) -> dict[str, tuple[str, ...]]:
    return {name: _list(entry, f"{where}.{name}") for name, entry in _entries(value, where).items()}


def _text(value: object, where: str) -> str:
    if isinstance(value, dict | list) or value is None:
        raise InvalidPanel("{where}: expected one text; found {what!r}", where=where, what=value)
    return str(value)


def _list(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, dict):
        raise InvalidPanel("{where}: expected a list such as [a, b]; found {what!r}", where=where, what=value)
    return tuple(str(entry) for entry in (value if isinstance(value, list) else [value]))


def _decimal(value: object, where: str) -> str:
    if value not in DECIMALS:
        raise InvalidPanel(
            "{where}: expected {expected}; found {what!r}",
            where=where,
            expected=" or ".join(map(repr, DECIMALS)),
            what=value,
        )
    return str(value)


def _rate(value: object, where: str) -> float:
    number = float(str(value)) if isinstance(value, Real) and not isinstance(value, bool) else 0.0
    if not LEAST_RATE <= number <= GREATEST_RATE:
        raise InvalidPanel(
            "{where}: expected a number above zero, from {low:g} to {high:g}; found {what!r}",
            where=where,
            low=LEAST_RATE,
            high=GREATEST_RATE,
            what=value,
        )
    return number


# Reader of the value of each key; all other keys hold one string.
_READERS: Mapping[str, Callable[[object, str], object]] = {
    "columns": _texts,
    "units": _texts,
    "drop": _lists,
    "keep": _lists,
    "missing": _list,
    "yuan_per_unit": _rate,
    "decimal": _decimal,
    "entity": _list,
    "headings": _list,
}


@frozen
class Mark:
    """Mark on a range of years of a column."""

    flag: str
    first: int
    last: int


@frozen
class Declarations:
    """Declarations of a panel, from the file in its folder."""

    name: str = ""  # name of the panel
    units: Texts = field(default_factory=dict)
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    regions: Path | None = None
    national: Path | None = None


def declarations_beside(path: Path) -> Declarations:
    """Read the declarations of a panel, if its folder has a declarations file that names that panel."""
    file = path.parent / DECLARATIONS
    if not file.is_file():
        return Declarations()
    content = _toml(file)
    if content.get("panel") != path.name:
        return Declarations()
    if content.get("schema") != SCHEMA:
        raise InvalidPanel(
            "{file}: schema: found {found!r}; this version reads {schema}",
            file=file,
            found=content.get("schema"),
            schema=SCHEMA,
        )
    columns = content.get("columns", {})
    return Declarations(
        name=content.get("name", path.stem),
        units={name: _unit(column, f"{file}: columns.{name}") for name, column in columns.items()},
        marks={name: _marks(column, f"{file}: columns.{name}") for name, column in columns.items()},
        regions=path.parent / content["regions"] if "regions" in content else None,
        national=path.parent / content["national"] if "national" in content else None,
    )


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidPanel("{file}: not readable as TOML: {reason}", file=file, reason=of_parser(error)) from error


def _unit(column: Mapping[str, object], where: str) -> str:
    unit = column.get("unit")
    if not isinstance(unit, str) or not unit:
        raise InvalidPanel(
            "{where}.unit: found {found!r}; expected the unit of the column as text", where=where, found=unit
        )
    return unit


def _marks(column: Mapping[str, object], where: str) -> tuple[Mark, ...]:
    marks = column.get("marks", [])
    try:
        return tuple(Mark(flag=mark["flag"], first=int(mark["first"]), last=int(mark["last"])) for mark in marks)  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError) as error:
        expected = '{ flag = "spliced", first = 2000, last = 2005 }'
        raise InvalidPanel(
            "{where}.marks: found {found!r}; expected entries such as {example}",
            where=where,
            found=marks,
            example=expected,
        ) from error
