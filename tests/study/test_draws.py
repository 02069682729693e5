"""Shocks to regional growth have the size and memory declared, or are those with which a run is a forecast."""

import numpy as np
import pytest

from pysd_runner import load_data, project
from pysd_runner.core.errors import InvalidInput
from pysd_runner.data import Data
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline
from pysd_runner.study.draws import TYPICAL_SD, ShockLaw, common_draws, shared_part, shock_law, shock_paths
from tests.provinces import REGIONS, with_variable

GROUPS = ["East"] * 3 + ["West"] * 3


def paths(law, *, persistence=0.5, years=40, draws=2000, seed=0, groups=GROUPS):
    return shock_paths(
        law, groups, np.arange(2024.0, 2024 + years), np.full(draws, persistence), np.random.default_rng(seed)
    ).values[:, 0]


def test_long_run_standard_deviation_and_persistence():
    values = paths(ShockLaw(0.02, 0.0))
    late = values[20:]
    assert late.std() == pytest.approx(0.02, rel=0.02)
    first, second = late[:-1].ravel(), late[1:].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.5, abs=0.01)


def test_first_year_is_narrower_because_the_past_is_known():
    values = paths(ShockLaw(0.02, 0.0), draws=20000, years=1)
    assert values[0].std() == pytest.approx(0.02 * np.sqrt(1 - 0.25), rel=0.02)


def test_regions_of_a_class_share_what_they_are_declared_to_share():
    late = paths(ShockLaw(0.02, 0.4))[20:].reshape(-1, 6)
    correlation = np.corrcoef(late.T)
    assert correlation[0, 1] == pytest.approx(0.4, abs=0.02)
    assert correlation[0, 4] == pytest.approx(0.0, abs=0.02)


def test_regions_without_a_class_are_on_their_own():
    late = paths(ShockLaw(0.02, 0.4), groups=["", "", "West"])[20:].reshape(-1, 3)
    assert late.std(axis=0) == pytest.approx([0.02] * 3, rel=0.03)
    assert np.corrcoef(late.T)[0, 1] == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("count", [2, 5, 20])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_common_share_does_not_depend_on_how_many_regions_a_class_has(share, count):
    common, own = np.random.default_rng(count).normal(size=(2, count, 4000))
    growth = np.sqrt(share) * common[:1] + np.sqrt(1 - share) * own
    assert shared_part(growth, ["one"] * count) == pytest.approx(share, abs=0.03)


def test_law_of_the_shipped_panel_is_plausible():
    law = shock_law(load_data("china"))
    assert 0.015 < law.sd < 0.04
    assert 0 < law.shared < 0.7


def test_a_simulated_panel_gives_back_its_law():
    china = load_data("china")
    groups = [region.group for region in china.regions]
    values = shock_paths(ShockLaw(0.03, 0.5), groups, np.arange(200.0), np.zeros(1), np.random.default_rng(2)).values[
        :, 0, 0
    ]
    levels = np.exp(np.cumsum(values[:24], axis=0)).T
    years = tuple(range(2001, 2025))
    panel = Data.by_region(
        name="made", regions=china.regions, years=years, values={"output_per_head": levels}, units={}
    )
    law = shock_law(panel)
    assert law.sd == pytest.approx(0.03, rel=0.25)
    assert law.shared == pytest.approx(0.5, abs=0.3)


def test_a_calibrated_size_wins_and_a_short_panel_falls_back():
    china = load_data("china")
    assert shock_law(china, sd=0.01).sd == 0.01
    assert shock_law(china.subset(times=[2024])) == ShockLaw(TYPICAL_SD, 0.0)


def test_the_law_does_not_see_holes_in_the_panel():
    china = load_data("china")
    whole = shock_law(china)
    holed = china.array("output_per_head").copy()
    holed[0, [-3, -6]] = np.nan
    law = shock_law(with_variable(china, "output_per_head", holed, unit="Yuan/(Year*Person)"))
    assert law.sd == pytest.approx(whole.sd, rel=0.05)
    assert law.shared == pytest.approx(whole.shared, abs=0.05)


def test_growth_of_more_than_twelve_years_ago_says_nothing():
    china = load_data("china")
    assert len(china.years) > 14
    assert shock_law(china) == shock_law(china.subset(times=china.years[-13:]))


def test_every_second_year_says_nothing_about_yearly_growth():
    china = load_data("china")
    assert shock_law(china.subset(times=china.years[::2])) == ShockLaw(TYPICAL_SD, 0.0)


SHOCK = "Technology Shock"
DRAWS = 6


@pytest.fixture(scope="module")
def baseline(panel):
    """Paths that wander away from where the regions are, further than the model alone would take them."""
    rng = np.random.default_rng(5)
    logs = np.log(panel.array("output_per_head")[:, -1])
    steps = rng.normal(scale=0.03, size=(10, len(REGIONS), 6)) - 0.02 * (logs - logs.mean())[:, None]
    return Baseline(
        paths=(logs - logs.mean())[:, None] + steps.cumsum(axis=2),
        regions=panel.codes,
        years=tuple(range(2025, 2031)),
        origin=2024,
        panel=panel.name,
        panel_sha256=panel.sha256,
    )


@pytest.fixture(scope="module")
def projection(model, panel, baseline):
    return project(model, panel, ["zoned_need"], baseline=baseline, until=2030, draws=DRAWS, seed=2)


def relative(projection, scenario):
    heads = projection.data["output_per_head"].sel(scenario=scenario).transpose("draw", "region", "year")
    logs = np.log(heads.to_numpy())
    return (logs - logs.mean(axis=1, keepdims=True))[:, :, 1:]


def test_the_run_without_policy_is_the_forecast(projection, baseline):
    np.testing.assert_allclose(relative(projection, "baseline"), baseline.drawn(DRAWS, 2), atol=1e-9)
    record = projection.provenance["baseline"]
    assert record["largest_error"] <= 1e-9
    assert record["most_runs"] <= 25
    assert record["left_out"] == []
    assert set(record["systematic_shock"]) == set(REGIONS)
    assert sum(record["systematic_shock"].values()) == pytest.approx(0, abs=1e-12)


def test_no_money_changes_nothing(model, panel, baseline):
    from dataclasses import replace

    free = load_scenario("zoned_need", model=model)
    tiny = replace(free, policy=replace(free.policy, budget=1e-15), compare_with=())
    result = project(model, panel, [tiny], baseline=baseline, until=2030, draws=3, seed=0)
    np.testing.assert_allclose(relative(result, "zoned_need"), relative(result, "baseline"), atol=1e-12)


def test_more_draws_keep_those_there_were(model, panel, baseline, projection):
    few = project(model, panel, ["zoned_need"], baseline=baseline, until=2030, draws=3, seed=2)
    np.testing.assert_allclose(
        few.data["output"].to_numpy(), projection.data["output"].isel(draw=slice(0, 3)).to_numpy(), rtol=1e-9
    )


def test_other_assumptions_keep_the_shocks_of_the_world_as_it_is(model, panel, baseline):
    from dataclasses import replace

    slow = replace(load_scenario("zoned_need", model=model), assumptions={"th_U": 0.0}, assumption_set="no_effect")
    both = project(model, panel, ["zoned_need", replace(slow, name="other")], baseline=baseline, until=2030, draws=3)
    assert both.baselines["other"] == "baseline_no_effect"
    target = baseline.drawn(3, 0)
    np.testing.assert_allclose(relative(both, "baseline"), target, atol=1e-9)
    assert np.abs(relative(both, "baseline_no_effect") - target).max() > 1e-6


def test_one_draw_follows_the_middle_of_the_forecast(model, panel, baseline):
    single = project(model, panel, ["zoned_need"], baseline=baseline, until=2030, draws=1)
    np.testing.assert_allclose(relative(single, "baseline"), baseline.drawn(1, 0), atol=1e-9)


def test_what_a_slow_search_finds_is_the_same(model, panel, baseline):
    """Year by year, by bisection on one region's shock at a time: the twin of the search for all years at once."""
    common = common_draws(model, panel, None, baseline, bounds=(2024, 2030), draws=2, seed=0)
    fast = common.values[SHOCK].values[:, 0, 0]
    target = baseline.drawn(2, 0)[0]
    from pysd_runner.engine.values import TimePath
    from pysd_runner.simulation import simulate
    from pysd_runner.simulation.run import only_draws

    values = only_draws(model, {k: v for k, v in common.values.items() if k != SHOCK}, np.array([0]))
    shocks = np.zeros((2, len(REGIONS)))
    for year in range(2):
        for _ in range(40):
            path = TimePath(times=np.array([2024.0, 2025.0]), values=shocks[:, None, None], interpolate="step")
            run = simulate(
                model,
                {**values, SHOCK: path},
                start=2024,
                stop=2026,
                save_every=1,
                outcomes=["Output per Capita"],
                engine="numpy",
            )
            logs = np.log(run["Output per Capita"][0, 0])
            miss = target[:, year] - (logs - logs.mean(axis=0))[:, year + 1]
            if np.abs(miss).max() < 1e-11:
                break
            shocks[year] += miss
    np.testing.assert_allclose(fast[:2], shocks, atol=1e-8)


def test_what_does_not_fit_is_refused(model, panel, baseline):
    with pytest.raises(InvalidInput, match="the baseline ends in 2030, the projection in 2040"):
        project(model, panel, ["zoned_need"], baseline=baseline, draws=2)
    with pytest.raises(InvalidInput, match="the baseline starts in 2024, the projection in 2023"):
        project(model, panel, ["zoned_need"], baseline=baseline, origin=2023, until=2026, draws=2)
    other = load_data("china").subset(entities=("110000", "310000", "410000", "630000"))
    with pytest.raises(InvalidInput, match="has others; forecast this panel"):
        project(model, other, ["zoned_need"], baseline=baseline, until=2030, draws=2)
