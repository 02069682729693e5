"""Policies in blocks against one run at a time; switched levers; outcomes against the indicators; gradients."""

from dataclasses import replace

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.engine import TimePath
from pysd_runner.indicators import theil
from pysd_runner.indicators.relative import mean_log_gap
from pysd_runner.policy import ranking, study as module
from pysd_runner.policy.effects import variable_outcome
from pysd_runner.policy.objective import DEFAULT_CONSTRAINTS, Objective
from pysd_runner.policy.problem import Gradients, SearchProblem
from pysd_runner.policy.ranking import compare, start_of
from pysd_runner.policy.spaces import space_of
from pysd_runner.policy.study import effects_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.scenarios.policy import FrozenMapping
from tests.policy.places import UNTIL, inputs, policy, study


def every(items):
    return list(items.values())


def test_the_empty_set_of_levers_equals_no_policy_exactly():
    off = study().switched(policy(), np.zeros(len(study().levers)))
    found = effects_of(study(), [off], every(study().outcomes))
    assert all((values == 0).all() for values in found.values())


def test_effects_are_those_of_the_comparison():
    scenarios = [load_scenario(name, model=inputs().model) for name in ("baseline", "zoned_need")]
    expected = compare(inputs().model, inputs().panel, inputs().common, scenarios, inputs().bounds).effects
    found = effects_of(study(), [policy()], every(study().outcomes))
    for key in ("gap_closed", "theil_closed", "theil_between_closed", "output_change"):
        assert found[key][0, :, -1] == pytest.approx(expected[key].to_numpy()[0], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("rules", "is_kept"), [(DEFAULT_CONSTRAINTS, False), (DEFAULT_CONSTRAINTS[1:2], True)])
def test_compared_policies_keep_the_constraints_that_a_search_sees(rules, is_kept, monkeypatch):
    monkeypatch.setattr(ranking, "DEFAULT_CONSTRAINTS", rules)
    none, root = (load_scenario(item, model=inputs().model) for item in ("baseline", "skills_programme"))
    mix = FrozenMapping({"skills": 0.5, "data": 0.5})
    scenario = replace(root, policy=replace(root.policy, mix=mix, redistribution=-0.5))
    found = ranking.compare(inputs().model, inputs().panel, inputs().common, [none, scenario], inputs().bounds)
    space, start = space_of(inputs(), scenario, by="lever")
    problem = SearchProblem(study(), space, Objective("gap_closed"), rules, study().none, None)
    worse = (problem.effects(start)["region_change"] < 0).mean(axis=0)
    kept = [f"keeps_{item.outcome}" for item in rules]
    assert bool(found.limits[kept].to_numpy().all()) == is_kept
    assert found.limits[["keeps_constraints", "worse_off", "share_worse_off"]].to_dict("records") == [
        {
            "keeps_constraints": is_kept,
            "worse_off": inputs().panel.codes[worse.argmax()],
            "share_worse_off": worse.max(),
        }
    ]
    assert (problem.miss(start) == 0) == is_kept


def test_outcomes_are_the_indicators():
    data = study().simulated([study().none, policy()], ["Output", "Population"])
    made, people = data["Output"], data["Population"]
    found = {key: study().outcomes[key].value(data) for key in ("theil_closed", "gap_closed")}
    assert found["theil_closed"] == pytest.approx(1000 * theil(made, people), rel=1e-12)
    behind = start_of(inputs().panel).behind
    assert found["gap_closed"] == pytest.approx(100 * mean_log_gap(made, people, behind), rel=1e-12)


def test_blocks_do_not_change_a_number(monkeypatch):
    policies = [study().switched(policy(), row) for row in np.eye(len(study().levers))[:3]]
    whole = effects_of(study(), policies, every(study().outcomes))
    monkeypatch.setattr(module, "MOST_CELLS", 100)
    monkeypatch.setattr(module, "MOST_POLICIES", 2)
    told = []
    parts = effects_of(study(), policies, every(study().outcomes), progress=told.append)
    assert sum(told) == 4 * study().draws
    for key, values in whole.items():
        assert parts[key] == pytest.approx(values, abs=1e-11)


def test_some_draws_are_those_of_all():
    kept = np.array([1, 4])
    some = effects_of(study().only(kept), [policy()], every(study().outcomes))
    whole = effects_of(study(), [policy()], every(study().outcomes))
    assert all(some[key] == pytest.approx(values[:, kept], abs=1e-11) for key, values in whole.items())


def test_a_lever_over_time_is_switched_at_all_times():
    off, on = np.zeros(len(study().levers)), np.ones(len(study().levers))
    path = TimePath(times=np.array([2024.0, 2026.0]), values=np.array([off, on]), interpolate="step")
    some = [1, 0, 0.5, *on[3:]]
    found = study().switched({**policy(), "Lever Active": path}, some)["Lever Active"]
    assert found.values[:, 0, 0].tolist() == [off.tolist(), some]


@pytest.mark.parametrize("periods", [(), (2025.0, 2027.0)])
def test_gradients_agree_with_differences(periods):
    scenario = load_scenario("uniform_per_head" if periods else "zoned_need", model=inputs().model)
    space, start = (
        space_of(inputs(), scenario, by="lever", periods=periods) if periods else space_of(inputs(), scenario)
    )
    outcomes = [*every(study().outcomes), *every(study().watched)]
    gradients = Gradients(study(), outcomes, space.slopes(study()), len(space))
    point = 0.9 * space.projected(start) + 0.1 * space.random(np.random.default_rng(0))
    values, slopes = gradients(space.policy(study(), point))
    step = 1e-6
    for place in (0, len(space) // 2, len(space) - 1):
        sides = [space.policy(study(), point + sign * step * np.eye(len(space))[place]) for sign in (1, -1)]
        for item in outcomes:
            found = study().run(
                sides, lambda data, item=item: {item.key: item.value(data)}, item.variables, every=gradients.every
            )[item.key]
            assert np.allclose(values[item.key].shape, found[:1].shape)
            difference = (found[0] - found[1]) / (2 * step)
            size = np.abs(difference).max()
            assert slopes[item.key][0][..., place] == pytest.approx(difference, rel=2e-3, abs=1e-4 * size)


def test_slopes_of_outcomes_are_derivatives_also_where_a_nation_loses_people():
    """What no policy of this model does, but some model's may: people are added to one region and taken from none."""
    rng = np.random.default_rng(0)
    names = {name for item in every(study().outcomes) for name in item.variables}
    data = {name: rng.uniform(1, 3, (1, 2, 4, 2)) for name in sorted(names)}
    for item in every(study().outcomes):
        slopes = item.slopes(data)
        for name in item.variables:
            for region in range(4):
                step = 1e-6 * (np.arange(4) == region)[:, None]
                high, low = (item.value({**data, name: data[name] + way * step}) for way in (1, -1))
                assert slopes[name][:, :, region] == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-6)


def test_a_variable_of_any_model_can_be_an_outcome():
    item = variable_outcome("skilled", "Skilled People", weights=[1, 0, 0, 2])
    data = study().simulated([policy()], ["Skilled People"])
    expected = data["Skilled People"][:, :, 0] + 2 * data["Skilled People"][:, :, 3]
    assert item.value(data) == pytest.approx(expected)
    assert item.slopes(data)["Skilled People"][0, 0, :, 0].tolist() == [1, 0, 0, 2]


def test_unknown_outcomes_are_refused():
    with pytest.raises(UnknownName, match=r"no outcome 'gap_close'.*gap_closed"):
        study().outcome("gap_close")
    with pytest.raises(InvalidInput, match="a value for each region"):
        study().outcome("region_change")
    assert study().outcome().key == "gap_closed"


def test_years_are_those_of_the_run():
    assert study().years.tolist() == list(range(2024, UNTIL + 1))
    assert replace(study(), bounds=(2024, 2026)).years.tolist() == [2024, 2025, 2026]
