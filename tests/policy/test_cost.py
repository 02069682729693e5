"""Present values against plain loops; costs of a unit, and where there are none; more money goes where it is said."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.policy.cost import Costs, costs, marginal_budgets, money_variables, spent_money
from pysd_runner.policy.effects import DISCOUNT, present_value
from pysd_runner.policy.study import effects_of
from tests.policy.places import inputs, policy, study


def trained_years(values):
    """Years spent in training: places, not only those that end in a skill, times the time of a place."""
    trained = study().simulated([values], ["Funded Training"])["Funded Training"]
    time, completed = (study().values[name] for name in ("Time per Training Place", "Completion Share"))
    return time / completed * trained[..., 1:].sum(axis=(2, 3))


def test_present_value_is_that_of_a_plain_loop():
    money = np.array([5.0, 1.0, 2.0, 3.0])
    years = np.arange(2024, 2028)
    expected = sum(value / (1 + DISCOUNT) ** (place + 1) for place, value in enumerate(money[1:]))
    assert present_value(money, years) == pytest.approx(expected)


def test_money_is_what_is_allocated():
    off = study().switched(policy(), [1, 0, 1, 1, 1, 1, 1])
    data = study().simulated([policy(), off], [*money_variables(study().model), "Allocated Budget"])
    assert spent_money(study().model)(data) == pytest.approx(data["Allocated Budget"].sum(axis=(2, 3)), rel=1e-12)


def test_costs_are_differences_of_runs():
    spent, read = spent_money(study().model), money_variables(study().model)
    found = costs(study(), {"zoned_need": policy()}, spent, read, outcome="gap_closed")
    data = study().simulated([policy()], read)
    assert found.money == pytest.approx(present_value(spent(data), study().years))
    assert found.time == pytest.approx(trained_years(policy()) - trained_years(study().none))
    row = found.table().loc["zoned_need"]
    unit = found.unit_cost(0)
    if unit is None:
        assert row["reason"]
    else:
        assert row["unit_cost_p50"] in unit.tolist()
        assert unit == pytest.approx(found.money[0] / found.effects[0])


def test_costs_against_another_policy_add_up_and_are_none_against_itself():
    spent, read = spent_money(study().model), money_variables(study().model)
    some, more = policy(), {**policy(), "Policy Budget Share": 0.008}
    both = {"some": some, "more": more}
    alone = costs(study(), both, spent, read, outcome="gap_closed").money
    beside = costs(study(), both, spent, read, outcome="gap_closed", against=some).money
    assert beside[0] == pytest.approx(0, abs=1e-9 * alone[0].min())
    assert alone[0] + beside[1] == pytest.approx(alone[1], rel=1e-9)


@pytest.mark.parametrize(
    ("effects", "money", "reason"),
    [
        ([1.0, -1.0], [1.0, 1.0], "the effect changes sign between draws"),
        ([-1.0, -1.0], [1.0, 1.0], "the effect is negative"),
        ([1.0, 1.0], [0.0, 0.0], "no money is spent"),
        ([0.0, 0.0], [1.0, 1.0], "the effect is negative"),
        ([1.0, 2.0], [1.0, 1.0], ""),
    ],
)
def test_where_the_sign_is_not_sure_there_is_no_cost(effects, money, reason):
    item = study().outcome("gap_closed")
    found = Costs(names=("x",), outcome=item, money=np.array([money]), effects=np.array([effects])).table().loc["x"]
    assert found["reason"] == reason
    assert np.isnan(found["unit_cost_p50"]) == bool(reason)


def test_a_rare_draw_without_effect_costs_infinitely_much():
    item = study().outcome("gap_closed")
    effects = np.full((1, 100), 2.0)
    effects[0, 0] = -1.0
    found = Costs(names=("x",), outcome=item, money=np.ones((1, 100)), effects=effects)
    assert np.isinf(found.unit_cost(0)).sum() == 1
    assert found.table().loc["x", "unit_cost_p95"] == 0.5


def test_more_money_goes_where_it_is_said():
    policies = marginal_budgets(study(), policy(), more=1e-4)
    names = ["lever.skills", "region.620000", "class.East"]
    assert set(names) <= set(policies)
    chosen = [policy(), *(policies[name] for name in names)]
    spent = study().simulated(chosen, ["Allocated Budget"])["Allocated Budget"][..., 1].mean(axis=1)
    more = spent[1:] - spent[0]
    skills = list(inputs().model.ranges["Lever"]).index("Skills")
    assert more[0][skills].sum() > 0.99 * more[0].sum() > 0
    assert more[1][:, 3].sum() > 0.9 * np.abs(more[1]).sum() > 0
    east = [place for place, region in enumerate(inputs().panel.regions) if region.group == "East"]
    assert more[2][:, east].sum() > 0.9 * np.abs(more[2]).sum() > 0


@pytest.mark.parametrize("kind", ["class.", "region."])
def test_more_money_of_all_parts_of_the_nation_is_more_money_of_the_nation(kind):
    parts = {
        name: found for name, found in marginal_budgets(study(), policy(), more=1e-4).items() if name.startswith(kind)
    }
    added = {name: found["Policy Budget Share"] - policy()["Policy Budget Share"] for name, found in parts.items()}
    assert sum(added.values()) == pytest.approx(1e-4, rel=1e-6)
    if kind == "region.":  # a region of more output gets more, in proportion
        made = study().simulated([policy()], ["Output"])["Output"][0, :, :, 1].mean(axis=0)
        assert list(added.values()) == pytest.approx(1e-4 * made / made.sum(), rel=1e-6)


def test_the_next_money_buys_less_the_more_there_is():
    spent, read = spent_money(study().model), money_variables(study().model)
    bought = []
    for budget in (0.0, 0.003, 0.012):
        # Without the cost of sameness, which the first money brings.
        scaled = {**policy(), "Policy Budget Share": budget, "Homogenisation Sensitivity": 0.0}
        more = {"more": marginal_budgets(study(), scaled)["lever.skills"]}
        found = costs(study(), more, spent, read, outcome="output_change", against=scaled)
        bought.append(np.median(found.effects / found.money))
        # By definition: two runs that differ by the money alone.
        one, two = effects_of(study(), [scaled, more["more"]], [found.outcome])["output_change"][..., -1]
        assert found.effects[0] == pytest.approx((two - one) / (1 + one / 100), rel=1e-6)
    assert bought[0] > bought[1] > bought[2] > 0


def test_costs_of_more_money_need_a_policy_that_stays():
    path = TimePath(times=np.array([2024.0, 2026.0]), values=np.array([0.001, 0.002]), interpolate="step")
    with pytest.raises(InvalidInput, match=r"policy\.budget changes over time"):
        marginal_budgets(study(), {**policy(), "Policy Budget Share": path})
