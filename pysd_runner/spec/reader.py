"""Read data classes from the tables of a TOML file, with error messages that name the entry and the problem."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from pysd_runner.core.errors import InvalidInput, InvalidModel, Message, suggest
from pysd_runner.core.types import Record

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Declared = TypeVar("Declared", bound=DataclassInstance)

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
            raise InvalidModel("{place}: expected a table, found {what!r}", place=place, what=values)
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
        # A number, or the name of one.
        kind = str if str in kinds and isinstance(value, str) else kinds[0]
        if kind in self._readers:
            return self._readers[kind](value, place, found or {})
        if kind in _PLAIN:
            return _PLAIN[kind](value, place)
        if is_dataclass(kind) and isinstance(kind, type):
            return self.read(kind, value, place)
        inner = get_args(kind)
        if get_origin(kind) is Literal:
            return word(value, place, inner)
        if get_origin(kind) is tuple:
            return _LISTS[inner[0]](value, place) if inner[0] in _LISTS else self._entries(inner[0], value, place)
        return self._table(inner[1], value, place)

    def _entries(self, kind: Any, values: Any, place: str) -> tuple[Any, ...]:
        """Read a list of tables, such as repeated ``[[rule]]``."""
        if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
            name = place.rpartition(".")[2].rpartition(" ")[2]
            raise InvalidModel(
                "{place}: expected tables that start with [[{name}]], found {what!r}",
                place=place,
                name=name,
                what=values,
            )
        return tuple(self.read(kind, item, f"{place}[{number}]") for number, item in enumerate(values, start=1))

    def _table(self, kind: Any, values: Any, place: str) -> Record:
        """Read entries of one type with arbitrary names, such as ``[parameters.q_a]``, ``[parameters.c0]``."""
        is_section = is_dataclass(kind) and isinstance(kind, type)
        if not isinstance(values, dict):
            name = place.rpartition(" ")[2]
            what = Message("tables such as [{name}.name]", name=name) if is_section else Message("a table")
            raise InvalidModel("{place}: expected {expected}, found {what!r}", place=place, expected=what, what=values)
        if not is_section:
            return {name: self.value(kind, item, inside(place, name)) for name, item in values.items()}
        keyed = any(item.name == "key" for item in fields(kind))
        return {
            name: self.read(kind, item, f'{place}["{name}"]', **({"key": name} if keyed else {}))
            for name, item in values.items()
        }


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


def word(value: Any, place: str, allowed: tuple[str, ...]) -> str:
    """Read a text that must be one of the allowed words."""
    found = _text(value, place)
    if found not in allowed:
        raise InvalidModel(
            "{place}: expected one of {names}, found {value!r}.{suggestion}",
            place=place,
            names=", ".join(allowed),
            value=value,
            suggestion=suggest(found, allowed),
        )
    return found


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidModel("{place}: expected a text in quotes, found {what!r}", place=place, what=value)
    return value.strip()


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidModel("{place}: expected a number without quotes, found {what!r}", place=place, what=value)
    # An integer may be too large for a float.
    if not abs(value) <= sys.float_info.max:
        raise InvalidModel("{place}: expected a finite number, found {what!r}", place=place, what=value)
    return float(value)


def _count(value: Any, place: str) -> int:
    number = _number(value, place)
    if number < 1 or not number.is_integer():
        raise InvalidModel("{place}: expected a whole number from 1, found {what:g}", place=place, what=number)
    return int(number)


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidModel("{place}: expected true or false, found {what!r}", place=place, what=value)
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise InvalidModel("{place}: expected a list of texts, found {what!r}", place=place, what=value)
    if len(set(value)) < len(value):
        raise InvalidModel("{place}: an entry is repeated: {value!r}", place=place, value=value)
    return tuple(value)


def _numbers(value: Any, place: str) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise InvalidModel("{place}: expected a list of numbers, found {what!r}", place=place, what=value)
    return tuple(_number(item, place) for item in value)


def _untyped(value: Any, place: str) -> Record:
    if not isinstance(value, dict):
        raise InvalidModel("{place}: expected a table, found {what!r}", place=place, what=value)
    return value


_PLAIN: Mapping[Any, Callable[[Any, str], Any]] = {str: _text, float: _number, int: _count, bool: _flag, dict: _untyped}
_LISTS: Mapping[Any, Callable[[Any, str], Any]] = {str: _texts, float: _numbers}


@lru_cache(maxsize=64)
def _hints(kind: type) -> Record:
    return get_type_hints(kind)


def _key(item: "Field[Any]") -> str | None:
    """The key of a field in files; None if it is not read from files."""
    key: str | None = item.metadata.get("key", item.name)
    return key


def _has_default(item: "Field[Any]") -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING
