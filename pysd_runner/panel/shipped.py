"""The panels that ship with the models, and the declarations beside them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pysd_runner.core.errors import InvalidPanel, UnknownName, suggest
from pysd_runner.core.paths import models_folder

DECLARATIONS = "sources.toml"
SCHEMA = 1


def shipped_panels() -> dict[str, Path]:
    """Names of the shipped panels and their files.

    Returns
    -------
    dict[str, Path]
        ``{"china": .../china/panel.csv}``.
    """
    return {path.parent.name: path for path in sorted(models_folder().glob("*/data/*/panel.csv"))}


def panel_file(name_or_path: str | Path) -> Path:
    """File of a shipped panel or of a path."""
    if not isinstance(name_or_path, str | Path):
        raise UnknownName("a panel is the name of a shipped one or a path; found {found!r}", found=name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_panels()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.is_dir():
        raise UnknownName("{path!r} is a folder; expected a CSV or xlsx file in it", path=str(path))
    raise UnknownName(
        "no file and no shipped panel is called {panel!r}; shipped: {panels}.{suggestion}",
        panel=str(name_or_path),
        panels=", ".join(shipped),
        suggestion=suggest(str(name_or_path), shipped),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A mark on some years of a column."""

    flag: str
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Declarations:
    """What the file beside a panel says of it."""

    name: str = ""  # name of the panel
    units: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    regions: Path | None = None
    national: Path | None = None


def declarations_beside(path: Path) -> Declarations:
    """Read the declarations of a panel file, when the file beside it names that panel."""
    file = path.parent / DECLARATIONS
    if not file.is_file():
        return Declarations()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidPanel("{file}: not readable as TOML: {reason}", file=file, reason=error) from error
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
