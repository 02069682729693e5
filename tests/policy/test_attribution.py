"""Attributions of the shipped model against their definitions, each by runs of its own."""

from dataclasses import replace
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.policy.attribution import attribute, shapley
from pysd_runner.policy.studies import loop_labels, loop_values, references
from pysd_runner.policy.study import effects_of
from pysd_runner.scenarios import load_scenario
from pysd_runner.simulation import simulate
from pysd_runner.study.projection import project
from tests.policy.places import inputs, policy, study


@pytest.fixture(scope="module")
def found():
    scenario = load_scenario("zoned_need", model=inputs().model)
    return attribute(
        study(),
        policy(),
        outcome="theil_closed",
        reference=references(study(), scenario),
        loops={name: loop_values(inputs().model)[name] for name in ("catch-up", "migration")},
    )


def effect(active):
    values = study().switched(policy(), active)
    return effects_of(study(), [values], [study().outcomes["theil_closed"]])["theil_closed"][0]


def test_contributions_sum_to_the_effect_in_every_draw_and_year(found):
    assert np.abs(found.shapley.sum(axis=0) - found.total).max() < 1e-12
    assert (found.total[:, 0] == 0).all()
    assert found.total[:, -1] == pytest.approx(effect(np.ones(len(study().levers)))[:, -1])


def test_first_in_and_last_in_are_their_definitions(found):
    count = len(study().levers)
    for place in (0, 1, 6):
        alone, without = np.zeros(count), np.ones(count)
        alone[place], without[place] = 1.0, 0.0
        assert found.alone[place] == pytest.approx(effect(alone), abs=1e-12)
        assert found.left_out[place] == pytest.approx(effect(np.ones(len(study().levers))) - effect(without), abs=1e-12)


def test_contributions_are_means_over_orders():
    # Three levers, all six orders, one run for each step.
    few = replace(study(), levers={key: study().levers[key] for key in ("skills", "data", "knowledge")})
    base = few.switched(policy(), [1, 1, 1])
    outcome = few.outcomes["theil_closed"]
    expected = np.zeros((3, few.draws))
    for order in permutations(range(3)):
        active = [0.0] * 3
        before = effects_of(few, [few.switched(base, active)], [outcome])["theil_closed"][0, :, -1]
        for player in order:
            active[player] = 1.0
            after = effects_of(few, [few.switched(base, active)], [outcome])["theil_closed"][0, :, -1]
            expected[player] += (after - before) / 6
            before = after
    found = attribute(few, base, outcome="theil_closed")
    assert found.shapley[..., -1] == pytest.approx(expected, abs=1e-12)


def test_a_lever_without_money_gets_exactly_nothing():
    mix = np.array(policy()["Mix by Class"])
    mix[3] = 0
    changed = {**policy(), "Mix by Class": mix / mix.sum(axis=0)}
    found = attribute(study(), changed, outcome="gap_closed", loops={"idle": {}})
    for values in (found.shapley, found.alone, found.left_out):
        assert (values[3] == 0).all()
    assert (found.loops["idle"] == 0).all()


def test_who_and_what_sum_to_the_difference(found):
    parts = found.parts
    assert parts["who"] + parts["what"] + parts["interaction"] == pytest.approx(parts["total"], abs=1e-12)
    scenario = load_scenario("zoned_need", model=inputs().model)
    reference = effects_of(study(), [references(study(), scenario)["reference"]], [study().outcomes["theil_closed"]])[
        "theil_closed"
    ][0, :, -1]
    assert parts["total"] == pytest.approx(found.total[:, -1] - reference, abs=1e-12)


def test_a_loop_is_what_is_lost_without_it(found):
    off = {"Base Migration Rate": 0.0}
    values = {**inputs().common.values, **off}
    runs = []
    for item in (study().none, policy()):
        run = simulate(
            inputs().model,
            {**values, **study().stacked([{**item, **off}])},
            start=2024,
            stop=2029,
            save_every=1,
            outcomes=["Output", "Population"],
        )
        runs.append(study().outcomes["theil_closed"].value({name: run[name] for name in run.data})[0, :, -1])
    assert found.loops["migration"] == pytest.approx(found.total[:, -1] - (runs[0] - runs[1]), abs=1e-9)
    assert set(loop_labels(inputs().model, "zh")) == set(loop_values(inputs().model))


def test_tables_hold_every_lever_and_the_sum(found):
    table = found.table()
    assert set(table.index) == {*study().levers, "total"}
    assert table.loc["total", "shapley_p50"] == pytest.approx(np.median(found.total[:, -1]))
    wedges = found.wedges()
    assert wedges.sum(axis=1).to_numpy() == pytest.approx(found.total.mean(axis=0), abs=1e-12)
    frame = found.frame()
    assert set(frame["way"]) == {"shapley", "alone", "left_out", "total"}


def test_bad_questions_are_refused():
    with pytest.raises(UnknownName, match="no outcome"):
        attribute(study(), policy(), outcome="nothing")
    with pytest.raises(InvalidInput, match="declares no levers"):
        attribute(replace(study(), levers={}), policy())
    with pytest.raises(
        InvalidInput, match=f"declares {2 * len(study().levers)} levers; an effect can be attributed to at most 10"
    ):
        attribute(
            replace(study(), levers={f"{n}{key}": item for n in "12" for key, item in study().levers.items()}), policy()
        )
    with pytest.raises(InvalidInput, match="who missing"):
        attribute(study(), policy(), reference={"reference": {}, "what": {}})


def test_a_projection_with_levers_off_is_the_attribution_of_the_rest(found):
    scenario = load_scenario("zoned_need", model=inputs().model)
    levers = {"access": False}
    off = replace(scenario, name="off", policy=replace(scenario.policy, levers=levers))
    data = project(inputs().model, inputs().panel, [off], until=2029, draws=8, seed=1).data
    gap = data["theil"].isel(year=-1)
    expected = found.total[:, -1] - found.left_out[0, :, -1]
    assert 1000 * (gap[0] - gap[1]).to_numpy() == pytest.approx(expected, abs=1e-9)


def by_orders(values):
    """Slow twin: the mean of what a player adds over all orders."""
    players = len(values).bit_length() - 1
    found = np.zeros((players, *values.shape[1:]))
    for order in permutations(range(players)):
        present = 0
        for player in order:
            found[player] += values[present | 1 << player] - values[present]
            present |= 1 << player
    return found / factorial(players)


games = st.integers(1, 4).flatmap(
    lambda players: st.lists(st.floats(-10, 10), min_size=2**players, max_size=2**players).map(np.array)
)


@settings(deadline=None)
@given(games)
def test_exact_values_are_means_over_all_orders(values):
    assert shapley(values) == pytest.approx(by_orders(values), abs=1e-12)
