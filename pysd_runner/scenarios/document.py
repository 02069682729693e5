"""Scenario text to plain data with line numbers; nothing in the text is ever evaluated."""

import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pysd_runner.scenarios.problems import InvalidScenarioFile, Problem, join_path, quoted

LARGEST_FILE = 256 * 1024
MOST_EVENTS = 20_000
DEEPEST = 16
ENDINGS = (".yaml", ".yml", ".json", ".toml")

_TAG = "tag:yaml.org,2002:"
KeyPath = tuple[str | int, ...]


@dataclass(kw_only=True, slots=True)
class Document:
    """Plain data of one file; mapping keys are always text."""

    place: str  # name of the file for messages
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)  # line of each value, from 1, by path
    texts: dict[KeyPath, str] = field(default_factory=dict)  # each scalar as it was written, by path
    problems: list[Problem] = field(default_factory=list)  # what was wrong with the text itself

    def report(self, path: KeyPath, message: str, **details: Any) -> Problem:
        """Problem at a path of this document."""
        known = next((path[:size] for size in range(len(path), -1, -1) if path[:size] in self.lines), None)
        line = None if known is None else self.lines[known]
        return Problem(place=self.place, line=line, path=join_path(path), message=message, **details)


def read_document(file: Path) -> Document:
    """Read a scenario file."""
    place = str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _stop(place, f"cannot be read ({error.strerror or error})") from error
    if len(content) > LARGEST_FILE:
        raise _stop(place, "the file is too large", expected=f"at most {LARGEST_FILE // 1024} kB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _stop(place, "the file is not UTF-8", line=line, remedy="Save it as UTF-8.") from error
    return read_toml(text, place) if file.suffix.lower() == ".toml" else read_yaml(text, place)


def read_toml(text: str, place: str) -> Document:
    """Read a TOML text; it carries no line numbers."""
    try:
        return Document(place=place, data=tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise _stop(place, f"not well-formed TOML: {error}") from error


def read_yaml(text: str, place: str) -> Document:
    """Read a YAML 1.2 text, of which JSON is a part."""
    try:
        _guard(text, place)
        root = _yaml().compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        detail = " ".join(part for part in (error.context, error.problem) if part)
        raise _stop(place, f"not well-formed YAML: {detail}", line=line) from error
    except YAMLError as error:
        raise _stop(place, f"not well-formed YAML: {str(error).splitlines()[0]}") from error
    document = Document(place=place)
    if root is not None:
        document.data = _build(root, (), document)
    return document


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _guard(text: str, place: str) -> None:
    """Refuse what a scenario never needs, before any of it is built."""
    depth = documents = 0
    for count, event in enumerate(_yaml().parse(io.StringIO(text))):
        line = event.start_mark.line + 1
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST or count > MOST_EVENTS:
            raise _stop(place, "the file is nested too deeply or holds too many values", line=line)
        if isinstance(event, AliasEvent):
            raise _stop(
                place,
                "YAML aliases are not read",
                line=line,
                remedy="Write the values out, or use `extends`.",
            )
        if isinstance(event, DocumentStartEvent):
            documents += 1
            _guard_document(event, documents, place)


def _guard_document(event: DocumentStartEvent, documents: int, place: str) -> None:
    line = event.start_mark.line + 1
    if documents > 1:
        raise _stop(place, "the file holds several YAML documents", line=line, expected="one scenario a file")
    if event.version not in (None, (1, 2)):
        raise _stop(place, "scenario files are YAML 1.2", line=line, remedy="Remove the %YAML line.")


def _stop(place: str, message: str, **details: Any) -> InvalidScenarioFile:
    return InvalidScenarioFile([Problem(place=place, path="", message=message, **details)])


def _build(node: Node, path: KeyPath, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if str(node.tag).removeprefix(_TAG) not in _TAGS:
        document.problems.append(document.report(path, "YAML tags are not read", found=quoted(str(node.tag))))
    if isinstance(node, MappingNode):
        return dict(_items(node, path, document))
    if isinstance(node, SequenceNode):
        return [_build(child, (*path, position), document) for position, child in enumerate(node.value)]
    return _scalar(node, path, document)


def _items(node: MappingNode, path: KeyPath, document: Document) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            document.lines[path] = line
            document.problems.append(document.report(path, "a key must be a word or a year"))
            continue
        key = _whole(key_node.value)
        place = (*path, key)
        if key in seen:
            twice = document.report(place, "the key is written twice", found=f"it first on line {seen[key]}")
            document.problems.append(replace(twice, line=line))
            continue
        seen[key] = document.lines[place] = line
        yield key, _build(value_node, place, document)


def _scalar(node: Node, path: KeyPath, document: Document) -> Any:
    text = _whole(node.value)
    document.texts[path] = text
    kind = str(node.tag).removeprefix(_TAG)
    if kind in _READERS:
        try:
            return _READERS[kind](text)
        except ValueError:
            return text
    return text


def _whole(text: str) -> str:
    """Join the halves of characters that JSON writes as two escapes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-").startswith(("0x", "0o", "0b")) else int(digits)


def _real(text: str) -> float:
    return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))


_READERS: dict[str, Any] = {
    "int": _integer,
    "float": _real,
    "bool": lambda text: text.lower() == "true",
    "null": lambda _: None,
}
_TAGS = frozenset((*_READERS, "str", "map", "seq", "timestamp", "merge", "value"))
