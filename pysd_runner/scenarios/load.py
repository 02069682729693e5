"""Load scenarios: locate files, resolve the scenarios they extend, and report all problems at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.core.errors import InvalidScenario, Message, UnknownName, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.json_schema import KeyPath, quoted
from pysd_runner.core.paths import is_shipped, is_there, model_file
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.engine import SUFFIXES
from pysd_runner.scenarios.changed import change_files, scenario_of_files
from pysd_runner.scenarios.checks import KEYS, is_number, meaning_problems, validation_problems
from pysd_runner.scenarios.document import (
    ENDINGS,
    Delta,
    InvalidScenarioFile,
    ScenarioDocument,
    add_settings,
    as_list,
    read_delta,
    read_document,
    read_yaml,
)
from pysd_runner.scenarios.policy import CHANGES_SCHEMA, FrozenMapping, Policy
from pysd_runner.scenarios.scenario import BASELINE, Scenario, both_languages, notices
from pysd_runner.scenarios.vocabulary import Vocabulary, examine, load_vocabulary, model_name

if TYPE_CHECKING:
    from pysd_runner.data import Entity
    from pysd_runner.model import Model

SHIPPED_MODEL = "regional_digital"
# Keys of a scenario file that changes constants.
_KEYS = ("schema", "name", "label", "note", "model", "changes")


def read_scenario(
    name_or_path: str | Path | Record, *, model: "str | Model", regions: "Sequence[Entity]" = ()
) -> Scenario:
    """Read a scenario from a file or a dictionary, with the scenarios that it extends."""
    if not isinstance(model, str) and not model.design.policy:
        if not isinstance(name_or_path, Mapping) and (files := change_files(name_or_path, model)) is not None:
            return scenario_of_files(Path(name_or_path).name.removesuffix(".cin"), files, model)
        return load_changes(name_or_path)
    shipped = shipped_files(model)
    file = Path("scenario") if isinstance(name_or_path, Mapping) else _locate(name_or_path, shipped)
    document = _of_mapping(name_or_path) if isinstance(name_or_path, Mapping) else read_document(file)
    if isinstance(document.data, Mapping) and "changes" in document.data:
        return _changes(document, file.stem)
    reader = _Reader(model=model, names=load_vocabulary(model, regions), shipped=shipped)
    if isinstance(name_or_path, Mapping):
        file = Path(str(name_or_path.get("name", "scenario")))
    chain = reader.chain(file, (), document)
    errors = [problem for problem in reader.problems if problem.severity == "error"]
    if errors:
        raise InvalidScenarioFile(reader.problems)
    return _scenario(chain, reader)


def _check_no_folder(path: Path) -> None:
    """Raise if a folder is given where a scenario is expected."""
    if path.is_dir():
        raise InvalidScenario(
            "{path!r} is a folder; give a scenario file, or the run.json of earlier results of regions", path=str(path)
        )


def holds_changes(content: Record) -> bool:
    """Whether a mapping holds changes by name of a constant, and not the content of a scenario file."""
    return content.keys().isdisjoint({*_KEYS, *KEYS[()]})


def load_changes(path: str | Path | Record) -> Scenario:
    """Load a scenario of a model without a policy, which changes its constants; ``"baseline"`` changes none."""
    if path == BASELINE:
        return Scenario.of(BASELINE, {}).baseline()
    if isinstance(path, Mapping):
        return _changes(_of_mapping(path, CHANGES_SCHEMA), "scenario")
    path = Path(path)
    _check_no_folder(path)
    if not path.is_file():
        raise InvalidScenario("there is no scenario file {path!r}", path=str(path))
    return _changes(read_document(path), path.stem)


def _changes(document: ScenarioDocument, name: str) -> Scenario:
    content, place = document.data, document.place.replace("\\", "/").rpartition("/")[2]
    if not isinstance(content, Mapping):
        raise InvalidScenario(
            "{place}: expected a mapping with `changes`; found {what}", place=place, what=type(content).__name__
        )
    for key in content:
        if key not in _KEYS:
            raise InvalidScenarioFile(
                [
                    document.report(
                        (key,),
                        Message("unknown key {setting!r}", setting=key),
                        expected=Message("one of {names}", names=", ".join(_KEYS)),
                    )
                ]
            )
    if content.get("schema", CHANGES_SCHEMA) != CHANGES_SCHEMA:
        words = Message(
            "scenarios of a model of your own have schema {schema}; schema {other} is that of the shipped "
            "regional model",
            schema=CHANGES_SCHEMA,
            other=content["schema"],
        )
        raise InvalidScenarioFile([document.report(("schema",), words, expected=str(CHANGES_SCHEMA))])
    texts = {key: _text(content, key, document) for key in ("label", "note")}
    try:
        return Scenario.of(content.get("name", name), content.get("changes", {}), **texts)
    except InvalidScenario as error:
        raise InvalidScenario("{where}: {said}", where=place, said=error) from error


def _text(content: Record, key: str, document: ScenarioDocument) -> str | Texts:
    value = content.get(key, "")
    texts = list(value.values()) if isinstance(value, Mapping) else [value]
    if not all(isinstance(item, str) for item in texts):
        raise InvalidScenarioFile([document.report((key,), Message("expected a text"))])
    return value  # type: ignore[no-any-return]


def _of_mapping(content: Record, schema: int = 1) -> ScenarioDocument:
    """Convert a dictionary with the content of a scenario file to a document."""
    place = (
        Message("scenario {scenario!r}", scenario=content.get("name", ""))
        if content.get("name")
        else Message("scenario")
    )
    try:
        text = json.dumps({"schema": schema, **content}, default=dict, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidScenario(
            "{where}: holds what a scenario file cannot: {error}; use texts, numbers, lists and dictionaries",
            where=place,
            error=error,
        ) from error
    return read_yaml(text, place)


def _locate(name_or_path: str | Path, shipped: Mapping[str, Path]) -> Path:
    name = str(name_or_path)
    if name in shipped and isinstance(name_or_path, str):
        return shipped[name]
    if Path(name).suffix.lower() in SUFFIXES:
        raise InvalidScenario(
            "{name} is a model file, not a scenario: `gapsim doctor {name}` examines it, `gapsim ensemble {name}` "
            "runs it for many draws, and in Python simulate(load_model({path!r})) runs it",
            name=name,
            path=name,
        )
    if Path(name).is_file():
        return Path(name)
    if name:
        _check_no_folder(Path(name))
    if _is_path(name):
        raise UnknownName("there is no scenario file {path!r}", path=name)
    if not shipped:
        raise UnknownName("no scenario is called {name!r}; the model ships none; or give a file.", name=name)
    raise UnknownName(
        "no scenario is called {name!r}; shipped: {known}; or give a file.{suggestion}", name=name, among=shipped
    )


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(ENDINGS)


@frozen
class _Reader:
    """Reader of a scenario and the files it extends, each read once."""

    model: "str | Model"
    names: Vocabulary
    shipped: Mapping[str, Path]
    problems: list[Finding] = field(default_factory=list)
    links: dict[Path, list[Delta]] = field(default_factory=dict)

    def chain(self, file: Path, trail: tuple[Path, ...], document: ScenarioDocument | None = None) -> list[Delta]:
        """Deltas from the baseline to the file, each once, in order; `document` replaces reading the file."""
        key = file.resolve()
        if key in self.links:
            return self.links[key]
        self.links[key] = []
        try:
            document = read_document(file) if document is None else document
        except InvalidScenarioFile as error:
            self.problems.extend(error.problems)
            return []
        _keep_as_written(document)
        problems = [*validation_problems(document), *document.problems, *meaning_problems(document, self.names)]
        problems += self._unknown_companions(document)
        assumptions = self._assumptions(document, problems)
        parents = self._parents(file, document, (*trail, key), problems)
        self.problems.extend(sorted(problems, key=lambda problem: problem.row or 0))
        chain = [link for parent in parents for link in self.chain(parent, (*trail, key))]
        if all(problem.severity == "warning" for problem in problems):
            chain.append(read_delta(key, document.data, assumptions, self.names))
        self.links[key] = list(dict.fromkeys(chain))
        return self.links[key]

    def _unknown_companions(self, document: ScenarioDocument) -> list[Finding]:
        return [
            document.report(
                path,
                Message("no shipped scenario is called {name!r}", name=name),
                expected=Message("one of {names}", names=", ".join(self.shipped)),
                remedy=suggest(name, self.shipped),
            )
            for path, name in _texts(document, "compare_with")
            if name not in self.shipped
        ]

    def _parents(
        self, file: Path, document: ScenarioDocument, trail: tuple[Path, ...], problems: list[Finding]
    ) -> list[Path]:
        root = self.shipped.get(BASELINE)
        if not isinstance(document.data, dict) or "extends" not in document.data:
            return [root] if root is not None and root.resolve() != trail[-1] else []
        parents: list[Path] = []
        for path, name in _texts(document, "extends"):
            parent = self._parent(name, file)
            if parent is not None and not _is_inside(parent, file.parent) and parent not in self.shipped.values():
                message = Message("only files in the folder of this one are read")
                expected = Message("a file beside this one, below it, or a shipped scenario")
                problems.append(document.report(path, message, found=quoted(name), expected=expected))
            elif parent is None:
                expected = Message("a file beside this one, or one of {known}", known=", ".join(self.shipped))
                message, remedy = (
                    Message("no scenario or file is called {name!r}", name=name),
                    suggest(name, self.shipped),
                )
                problems.append(document.report(path, message, expected=expected, remedy=remedy))
            elif parent.resolve() in trail:
                circle = [*trail[trail.index(parent.resolve()) :], parent.resolve()]
                shown = " -> ".join(link.name for link in circle)
                problems.append(
                    document.report(path, Message("scenarios extend one another in a circle: {circle}", circle=shown))
                )
            else:
                parents.append(parent)
        return parents

    def _parent(self, name: str, file: Path) -> Path | None:
        if _is_path(name):
            beside = file.parent / name
            return beside if is_there(beside) else None
        if name in self.shipped:
            return self.shipped[name]
        siblings = (file.parent / f"{name}{ending}" for ending in ENDINGS)
        return next((sibling for sibling in siblings if is_there(sibling)), None)

    def _assumptions(self, document: ScenarioDocument, problems: list[Finding]) -> FrozenMapping[float]:
        """Assumptions of a file, by model variable if the model is loaded, else by key as written."""
        part = document.data.get("assumptions") if isinstance(document.data, dict) else None
        written = (
            {key: float(value) for key, value in part.items() if is_number(value)} if isinstance(part, dict) else {}
        )
        if isinstance(self.model, str):
            return FrozenMapping(written)
        canonical: dict[str, float] = {}
        for finding in examine(written, self.model):
            path = ("assumptions", finding.key)
            if finding.error:
                problems.append(document.report(path, finding.error, remedy=finding.remedy))
                continue
            if finding.warning:
                problems.append(document.report(path, finding.warning, severity="warning"))
            canonical[finding.variable] = written[finding.key]
        return FrozenMapping(canonical)


def _texts(document: ScenarioDocument, key: str) -> list[tuple[KeyPath, str]]:
    """Strings under a top-level key that holds a string or a list, with their paths."""
    value = document.data.get(key) if isinstance(document.data, dict) else None
    if isinstance(value, str):
        return [((key,), value)]
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((key, position), text) for position, text in entries if isinstance(text, str)]


def _keep_as_written(document: ScenarioDocument) -> None:
    """Restore the text of region codes that YAML parsed as other types: 0110 stays 0110, NO stays NO."""
    node: Any = document.data
    for key in ("policy", "targets"):
        node = node.get(key) if isinstance(node, dict) else None
    for key, names in node.items() if isinstance(node, dict) else ():
        if isinstance(names, list):
            for position, name in enumerate(names):
                if not isinstance(name, (dict, list, type(None))):
                    names[position] = document.texts.get(("policy", "targets", key, position), str(name))


def _scenario(chain: Sequence[Delta], reader: _Reader) -> Scenario:
    root = reader.shipped.get(BASELINE)
    base = [delta for delta in chain if root is not None and delta.path == root.resolve()]
    rest = [delta for delta in chain if delta not in base]
    is_delta = bool(base and rest)
    before, after = add_settings(base), add_settings((*base, *rest))
    written = {key for delta in rest for key in delta.settings}
    changed = tuple(key for key, value in after.items() if key in written or before.get(key) != value)
    companions = [delta.file["compare_with"] for delta in chain if "compare_with" in delta.file]
    assumed = [_name(delta) for delta in rest if delta.assumptions]
    last, name = chain[-1].file, _name(chain[-1])
    scenario = Scenario(
        name=name,
        label=both_languages(last.get("label"), name),
        note=both_languages(last.get("note")),
        policy=Policy.from_settings(add_settings(chain)),
        assumptions={key: value for delta in chain for key, value in delta.assumptions.items()},
        assumption_set=assumed[-1] if assumed else "",
        written=changed if is_delta else (),
        reference=replace(_scenario(base, reader), warnings=()) if is_delta else None,
        compare_with=as_list(companions[-1]) if companions else (),
        model=model_name(reader.model),
        warnings=tuple(str(problem) for problem in reader.problems),
    )
    return scenario if base and chain[-1] is base[-1] else notices(scenario)


def _name(delta: Delta) -> str:
    return delta.file.get("name") or delta.path.stem


def shipped_files(model: "str | Model") -> dict[str, Path]:
    """Scenario files that ship with a model."""
    folder = (model_file(model) if isinstance(model, str) else model.path).parent / "scenarios"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def list_scenarios(model: "str | Model" = "regional_digital") -> list[str]:
    """Names of the scenarios that `load_scenario` accepts for a model: those shipped with it; none for a user's model.

    Parameters
    ----------
    model
        Name of a shipped model, or a loaded model.

    Raises
    ------
    UnknownName
        If no shipped model has that name.
    """
    return list(shipped_scenarios(model)) if isinstance(model, str) or is_shipped(model.source) else []


def shipped_scenarios(model: "str | Model" = "regional_digital") -> tuple[str, ...]:
    """Names of the scenarios that ship with a model.

    Parameters
    ----------
    model
        Name of a shipped model, or a loaded model.

    Returns
    -------
    tuple of str
        In alphabetical order, the baseline first.

    Raises
    ------
    UnknownName
        If no shipped model has that name.
    """
    return tuple(sorted(shipped_files(model), key=lambda name: (name != "baseline", name)))


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file is in a folder or below it, after resolving symbolic links."""
    return path.resolve().is_relative_to(folder.resolve())
