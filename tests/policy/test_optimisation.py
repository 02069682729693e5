"""Optima against brute force and their laws: feasible, conditions hold, resumable, honest about what cannot be."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.policy.objective import Constraint, Objective, quantile_weights
from pysd_runner.policy.optimisation import optimise
from pysd_runner.policy.search import NEAR_OPTIMAL, SearchEnd, least_relaxed, near_optimal_ranges
from pysd_runner.policy.space import DecisionVariable, Space, rounded
from pysd_runner.policy.spaces import space_of
from pysd_runner.policy.studies import policy_of
from pysd_runner.policy.study import effects_of
from pysd_runner.reports.optimum import optimum_sentences
from pysd_runner.scenarios import load_scenario
from tests.policy.places import inputs, policy, study

KEYS = ("access", "skills", "knowledge")


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("zoned_need", model=inputs().model)


@pytest.fixture(scope="module")
def few(scenario):
    """One mix of three levers."""
    space, _ = space_of(inputs(), scenario, by="lever", who=False)
    decisions = tuple(decision for decision in space.decisions if decision.key in KEYS)
    base = {**space.base, "Uniform Mix": np.zeros(len(study().levers))}
    return Space(decisions=decisions, base=base, sums={"mix": 1.0})


@pytest.fixture(scope="module")
def found(few):
    rivals = {name: policy(name) for name in ("zoned_need", "skills_programme")}
    return optimise(study(), few, objective=Objective("theil_closed"), starts=2, rivals=rivals)


def judged(points, space, draws, outcome="theil_closed"):
    some = study().only(draws)
    policies = [space.policy(some, point) for point in points]
    return effects_of(some, policies, [some.outcomes[outcome]], every=5.0)[outcome][..., -1]


HALF, OTHER = np.arange(0, 8, 2), np.arange(1, 8, 2)
# Every mix of the three levers in steps of 5 %.
LATTICE = [np.array(point) / 20 for point in product(range(21), repeat=3) if sum(point) == 20]


def test_it_is_as_good_as_brute_force(few, found):
    best = judged(LATTICE, few, HALF).mean(axis=1).max()
    assert found.in_sample >= best - 1e-3 * abs(best)
    assert found.in_sample == pytest.approx(judged([found.point], few, HALF).mean())
    assert found.out_of_sample == pytest.approx(judged([found.point], few, OTHER).mean())
    assert found.point.sum() == pytest.approx(1, abs=1e-9)
    assert (found.point >= 0).all()


def test_searches_from_other_starts_end_as_well(found):
    values = [item.value for item in found.starts]
    assert len(values) == 2
    assert max(values) - min(values) < 0.01 * max(values)
    assert found.residual < 0.05


def test_it_says_whether_it_beats_the_others(found):
    assert set(found.rivals) == {"zoned_need", "skills_programme"}
    assert found.beats_rivals == (found.out_of_sample > max(found.rivals.values()))
    assert found.rivals[found.best_rival] == max(found.rivals.values())


def test_near_optimal_ranges_are_near_optimal(few, found):
    for place, decision in enumerate(few.decisions):
        low, high = found.ranges[decision.key]
        assert low <= found.point[place] <= high
        for end in (low, high):
            if abs(end - found.point[place]) < 1e-9:
                continue
            point = found.point * (1 - end) / (1 - found.point[place])
            point[place] = end
            assert judged([point], few, HALF).mean() >= found.in_sample * 0.98 - 1e-9


def test_constraints_are_kept(few):
    theil = judged(LATTICE, few, HALF).mean(axis=1)
    leader = judged(LATTICE, few, HALF, "leader_change").mean(axis=1)
    bound = float((leader[theil.argmax()] + leader.max()) / 2)
    rule = Constraint("leader_change", at_least=bound)
    kept = optimise(study(), few, objective=Objective("theil_closed"), subject_to=[rule], starts=1, describe=False)
    assert judged([kept.point], few, HALF, "leader_change").mean() >= bound - 1e-4
    assert kept.in_sample >= theil[leader >= bound].max() - 1e-3 * theil.max()
    assert kept.in_sample < theil.max()
    assert kept.relaxed == {}
    assert "leader_change" in kept.binding


def test_an_optimum_on_a_bound_says_so(scenario):
    space, _ = space_of(inputs(), scenario, by="lever")
    decision = space.decisions[-1]
    alone = Space(decisions=(decision,), base=policy(), sums={})
    found = optimise(study(), alone, objective=Objective("gap_closed"), starts=1)
    assert found.point == pytest.approx([2.0])
    below, at = judged([[1.99], [2.0]], alone, HALF, "gap_closed").mean(axis=1)
    assert found.on_bounds == {decision: pytest.approx((at - below) / 0.01, rel=0.02)}
    (line,) = (text for text in optimum_sentences(found, {}, "en") if "On a bound" in text)
    assert f"at 2.00; a unit beyond it would change the objective by +{found.on_bounds[decision]:.2f}" in line


def test_what_cannot_be_is_relaxed_least(few):
    rule = Constraint("output_change", at_least=50.0)
    kept = optimise(study(), few, objective=Objective("theil_closed"), subject_to=[rule], starts=1, describe=False)
    most = judged(LATTICE, few, HALF, "output_change").mean(axis=1).max()
    assert kept.relaxed["output_change"] == pytest.approx(50 - most, abs=0.02)


def test_no_region_is_worse_off_in_more_than_a_share_of_draws(scenario):
    space, start = space_of(inputs(), scenario)
    rule = Constraint("region_change", share_of_draws=0.5)
    kept = optimise(
        study(), space, objective=Objective("gap_closed"), subject_to=[rule], start=start, starts=1, describe=False
    )
    some = study().only(HALF)
    values = effects_of(some, [space.policy(some, kept.point)], [some.watched["region_change"]], every=5.0)
    margins, _ = rule.margin(values["region_change"][0][..., -1])
    assert margins.min() > -1e-3 or kept.relaxed
    assert list(kept.losers().columns) == ["share_worse", "median"]


@pytest.mark.parametrize("statistic", ["cvar", "regret", "satisfied"])
def test_other_statistics_are_made_large_as_well(few, statistic):
    objective = Objective("theil_closed", statistic, level=0.5, target=0.02)
    rivals = {"skills": policy("skills_programme"), "access": policy("uniform_per_head")}
    kept = optimise(study(), few, objective=objective, rivals=rivals, starts=2, describe=False)
    best = effects_of(study().only(HALF), list(rivals.values()), [study().outcomes["theil_closed"]], every=5.0)[
        "theil_closed"
    ][..., -1].max(axis=0)
    values = [objective.value(row, best) for row in judged(LATTICE, few, HALF)]
    assert kept.in_sample >= max(values) - 0.02 * max(abs(value) for value in values) - 1e-9


def test_an_interrupted_search_goes_on(few, tmp_path, monkeypatch):
    folder = tmp_path / "searches"
    question = {"objective": Objective("theil_closed"), "starts": 2, "describe": False, "checkpoint": folder}
    whole = optimise(study(), few, **question)
    (folder / "search-1.npz").unlink()
    again = optimise(study(), few, **question)
    assert again.starts == whole.starts
    assert np.array_equal(again.point, whole.point)
    with pytest.raises(InvalidInput, match="belongs to another optimisation: model, draws"):
        optimise(study(), few, **{**question, "objective": Objective("gap_closed")})
    (folder / "search-1.npz").write_bytes((folder / "search-0.npz").read_bytes())
    with pytest.raises(InvalidInput, match="is not what this optimisation wrote"):
        optimise(study(), few, **question)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_searches_do_not_depend_on_the_executor(few, found, executor):
    again = optimise(study(), few, objective=Objective("theil_closed"), starts=2, executor=executor, describe=False)
    assert again.starts == found.starts
    assert np.array_equal(again.point, found.point)
    assert again.out_of_sample == found.out_of_sample


def test_a_policy_that_was_found_is_a_scenario_file(scenario, tmp_path):
    for by in ("class", "lever"):
        space, _ = space_of(inputs(), scenario, by=by)
        point = space.random(np.random.default_rng(2))
        best = space.scenario(study(), point, name="best", label={"en": "Best", "zh": "最优"})
        again = load_scenario(best.save(tmp_path / "best.yaml"), model=inputs().model)
        assert again.policy == best.policy
        values, expected = policy_of(inputs(), again), space.policy(study(), point)
        names = ("Mix by Class",) if by == "class" else ("Uniform Mix",)
        for name in (*names, "Redistribution Exponent", "Differentiation"):
            assert np.asarray(values[name]) == pytest.approx(np.asarray(expected[name]), abs=2e-6)


def test_periods_are_a_mix_over_time(scenario, tmp_path):
    space, start = space_of(inputs(), scenario, by="lever", periods=(2025.0, 2027.0))
    assert len(space) == 2 * len(study().levers) + 1
    point = space.random(np.random.default_rng(0))
    best = space.scenario(study(), point, name="best", label={"en": "Best", "zh": "最优"})
    values = policy_of(inputs(), load_scenario(best.save(tmp_path / "b.yaml"), model=inputs().model))
    expected = space.policy(study(), point)["Uniform Mix"]
    for year in (2025, 2026.75, 2027, 2029):
        assert values["Uniform Mix"].at(year) == pytest.approx(expected.at(year), abs=2e-6)
    assert start.sum() == pytest.approx(2 + 1)


def test_money_over_time_keeps_its_present_value(scenario, tmp_path):
    space, start = space_of(inputs(), scenario, by="lever", periods=(2025.0, 2027.0), budget=True)
    money = [place for place, decision in enumerate(space.decisions) if decision.group == "money"]
    assert start[money] == pytest.approx([0.003, 0.003])
    weights = np.array([space.decisions[place].weight for place in money])
    assert weights.sum() == pytest.approx(1)
    point = space.projected(start)
    point[money] = [0.0045, (0.003 - 0.0045 * weights[0]) / weights[1]]
    best = space.scenario(study(), point, name="best", label={"en": "Best", "zh": "最优"})
    values = policy_of(inputs(), load_scenario(best.save(tmp_path / "b.yaml"), model=inputs().model))
    assert values["Policy Budget Share"].at(2026) == pytest.approx(0.0045)
    found = effects_of(study(), [values, space.policy(study(), point)], [study().outcomes["gap_closed"]])
    assert found["gap_closed"][0] == pytest.approx(found["gap_closed"][1], abs=1e-4)
    with pytest.raises(InvalidInput, match="money over time needs periods"):
        space_of(inputs(), scenario, by="lever", budget=True)


def test_bad_questions_are_refused(few):
    with pytest.raises(InvalidInput, match="at least four draws"):
        optimise(study().only(np.arange(2)), few)
    with pytest.raises(UnknownName, match="no outcome 'nothing' for a constraint"):
        optimise(study(), few, subject_to=[Constraint("nothing")])
    with pytest.raises(InvalidInput, match="regret is measured against other policies"):
        optimise(study(), few, objective=Objective(statistic="regret"))
    with pytest.raises(InvalidInput, match="statistic must be one of"):
        Objective(statistic="median")
    with pytest.raises(InvalidInput, match="share_of_draws lies between"):
        Constraint("x", share_of_draws=1.0)
    with pytest.raises(InvalidInput, match="nothing to choose"):
        Space(decisions=(), base={}, sums={})
    with pytest.raises(InvalidInput, match="nothing between 1 and 1"):
        Space(decisions=(DecisionVariable(key="a", variable="b", lower=1.0),), base={}, sums={})
    with pytest.raises(InvalidInput, match="no sum for mix"):
        Space(decisions=(DecisionVariable(key="a", variable="b", group="mix"),), base={}, sums={})


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30), st.floats(0.05, 0.95))
def test_weights_of_a_quantile(values, level):
    weights = quantile_weights(len(values), level)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert min(values) - 1e-9 <= weights @ np.sort(values) <= max(values) + 1e-9


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda found: sum(found) > 0.1))
def test_rounded_shares_sum_to_one(values):
    decisions = tuple(
        DecisionVariable(key=str(place), variable="x", position=(place,), group="mix") for place in range(5)
    )
    space = Space(decisions=decisions, base={}, sums={"mix": 1.0})
    point = np.array(values) / sum(values)
    found = rounded(space, point, 0.05)
    assert found.sum() == pytest.approx(1)
    assert np.abs(found - point).max() < 0.05 + 1e-9
    assert found / 0.05 == pytest.approx(np.round(found / 0.05))


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_projected_points_keep_bounds_and_sums(seed):
    rng = np.random.default_rng(seed)
    decisions = tuple(
        DecisionVariable(key=str(place), variable="x", position=(place,), group="ab"[place % 2]) for place in range(6)
    )
    space = Space(decisions=decisions, base={}, sums={"a": 1.0, "b": 1.0})
    found = space.projected(rng.normal(size=6))
    matrix, totals = space.equalities()
    assert matrix @ found == pytest.approx(totals, abs=1e-6)
    assert (found >= 0).all()
    inside = space.random(rng)
    assert space.projected(inside) == pytest.approx(inside, abs=1e-12)


class Parabola:
    """One number; the objective is one less the square of its distance from a half, which is also its only limit."""

    space = Space(decisions=(DecisionVariable(key="x", variable="x"),), base={}, sums={})
    objective, outcome, best = Objective("value"), SimpleNamespace(key="value"), None

    def __init__(self, limited: bool) -> None:
        self.limited = limited

    def several(self, points):
        return [{"value": np.array([1 - (point[0] - 0.5) ** 2]), "x": point} for point in points]

    def value(self, point):
        return float(self.several([point])[0]["value"][0])

    def missed(self, effects):
        return max(0.0, float(effects["x"][0]) - 0.5) if self.limited else 0.0

    def miss(self, point):
        return self.missed({"x": point})


@pytest.mark.parametrize(("limited", "upper"), [(False, 0.5 + np.sqrt(NEAR_OPTIMAL)), (True, 0.5 + NEAR_OPTIMAL)])
def test_near_optimal_ranges_end_where_the_allowance_does(limited, upper):
    found = near_optimal_ranges(Parabola(limited), np.array([0.5]), None)["x"]
    assert found == pytest.approx((0.5 - np.sqrt(NEAR_OPTIMAL), upper), abs=0.5 / 2**5)
    assert found[0] < 0.5 < found[1] <= upper


class Unreachable:
    """Two numbers; the objective is the second less the first, and a small effect of the first cannot be met."""

    space = Space(
        decisions=(DecisionVariable(key="x", variable="x"), DecisionVariable(key="y", variable="y")), base={}, sums={}
    )
    objective, constraints, scale, sizes = Objective("value"), (Constraint("x"),), 1.0, np.array([0.01])
    less = 0.0

    def lowered(self, less):
        found = Unreachable()
        found.less = less
        return found

    def margins(self, point):
        return 0.01 * (point[:1] - 2) + self.less

    def margin_slopes(self, _):
        return np.array([[0.01, 0.0]])

    def value(self, point):
        return float(point[1] - point[0])

    smooth = value

    def smooth_slopes(self, _):
        return np.array([-1.0, 1.0])

    def miss(self, point):
        return float((-self.margins(point) / self.sizes).max())


def test_the_objective_is_made_large_under_the_least_slack():
    found, slack = least_relaxed(Unreachable(), SearchEnd(point=(0.5, 0.5), value=0.0, miss=1.5, steps=1))
    assert slack == pytest.approx(1, abs=1e-6)
    assert found.point == pytest.approx((1, 1), abs=1e-3)


@pytest.mark.parametrize(
    ("rivals", "breaking", "told"),
    [
        ({"a": 1.95, "b": 1.0}, (), "no reason here to prefer it to “a”:"),
        ({"a": 2.1, "b": 1.85}, (), "no reason here to prefer it to “a”, “b”:"),
        ({"a": 1.95, "b": 1.0}, ("a",), "It beats every policy"),
        ({"a": 2.5}, (), "“a” does better"),
        ({"a": 1.95}, ("a",), "No other policy keeps the constraints"),
    ],
)
def test_what_is_within_a_tenth_of_the_optimum_is_as_good(found, rivals, breaking, told):
    other = replace(found, out_of_sample=2.0, rivals=rivals, breaking=breaking)
    assert any(told in text for text in optimum_sentences(other, {}, "en"))
