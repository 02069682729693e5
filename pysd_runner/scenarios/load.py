"""From scenario files to scenarios: find them, follow what they extend, report all that is wrong at once."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import InvalidScenario, UnknownName, suggest
from pysd_runner.engine import SUFFIXES
from pysd_runner.scenarios.assumptions import examine
from pysd_runner.scenarios.checks import Names, is_number, meaning_problems
from pysd_runner.scenarios.complaints import validation_problems
from pysd_runner.scenarios.delta import Delta, add_settings, both_languages, read_delta
from pysd_runner.scenarios.document import ENDINGS, Document, KeyPath, read_document, read_yaml
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.policy import Policy, Schedule
from pysd_runner.scenarios.problems import InvalidScenarioFile, Problem, quoted
from pysd_runner.scenarios.regions import ScenarioRegion
from pysd_runner.scenarios.scenario import BASELINE, Scenario
from pysd_runner.scenarios.vocabulary import ScenarioModel, load_vocabulary, model_name, scenario_folder

SHIPPED_MODEL = "regional_digital"


def load_scenario(
    name_or_path: str | Path | Mapping[str, Any],
    *,
    model: str | ScenarioModel = SHIPPED_MODEL,
    regions: Sequence[ScenarioRegion] = (),
) -> Scenario:
    """Read a scenario with everything it extends.

    Parameters
    ----------
    name_or_path
        Name of a scenario shipped with the model, a YAML, JSON or TOML file, or what such a file says as a dictionary:
        ``{"name": "double", "extends": "zoned_need", "policy": {"budget": 0.006}}``.
    model
        Name of a shipped model, or a loaded model; only a loaded one lets assumptions be checked here.
    regions
        Regions of the panel, so that targets can be checked here too.

    Returns
    -------
    Scenario
        Policy and assumptions, and the baseline they are a delta on.

    Raises
    ------
    UnknownName
        If there is no such scenario or model.
    InvalidScenario
        Everything that is wrong with the file and with what it extends.
    """
    shipped = shipped_files(model)
    names = Names(vocabulary=load_vocabulary(model), regions=regions)
    reader = _Reader(model=model, names=names, shipped=shipped)
    if isinstance(name_or_path, Mapping):
        document = _of_mapping(name_or_path)
        chain = reader.chain(Path(str(name_or_path.get("name", "scenario"))), (), document)
    else:
        chain = reader.chain(_locate(name_or_path, shipped), ())
    errors = [problem for problem in reader.problems if problem.severity == "error"]
    if errors:
        raise InvalidScenarioFile(reader.problems)
    return _scenario(chain, reader)


def _of_mapping(content: Mapping[str, Any]) -> Document:
    """What a file would say, as a document."""
    place = f"scenario {content.get('name', '')!r}" if content.get("name") else "scenario"
    try:
        text = json.dumps({"schema": 1, **content}, default=dict, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidScenario(
            f"{place}: holds what a scenario file cannot: {error}; use texts, numbers, lists and dictionaries"
        ) from error
    return read_yaml(text, place)


def _locate(name_or_path: str | Path, shipped: Mapping[str, Path]) -> Path:
    name = str(name_or_path)
    if name in shipped and isinstance(name_or_path, str):
        return shipped[name]
    if Path(name).suffix.lower() in SUFFIXES:
        raise InvalidScenario(
            f"{name} is a model file, not a scenario: `gapsim doctor {name}` examines it, `gapsim ensemble {name}` "
            f"runs it for many draws, and in Python simulate(load_model({name!r})) runs it"
        )
    if Path(name).is_file():
        return Path(name)
    if _is_path(name):
        raise UnknownName(f"there is no scenario file {name!r}")
    known = f"shipped: {', '.join(shipped)}" if shipped else "the model ships none"
    raise UnknownName(f"no scenario is called {name!r}; {known}; or give a file.{suggest(name, shipped)}")


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(ENDINGS)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Link:
    """One file of a chain; each is read once, so identity is equality."""

    file: Path
    delta: Delta
    assumptions: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """Reads files once each, in the order in which they apply."""

    model: str | ScenarioModel
    names: Names
    shipped: Mapping[str, Path]
    problems: list[Problem] = field(default_factory=list)
    links: dict[Path, list[_Link]] = field(default_factory=dict)

    def chain(self, file: Path, trail: tuple[Path, ...], document: Document | None = None) -> list[_Link]:
        """Links from the baseline to the file, each file once, where it is first needed; a document stands for one."""
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
        content, problems = validation_problems(document)
        problems += [*document.problems, *meaning_problems(document, self.names)]
        problems += self._unknown_companions(document)
        assumptions = self._assumptions(document, problems)
        parents = self._parents(file, document, (*trail, key), problems)
        self.problems.extend(sorted(problems, key=lambda problem: problem.line or 0))
        chain = [link for parent in parents for link in self.chain(parent, (*trail, key))]
        if content is not None and all(problem.severity == "warning" for problem in problems):
            delta = read_delta(content, self.names.vocabulary)
            chain.append(_Link(file=key, delta=delta, assumptions=assumptions))
        self.links[key] = list(dict.fromkeys(chain))
        return self.links[key]

    def _unknown_companions(self, document: Document) -> list[Problem]:
        return [
            document.report(
                path,
                f"no shipped scenario is called {name!r}",
                expected=f"one of {', '.join(self.shipped)}",
                remedy=suggest(name, self.shipped),
            )
            for path, name in _texts(document, "compare_with")
            if name not in self.shipped
        ]

    def _parents(self, file: Path, document: Document, trail: tuple[Path, ...], problems: list[Problem]) -> list[Path]:
        root = self.shipped.get(BASELINE)
        if not isinstance(document.data, dict) or "extends" not in document.data:
            return [root] if root is not None and root.resolve() != trail[-1] else []
        parents: list[Path] = []
        for path, name in _texts(document, "extends"):
            parent = self._parent(name, file)
            if parent is not None and not _is_inside(parent, file.parent) and parent not in self.shipped.values():
                message = "only files in the folder of this one are read"
                expected = "a file beside this one, below it, or a shipped scenario"
                problems.append(document.report(path, message, found=quoted(name), expected=expected))
            elif parent is None:
                expected = f"a file beside this one, or one of {', '.join(self.shipped)}"
                message, remedy = f"no scenario or file is called {name!r}", suggest(name, self.shipped)
                problems.append(document.report(path, message, expected=expected, remedy=remedy))
            elif parent.resolve() in trail:
                circle = [*trail[trail.index(parent.resolve()) :], parent.resolve()]
                shown = " -> ".join(link.name for link in circle)
                problems.append(document.report(path, f"scenarios extend one another in a circle: {shown}"))
            else:
                parents.append(parent)
        return parents

    def _parent(self, name: str, file: Path) -> Path | None:
        if _is_path(name):
            beside = file.parent / name
            return beside if _is_file(beside) else None
        if name in self.shipped:
            return self.shipped[name]
        siblings = (file.parent / f"{name}{ending}" for ending in ENDINGS)
        return next((sibling for sibling in siblings if _is_file(sibling)), None)

    def _assumptions(self, document: Document, problems: list[Problem]) -> FrozenMapping[float]:
        """Assumptions of a file, under the names of the model where it is at hand."""
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


def _texts(document: Document, key: str) -> list[tuple[KeyPath, str]]:
    """Texts under a top-level key that holds one or a list of them."""
    value = document.data.get(key) if isinstance(document.data, dict) else None
    if isinstance(value, str):
        return [((key,), value)]
    entries = enumerate(value) if isinstance(value, list) else ()
    return [((key, position), text) for position, text in entries if isinstance(text, str)]


def _keep_as_written(document: Document) -> None:
    """Codes of regions are text: 0110 stays 0110, NO stays NO."""
    node: Any = document.data
    for key in ("policy", "targets"):
        node = node.get(key) if isinstance(node, dict) else None
    for key, names in node.items() if isinstance(node, dict) else ():
        if isinstance(names, list):
            for position, name in enumerate(names):
                if not isinstance(name, (dict, list, type(None))):
                    names[position] = document.texts.get(("policy", "targets", key, position), str(name))


def _scenario(chain: Sequence[_Link], reader: _Reader) -> Scenario:
    last = chain[-1]
    root = reader.shipped.get(BASELINE)
    base = [link for link in chain if root is not None and link.file == root.resolve()]
    rest = [link for link in chain if link not in base]
    is_delta = bool(base and rest)
    settings = add_settings(link.delta for link in chain)
    scenario = Scenario(
        **_names(last),
        policy=Policy.from_settings(settings),
        assumptions=_merged(link.assumptions for link in chain),
        assumption_set=_assumption_set(rest),
        changes=tuple(_changes(base, rest)) if is_delta else (),
        reference=replace(_scenario(base, reader), warnings=()) if is_delta else None,
        compare_with=_companions(chain),
        model=model_name(reader.model),
        warnings=tuple(str(problem) for problem in reader.problems),
    )
    return scenario if root is not None and last.file == root.resolve() else notices(scenario)


def _names(link: _Link) -> dict[str, Any]:
    content = link.delta.file
    name = content.name or link.file.stem
    return {"name": name, "label": both_languages(content.label, name), "note": both_languages(content.note)}


def _merged(layers: Any) -> FrozenMapping[float]:
    merged: dict[str, float] = {}
    for layer in layers:
        merged |= layer
    return FrozenMapping(merged)


def _assumption_set(links: Sequence[_Link]) -> str:
    writers = [link for link in links if link.assumptions]
    return _names(writers[-1])["name"] if writers else ""


def _changes(base: Sequence[_Link], rest: Sequence[_Link]) -> dict[str, None]:
    before = add_settings(link.delta for link in base)
    after = add_settings(link.delta for link in (*base, *rest))
    written = {key for link in rest for key in link.delta.settings}
    return {key: None for key, value in after.items() if key in written or before.get(key) != value}


def _companions(chain: Sequence[_Link]) -> tuple[str, ...]:
    written = [link.delta.file.compare_with for link in chain if link.delta.file.compare_with is not None]
    return tuple(written[-1]) if written else ()


def compose(name: str, *scenarios: Scenario) -> Scenario:
    """Apply the changes of several scenarios to their common baseline, from left to right.

    Parameters
    ----------
    name
        Name of the result.
    *scenarios
        At least one; what a later one writes wins. Assumptions add up in the same way.

    Returns
    -------
    Scenario
        A scenario of the same baseline.

    Raises
    ------
    InvalidScenario
        If there is none, or they are deltas on different baselines or for different models.
    """
    if not scenarios:
        raise InvalidScenario(f"nothing to compose {name!r} from; give at least one scenario")
    root = scenarios[0].reference or scenarios[0]
    settings: dict[str, Any] = dict(root.policy.settings())
    changes: dict[str, None] = {}
    assumptions: dict[str, float] = {}
    for scenario in scenarios:
        if scenario.model != root.model or (scenario.reference or scenario).policy != root.policy:
            pair = f"{scenario.name!r} and {scenarios[0].name!r}"
            raise InvalidScenario(f"{pair} do not share a model and a baseline")
        written = scenario.policy.settings()
        settings |= {key: written.get(key) for key in scenario.changes}
        changes |= dict.fromkeys(scenario.changes)
        assumptions |= scenario.assumptions
    return notices(
        Scenario(
            name=name,
            label=FrozenMapping((language, _joined(scenarios, language)) for language in ("en", "zh")),
            policy=Policy.from_settings(settings),
            assumptions=FrozenMapping(assumptions),
            assumption_set=_joined_assumption_set(name, scenarios),
            changes=tuple(changes),
            reference=root,
            compare_with=tuple(dict.fromkeys(chain(*(scenario.compare_with for scenario in scenarios)))),
            model=root.model,
        )
    )


def _joined(scenarios: Iterable[Scenario], language: str) -> str:
    return " + ".join(scenario.label.get(language, scenario.name) for scenario in scenarios)


def _joined_assumption_set(name: str, scenarios: Iterable[Scenario]) -> str:
    sets = dict.fromkeys(scenario.assumption_set for scenario in scenarios if scenario.assumption_set)
    return name if len(sets) > 1 else next(iter(sets), "")


def notices(scenario: Scenario) -> Scenario:
    """Scenario with warnings about settings that have no effect."""
    return replace(scenario, warnings=(*scenario.warnings, *_without_effect(scenario)))


def _paid(policy: Policy) -> set[str]:
    """Levers with a share in some mix that is used."""
    used: list[Any] = [] if policy.differentiation == 1 else [policy.mix]
    used += list(policy.class_mixes.values()) if policy.differentiation else []
    mixes: list[Mapping[str, float]] = []
    for item in used:
        mixes += item.values if isinstance(item, Schedule) else [item or {}]
    return {lever for mix in mixes for lever, share in mix.items() if share > 0}


def _without_effect(scenario: Scenario) -> Iterator[str]:
    policy = scenario.policy
    changed = set(scenario.changes)
    if not policy.spends:
        if changed:
            yield "no money is spent, so the policy changes nothing; set `policy.budget`."
        return
    if policy.levers and not any(policy.levers.get(key, True) for key in _paid(policy)):
        yield "every lever with money is off, so nothing is spent; see `policy.levers`."
    if policy.differentiation == 0 and any(key.startswith("class_mixes.") for key in changed):
        yield "the class mixes have no effect at differentiation 0; set `policy.differentiation`."
    if policy.differentiation == 1 and "mix" in changed:
        yield "the mix has no effect at differentiation 1; write `policy.class_mixes`, or lower that."


def shipped_files(model: str | ScenarioModel) -> dict[str, Path]:
    """Scenario files that ship with a model."""
    return {file.stem: file for file in sorted(scenario_folder(model).glob("*.yaml"))}


def shipped_scenarios(model: str | ScenarioModel = "regional_digital") -> tuple[str, ...]:
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
    """Whether a file is in a folder or below it, also when links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def _is_file(path: Path) -> bool:
    """Whether there is such a file; no name that is too long for one is."""
    try:
        return path.is_file()
    except OSError:
        return False
