"""The mapping file: what the headings, units and regions of somebody else's panel mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from pathlib import Path

from pysd_runner.core.errors import InvalidPanel, Message, joined, suggest
from pysd_runner.panel.validation import DECIMALS

SCHEMA = 1
# No currency is worth more or less, in yuan; beyond it products leave what a number can be.
LEAST_RATE, GREATEST_RATE = 1e-15, 1e15


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelMapping:
    """How to read a panel whose headings are its owner's.

    Parameters
    ----------
    columns
        Heading (or, in a long file, variable name) to variable or role.
    units
        Unit by variable or heading.
    drop
        Rows to leave out: ``{heading: (values,)}``. What is left out is reported.
    keep
        Rows to read, all others being left out and reported: ``{heading: (values,)}``.
    missing
        Texts that stand for a missing value, besides an empty cell.
    regions
        Region file, or the name of a shipped panel.
    national
        File of national series.
    encoding, sheet
        Encoding of a text file; sheet of a workbook.
    decimal
        Decimal point of the numbers, ``"."`` or ``","``; None finds it.
    yuan_per_unit
        Yuan for one unit of the panel's currency; None keeps the currency.
    price_basis
        Price basis of the money values when the units do not say.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
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

    def __post_init__(self) -> None:
        if self.yuan_per_unit is not None:
            _rate(self.yuan_per_unit, "yuan_per_unit")

    def merged(self, **given: object) -> "PanelMapping":
        """Return a copy in which every given value that is not None wins; `columns` and `units` are merged."""
        chosen = {name: value for name, value in given.items() if value is not None}
        columns = {**self.columns, **chosen.pop("columns", {})}  # type: ignore[dict-item]
        units = {**self.units, **chosen.pop("units", {})}  # type: ignore[dict-item]
        return replace(self, columns=columns, units=units, **chosen)  # type: ignore[arg-type]


_KEYS = ("schema", *PanelMapping.__dataclass_fields__)


def as_mapping(given: "PanelMapping | Mapping[str, str] | str | Path | None") -> PanelMapping:
    """Make a mapping of whatever a caller holds: nothing, a dictionary of columns, a file, a mapping."""
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
        YAML 1.2 with the keys ``schema``, ``columns``, ``units``, ``drop``, ``keep``, ``missing``,
        ``regions``, ``national``, ``encoding``, ``sheet``, ``decimal``, ``yuan_per_unit``, ``price_basis``; all
        but ``schema`` optional.

    Returns
    -------
    PanelMapping
        File names in it are taken from the folder of the mapping file.

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
    text = read_text(file, partial(_stop, file))
    try:
        guard(text, partial(_stop, file))
        content = reader().load(text)
    except InvalidPanel:
        raise
    except (YAMLError, ValueError) as error:  # the latter of a number that is too long and a date that is none
        raise InvalidPanel(
            "{file}: not readable as YAML in UTF-8: {reason}", file=file, reason=" ".join(str(error).split())
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
    fields: dict[str, object] = {}
    for name, value in content.items():
        where = f"{file}: {name}"
        if name in {"columns", "units"}:
            fields[name] = _texts(value, where)
        elif name in {"drop", "keep"}:
            fields[name] = {
                column: _list(values, f"{where}.{column}") for column, values in _entries(value, where).items()
            }
        elif name == "missing":
            fields[name] = _list(value, where)
        elif name == "yuan_per_unit":
            fields[name] = _rate(value, where)
        elif name == "decimal":
            fields[name] = _decimal(value, where)
        else:
            fields[name] = _text(value, where)
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


def _texts(value: object, where: str) -> dict[str, str]:
    return {name: _text(entry, f"{where}.{name}") for name, entry in _entries(value, where).items()}


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
