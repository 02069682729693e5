"""Mixes crossed with who gets the money."""

from dataclasses import replace

import pytest

from calibration.commands.calibrate import compared
from pysd_runner import load_model
from pysd_runner.core.errors import UnknownName
from pysd_runner.scenarios import load_scenario, shipped_scenarios, with_comparisons
from pysd_runner.scenarios.crossing import REFERENCE, WHO, crossed, distinct, mix_of, single_levers, two_by_two, who_of


def test_every_policy_is_given_in_both_ways_and_nothing_else_changes():
    mixes = [load_scenario(name) for name in ("zoned", "frontier_for_all")]
    found = crossed(mixes)
    assert [item.name for item in found] == ["zoned", "zoned_by_need", "frontier_for_all", "frontier_for_all_by_need"]
    assert [who_of(item) for item in found] == ["per_head", "by_need"] * 2
    assert [mix_of(item.name) for item in found] == ["zoned"] * 2 + ["frontier_for_all"] * 2
    assert found[1].label == {"en": "Zoned by class, by need", "zh": "分区分类，按需要"}
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert replace(second.policy, redistribution=0.0) == first.policy


@pytest.mark.parametrize("name", ["zoned_need", "skills_programme", "uniform_output", "zoned"])
def test_the_two_by_two_varies_one_thing_at_a_time(name):
    scenario = load_scenario(name)
    reference, who, what, both = (item.policy for item in two_by_two(scenario))
    assert both == scenario.policy
    assert reference.redistribution == what.redistribution == 0.0
    assert who == replace(reference, redistribution=scenario.policy.redistribution)
    assert what == replace(both, redistribution=0.0)


def test_it_costs_what_the_policy_costs():
    dear = load_scenario("zoned_need")
    dear = replace(dear, policy=replace(dear.policy, budget=0.006, start=2030.0))
    found = two_by_two(dear)
    assert {item.policy.budget for item in found} == {0.006}
    assert {item.policy.start for item in found} == {2030.0}
    assert found[0].name == f"{REFERENCE}_for_zoned_need"


def test_single_levers_spend_everything_on_one():
    found = single_levers(0.003)
    assert [item.name for item in found] == [f"only_{key}" for key in load_model("regional_digital").spec.levers]
    assert all(dict(item.policy.mix) == {item.name.removeprefix("only_"): 1.0} for item in found)
    assert found[1].label["zh"] == "仅技能，按人均"
    assert {item.baseline_name for item in found} == {"baseline"}


def test_what_tables_of_results_name_can_be_loaded_and_nothing_else():
    model = load_model("regional_digital")
    named = [*compared(model), *two_by_two(load_scenario("zoned_need"))]
    for item in with_comparisons(named, model=model):
        again = load_scenario(item.name)
        assert (again.name, again.policy, again.label) == (item.name, item.policy, item.label)
    assert load_scenario("uniform_mean_mix_for_zoned").policy == load_scenario("uniform_mean_mix").policy
    for name in ("uniform", "only_luck", "nothing_by_need", "zoned_need_for_all"):
        with pytest.raises(UnknownName, match="no scenario is called"):
            load_scenario(name)


def test_policies_that_differ_in_name_alone_are_run_once():
    first = load_scenario("zoned_need")
    again = crossed([replace(load_scenario("zoned"), compare_with=())])
    kept = distinct([first, *again])
    assert [item.name for item in kept] == ["zoned_need", "zoned"]


def test_labels_of_shipped_policies_say_who_gets_the_money():
    for name in shipped_scenarios():
        scenario = load_scenario(name)
        who = who_of(scenario)
        endings = {text for _, ending in WHO.values() for text in ending.values()}
        if any(scenario.label[lang].endswith(tuple(endings)) for lang in ("en", "zh")):
            assert all(scenario.label[lang].endswith(WHO[who][1][lang]) for lang in ("en", "zh")), name
