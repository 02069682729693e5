"""Each thing that can be wrong with a file, and what the message says."""

from pathlib import Path

import pytest

from pysd_runner.core.errors import GapsimError, UnknownName
from pysd_runner.scenarios import InvalidScenarioFile, load_scenario
from tests.scenarios.places import REGIONS, SmallModel, write

MISTAKES = {
    "no schema": ("name: schemaless\n", ["schema: the key is missing", "Write `schema: 1`"]),
    "other schema": ("schema: 2\n", [":1: schema: unknown version", "found 2", "expected 1"]),
    "empty file": ("# schema\n", ["not a mapping"]),
    "a list": ("- schema\n", ["not a mapping", "expected keys with values"]),
    "misspelt key": ("polcy: {}\n", [":2: polcy: unknown key 'polcy'", "Did you mean 'policy'?"]),
    "misspelt setting": ("policy:\n  buget: 0.003\n", [":3: policy.buget", "Did you mean 'budget'?"]),
    "setting at the top": ("budget: 0.003\n", ["unknown key 'budget'", "Move it under `policy`."]),
    "targets too high": ("policy:\n  regions: [Gansu]\n", ["Move it under `policy.targets`."]),
    "top key too deep": ("policy:\n  compare_with: [zoned]\n", ["Move it to the top level."]),
    "merge key": ("<<: {policy: {}}\n", ["unknown key '<<'"]),
    "misspelt lever": (
        "policy:\n  mix:\n    acess: 0.5\n    skills: 0.5\n",
        [":4: policy.mix.acess: unknown lever 'acess'", "Did you mean 'access'?", "one of access, skills"],
    ),
    "lever twice": ("policy:\n  mix: {access: 0.5, Access: 0.5}\n", ["the lever is written twice, also as 'access'"]),
    "misspelt class": ("policy:\n  class_mixes: {laging: {access: 1}}\n", ["unknown class 'laging'", "'lagging'"]),
    "misspelt class target": ("policy:\n  targets: {classes: [fronter]}\n", ["classes[0]", "Did you mean 'frontier'?"]),
    "sum too small": (
        "policy:\n  mix: {access: 0.5, skills: 0.4}\n",
        ["policy.mix: the shares sum to 0.9", "Add 0.1."],
    ),
    "sum too large": (
        "policy:\n  class_mixes: {lagging: {access: 1, data: 0.25}}\n",
        ["sum to 1.25", "Take away 0.25."],
    ),
    "sum in a schedule": ("policy:\n  mix: {2026: {access: 1}, 2030: {skills: 0.8}}\n", ["policy.mix.2030", "0.8"]),
    "sum just outside the tolerance": ("policy:\n  mix: {access: 0.500002, skills: 0.5}\n", ["sum to 1.000002"]),
    "empty mix": ("policy:\n  mix: {}\n", ["policy.mix: empty", "at least one entry"]),
    "share above one": ("policy:\n  mix: {access: 30, skills: 70}\n", ["out of range", "at most 1", "30% is 0.30"]),
    "negative share": ("policy:\n  mix: {access: 1.5, skills: -0.5}\n", ["policy.mix.skills", "at least 0"]),
    "percent sign": ("policy:\n  mix: {access: 100%}\n", ["not a number", "found '100%'", "30% is 0.30"]),
    "decimal comma": ("policy:\n  budget: 0,003\n", ["policy.budget: not a number", "decimal point"]),
    "number in quotes": ('policy:\n  budget: "0.003"\n', ["not a number", "found '0.003'"]),
    "switch as a number": ("policy:\n  differentiation: true\n", ["policy.differentiation: not a number", "True"]),
    "not a number": ("policy:\n  budget: .nan\n", ["policy.budget: not a number", "a finite number"]),
    "infinite": ("policy:\n  start: .inf\n", ["policy.start: not a number"]),
    "beyond floating point": (f"assumptions:\n  Initial Access Share: {'1' * 400}\n", ["assumptions"]),
    "budget in percent": ("policy:\n  budget: 0.3\n", ["found 0.3", "at most 0.1", "0.3% is 0.003"]),
    "budget in a schedule": ("policy:\n  budget: {2026: 0.5}\n", ["policy.budget.2026", "at most 0.1"]),
    "rolling as a word": ("policy:\n  rolling_evaluation: yes\n", ["not a switch", "found 'yes'", "true or false"]),
    "interpolate": ("policy:\n  interpolate: spline\n", ["unknown word", "one of step, linear"]),
    "not a year": ("policy:\n  budget: {20x6: 0.001}\n", ["policy.budget.20x6: not a year", "`start+5`"]),
    "two kinds of years": ("policy:\n  budget: {2026: 0.001, start+5: 0.002}\n", ["calendar years and years since"]),
    "year in two ways": ("policy:\n  budget: {2026: 0.001, 2026.0: 0.002}\n", ["the same year is written in two ways"]),
    "no years": ("policy:\n  budget: {}\n", ["policy.budget: the schedule has no years"]),
    "only interpolate": ("policy:\n  mix: {interpolate: linear}\n", ["policy.mix: the schedule has no years"]),
    "half a lever": (
        "policy:\n  levers: {skills: half}\n",
        ["policy.levers.skills: unknown word", "one of on, off"],
    ),
    "unknown lever off": ("policy:\n  levers: {skils: off}\n", ["unknown lever 'skils'", "skills"]),
    "a lever between on and off": (
        "policy:\n  levers: {skills: {2026: on, interpolate: linear}}\n",
        ["policy.levers.skills.interpolate: a lever is on or off"],
    ),
    "no year for a lever": ("policy:\n  levers: {skills: {soon: on}}\n", ["policy.levers.skills.soon: not a year"]),
    "a list for a mix": ("policy:\n  mix: [access]\n", ["policy.mix: not a mapping"]),
    "no value": ("policy:\n  budget:\n", [":3: policy.budget: the key has no value", "remove the key"]),
    "rural in percent": ("policy:\n  rural_broadband: 50\n", ["policy.rural_broadband: out of range", "at most 1"]),
    "no region left": ("policy:\n  targets: {regions: []}\n", ["nothing would be left to target", "at least one"]),
    "one region as text": ("policy:\n  targets: {regions: Gansu}\n", ["not a list", "expected [Gansu] or `all`"]),
    "misspelt region": ("policy:\n  targets: {regions: [Gansoo]}\n", ["no region is called 'Gansoo'", "'Gansu'"]),
    "misspelt group": ("policy:\n  targets: {groups: [Wst]}\n", ["groups[0]", "Did you mean 'West'?"]),
    "misspelt assumption": (
        "assumptions:\n  Homogenization Sensitivity: 0\n",
        [":3: assumptions.Homogenization Sensitivity", "Did you mean 'Homogenisation Sensitivity'?"],
    ),
    "assumed outcome": ("assumptions: {Output: 1}\n", ["'Output' is not a constant (auxiliary)"]),
    "assumed clock": ("assumptions: {TIME STEP: 1}\n", ["'TIME STEP' is not a constant"]),
    "assumed policy": ("assumptions: {Policy Budget Share: 0.01}\n", ["is policy", "Write `policy.budget`."]),
    "assumption twice": (
        "assumptions: {h_hom: 0, Homogenisation Sensitivity: 0.1}\n",
        ["the same constant as 'h_hom'"],
    ),
    "assumption as text": ("assumptions: {h_hom: low}\n", ["assumptions.h_hom: not a number"]),
    "name with a space": ("name: my scenario\n", ["name: not usable as a name", "letters, digits"]),
    "name as a path": ("name: ../up\n", ["not usable as a name"]),
    "name as a number": ("name: 2024\n", ["name: not a text", "expected a text in quotes"]),
    "label in a third language": ("label: {fr: Bonjour}\n", ["label.fr: unknown key 'fr'", "one of en, zh"]),
    "unknown parent": ("extends: zonned\n", [":2: extends", "'zonned'", "Did you mean 'zoned'?"]),
    "missing parent file": (
        "extends: [zoned, other.yaml]\n",
        ["extends[1]: no scenario or file is called 'other.yaml'"],
    ),
    "unknown companion": ("compare_with: [uniform]\n", ["compare_with[0]: no shipped scenario is called 'uniform'"]),
    "duplicate key": ("policy:\n  budget: 0.001\n  budget: 0.002\n", [":4: policy.budget", "first on line 3"]),
    "tag": ("note: !!python/object/apply:os.system [true]\n", ["note: YAML tags are not read"]),
    "private tag": ("note: !secret x\n", [":2: note: YAML tags are not read", "!secret"]),
    "alias": ("label: &a {en: x}\nnote: *a\n", [":3: YAML aliases are not read", "`extends`"]),
    "several documents": ("name: a\n---\nname: b\n", ["several YAML documents"]),
    "old YAML": ("%YAML 1.1\n---\nschema: 1\n", ["YAML 1.2", "Remove the %YAML line."]),
    "broken": ("policy: {budget: 0.003\n", ["not well-formed YAML"]),
    "tab": ("policy:\n\tbudget: 0.003\n", [":3: not well-formed YAML"]),
    "deep": ("note: " + "[" * 60 + "]" * 60 + "\n", ["nested too deeply"]),
    "deeper than the stack": ("note: " + "[" * 50_000 + "\n", ["nested too deeply"]),
    "many values": ("note: [" + "1," * 30_000 + "]\n", ["too many values"]),
    "large": ("note: " + "x" * 300_000 + "\n", ["the file is too large", "256 kB"]),
    "key that is a list": ("? [a, b]\n: 1\n", ["a key must be a word or a year"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_where_and_what_to_do(mistake: str, tmp_path: Path) -> None:
    body, expected = MISTAKES[mistake]
    file = write(tmp_path, body)
    with pytest.raises(InvalidScenarioFile) as caught:
        load_scenario(file, model=SmallModel(), regions=REGIONS)
    message = str(caught.value)
    assert str(file) in message
    for part in expected:
        assert part in message


def test_everything_is_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    body = """\
schema: 1
nmae: x
extends: zonned
policy:
  budget: 0.3
  mix: {acess: 0.5, skills: 0.2}
  rolling_evaluation: no
  targets:
    regions: [Gansoo, 甘素]
assumptions:
  Output: 1
"""
    with pytest.raises(InvalidScenarioFile) as caught:
        load_scenario(write(tmp_path, body), model=SmallModel(), regions=REGIONS)
    problems = caught.value.problems
    assert [problem.row for problem in problems] == sorted(problem.row or 0 for problem in problems)
    assert {problem.column for problem in problems} >= {
        "nmae",
        "extends",
        "assumptions.Output",
        "policy.budget",
        "policy.mix",
        "policy.mix.acess",
        "policy.rolling_evaluation",
        "policy.targets.regions[0]",
        "policy.targets.regions[1]",
    }
    assert str(caught.value).startswith(f"{len(problems)} problems:")


def test_problems_of_parents_are_reported_with_their_own_file(tmp_path: Path) -> None:
    write(tmp_path, "policy: {budget: 1}\n", "parent.yaml")
    write(tmp_path, "policy: {mix: {acess: 1}}\n", "other.yaml")
    child = write(tmp_path, "extends: [parent, other.yaml, nowhere]\n", "child.yaml")
    with pytest.raises(InvalidScenarioFile) as caught:
        load_scenario(child)
    assert {Path(problem.where).name for problem in caught.value.problems} == {
        "parent.yaml",
        "other.yaml",
        "child.yaml",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zonned", "Did you mean 'zoned'?"),
        ("no/such.yaml", "there is no scenario file"),
        ("such.toml", "there is no scenario file"),
        ("", "no scenario is called ''"),
    ],
)
def test_an_unknown_scenario_is_refused_with_a_suggestion(name: str, expected: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load_scenario(name)
    assert expected in str(caught.value)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownName, match="no shipped model"):
        load_scenario("baseline", model="regional_digitl")


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "gbk.yaml"
    file.write_bytes("schema: 1\nnote: 中文\n".encode("gbk"))
    with pytest.raises(InvalidScenarioFile, match="not UTF-8") as caught:
        load_scenario(file)
    assert caught.value.problems[0].row == 2


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GapsimError):
        load_scenario(tmp_path)


def test_broken_toml_and_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidScenarioFile, match="not well-formed TOML"):
        load_scenario(write(tmp_path, "schema = \n", "bad.toml"))
    with pytest.raises(InvalidScenarioFile, match="not well-formed YAML"):
        load_scenario(write(tmp_path, '{"schema": 1,', "bad.json"))


WARNINGS = {
    "large budget": ("policy: {budget: 0.02}", "policy.budget: more than 1% of national output"),
    "steep redistribution": ("policy: {budget: 0.003, redistribution: 2.5}", "outside the usual -1 to 2"),
    "early year": ("policy: {budget: {5: 0.003}}", "written `start+5`"),
    "out of bounds": ("policy: {budget: 0.003}\nassumptions: {h_hom: 5}", "lies outside the bounds"),
    "no money": ("policy: {redistribution: 1}", "no money is spent"),
    "class mixes unused": (
        "policy: {budget: 0.003, class_mixes: {lagging: {access: 1}}}",
        "no effect at differentiation 0",
    ),
    "mix unused": ("policy: {budget: 0.003, differentiation: 1, mix: {access: 1}}", "no effect at differentiation 1"),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_is_allowed_but_unusual_is_a_warning(case: str, tmp_path: Path) -> None:
    body, expected = WARNINGS[case]
    scenario = load_scenario(write(tmp_path, body), model=SmallModel())
    assert len(scenario.warnings) == 1
    assert expected in scenario.warnings[0]
