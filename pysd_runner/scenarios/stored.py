"""Scenarios as plain data that a run keeps, so that it replays without the files."""

import io
from collections.abc import Mapping
from typing import Any

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios.checks import Names, meaning_problems
from pysd_runner.scenarios.complaints import validation_problems
from pysd_runner.scenarios.delta import both_languages, policy_settings
from pysd_runner.scenarios.document import Document
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.policy import Policy, Schedule
from pysd_runner.scenarios.problems import InvalidScenarioFile, quoted
from pysd_runner.scenarios.scenario import Scenario
from pysd_runner.scenarios.schema import SCHEMA_VERSION, PolicyPart
from pysd_runner.scenarios.vocabulary import Vocabulary
from pysd_runner.scenarios.years import INTERPOLATE, write_year

# What a stored scenario holds beyond a scenario file.
_EXTRA = ("assumption_set", "changes", "reference", "model")


def to_dict(scenario: Scenario) -> dict[str, Any]:
    """Scenario as plain data; see `Scenario.to_dict`."""
    return {
        "schema": SCHEMA_VERSION,
        "name": scenario.name,
        "label": dict(scenario.label),
        "note": dict(scenario.note),
        "extends": [],
        "compare_with": list(scenario.compare_with),
        "policy": _policy_to_dict(scenario.policy),
        "assumptions": dict(scenario.assumptions),
        "assumption_set": scenario.assumption_set,
        "changes": list(scenario.changes),
        "reference": None if scenario.reference is None else to_dict(scenario.reference),
        "model": scenario.model,
    }


def to_yaml(scenario: Scenario) -> str:
    """YAML that stands by itself; see `Scenario.save`."""
    from ruamel.yaml import YAML

    plain = {key: value for key, value in to_dict(scenario).items() if key not in _EXTRA and value not in ([], {})}
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.width = 120
    writer.dump(plain, stream)
    return stream.getvalue()


def from_dict(stored: Mapping[str, Any]) -> Scenario:
    """Scenario from plain data; see `Scenario.from_dict`."""
    if not isinstance(stored, Mapping):
        raise InvalidScenario(f"a stored scenario is a mapping; found {quoted(stored)}")
    document = Document(
        place=f"stored scenario {stored.get('name', '')}".rstrip(),
        data={key: value for key, value in stored.items() if key not in _EXTRA},
    )
    file, problems = validation_problems(document)
    problems += meaning_problems(document, Names(vocabulary=Vocabulary()))
    errors = [problem for problem in problems if problem.severity == "error"]
    if file is None or file.name is None or errors:
        raise InvalidScenarioFile(errors or [document.report(("name",), "the key is missing")])
    reference = stored.get("reference")
    return Scenario(
        name=file.name,
        label=both_languages(file.label, file.name),
        note=both_languages(file.note),
        policy=Policy.from_settings(policy_settings(file.policy or PolicyPart(), Vocabulary())),
        assumptions=FrozenMapping((key, float(value)) for key, value in (file.assumptions or {}).items()),
        assumption_set=str(stored.get("assumption_set", "")),
        changes=tuple(stored.get("changes", ())),
        reference=None if reference is None else from_dict(reference),
        compare_with=tuple(file.compare_with or ()),
        model=str(stored.get("model", "")),
    )


def _policy_to_dict(policy: Policy) -> dict[str, Any]:
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
