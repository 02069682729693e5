"""JSON Schema of the types that are stored in files, and validation of plain data against a schema."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from operator import ge, le
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pysd_runner.core.errors import Message
from pysd_runner.core.types import Record, frozen

KeyPath = tuple[str | int, ...]
LONGEST_QUOTE = 60
# Types of JSON, with the description of an expected value.
_TYPES: Mapping[str, tuple[Any, str]] = {
    "null": (NoneType, Message("nothing")),
    "string": (str, Message("a text in quotes")),
    "number": (int | float, Message("a number without quotes")),
    "integer": (int, Message("a whole number")),
    "boolean": (bool, Message("true or false")),
    "object": (dict, Message("keys with values")),
    "array": (list, Message("a list, as [first, second]")),
}
# Schemas of elementary types.
LEAVES: Mapping[Any, Record] = {kind: {"type": name} for name, (kind, _) in _TYPES.items()} | {
    float: {"type": "number"},
    Any: {},
}


def _is_long(value: Any, least: float) -> bool:
    return len(value) >= least


# Other rules of a schema, with what they expect.
_RULES: Mapping[str, tuple[Callable[[Any, Any], object], str]] = {
    "minimum": (ge, Message("at least {low:g}")),
    "maximum": (le, Message("at most {high:g}")),
    "minItems": (_is_long, Message("at least one entry")),
    "minProperties": (_is_long, Message("at least one entry")),
    "pattern": (lambda value, pattern: re.search(pattern, value), Message("a text that is not empty")),
    "uniqueItems": (lambda value, _: len(set(map(str, value))) == len(value), Message("entries that differ")),
    "enum": (lambda value, words: (value, type(value)) in [(word, type(word)) for word in words], ""),
}


def quoted(value: object) -> str:
    """Representation of a value found in a file, truncated for messages."""
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


@frozen
class Fault:
    """A value that breaks a rule of a schema."""

    path: KeyPath
    rule: str  # keyword of the schema
    wanted: Any  # its value
    found: Any

    @property
    def expected(self) -> str:
        """Description of a valid value."""
        if self.rule == "type":
            is_number = isinstance(self.found, int | float) and not isinstance(self.found, bool)
            return Message("a finite number") if is_number and self.wanted == "number" else _TYPES[self.wanted][1]
        if self.rule in ("minimum", "maximum"):
            return Message(_RULES[self.rule][1], low=self.wanted, high=self.wanted)
        if self.rule in _RULES and self.rule != "enum":
            return _RULES[self.rule][1]
        words = [word if isinstance(word, str) else json.dumps(word) for word in self.wanted]
        return words[0] if len(words) == 1 else Message("one of {names}", names=", ".join(words))


def schema_of(hint: Any, leaves: Mapping[Any, Record] = LEAVES, without: tuple[str, ...] = ()) -> Record:
    """JSON Schema of the values of a type; `leaves` are schemas of types and of fields by name."""
    if hint in leaves:
        return leaves[hint]
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        own = [item for item in fields(hint) if item.name not in without]
        return {
            "type": "object",
            "properties": {item.name: leaves.get(item.name) or schema_of(hints[item.name], leaves) for item in own},
            "required": [item.name for item in own if item.default is item.default_factory is MISSING],
            "additionalProperties": False,
        }
    outer, inner = get_origin(hint), get_args(hint)
    if outer is Literal:
        return {"enum": inner}
    parts = [{} if part is Ellipsis else schema_of(part, leaves) for part in inner]
    if outer is tuple:
        return {"type": "array", "items": parts[0]}
    return {"type": "object", "additionalProperties": parts[1]} if issubclass(outer, Mapping) else {"anyOf": parts}


def faults(value: Any, schema: Record, path: KeyPath = ()) -> Iterator[Fault]:
    """Validate plain data against a schema, and list the violations.

    Of several schemas that one counts whose number `choose` tells, else the first of the type of the value.
    """
    if options := schema.get("anyOf") or schema.get("oneOf"):
        fitting = [option for option in options if _has_type(value, option)] or options
        yield from faults(value, options[schema["choose"](value)] if "choose" in schema else fitting[0], path)
        return
    if not _has_type(value, schema):
        yield Fault(path=path, rule="type", wanted=schema["type"], found=value)
        return
    for rule, (holds, _) in _RULES.items():
        if rule in schema and not holds(value, schema[rule]):
            yield Fault(path=path, rule=rule, wanted=schema[rule], found=value)
    known, others = schema.get("properties", {}), schema.get("items", schema.get("additionalProperties", {}))
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner = known.get(key, others)
        if inner is False:
            yield Fault(path=(*path, key), rule="additionalProperties", wanted=tuple(known), found=key)
        else:
            yield from faults(entry, inner, (*path, key))
    for key in schema.get("required", ()):
        if key not in value:
            yield Fault(path=(*path, key), rule="required", wanted=key, found=None)


def _has_type(value: object, schema: Record) -> bool:
    name = schema.get("type")
    if name is None:
        return True
    if name == "number" and not (isinstance(value, int | float) and abs(value) <= sys.float_info.max):
        return False
    return isinstance(value, _TYPES[name][0]) and isinstance(value, bool) == (name == "boolean")
