"""Parse scenario files to plain data with line numbers and a list of problems; nothing in the text is evaluated."""

import io
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pysd_runner.core.errors import InvalidScenario, Message, joined
from pysd_runner.core.findings import Finding
from pysd_runner.core.yaml_text import guard, read_text, reader

LONGEST_QUOTE = 60
ENDINGS = (".yaml", ".yml", ".json", ".toml")

_TAG = "tag:yaml.org,2002:"
KeyPath = tuple[str | int, ...]


class InvalidScenarioFile(InvalidScenario):
    """Raised with all problems found in a scenario file.

    Parameters
    ----------
    problems
        The findings; the message lists the errors, `problems` also has the warnings.
    """

    def __init__(self, problems: Iterable[Finding]) -> None:
        self.problems = tuple(problems)
        errors = [str(problem) for problem in self.problems if problem.severity == "error"]
        if len(errors) != 1:
            errors.insert(0, Message("{count} problems:", count=len(errors)))
        super().__init__(joined(errors, "\n  "))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


def quoted(value: object) -> str:
    """Representation of a value found in a file, truncated for messages."""
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def join_path(keys: Iterable[str | int]) -> str:
    """Join the keys of a path in a document to dotted text, such as ``policy.mix[0]``."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += f".{key}" if path else key
    return path


@dataclass(kw_only=True, slots=True)
class ScenarioDocument:
    """Plain data of one file; mapping keys are always text."""

    place: str  # name of the file, for messages
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)  # line number of each value, from 1, by path
    texts: dict[KeyPath, str] = field(default_factory=dict)  # text of each scalar as written, by path
    problems: list[Finding] = field(default_factory=list)  # problems of syntax and duplicate keys

    def report(self, path: KeyPath, message: str, **details: Any) -> Finding:
        """Create a finding at a path of this document."""
        known = next((path[:size] for size in range(len(path), -1, -1) if path[:size] in self.lines), None)
        line = None if known is None else self.lines[known]
        return Finding("", message, where=self.place, row=line, column=join_path(path), **details)


def read_document(file: Path) -> ScenarioDocument:
    """Read a scenario file."""
    place = str(file)
    text = read_text(file, partial(_stop, place))
    return read_toml(text, place) if file.suffix.lower() == ".toml" else read_yaml(text, place)


def read_toml(text: str, place: str) -> ScenarioDocument:
    """Read TOML text, without line numbers."""
    try:
        return ScenarioDocument(place=place, data=tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise _stop(place, Message("not well-formed TOML: {reason}", reason=error)) from error


def read_yaml(text: str, place: str) -> ScenarioDocument:
    """Read YAML 1.2 text, which includes JSON."""
    try:
        guard(text, partial(_stop, place))
        root = reader().compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        detail = " ".join(part for part in (error.context, error.problem) if part)
        raise _stop(place, Message("not well-formed YAML: {reason}", reason=detail), line=line) from error
    except YAMLError as error:
        raise _stop(place, Message("not well-formed YAML: {reason}", reason=str(error).splitlines()[0])) from error
    document = ScenarioDocument(place=place)
    if root is not None:
        document.data = _build(root, (), document)
    return document


def _stop(place: str, message: str, *, line: int | None = None, **details: Any) -> InvalidScenarioFile:
    return InvalidScenarioFile([Finding("", message, where=place, row=line, **details)])


def _build(node: Node, path: KeyPath, document: ScenarioDocument) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if str(node.tag).removeprefix(_TAG) not in _TAGS:
        document.problems.append(document.report(path, Message("YAML tags are not read"), found=quoted(str(node.tag))))
    if isinstance(node, MappingNode):
        return dict(_items(node, path, document))
    if isinstance(node, SequenceNode):
        return [_build(child, (*path, position), document) for position, child in enumerate(node.value)]
    return _scalar(node, path, document)


def _items(node: MappingNode, path: KeyPath, document: ScenarioDocument) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            document.lines[path] = line
            document.problems.append(document.report(path, Message("a key must be a word or a year")))
            continue
        key = _whole(key_node.value)
        place = (*path, key)
        if key in seen:
            twice = document.report(
                place, Message("the key is written twice"), found=Message("it first on line {line}", line=seen[key])
            )
            document.problems.append(replace(twice, row=line))
            continue
        seen[key] = document.lines[place] = line
        yield key, _build(value_node, place, document)


def _scalar(node: Node, path: KeyPath, document: ScenarioDocument) -> Any:
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
    """Join the surrogate pairs of characters that JSON writes as two escapes."""
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
