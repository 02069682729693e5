"""What YAML 1.1 would have turned into something else, and other ways of writing the same file."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pysd_runner.scenarios import load_scenario
from pysd_runner.scenarios.document import read_yaml
from tests.scenarios.places import REGIONS, SmallModel, loaded, write


def test_region_codes_stay_as_they_are_written(tmp_path: Path) -> None:
    body = "policy:\n  budget: 0.003\n  targets: {regions: [NO, on, 0110, 620000, true, 1e3, 2025-01-01, ~x]}\n"
    scenario = loaded(tmp_path, body)
    assert scenario.policy.regions == ("NO", "on", "0110", "620000", "true", "1e3", "2025-01-01", "~x")


def test_codes_reach_the_right_regions(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "policy: {budget: 0.003, targets: {regions: [NO, on, 0110]}}\n", regions=REGIONS)
    target = scenario.values(SmallModel(), REGIONS, default_start=2025)["Region Target"]
    assert list(target) == [0, 0, 0, 1, 1, 1]  # type: ignore[arg-type]


def test_words_of_yaml_11_are_text_and_keys_are_text() -> None:
    data = read_yaml("NO: no\non: off\n0110: 1_000\n2025: 12:30\n~: 0o17\n", "here").data
    assert data == {"NO": "no", "on": "off", "0110": 1000, "2025": "12:30", "~": 15}


def test_numbers_are_read_as_yaml_12_reads_them() -> None:
    text = "[0110, 0x1F, +5, -3, 1e-3, 1.5e3, .5, true, FALSE, null, '1', 1:20]"
    assert read_yaml(text, "here").data == [110, 31, 5, -3, 0.001, 1500.0, 0.5, True, False, None, "1", "1:20"]


def test_a_huge_number_is_text_rather_than_a_crash() -> None:
    assert isinstance(read_yaml("9" * 10_000, "here").data, str)


def test_lines_are_known_for_every_value() -> None:
    document = read_yaml("a: 1\nb:\n  c: 2\n  d:\n    - 3\n    - 4\n", "here")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "d"): 4,
        ("b", "d", 0): 5,
        ("b", "d", 1): 6,
    }


# YAML reads no key of more than 1,024 characters, escapes counted.
KEYS = st.text(max_size=80)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**9), 10**9)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=12,
    )
)
def test_json_reads_as_json_reads_it(data: object) -> None:
    assert read_yaml(json.dumps(data), "here").data == data


def test_yaml_json_and_toml_give_the_same_scenario(tmp_path: Path) -> None:
    toml = """
schema = 1
name = "three"
label = {en = "Three", zh = "三"}
extends = ["zoned_need"]
[policy]
budget = {"2026" = 0.002, "2030" = 0.004}
interpolate = "linear"
[policy.targets]
regions = [620000, "NO"]
[assumptions]
h_hom = 0
"""
    yaml = """
schema: 1
name: three
label: {en: Three, zh: 三}
extends: zoned_need
policy:
  budget: {2026: 0.002, 2030: 0.004}
  interpolate: linear
  targets: {regions: [620000, NO]}
assumptions: {h_hom: 0}
"""
    files = [
        write(tmp_path, toml, "a.toml"),
        write(tmp_path, yaml, "a.yaml"),
        write(tmp_path, json.dumps(tomllib.loads(toml)), "a.json"),
    ]
    first, *others = [load_scenario(file) for file in files]
    assert others == [first, first]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_bytes("\ufeffschema: 1\r\nlabel: {zh: 标记}\r\n".encode())
    assert load_scenario(file).label == {"en": "标记", "zh": "标记"}


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    body = 'note: "{{ 1 + 1 }} ${HOME} {0.__class__}"\npolicy: {budget: 0.003}\n'
    scenario = loaded(tmp_path, body)
    assert any("{{ 1 + 1 }} ${HOME} {0.__class__}" in line for line in scenario.describe("en"))


@pytest.mark.parametrize("section", ["policy", "assumptions"])
def test_a_section_may_be_left_empty(section: str, tmp_path: Path) -> None:
    scenario = loaded(tmp_path, f"{section}:\n  # budget: 0.003\n")
    assert scenario.policy == load_scenario("baseline").policy


def test_names_in_any_case_and_language_are_the_same(tmp_path: Path) -> None:
    english = loaded(tmp_path, "policy: {mix: {access: 0.4, data: 0.6}, class_mixes: {lagging: {skills: 1}}}\n")
    other = loaded(tmp_path, "policy: {mix: {DATA: 0.6, 接入: 0.4}, class_mixes: {Lagging: {Skills: 1}}}\n")
    assert other.policy == english.policy
    assert list(other.policy.mix) == ["access", "data"]  # type: ignore[arg-type]
