"""What users read: descriptions, the template, the schema, the public names."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.model import load_model
from pysd_runner.scenarios import (
    Policy,
    Scenario,
    Schedule,
    load_scenario,
    scenario_schema,
    scenario_template,
    shipped_scenarios,
)
from pysd_runner.scenarios.schema import YEAR_PATTERN, parse_year
from pysd_runner.spec import DeclaredLever
from pysd_runner.text import translate
from tests.scenarios.places import CLASSES, LEVERS, SPEC, SmallModel, loaded, write

CHINESE_LEVERS = tuple(lever.zh for lever in SPEC.levers.values())


@pytest.mark.parametrize(("language", "levers"), [("en", LEVERS), ("zh", CHINESE_LEVERS)])
@pytest.mark.parametrize("name", shipped_scenarios()[1:])
def test_a_description_names_every_lever_and_every_difference(
    name: str, language: str, levers: tuple[str, ...]
) -> None:
    scenario = load_scenario(name)
    text = "\n".join(scenario.describe(language))
    assert scenario.label[language] in text
    assert scenario.note[language] in text
    assert all(lever in text for lever in levers)
    assert (
        translate("description.key.budget", language)
        in text.splitlines()[-1 - bool(scenario.assumptions) - bool(scenario.compare_with)]
    )
    assert not re.search(r"[{}]|None|FrozenMapping", text)


def test_a_chinese_description_holds_no_english_words() -> None:
    lines = load_scenario("access_ladder").describe("zh")[2:]
    assert not re.search(r"[A-Za-z]", "".join(lines))


def test_a_path_over_time_is_written_year_by_year(tmp_path: Path) -> None:
    body = "policy:\n  budget: {2026: 0.002, 2030.5: 0.004}\n  mix: {start: {access: 1}, start+5: {skills: 1}}\n"
    lines = loaded(tmp_path, body + "  interpolate: linear\n").describe()
    budget = "Budget: from 2026: 0.2% of national output a year; from 2030.5: 0.4% of national output a year"
    assert any(line.startswith(f"{budget} (in straight lines)") for line in lines)
    assert any(line.startswith("  from 5 years after the start: Access 0%, Skills 100%") for line in lines)


def test_what_differs_is_told_with_old_and_new(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "policy: {budget: 0.003, differentiation: 0.5, rolling_evaluation: true}\n")
    last = scenario.describe()[-1]
    assert "rolling evaluation (off → on)" in last
    assert "differentiation (0, one mix for all → 0.5, between" in last
    assert "mix;" not in last


def test_targets_and_assumptions_are_told(tmp_path: Path) -> None:
    targets = "{regions: [甘肃], groups: [East], classes: [lagging]}"
    body = f"policy: {{budget: 0.003, targets: {targets}}}\nassumptions: {{h_hom: 0}}\n"
    scenario = loaded(tmp_path, body)
    assert "Targets: 甘肃, East; Lagging" in scenario.describe()
    assert "Assumptions, under which the baseline runs too: h_hom = 0" in scenario.describe()


def test_a_scenario_of_an_unknown_model_can_still_be_described() -> None:
    mix = Schedule(times=(0.0,), values=({"roads": 1.0},), since_start=True)
    scenario = Scenario(
        name="own", label={"en": "Own", "zh": "自"}, policy=Policy(budget=0.01, mix=mix), model="elsewhere"
    )  # type: ignore[arg-type]
    assert any("roads 100%" in line for line in scenario.describe())


def test_other_languages_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'fr'; expected one of en, zh"):
        load_scenario("zoned").describe("fr")


def test_the_template_loads_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path, scenario_template(), "my_scenario.yaml")
    scenario = load_scenario(file, model=SmallModel())
    assert scenario.name == file.stem
    assert scenario.warnings == ()
    assert scenario.policy.spends


COMMENTED = {
    "start: 2026": "policy:\n  {}\n",
    "budget: {2026: 0.002, 2030: 0.004}": "policy:\n  {}\n",
    "budget: {start: 0.001, start+5: 0.003, interpolate: linear}": "policy:\n  {}\n",
    "mix: {start: {access: 1}, start+5: {skills: 1}}": "policy:\n  {}\n",
    "interpolate: step": "policy:\n  {}\n",
    "lagging: {access: 0.4, skills: 0.4, compensation: 0.2}": "policy:\n  class_mixes:\n    {}\n",
    "levers: {data: off, skills: {start+2: on, start+10: off}}": "policy:\n  {}\n",
    "regions: [Gansu, 贵州, 530000]": "policy:\n  targets:\n    {}\n",
    "groups: [West]": "policy:\n  targets:\n    {}\n",
    "classes: [lagging, transition]": "policy:\n  targets:\n    {}\n",
    "rural_broadband: 0.5": "policy:\n  {}\n",
    "basic_training: 0.3": "policy:\n  {}\n",
    "pilots: [Guizhou, Zhejiang]": "policy:\n  targets:\n    {}\n",
    "Homogenisation Sensitivity: 0": "assumptions:\n  {}\n",
}


@pytest.mark.parametrize("line", COMMENTED)
def test_what_the_template_comments_out_loads_too(line: str, tmp_path: Path) -> None:
    assert re.search(rf"^ *# +{re.escape(line)}$", scenario_template(), re.MULTILINE)
    assert loaded(tmp_path, COMMENTED[line].replace("{}", line), model=SmallModel())


def test_every_commented_setting_of_the_template_is_tried() -> None:
    settings = re.findall(
        r"^ *# +([A-Za-z_ ]+: [\[{\d].*|[a-z_]+: (?:step|linear))$", scenario_template(), re.MULTILINE
    )
    assert set(settings) == set(COMMENTED)


def test_the_schema_completes_levers_and_classes() -> None:
    schema = scenario_schema()
    assert schema["properties"]["schema"] == {**schema["properties"]["schema"], "enum": [1]}
    assert schema["required"] == ["schema"]
    assert schema["additionalProperties"] is False
    policy = schema["properties"]["policy"]["properties"]
    constant, path = policy["mix"]["oneOf"]
    assert set(constant["properties"]) == {lever.lower() for lever in LEVERS}
    assert constant["additionalProperties"] is False
    assert path["patternProperties"] == {YEAR_PATTERN: constant}
    classes = policy["class_mixes"]
    assert set(classes["properties"]) == {name.lower() for name in CLASSES}
    assert set(classes["properties"]["lagging"]["properties"]) == {lever.lower() for lever in LEVERS}
    assert policy["budget"]["oneOf"][0]["maximum"] == 0.1
    assert "null" not in json.dumps(schema)


def test_the_schema_accepts_the_keys_that_the_reader_accepts() -> None:
    (pattern,) = scenario_schema()["properties"]["policy"]["properties"]["budget"]["oneOf"][1]["patternProperties"]
    assert pattern == YEAR_PATTERN
    for key in ("2025", "2025.5", "start", "start+5", "start + 5", "20x5", "start-5", "interpolate"):
        assert (re.search(pattern, key) is not None) == (parse_year(key) is not None)


def test_the_schema_of_another_model_has_its_levers(tmp_path: Path) -> None:
    levers = {"roads": DeclaredLever(key="roads", element="Roads", en="roads", zh="roads")}
    own = SmallModel(name="own", path=tmp_path / "own.mdl", spec=replace(SPEC, levers=levers, classes={}))
    constant = scenario_schema(own)["properties"]["policy"]["properties"]["mix"]["oneOf"][0]
    assert set(constant["properties"]) == {"roads"}


def test_levers_and_classes_are_those_of_the_model() -> None:
    model = load_model("regional_digital")
    assert model.ranges["Lever"] == LEVERS
    assert CLASSES == model.ranges["Class"] == tuple(item.element for item in SPEC.classes.values())
