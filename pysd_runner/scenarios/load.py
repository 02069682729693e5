"""From scenario files to scenarios: find them, follow what they extend, report all that is wrong at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pysd_runner.errors import UnknownName, suggest
from pysd_runner.scenarios.assumptions import examine
from pysd_runner.scenarios.checks import Names, meaning_problems
from pysd_runner.scenarios.complaints import validation_problems
from pysd_runner.scenarios.delta import Delta, add_settings, both_languages, read_delta
from pysd_runner.scenarios.document import ENDINGS, Document, read_document
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.notices import notices
from pysd_runner.scenarios.policy import Policy
from pysd_runner.scenarios.problems import InvalidScenarioFile, Problem
from pysd_runner.scenarios.regions import ScenarioRegion
from pysd_runner.scenarios.scenario import BASELINE, Scenario
from pysd_runner.scenarios.schema import ScenarioFile
from pysd_runner.scenarios.shipped import shipped_files
from pysd_runner.scenarios.vocabulary import ScenarioModel, load_vocabulary, model_name

SHIPPED_MODEL = "regional_digital"


def load_scenario(
    name_or_path: str | Path,
    *,
    model: str | ScenarioModel = SHIPPED_MODEL,
    regions: Sequence[ScenarioRegion] = (),
) -> Scenario:
    """Read a scenario with everything it extends.

    Parameters
    ----------
    name_or_path
        Name of a scenario shipped with the model, or a YAML, JSON or TOML file.
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
    file = _locate(name_or_path, shipped)
    names = Names(vocabulary=load_vocabulary(model), regions=regions)
    reader = _Reader(model=model, names=names, shipped=shipped)
    chain = reader.chain(file, ())
    errors = [problem for problem in reader.problems if problem.severity == "error"]
    if errors:
        raise InvalidScenarioFile(reader.problems)
    return _scenario(chain, reader)


def _locate(name_or_path: str | Path, shipped: Mapping[str, Path]) -> Path:
    name = str(name_or_path)
    if name in shipped and isinstance(name_or_path, str):
        return shipped[name]
    if Path(name).is_file():
        return Path(name)
    if _is_path(name):
        raise UnknownName(f"there is no scenario file {name!r}")
    known = f"shipped: {', '.join(shipped)}" if shipped else "the model ships none"
    raise UnknownName(f"no scenario is called {name!r}; {known}; or give a file.{suggest(name, shipped)}")


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.lower().endswith(ENDINGS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Link:
    """One file of a chain."""

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

    def chain(self, file: Path, trail: tuple[Path, ...]) -> list[_Link]:
        """Links from the baseline to the file, each file once, where it is first needed."""
        key = file.resolve()
        if key in self.links:
            return self.links[key]
        self.links[key] = []
        read = self._read(file)
        if read is None:
            return []
        document, content = read
        chain: dict[Path, _Link] = {}
        for parent in self._parents(file, document, content, (*trail, key)):
            chain |= {link.file: link for link in self.chain(parent, (*trail, key)) if link.file not in chain}
        chain[key] = _Link(
            file=key,
            delta=read_delta(content, self.names.vocabulary),
            assumptions=self._assumptions(document, content),
        )
        self.links[key] = list(chain.values())
        return self.links[key]

    def _read(self, file: Path) -> tuple[Document, ScenarioFile] | None:
        try:
            document = read_document(file)
        except InvalidScenarioFile as error:
            self.problems.extend(error.problems)
            return None
        _keep_as_written(document)
        content, problems = validation_problems(document)
        problems += [
            *document.problems,
            *meaning_problems(document, self.names),
            *self._unknown_companions(document, content),
        ]
        self.problems.extend(sorted(problems, key=lambda problem: problem.line or 0))
        usable = content is not None and not any(problem.severity == "error" for problem in problems)
        return (document, content) if usable and content is not None else None

    def _unknown_companions(self, document: Document, content: ScenarioFile | None) -> list[Problem]:
        names = [] if content is None else content.compare_with or []
        return [
            document.report(
                ("compare_with", position),
                f"no shipped scenario is called {name!r}",
                expected=f"one of {', '.join(self.shipped)}",
                remedy=suggest(name, self.shipped),
            )
            for position, name in enumerate(names)
            if name not in self.shipped
        ]

    def _parents(
        self, file: Path, document: Document, content: ScenarioFile, trail: tuple[Path, ...]
    ) -> list[Path]:
        root = self.shipped.get(BASELINE)
        if content.extends is None:
            return [root] if root is not None and root.resolve() != trail[-1] else []
        parents: list[Path] = []
        for position, name in enumerate(content.extends):
            place = ("extends", position) if ("extends", position) in document.lines else ("extends",)
            parent = self._parent(name, file)
            if parent is None:
                message = f"no scenario or file is called {name!r}"
                document_problem = document.report(
                    place,
                    message,
                    expected=f"a file beside this one, or one of {', '.join(self.shipped)}",
                    remedy=suggest(name, self.shipped),
                )
                self.problems.append(document_problem)
            elif parent.resolve() in trail:
                circle = [*trail[trail.index(parent.resolve()) :], parent.resolve()]
                shown = " -> ".join(link.name for link in circle)
                self.problems.append(
                    document.report(place, f"scenarios extend one another in a circle: {shown}")
                )
            else:
                parents.append(parent)
        return parents

    def _parent(self, name: str, file: Path) -> Path | None:
        if _is_path(name):
            beside = file.parent / name
            return beside if beside.is_file() else None
        if name in self.shipped:
            return self.shipped[name]
        siblings = (file.parent / f"{name}{ending}" for ending in ENDINGS)
        return next((sibling for sibling in siblings if sibling.is_file()), None)

    def _assumptions(self, document: Document, content: ScenarioFile) -> dict[str, float]:
        written = {key: float(value) for key, value in (content.assumptions or {}).items()}
        if isinstance(self.model, str):
            return written
        canonical: dict[str, float] = {}
        for finding in examine(written, self.model):
            place = ("assumptions", finding.key)
            if finding.error:
                self.problems.append(document.report(place, finding.error, remedy=finding.remedy))
                continue
            if finding.warning:
                self.problems.append(document.report(place, finding.warning, severity="warning"))
            canonical[finding.variable] = written[finding.key]
        return canonical


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
        reference=_scenario(base, reader) if is_delta else None,
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
