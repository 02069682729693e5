"""Effects of policies against plain loops; who is first; splits that close; unit costs that are changed."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from pysd_runner.core.errors import InvalidInput
from pysd_runner.policy.effects import DISCOUNT, MEASURES, Start, effects
from pysd_runner.policy.ranking import (
    Ranking,
    answer,
    compare,
    first_error,
    first_shares,
    scanned,
    share_error,
    start_of,
)
from pysd_runner.scenarios import load_scenario, with_comparisons
from pysd_runner.scenarios.crossing import crossed, single_levers
from pysd_runner.study.draws import common_draws
from pysd_runner.study.projection import project

BOUNDS = (2024, 2030)


@pytest.fixture(scope="module")
def cast(model):
    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in ("zoned", "uniform_mean_mix")]
    return with_comparisons(crossed([*mixes, *single_levers(0.003, model=model)[1:3]]), model=model)


@pytest.fixture(scope="module")
def common(model, panel):
    return common_draws(model, panel, None, None, bounds=BOUNDS, draws=8, seed=1)


@pytest.fixture(scope="module")
def comparison(model, panel, common, cast):
    return compare(model, panel, common, cast, BOUNDS)


def test_effects_are_those_of_a_plain_loop(model, panel, cast, comparison):
    projection = project(model, panel, list(cast), until=2030, draws=8, seed=1)
    data, name = projection.data, "zoned_by_need"
    money = data["policy_budget"].sel(scenario=name)
    for draw in range(8):
        base, own = (data.sel(scenario=item, year=2030).isel(draw=draw) for item in ("baseline", name))
        y0, p0, y1, p1 = (np.asarray(d[k]) for d in (base, own) for k in ("output", "population"))
        assert float(comparison.effects["output_change"].sel(scenario=name, draw=draw)) == pytest.approx(
            100 * (y1.sum() / y0.sum() - 1)
        )
        lead = [1 - (y.sum() / p.sum()) / max(y / p) for y, p in ((y0, p0), (y1, p1))]
        assert float(comparison.effects["leader_gap_closed"].sel(scenario=name, draw=draw)) == pytest.approx(
            100 * (lead[0] - lead[1])
        )
        spent = [float(money.isel(draw=draw).sel(year=year)) for year in range(2025, 2031)]
        present = sum(value / (1 + DISCOUNT) ** (place + 1) for place, value in enumerate(spent))
        assert float(comparison.effects["present_cost"].sel(scenario=name, draw=draw)) == pytest.approx(present)
        assert float(comparison.effects["benefit_cost_ratio"].sel(scenario=name, draw=draw)) == pytest.approx(
            (y1.sum() - y0.sum()) / spent[-1]
        )
        made, without = (data["output"].sel(scenario=item).isel(draw=draw).sum("region") for item in (name, "baseline"))
        gained = [float(made.sel(year=year) - without.sel(year=year)) for year in range(2025, 2031)]
        worth = sum(value / (1 + DISCOUNT) ** (place + 1) for place, value in enumerate(gained))
        ratio = comparison.effects["benefit_cost_present"].sel(scenario=name, draw=draw)
        assert float(ratio) == pytest.approx(worth / present, rel=1e-6)
        behind = start_of(panel).behind
        own, alone = (data["output"].sel(scenario=item).isel(draw=draw, region=behind) for item in (name, "baseline"))
        gained = [float((own.sel(year=year) - alone.sel(year=year)).sum()) for year in range(2025, 2031)]
        worth = sum(value / (1 + DISCOUNT) ** (place + 1) for place, value in enumerate(gained))
        ratio = comparison.effects["own_benefit_present"].sel(scenario=name, draw=draw)
        assert float(ratio) == pytest.approx(worth / present, rel=1e-5, abs=1e-6)


def test_regional_effects_are_those_of_a_plain_loop(model, panel, cast, comparison):
    """What is kept of every policy in every region is what a projection of the same draws shows there."""
    data = project(model, panel, list(cast), until=2030, draws=8, seed=1).data.sel(year=2030)
    table = comparison.regions()
    policies = [item.name for item in cast if item.name != "baseline"]
    classes = {
        item.group: [other.code for other in panel.regions if other.group == item.group] for item in panel.regions
    }
    assert set(table.index) == {(place, name) for name in policies for place in (*panel.codes, *classes)}
    for group, codes in classes.items():
        ends = data.sel(scenario=["baseline", "zoned_by_need"])
        output, people = ends["output"], ends["population"]
        heads = output.sel(region=codes).sum("region") / people.sel(region=codes).sum("region")
        share = 100 * heads / (output.sum("region") / people.sum("region"))
        moved = (share.sel(scenario="zoned_by_need") - share.sel(scenario="baseline")).to_numpy()
        # Effects are kept in hundredths.
        assert table.loc[(group, "zoned_by_need"), "median"] == pytest.approx(np.median(moved), abs=0.006)
    for code in panel.codes:
        here = data.sel(region=code)
        changes = {}
        for name in policies:
            own, none = (here.sel(scenario=item) for item in (name, "baseline"))
            changes[name] = 100 * (own["relative_output"].to_numpy() - none["relative_output"].to_numpy())
            risen = 100 * (own["output_per_head"].to_numpy() / none["output_per_head"].to_numpy() - 1)
            row = table.loc[(code, name)]
            found = row[["p05", "median", "p95", "own"]].tolist()
            expected = [*np.quantile(changes[name], [0.05, 0.5, 0.95]), np.median(risen)]
            np.testing.assert_allclose(found, expected, atol=0.006)
            assert row["mean"] == pytest.approx(changes[name].mean(), abs=0.006)
            assert row["is_candidate"] == (row["own"] >= 0)
        for name in policies:
            lost = [max(changes[item][draw] for item in policies) - changes[name][draw] for draw in range(8)]
            assert table.loc[(code, name), "loss"] == pytest.approx(np.mean(lost), abs=0.011)


def test_headline_indicators_are_split_exactly(comparison):
    for key in ("gap_closed", "theil_between_closed"):
        parts = comparison.effects[f"{key}_by_laggards"] + comparison.effects[f"{key}_by_leaders"]
        np.testing.assert_allclose(parts, comparison.effects[key], atol=1e-12)


def test_who_what_and_interaction_sum_to_the_difference_in_every_draw(comparison):
    values = comparison.effects["gap_closed"]
    split = comparison.split("zoned_by_need")
    whole = (values.sel(scenario="zoned_by_need") - values.sel(scenario="uniform_mean_mix").to_numpy()).to_numpy()
    assert split.loc["total", "change_p50"] == pytest.approx(np.median(whole))
    who = values.sel(scenario="uniform_mean_mix_by_need") - values.sel(scenario="uniform_mean_mix").to_numpy()
    assert split.loc["who", "change_p50"] == pytest.approx(float(who.median()))
    with pytest.raises(KeyError, match="two by two"):
        replace(comparison, scenarios={k: v for k, v in comparison.scenarios.items() if k != "zoned"}).split(
            "zoned_by_need"
        )


def test_shares_of_being_first_count_draws():
    values = xr.DataArray(
        [[1.0, 3.0, 2.0], [2.0, 1.0, 2.0]], dims=("scenario", "draw"), coords={"scenario": ["a", "b"]}
    )
    found = first_shares(values)
    assert found.to_dict() == {"a": pytest.approx(2 / 3), "b": pytest.approx(2 / 3)}


def test_errors_of_shares_count_walkers():
    rng = np.random.default_rng(0)
    chosen = rng.random(400) < 0.3
    share = chosen.mean()
    assert share_error(chosen, np.arange(400)) == pytest.approx(np.sqrt(share * (1 - share) / 399))
    # Draws that repeat each other say no more than one of them.
    again = share_error(np.repeat(chosen, 5), np.repeat(np.arange(400), 5))
    assert again == pytest.approx(share_error(chosen, np.arange(400)))
    values = xr.DataArray([np.where(chosen, 2.0, 0.0), np.ones(400)], dims=("scenario", "draw"))
    values = values.assign_coords(scenario=["a", "b"], walker=("draw", np.arange(400) // 4))
    assert first_error(values, "a") == pytest.approx(share_error(chosen, np.arange(400) // 4))


def test_cases_change_one_assumption_at_a_time(model, panel, common, cast, comparison):
    found = scanned(model, panel, common, cast, comparison)
    rich = [
        item if item.name == "baseline" else replace(item, policy=replace(item.policy, budget=0.01)) for item in cast
    ]
    there = compare(model, panel, common, rich, BOUNDS).effects["gap_closed"]
    there = there.sel(scenario=found["budget", "0.01"]["scenario"])
    assert not there.equals(comparison.effects["gap_closed"].sel(scenario=there["scenario"]))
    np.testing.assert_array_equal(found["budget", "0.01"], there)
    # Every exponent of need leaves one policy a mix; the last year is that of the comparison itself.
    assert {change for key, change in found if key == "redistribution"} == {"0", "0.5", "1", "2"}
    per_head = comparison.effects["gap_closed"].sel(scenario="only_skills")
    np.testing.assert_array_equal(found["redistribution", "0"].sel(scenario="only_skills_by_need"), per_head)
    assert found["until", "2030"].identical(comparison.effects["gap_closed"])


def test_by_need_against_per_head_is_a_plain_loop(comparison):
    gains = [
        comparison.effects[key].sel(scenario="uniform_mean_mix_by_need")
        - comparison.effects[key].sel(scenario="uniform_mean_mix").to_numpy()
        for key in MEASURES
    ]
    better = [all(float(gain.isel(draw=draw)) > 0 for gain in gains) for draw in range(8)]
    found = comparison.by_need()
    assert (found.measures, found.mixes, found.better.tolist(), found.share) == (8, 4, better, np.mean(better))
    worse = comparison.effects.copy(deep=True)
    worse["theil_closed"].loc[{"scenario": "uniform_mean_mix_by_need"}] = -9.0
    assert replace(comparison, effects=worse).by_need().share == 0
    # Of all mixes the one for which need does least is told.
    worse["gap_closed"].loc[{"scenario": "only_skills_by_need"}] = -9.0
    assert replace(comparison, effects=worse).by_need().least == 0
    alone = {name: item for name, item in comparison.scenarios.items() if not name.startswith("uniform")}
    assert replace(comparison, scenarios=alone).by_need() is None


def test_a_policy_under_which_own_output_falls_levels_down():
    dims, places = (
        ("scenario", "draw", "region", "year"),
        {"scenario": ["none", "down", "up", "apart"], "draw": [0], "year": [0]},
    )
    made = [[4.0, 1.0], [3.0, 0.9], [4.0, 1.5], [4.0, 1.0]]
    output = xr.DataArray(np.array(made)[:, None, :, None], dims=dims, coords=places)
    start = Start(output=np.array([4.0, 1.0]), population=np.ones(2))
    found = effects(output, xr.ones_like(output), None, dict.fromkeys(places["scenario"], "none"), start)
    cast = dict.fromkeys(("down", "up", "apart"), None)
    ranking = Ranking(effects=found, scenarios=cast, year=0, limits=None, regional=None, start=start)
    assert (found["gap_closed"] > 0).to_numpy().ravel().tolist() == [True, True, False]
    assert ranking.levels_down.to_dict() == {"down": True, "up": False, "apart": False}
    assert ranking.chosen.members == ("up",)
    assert found["laggards_change"].to_numpy().ravel() == pytest.approx(100 * np.log([0.9, 1.5, 1.0]))
    assert found["gap_closed_by_people"].to_numpy() == pytest.approx(found["gap_closed"].to_numpy())


def test_each_state_is_weighed_by_the_people_who_live_in_it():
    """A policy moves people too: welfare, the gap by people and those of classes, by plain loops."""
    rng = np.random.default_rng(0)
    made, people = rng.uniform(1, 4, (2, 2, 3, 5, 1))
    dims, coords = ("scenario", "draw", "region", "year"), {"scenario": ["none", "own"], "draw": range(3), "year": [0]}
    start = Start(output=np.array([5.0, 1, 4, 2, 3]), population=np.ones(5), classes=("A", "A", "B", "B", "B"))
    output, population = (xr.DataArray(values, dims=dims, coords=coords) for values in (made, people))
    found = effects(output, population, None, {"none": "none", "own": "none"}, start).sel(scenario="own")
    behind, members = [1, 3], ([0, 1], [2, 3, 4])
    for draw in range(3):
        welfare, gaps, classes = [], [], []
        for y, p in zip(made[:, draw, :, 0], people[:, draw, :, 0], strict=True):
            logs = np.log(y / p)
            welfare.append(sum(p * logs) / sum(p))
            gaps.append(np.log(sum(y) / sum(p)) - sum(p[behind] * logs[behind]) / sum(p[behind]))
            heads = [sum(y[own]) / sum(p[own]) for own in members]
            classes.append([1 - head / max(heads) for head in heads])
        expected = {"welfare_change": welfare[1] - welfare[0], "gap_closed_by_people": gaps[0] - gaps[1]}
        expected |= {f"class_gap_closed:{name}": classes[0][i] - classes[1][i] for i, name in enumerate("AB")}
        for key, value in expected.items():
            assert float(found[key].sel(draw=draw)) == pytest.approx(100 * value)


def test_the_delta_that_is_asked_for_is_that_of_the_answer(model, panel, cast):
    found = answer(model, panel, cast, {"": None}, None, bounds=BOUNDS, draws=4, seed=0, delta=50.0).main
    assert found.chosen.delta == 50.0
    assert set(found.chosen.members) == set(found.levels_down.index[~found.levels_down])
    assert replace(found, delta=None).chosen.delta == pytest.approx(
        max(0.05, found.table().loc[~found.levels_down, "gap_closed_mean"].max() / 10)
    )


def test_a_tolerance_admits_whom_small_losses_keep_out(comparison):
    """Which constraint a policy breaks, and whether it keeps them if a region may lose half a per cent, by loops."""
    for name, row in comparison.limits.iterrows():
        own = comparison.regional["own_change"].sel(scenario=name)
        # The quantile of a share of draws is an estimate that need not be a draw: its sign is that of most draws.
        if bool((own > 0).all()):
            assert row["keeps_region_change"]
        if bool((own.min("region") < -0.5).all()):
            assert not row["keeps_with_tolerance"]
        kept = [row[f"keeps_{key}"] for key in ("output_change", "region_change", "leader_change")]
        assert row["keeps_constraints"] == all(kept)
        assert row["keeps_with_tolerance"] >= row["keeps_constraints"]
        worse = (own < 0).mean("draw")
        assert row["share_worse_off"] == pytest.approx(float(worse.max()))


def test_further_groupings_are_a_plain_loop_over_their_groups():
    rng = np.random.default_rng(1)
    made, people = rng.uniform(1, 4, (2, 2, 3, 5, 1))
    dims, coords = ("scenario", "draw", "region", "year"), {"scenario": ["none", "own"], "draw": range(3), "year": [0]}
    groups = ("lower", "upper", "lower", "upper", "upper")
    start = Start(output=np.array([1.0, 5, 2, 6, 4]), population=np.ones(5), groupings={"bank": groups})
    assert start.ends("bank") == ("upper", "lower")
    assert start.log_ratio("bank", start.output, start.population) == pytest.approx(100 * np.log(5 / 1.5))
    output, population = (xr.DataArray(values, dims=dims, coords=coords) for values in (made, people))
    found = effects(output, population, None, {"none": "none", "own": "none"}, start).sel(scenario="own")
    for draw in range(3):
        gaps, indices = [], []
        for y, p in zip(made[:, draw, :, 0], people[:, draw, :, 0], strict=True):
            lower, upper = ([place for place in range(5) if groups[place] == name] for name in ("lower", "upper"))
            heads = [sum(y[own]) / sum(p[own]) for own in (upper, lower)]
            gaps.append(100 * np.log(heads[0] / heads[1]))
            shares = [(sum(y[own]) / sum(y), sum(p[own]) / sum(p)) for own in (upper, lower)]
            indices.append(1000 * sum(share * np.log(share / part) for share, part in shares))
        expected = {"bank_gap": gaps[0], "bank_gap_closed": gaps[0] - gaps[1]}
        expected["theil_between_closed:bank"] = indices[0] - indices[1]
        for key, value in expected.items():
            assert float(found[key].sel(draw=draw)) == pytest.approx(value)


def test_nothing_to_compare_is_refused(comparison, panel):
    output = xr.DataArray(
        np.ones((1, 1, 4, 2)), dims=("scenario", "draw", "region", "year"), coords={"scenario": ["a"]}
    )
    with pytest.raises(InvalidInput, match="no policy was run"):
        effects(output, output, None, {"a": "a"}, start_of(panel))


def test_without_classes_and_without_laggards_what_is_left_is_computed():
    rng = np.random.default_rng(0)
    shape = (2, 3, 2, 2)
    dims = ("scenario", "draw", "region", "year")
    coords = {"scenario": ["base", "policy"], "draw": range(3), "year": [2024, 2025]}
    output, people = (xr.DataArray(rng.uniform(1, 2, shape), dims=dims, coords=coords) for _ in range(2))
    names = {"base": "base", "policy": "base"}
    equal = Start(output=np.ones(2), population=np.ones(2))
    found = effects(output, people, None, names, equal)
    assert "gap_closed" not in found
    assert "theil_between_closed" not in found
    assert "output_change" in found
