"""What a file inherits: chains, lists, circles, baselines and companions."""

import pickle
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidScenario
from pysd_runner.scenarios import (
    InvalidScenarioFile,
    Policy,
    Scenario,
    Schedule,
    load_scenario,
    shipped_scenarios,
    with_comparisons,
)
from pysd_runner.scenarios.policy import FrozenMapping
from tests.scenarios.places import SmallModel, loaded, write


def test_a_file_is_a_delta_on_the_baseline(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "policy: {budget: 0.002}\n")
    baseline = load_scenario("baseline")
    assert scenario.reference == baseline
    assert scenario.written == ("budget",)
    assert {**scenario.policy.settings(), "budget": 0.0} == baseline.policy.settings()
    assert scenario.name == "mine"


def test_a_file_may_stand_alone(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "extends: []\npolicy: {budget: 0.002}\n")
    assert scenario.reference is None
    assert scenario.policy == Policy(budget=0.002)
    assert scenario.baseline().policy == Policy(budget=0.0)


def test_lists_apply_from_left_to_right_as_deltas(tmp_path: Path) -> None:
    write(tmp_path, "policy: {budget: 0.001, redistribution: 1}\n", "money.yaml")
    write(tmp_path, "policy: {differentiation: 1, redistribution: -1}\n", "zones.yaml")
    scenario = loaded(tmp_path, "extends: [money, zones.yaml]\n")
    reverse = loaded(tmp_path, "extends: [zones.yaml, money]\n")
    assert (scenario.policy.budget, scenario.policy.differentiation, scenario.policy.redistribution) == (0.001, 1, -1)
    assert (reverse.policy.budget, reverse.policy.differentiation, reverse.policy.redistribution) == (0.001, 1, 1)


def test_a_common_ancestor_does_not_undo_what_was_written_after_it(tmp_path: Path) -> None:
    write(tmp_path, "policy: {budget: 0.001}\n", "root.yaml")
    write(tmp_path, "extends: root\npolicy: {budget: 0.002}\n", "left.yaml")
    write(tmp_path, "extends: root\npolicy: {redistribution: 1}\n", "right.yaml")
    scenario = loaded(tmp_path, "extends: [left, right]\n")
    assert (scenario.policy.budget, scenario.policy.redistribution) == (0.002, 1)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", "policy: {budget: 0.004}\n", "parent.yaml")
    write(tmp_path / "inner", "extends: ./parent.yaml\n", "child.yaml")
    monkeypatch.chdir(tmp_path)
    assert load_scenario("inner/child.yaml").policy.budget == 0.004


def test_a_mix_is_replaced_whole_and_a_class_mix_by_class(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "extends: zoned\npolicy: {mix: {data: 1}, class_mixes: {lagging: {skills: 1}}}\n")
    baseline = load_scenario("baseline").policy
    assert scenario.policy.mix == {"data": 1.0}
    assert scenario.policy.class_mixes["lagging"] == {"skills": 1.0}
    assert scenario.policy.class_mixes["frontier"] == baseline.class_mixes["frontier"]


def test_targets_can_be_taken_back(tmp_path: Path) -> None:
    write(tmp_path, "policy: {budget: 0.001, targets: {groups: [West], classes: [lagging]}}\n", "west.yaml")
    scenario = loaded(tmp_path, "extends: west\npolicy: {targets: {groups: all}}\n")
    assert scenario.policy.groups is None
    assert scenario.policy.classes == ("lagging",)


def test_interpolation_alone_bends_the_inherited_schedules(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "extends: access_ladder\npolicy: {interpolate: linear}\n")
    assert isinstance(scenario.policy.mix, Schedule)
    assert scenario.policy.mix.interpolate == "linear"
    assert "mix" in scenario.written


def test_interpolation_beside_a_schedule_leaves_the_inherited_ones(tmp_path: Path) -> None:
    body = "extends: access_ladder\npolicy: {interpolate: linear, budget: {2026: 0.001, 2030: 0.002}}\n"
    policy = loaded(tmp_path, body).policy
    assert isinstance(policy.mix, Schedule)
    assert isinstance(policy.budget, Schedule)
    assert (policy.mix.interpolate, policy.budget.interpolate) == ("step", "linear")


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_circle_is_reported_with_its_chain(names: tuple[str, ...], tmp_path: Path) -> None:
    for name, parent in zip(names, (*names[1:], names[0]), strict=True):
        write(tmp_path, f"extends: {parent}.yaml\n", f"{name}.yaml")
    with pytest.raises(InvalidScenarioFile) as caught:
        load_scenario(tmp_path / "a.yaml")
    assert " -> ".join(f"{name}.yaml" for name in (*names, "a")) in str(caught.value)


def test_the_last_word_on_an_assumption_wins_whatever_it_is_called(tmp_path: Path) -> None:
    write(tmp_path, "assumptions: {h_hom: 0.1, dep_S: 0.05}\n", "low.yaml")
    scenario = loaded(tmp_path, "extends: low\nassumptions: {homogenisation sensitivity: 0}\n", model=SmallModel())
    assert scenario.assumptions == {"Homogenisation Sensitivity": 0.0, "Skill Obsolescence Rate": 0.05}
    assert scenario.assumption_set == "mine"


def test_the_baseline_keeps_the_assumptions(tmp_path: Path) -> None:
    plain = load_scenario("zoned")
    assert plain.baseline() == load_scenario("baseline")
    assert plain.baseline_name == "baseline"
    assumed = loaded(tmp_path, "extends: zoned\nname: bold\nassumptions: {h_hom: 0}\n")
    baseline = assumed.baseline()
    assert assumed.baseline_name == baseline.name == "baseline_bold"
    assert baseline.assumptions == assumed.assumptions
    assert baseline.policy == plain.baseline().policy
    assert not baseline.policy.spends
    assert baseline.baseline() is baseline


def test_scenarios_that_share_assumptions_share_a_baseline(tmp_path: Path) -> None:
    write(tmp_path, "assumptions: {h_hom: 0}\n", "bold.yaml")
    first = loaded(tmp_path, "name: first\nextends: [bold, zoned]\n")
    second = loaded(tmp_path, "name: second\nextends: [bold, zoned_need]\n")
    names = [scenario.name for scenario in with_comparisons([second])]
    assert first.baseline() == second.baseline()
    assert names == ["baseline_bold", "second"]


def test_what_must_be_shown_beside_is_added_at_the_same_cost() -> None:
    zoned = load_scenario("zoned")
    complete = with_comparisons([zoned])
    assert [scenario.name for scenario in complete] == ["baseline", "zoned", *zoned.compare_with]
    assert len(zoned.compare_with) >= 5
    assert {scenario.policy.budget for scenario in complete[1:]} == {0.003}


def test_companions_follow_the_budget_and_assumptions(tmp_path: Path) -> None:
    rich = loaded(
        tmp_path, "extends: zoned\nname: rich\npolicy: {budget: 0.005, start: 2030}\nassumptions: {h_hom: 0}\n"
    )
    baseline, scenario, *companions = with_comparisons([rich])
    assert (baseline.name, scenario.name) == ("baseline_rich", "rich")
    assert {companion.name for companion in companions} == {f"{name}_for_rich" for name in rich.compare_with}
    for companion in companions:
        assert (companion.policy.budget, companion.policy.start) == (0.005, 2030)
        assert companion.baseline() == baseline


def test_everything_is_added_once_and_clashes_are_refused(tmp_path: Path) -> None:
    shipped = [load_scenario(name) for name in shipped_scenarios()]
    complete = with_comparisons([*shipped, *shipped])
    names = [scenario.name for scenario in complete]
    assert len(names) == len(set(names)) == len(shipped) + 1
    stranger = loaded(tmp_path, "name: uniform_sevenths\npolicy: {budget: 0.001}\n")
    with pytest.raises(InvalidScenario, match="two different scenarios are called 'uniform_sevenths'"):
        with_comparisons([load_scenario("zoned"), stranger])


def test_scenarios_can_be_hashed_and_sent_to_another_process() -> None:
    for name in shipped_scenarios():
        scenario = load_scenario(name)
        copy = pickle.loads(pickle.dumps(scenario))  # noqa: S301
        assert copy == scenario
        assert hash(copy) == hash(scenario)


def test_problems_survive_pickling(tmp_path: Path) -> None:
    with pytest.raises(InvalidScenarioFile) as caught:
        loaded(tmp_path, "polcy: 1\n")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems


def test_a_scenario_can_be_written_in_python() -> None:
    mix = FrozenMapping({"access": 0.5, "skills": 0.5})
    scenario = Scenario(name="own", label={"en": "Own", "zh": "自定"}, policy=Policy(budget=0.003, mix=mix))
    values = scenario.values(SmallModel(), (), default_start=2025)
    assert values["Policy Budget Share"] == 0.003
    assert list(values["Uniform Mix"]) == [0.5, 0.5, 0, 0, 0, 0, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["1" * 300, "1" * 300 + ".yaml"])
def test_no_file_has_a_name_that_is_too_long_for_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidScenarioFile, match="no scenario or file is called"):
        loaded(tmp_path, f"extends: '{name}'\n")


@pytest.mark.parametrize(
    "how", ["{secret}", "../secret.txt", "./../secret.txt", "link.yaml", "link", "inner/../../secret.txt"]
)
def test_a_file_outside_the_folder_is_neither_opened_nor_quoted(tmp_path: Path, how: str) -> None:
    secret = write(tmp_path, "the password of somebody\n", "secret.txt")
    mine = tmp_path / "mine"
    (mine / "inner").mkdir(parents=True)
    (mine / "link.yaml").symlink_to(secret)
    with pytest.raises(InvalidScenarioFile) as caught:
        loaded(mine, f"extends: '{how.format(secret=secret)}'\n")
    assert "password" not in str(caught.value)
    assert "only files in the folder of this one are read" in str(caught.value)


def test_a_file_in_a_folder_below_may_be_extended(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    parent = write(tmp_path / "inner", "policy: {budget: 0.004}\n", "parent.yaml")
    for name in ("inner/parent.yaml", "inner/../inner/parent.yaml", str(parent)):
        assert loaded(tmp_path, f"extends: {name}\n").policy.budget == 0.004
