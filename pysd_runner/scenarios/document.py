"""Parse scenario files to plain data with line numbers and problems, and convert settings from and to the file format.

Nothing in the text is evaluated.
"""

import io
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pysd_runner.core.errors import InvalidScenario, Message, joined, of_parser
from pysd_runner.core.findings import Finding
from pysd_runner.core.json_schema import KeyPath, quoted
from pysd_runner.core.types import Numbers, Record, frozen
from pysd_runner.core.yaml_text import guard, read_text, reader
from pysd_runner.scenarios.policy import FrozenMapping, Interpolation, Mix, Policy, Schedule
from pysd_runner.scenarios.schema import ALL, INTERPOLATE, is_schedule, parse_year, write_year
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, find_word

ENDINGS = (".yaml", ".yml", ".json", ".toml")

_TAG = "tag:yaml.org,2002:"


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


def join_path(keys: Iterable[str | int]) -> str:
    """Join the keys of a path in a document into a dotted string, such as ``policy.mix[0]``."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += f".{key}" if path else key
    return path


@dataclass(kw_only=True, slots=True)
class ScenarioDocument:
    """Plain data of one file; mapping keys are always strings."""

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
        raise _stop(place, Message("not well-formed TOML: {reason}", reason=of_parser(error))) from error


def read_yaml(text: str, place: str) -> ScenarioDocument:
    """Read YAML 1.2 text, which includes JSON."""
    try:
        guard(text, partial(_stop, place))
        root = reader().compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise _stop(place, Message("not well-formed YAML: {reason}", reason=of_parser(error)), line=line) from error
    except YAMLError as error:
        raise _stop(place, Message("not well-formed YAML: {reason}", reason=of_parser(error))) from error
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


SCHEDULED = ("budget", "mix")
TARGETED = ("regions", "groups", "classes", "pilots")
_NUMBERS = ("start", "differentiation", "redistribution", "rural_broadband", "basic_training")


@frozen(eq=False)
class Delta:
    """Content of one scenario file; each file is read once, so deltas are compared by identity."""

    path: Path
    file: Record
    assumptions: Numbers  # by model variable if a loaded model was given, else by key as written
    settings: Record  # policy settings in the file, by dotted key; None resets a target
    interpolation: Interpolation | None  # new interpolation of inherited schedules; None keeps it


def read_delta(path: Path, file: Record, assumptions: Numbers, vocabulary: Vocabulary) -> Delta:
    """Build the delta of a validated file."""
    policy = file.get("policy") or {}
    settings = policy_settings(policy, vocabulary)
    writes_schedule = any(isinstance(settings.get(key), Schedule) for key in SCHEDULED)
    interpolation = None if writes_schedule else policy.get(INTERPOLATE)
    return Delta(path=path, file=file, assumptions=assumptions, settings=settings, interpolation=interpolation)


def policy_settings(policy: Record, vocabulary: Vocabulary) -> Record:
    """Policy settings of a file, by dotted key."""
    settings: dict[str, Any] = {key: float(policy[key]) for key in _NUMBERS if key in policy}
    mix = partial(_mix, levers=vocabulary.levers)
    for key, read in (("rolling_evaluation", bool), ("budget", float), ("mix", mix)):
        if key in policy:
            settings[key] = _over_time(policy[key], read, policy.get(INTERPOLATE, "step"))
    for name, entry in (policy.get("class_mixes") or {}).items():
        settings[f"class_mixes.{_canonical(name, vocabulary.classes)}"] = mix(entry)
    for name, switch in (policy.get("levers") or {}).items():
        is_on = _over_time(switch, lambda entry: entry in (True, "on"), "step")
        settings[f"levers.{_canonical(name, vocabulary.levers)}"] = is_on
    targets = policy.get("targets") or {}
    for key in sorted(targets, key=TARGETED.index):
        words = vocabulary.classes if key == "classes" else {}
        chosen = None if targets[key] == ALL else tuple(_canonical(name, words) for name in targets[key])
        settings[f"targets.{key}"] = chosen
    return settings


def add_settings(deltas: Iterable[Delta]) -> Record:
    """Merge the settings of several deltas; later ones override earlier ones."""
    settings: dict[str, Any] = {}
    for delta in deltas:
        if delta.interpolation is not None:
            inherited = {key: settings[key] for key in SCHEDULED if isinstance(settings.get(key), Schedule)}
            settings |= {key: replace(value, interpolate=delta.interpolation) for key, value in inherited.items()}
        settings |= delta.settings
    return settings


def _over_time(value: Any, read: Callable[[Any], Any], interpolation: Interpolation) -> Any:
    """A setting, or its schedule."""
    if not is_schedule(value):
        return read(value)
    entries = [(parse_year(key), read(entry)) for key, entry in value.items() if key != INTERPOLATE]
    years = sorted(((year, entry) for year, entry in entries if year), key=lambda pair: pair[0].time)
    return Schedule(
        times=tuple(year.time for year, _ in years),
        values=tuple(entry for _, entry in years),
        since_start=years[0][0].since_start,
        interpolate=value.get(INTERPOLATE, interpolation),
    )


def as_list(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names as a list; a single name may be given as a string."""
    return (names,) if isinstance(names, str) else tuple(names)


def _mix(mix: Numbers, levers: Words) -> Mix:
    shares = {_canonical(name, levers): float(share) for name, share in mix.items()}
    order = [key for key in levers if key in shares] or list(shares)
    return FrozenMapping((key, shares[key]) for key in order)


def _canonical(name: str, words: Words) -> str:
    word = find_word(name, words)
    return name if word is None else word.key


def plain_policy(policy: Policy) -> Record:
    """Settings of a policy as plain data, in the form of a scenario file."""
    written: dict[str, Any] = {}
    for key, value in policy.settings().items():
        part, _, name = key.partition(".")
        if name:
            written.setdefault(part, {})[name] = _plain(value)
        else:
            written[part] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        years = (write_year(time, value.since_start) for time in value.times)
        return {INTERPOLATE: value.interpolate} | {
            year: _plain(entry) for year, entry in zip(years, value.values, strict=True)
        }
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
