"""Findings of the data model in words an analyst can act on."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pysd_runner.core.errors import suggest
from pysd_runner.scenarios.document import Document, KeyPath
from pysd_runner.scenarios.problems import Problem, join_path, quoted
from pysd_runner.scenarios.schema import SCHEMA_VERSION, TAGS, Languages, PolicyPart, ScenarioFile, Targets

Details = dict[str, str]
ErrorDetails = Mapping[str, Any]

_PARTS: dict[KeyPath, type[BaseModel]] = {
    (): ScenarioFile,
    ("policy",): PolicyPart,
    ("policy", "targets"): Targets,
    ("label",): Languages,
    ("note",): Languages,
}


def validation_problems(document: Document) -> tuple[ScenarioFile | None, list[Problem]]:
    """Read a document into the data model."""
    try:
        return ScenarioFile.model_validate(document.data), []
    except ValidationError as error:
        return None, [_problem(document, details) for details in error.errors(include_url=False)]


def _problem(document: Document, error: ErrorDetails) -> Problem:
    path = tuple(key for key in error["loc"] if key not in TAGS)
    if error["type"] == "extra_forbidden" and error["loc"][-1] in TAGS:
        path = (*path, error["loc"][-1])  # a key that happens to look like a tag of ours
    describe = _DESCRIPTIONS.get(error["type"], _other)
    details = describe(path, error)
    return document.report(path, details.pop("message"), **details)


def part_keys(part: type[BaseModel]) -> tuple[str, ...]:
    """Keys a part of the file may have."""
    return tuple(field.alias or name for name, field in part.model_fields.items())


def _unknown_key(path: KeyPath, _: ErrorDetails) -> Details:
    key = str(path[-1])
    known = part_keys(_PARTS.get(path[:-1], ScenarioFile))
    home = next((parent for parent, part in _PARTS.items() if key in part_keys(part)), None)
    remedy = suggest(key, known)
    if not remedy and home is not None:
        remedy = f"Move it under `{join_path(home)}`." if home else "Move it to the top level."
    return {"message": f"unknown key {key!r}", "expected": f"one of {', '.join(known)}", "remedy": remedy}


def _missing(path: KeyPath, _: ErrorDetails) -> Details:
    remedy = f"Write `schema: {SCHEMA_VERSION}`." if path == ("schema",) else ""
    return {"message": "the key is missing", "remedy": remedy}


def _literal(path: KeyPath, error: ErrorDetails) -> Details:
    found = error["input"]
    if path[1:2] == ("targets",):
        return {"message": "not a list", "found": quoted(found), "expected": f"[{found}] or `all`"}
    message = "unknown version of the file format" if path == ("schema",) else "unknown word"
    return {"message": message, "found": quoted(found), "expected": str(error["ctx"]["expected"])}


def _not_a_number(_: KeyPath, error: ErrorDetails) -> Details:
    found, remedy = quoted(error["input"]), _number_remedy(error["input"])
    return {"message": "not a number", "found": found, "expected": "a number", "remedy": remedy}


def _number_remedy(found: object) -> str:
    if not isinstance(found, str):
        return ""
    if found.strip().endswith(("%", "％")):
        return "Write a fraction: 30% is 0.30."
    if "," in found or "，" in found:
        return "Write a decimal point."
    return ""


def _range(path: KeyPath, error: ErrorDetails) -> Details:
    limits = error["ctx"]
    expected = f"at most {limits['le']:g}" if "le" in limits else f"at least {limits['ge']:g}"
    remedy = ""
    if "le" in limits and path[1:2] == ("budget",):
        remedy = "The budget is a share of national output: 0.3% is 0.003."
    elif limits.get("le") == 1:
        remedy = "Shares are fractions: 30% is 0.30."
    return {"message": "out of range", "found": f"{error['input']:g}", "expected": expected, "remedy": remedy}


def _empty(path: KeyPath, _: ErrorDetails) -> Details:
    if path[1:2] == ("targets",):
        return {"message": "nothing would be left to target", "expected": "at least one name, or `all`"}
    return {"message": "empty", "expected": "at least one entry"}


def _name(_: KeyPath, error: ErrorDetails) -> Details:
    return {
        "message": "not usable as a name",
        "found": quoted(error["input"]),
        "expected": "at most 64 letters, digits, _, . or -, starting with a letter or digit",
    }


def _other(_: KeyPath, error: ErrorDetails) -> Details:
    if error["type"] in _SHAPES:
        message, expected, remedy = _SHAPES[error["type"]]
        return {"message": message, "found": quoted(error["input"]), "expected": expected, "remedy": remedy}
    return {"message": str(error["msg"]), "found": quoted(error["input"])}


_MAPPING = ("not a mapping", "keys with values", "")
_SHAPES = {
    "string_type": ("not a text", "a text", "Put it in quotes."),
    "bool_type": ("not a switch", "true or false", ""),
    "list_type": ("not a list", "a list, as [first, second]", ""),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}
_DESCRIPTIONS: dict[str, Callable[[KeyPath, ErrorDetails], Details]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _literal,
    "float_type": _not_a_number,
    "finite_number": _not_a_number,
    "less_than_equal": _range,
    "greater_than_equal": _range,
    "too_short": _empty,
    "string_pattern_mismatch": _name,
}
