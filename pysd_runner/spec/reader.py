"""Read data classes from the tables of a TOML file, with error messages that name the entry and the problem."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from pysd_runner.core.errors import InvalidInput, InvalidModel, Message, suggest
from pysd_runner.core.json_schema import LEAVES, faults, schema_of
from pysd_runner.core.types import Record

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Declared = TypeVar("Declared", bound=DataclassInstance)

# Types in declarations: a count is a positive whole number; the strings of a list are distinct and not empty.
_DECLARED: Mapping[Any, Record] = {
    **LEAVES,
    int: {"type": "integer", "minimum": 1},
    tuple[str, ...]: {"type": "array", "items": {"type": "string", "pattern": r"\S"}, "uniqueItems": True},
}
# Function of a key and a message that raises an error about an entry.
Fail = Callable[[str, Message], NoReturn]
# Metadata of a field that is not read from files.
NOT_READ: Record = {"key": None}


def named(key: str) -> Record:
    """Metadata of a field whose key in files differs from its name."""
    return {"key": key}


class Reader:
    """Reads data classes from tables, checks types, and raises for unknown keys.

    A text without a default must not be empty, numbers must be finite, an ``int`` positive, and the entries of a tuple
    of texts distinct. In a mapping of data classes the name of an entry is stored in its field ``key``.
    """

    def __init__(
        self,
        checks: Mapping[type, Callable[[Any, Fail], None]] | None = None,
        readers: Mapping[object, Callable[[Any, str, Record], Any]] | None = None,
    ) -> None:
        # Checks of the fields of a data class; readers of types that are not data classes, from the entry, its location
        # and the fields already read.
        self._checks, self._readers = dict(checks or {}), dict(readers or {})

    def read(
        self, kind: "type[Declared]", values: Any, place: str, *, without: tuple[str, ...] = (), **given: object
    ) -> "Declared":
        """Read a data class from a table at `place` in the file; fields in `given` are not read from it."""
        if not isinstance(values, dict):
            _refuse(place, Message("a table"), values)
        found: dict[str, Any] = dict(given)
        keys = {
            key: item for item in fields(kind) if item.name not in given and (key := _key(item)) and key not in without
        }
        for key, item in keys.items():
            if key in values:
                found[item.name] = self.value(_hints(kind)[item.name], values[key], inside(place, key), found)
                if found[item.name] == "" and not _has_default(item):
                    fail_at(place)(key, Message("must not be empty"))
            elif not _has_default(item):
                fail_at(place)(key, Message("is missing"))
        refuse_unknown(values, keys, place)
        try:
            made = kind(**found)
        except InvalidModel:
            raise
        except InvalidInput as error:
            raise InvalidModel("{where}: {said}", where=place.removesuffix(": "), said=error) from error
        if kind in self._checks:
            self._checks[kind](made, fail_at(place))
        return made

    def value(self, hint: Any, value: Any, place: str, found: Record | None = None) -> Any:
        """Read one entry according to its type."""
        kinds = [part for part in get_args(hint) if part is not NoneType] if isinstance(hint, UnionType) else [hint]
        # A number, or the name of a number.
        kind = str if str in kinds and isinstance(value, str) else kinds[0]
        if kind in self._readers:
            return self._readers[kind](value, place, found or {})
        if is_dataclass(kind) and isinstance(kind, type):
            return self.read(kind, value, place)
        inner = get_args(kind)[-1:] if get_origin(kind) is Mapping else get_args(kind)[:1]
        if not inner or not is_dataclass(inner[0]):
            return checked(value, schema_of(kind, _DECLARED), place)
        entry: Any = inner[0]
        name = place.rpartition(".")[2].rpartition(" ")[2]
        if get_origin(kind) is Mapping:
            if not isinstance(value, dict):
                _refuse(place, Message("tables such as [{name}.name]", name=name), value)
            keyed = any(item.name == "key" for item in fields(entry))
            return {
                key: self.read(entry, item, f'{place}["{key}"]', **({"key": key} if keyed else {}))
                for key, item in value.items()
            }
        # A list of tables, such as repeated ``[[rule]]``.
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            _refuse(place, Message("tables that start with [[{name}]]", name=name), value)
        return tuple(self.read(entry, item, f"{place}[{number}]") for number, item in enumerate(value, start=1))


def checked(value: Any, schema: Record, place: str) -> Any:
    """Value of an entry, for a string without surrounding blanks; raises for the first violation of its type."""
    if isinstance(value, str):
        value = value.strip()
    elif schema.get("type") == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    for fault in faults(value, schema):
        near = suggest(str(fault.found), fault.wanted) if fault.rule == "enum" else ""
        _refuse("".join([place, *map(_below, fault.path)]), fault.expected, fault.found, near)
    return _converted(value, schema)


def _below(key: str | int) -> str:
    return f".{key}" if isinstance(key, str) else f"[{key + 1}]"


def _refuse(place: str, expected: str, found: object, suggestion: str = "") -> NoReturn:
    raise InvalidModel(
        "{place}: expected {expected}, found {what!r}.{suggestion}",
        place=place,
        expected=expected,
        what=found,
        suggestion=suggestion,
    )


def _converted(value: Any, schema: Record) -> Any:
    """Numbers as floats, and lists as tuples, where a schema says what they hold."""
    if "items" in schema:
        return tuple(_converted(item, schema["items"]) for item in value)
    if "additionalProperties" in schema:
        return {key: _converted(item, schema["additionalProperties"]) for key, item in value.items()}
    return float(value) if schema.get("type") == "number" else value


def inside(place: str, key: str) -> str:
    """Location of an entry of a table, for messages; the location of a whole file ends with a colon."""
    return f"{place}{'' if place.endswith(': ') else '.'}{key}"


def fail_at(place: str) -> Fail:
    """Return a function that raises errors about entries of a table."""

    def fail(key: str, message: Message) -> NoReturn:
        raise InvalidModel("{where}: {said}", where=inside(place, key), said=message)

    return fail


def refuse_unknown(values: Record, keys: Record, place: str) -> None:
    """Raise for unknown keys."""
    for key in values:
        if key not in keys:
            fail_at(place)(
                key,
                Message(
                    "unknown key; known: {known}.{suggestion}", known=", ".join(keys), suggestion=suggest(key, keys)
                ),
            )


@lru_cache(maxsize=64)
def _hints(kind: type) -> Record:
    return get_type_hints(kind)


def _key(item: "Field[Any]") -> str | None:
    """The key of a field in files; None if it is not read from files."""
    key: str | None = item.metadata.get("key", item.name)
    return key


def _has_default(item: "Field[Any]") -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING
