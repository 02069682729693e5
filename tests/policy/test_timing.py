"""When levers start and end: exact slopes, money that goes on being spent, and an order that is planted."""

import numpy as np
import pytest

from pysd_runner.policy import Objective, optimise
from pysd_runner.policy.problem import Problem
from pysd_runner.policy.study import effects_of
from pysd_runner.regional.policies import policy_values
from pysd_runner.regional.timing import timed_scenario, timing_space
from pysd_runner.scenarios import load_scenario
from tests.policy.places import inputs, study

LEVERS = ("access", "skills", "application", "data", "governance", "knowledge", "compensation")


@pytest.fixture(scope="module")
def made():
    return timing_space(inputs(), load_scenario("zoned_need", model=inputs().model))


def at(space, **numbers):
    """The middle of a space with some numbers changed."""
    point = space.middle()
    for key, value in numbers.items():
        point[[knob.key for knob in space.knobs].index(key.replace("__", "."))] = value
    return point


def test_every_lever_is_on_all_the_time_at_the_start(made):
    space, start = made
    mix = space.mixes(start)
    assert mix.sum(axis=0) == pytest.approx(1)
    assert np.abs(mix - mix[:, 1:2])[:, :-1].max() < 0.02
    assert {name.partition(".")[0] for name in (knob.key for knob in space.knobs)} == {*LEVERS, "redistribution"}


def test_money_of_levers_that_are_off_goes_to_the_others(made):
    space, _ = made
    first, last = space.years
    late = at(space, access__start=last, skills__start=first, skills__years=1.0)
    mix = space.mixes(late)
    assert mix.sum(axis=0) == pytest.approx(1)
    access, skills = space.levers.index("access"), space.levers.index("skills")
    assert mix[access, 0] < 0.01 < mix[access, -1]
    assert mix[skills, -1] < 0.01 < mix[skills, 0]
    spent = study().simulated([space.policy(study(), late)], ["Spent Budget Share"])["Spent Budget Share"]
    assert spent[..., 1:-1] == pytest.approx(spent[0, 0, 1], rel=1e-9)
    order = list(space.order(late).index)
    assert order.index("skills") < order.index("access")


def test_slopes_are_those_of_differences(made):
    space, _ = made
    problem = Problem(study(), space, Objective("theil_closed"), (), study().none, None)
    point = space.random(np.random.default_rng(1))
    slopes = problem.smooth_slopes(point)
    for place, width in enumerate(space.widths):
        sides = []
        for side in (1, -1):
            moved = point.copy()
            moved[place] += side * 1e-4 * width
            sides.append(problem.value(moved))
        assert slopes[place] == pytest.approx((sides[0] - sides[1]) / (2e-4 * width), rel=1e-3, abs=2e-4)
    other = space.random(np.random.default_rng(2))
    assert np.abs(problem.smooth_slopes(other) - slopes).max() > 1e-3  # they differ from point to point


def test_an_optimum_is_no_worse_than_levers_that_are_always_on(made):
    space, start = made
    found = optimise(study(), space, objective=Objective("theil_closed"), start=start, starts=1, describe=False)
    half = study().only(np.arange(0, study().draws, 2))
    plain = effects_of(half, [space.policy(half, start)], [half.outcomes["theil_closed"]])["theil_closed"][0, :, -1]
    assert found.in_sample > plain.mean()


def test_the_scenario_repeats_the_policy(made):
    space, _ = made
    point = space.random(np.random.default_rng(3))
    root = load_scenario("zoned_need", model=inputs().model)
    scenario = timed_scenario(root, space, point, {"en": "Timed", "zh": "定时"})
    outcome = study().outcomes["theil_closed"]
    policies = [space.policy(study(), point), policy_values(inputs(), scenario)]
    found = effects_of(study(), policies, [outcome])["theil_closed"]
    assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-6)
