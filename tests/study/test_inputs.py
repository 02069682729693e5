"""Start values of regions: observed where observed, inferred and said so where not."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.data import Data, load_data
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.region_inputs import region_inputs, relative_growth, smooth_minimum
from tests.provinces import with_variable


@pytest.fixture(scope="module")
def panel():
    return load_data("china")


@pytest.fixture(scope="module")
def model(panel):
    return load_model("regional_digital", regions=len(panel.regions))


def national(values, people):
    return float((values * people).sum() / people.sum())


def test_what_is_observed_is_taken_as_it_is(model, panel):
    inputs = region_inputs(model, panel, 2014)
    place = panel.years.index(2014)
    np.testing.assert_array_equal(
        inputs.values["Initial Output per Capita"][0, 0], panel.array("output_per_head")[:, place]
    )
    np.testing.assert_array_equal(inputs.values["Initial Population"][0, 0], panel.array("population")[:, place])


def test_inferred_access_meets_the_national_value_and_follows_its_indicators(model, panel):
    inputs = region_inputs(model, panel, 2018)
    access = inputs.values["Initial Access Share"][0, 0]
    people = inputs.values["Initial Population"][0, 0]
    income = inputs.values["Initial Output per Capita"][0, 0]
    limit = 0.98 * 0.95 * income / (income + 4000)
    place = panel.years.index(2018)
    proxy = np.exp(
        sum(
            np.log(panel.array(name)[:, place] / panel.array(name)[:, place].mean())
            for name in ("mobile_internet_per_100", "broadband_ports_per_100")
        )
        / 2
    )
    # An independent reading of the formula: the same access per unit of proxy, at the national value, bent at ceilings.
    share = proxy * panel.national["internet_penetration"][2018] / national(proxy, people)
    bent = (share**-16 + limit**-16) ** (-1 / 16)
    np.testing.assert_allclose(access, bent, rtol=1e-12)
    assert (access < limit).all()
    free = share < 0.75 * limit
    assert 15 < free.sum() < 31
    np.testing.assert_allclose(access[free], share[free], rtol=1e-3)


sizes = st.floats(1e-6, 1e3)


@given(share=sizes, limit=sizes, factor=st.floats(1.001, 10))
def test_a_smooth_minimum_is_never_above_either(share, limit, factor):
    found = float(smooth_minimum(np.array(share), np.array(limit)))
    lower = min(share, limit)
    assert 2 ** (-1 / 16) * lower * (1 - 1e-12) <= found <= lower * (1 + 1e-12)
    assert found == pytest.approx(float(smooth_minimum(np.array(limit), np.array(share))), rel=1e-9)
    assert smooth_minimum(np.array(factor * share), np.array(limit)) >= found * (1 - 1e-12)
    if share < 0.75 * limit:
        assert found == pytest.approx(share, rel=1e-3)


def test_a_level_may_be_a_parameter(model, panel):
    levels = np.array([0.3, 0.5])
    inputs = region_inputs(model, panel, 2014, parameters={"h_s": levels})
    people = inputs.values["Initial Population"][0, 0]
    skills = inputs.values["Initial Skill Share"][0]
    access = inputs.values["Initial Access Share"][0]
    assert skills.shape == (2, 31)
    for found, level in zip(skills, levels, strict=True):
        # A little less than the level where the richest regions meet the ceiling.
        assert 0.9 * level < national(found, people) / national(access[0], people) <= level * (1 + 1e-12)
    declared = region_inputs(model, panel, 2014)
    same = region_inputs(model, panel, 2014, parameters={"h_s": model.spec.parameters["h_s"].value})
    np.testing.assert_array_equal(declared.values["Initial Skill Share"], same.values["Initial Skill Share"])
    told = {item.key: item.how for item in declared.imputed}
    assert told["s"].startswith("the share h_s of the national Initial Access Share; spread by ict_employment_share")


@pytest.mark.parametrize(("seen", "read"), [((2017, 2019), 2017), ((2016, 2019), 2019), ((2016, 2020), 2016)])
def test_of_years_that_are_equally_near_the_earlier_is_read(model, panel, seen, read):
    columns = [panel.years.index(year) for year in seen]

    def only(variable):
        values = np.full(panel.array(variable).shape, np.nan)
        values[:, columns] = panel.array(variable)[:, columns]
        return values

    some = panel
    for variable in ("mobile_internet_per_100", "broadband_ports_per_100"):
        some = with_variable(some, variable, only(variable), unit=panel.units[variable])
    national = {year: panel.national["internet_penetration"][year] for year in seen}
    some = some.with_national({**panel.national, "internet_penetration": national})
    alone = some
    for variable in ("mobile_internet_per_100", "broadband_ports_per_100"):
        values = np.full(panel.array(variable).shape, np.nan)
        values[:, panel.years.index(read)] = panel.array(variable)[:, panel.years.index(read)]
        alone = with_variable(alone, variable, values, unit=panel.units[variable])
    alone = alone.with_national({**panel.national, "internet_penetration": {read: national[read]}})
    found, expected = (region_inputs(model, item, 2018) for item in (some, alone))
    np.testing.assert_array_equal(found.values["Initial Access Share"], expected.values["Initial Access Share"])
    how = {item.key: item.how for item in found.imputed}["a"]
    assert f"national internet_penetration of {read}; " in how
    assert how.endswith(f"of {read}")


def test_ladder_of_shares_holds(model, panel):
    for year in (2014, 2019, 2024):
        values = region_inputs(model, panel, year).values
        access, skills, application = (values[f"Initial {name} Share"] for name in ("Access", "Skill", "Application"))
        assert (skills <= access).all()
        assert (application <= np.sqrt(access * skills)).all()
        assert (application > 0).all()


def test_a_larger_loading_brings_regions_together(model, panel):
    loadings = np.array([1.5, 2.5, 4.0])
    skills = region_inputs(model, panel, 2016, parameters={"lambda_s": loadings}).values["Initial Skill Share"]
    assert skills.shape == (1, 3, 31)
    spread = np.log(skills[0]).std(axis=1)
    assert spread[0] > spread[1] > spread[2]


def test_everything_inferred_is_listed(model, panel):
    inputs = region_inputs(model, panel, 2014)
    told = {item.key for item in inputs.imputed}
    assert {"a", "s", "u", "X", "G", "N", "KY"} <= told
    assert {"P", "y"}.isdisjoint(told)
    assert all(len(item.regions) == 31 for item in inputs.imputed)


def test_user_shares_replace_inference_and_missing_cells_are_marked(model, panel):
    access = np.full((31, len(panel.years)), 0.5)
    access[3] = np.nan
    own = with_variable(panel, "access", access, unit="Dmnl")
    inputs = region_inputs(model, own, 2014)
    found = inputs.values["Initial Access Share"][0, 0]
    assert (np.delete(found, 3) == 0.5).all()
    marks = [item for item in inputs.imputed if item.key == "a"]
    assert [item.regions for item in marks] == [(panel.codes[3],)]


def test_observations_come_before_what_is_carried_on(model, panel):
    governance = np.full((31, len(panel.years)), 0.7)
    governance[3] = np.nan
    own = with_variable(panel, "governance", governance, unit="Dmnl")
    carried = {"G": np.tile([[0.3], [0.4]], (1, 31)), "X": np.full((2, 31), 0.2)}
    inputs = region_inputs(model, own, 2014, carried=carried)
    found = inputs.values["Initial Governance Integration"][0]
    assert (np.delete(found, 3, axis=1) == 0.7).all()
    np.testing.assert_array_equal(found[:, 3], [0.3, 0.4])
    marks = {item.key: item for item in inputs.imputed}
    assert marks["G"].regions == (panel.codes[3],)
    assert marks["G"].how == "missing; carried on from the simulated history"
    assert marks["X"].regions == panel.codes
    assert marks["X"].how == "no series; carried on from the simulated history"


def test_observed_shares_that_break_the_ladder_are_told(model, panel):
    assert region_inputs(model, panel, 2014).warnings == ()
    own = panel
    for name, value, odd in (("access", 0.4, 0.99), ("skills", 0.3, 0.5), ("application", 0.3, 0.5)):
        shares = np.full((31, len(panel.years)), value)
        shares[2] = odd
        shares[5] = np.nan
        own = with_variable(own, name, shares, unit="Dmnl")
    warnings = region_inputs(model, own, 2014, parameters={"y_h": np.array([3000.0, 4000.0, 5000.0])}).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("access observed in 2014 lies above what incomes can afford in 130000;")
    lower = with_variable(own, "access", np.full((31, len(panel.years)), 0.4), unit="Dmnl")
    warnings = region_inputs(model, lower, 2014).warnings
    assert [text.split(" in 130000;")[0] for text in warnings] == [
        "skills observed in 2014 lies above access",
        "application observed in 2014 lies above the geometric mean of access and skills",
    ]


def test_only_output_is_enough(model, panel):

    bare = panel.with_values({"output_per_head": panel.array("output_per_head").copy()}).with_national({})
    inputs = region_inputs(model, bare, 2014)
    told = {item.key: item.how for item in inputs.imputed}
    assert "equal shares" in told["P"]
    assert "incomes can afford" in told["a"]
    run = simulate(
        model, RegionalModel(model=model, panel=panel).values(inputs), start=2014, stop=2016, outcomes=["Output"]
    )
    assert np.isfinite(run["Output"]).all()


def test_missing_output_is_an_error_that_names_regions(model, panel):
    holed = panel.array("output_per_head").copy()
    holed[[1, 4], panel.years.index(2014)] = np.nan
    with pytest.raises(InvalidPanel, match="missing in 2014 for 120000, 150000"):
        region_inputs(model, with_variable(panel, "output_per_head", holed, unit="Yuan/(Year*Person)"), 2014)


def test_a_year_outside_the_panel(model, panel):
    with pytest.raises(InvalidPanel, match="has no year 1990; it has 2000 to 2024"):
        region_inputs(model, panel, 1990)


def test_a_model_without_declarations(panel, tmp_path):
    from tests.engine.small_models import write_model

    with pytest.raises(InvalidInput, match="has no declarations"):
        region_inputs(load_model(write_model(tmp_path, "a = 1 ~~|")), panel, 2014)


def relative(panel, year):
    logs = np.log(panel.array("output_per_head")[:, panel.years.index(year)])
    return logs - logs.mean()


def with_holes(panel, holes):
    output = panel.array("output_per_head").copy()
    for region, year in holes:
        output[region, panel.years.index(year)] = np.nan
    return with_variable(panel, "output_per_head", output, unit="Yuan/(Year*Person)")


def test_momentum_carries_half_of_last_years_extra_growth_into_the_first_year(model, panel):
    inputs = region_inputs(model, panel, 2014)
    null = dict.fromkeys(("c0", "c1", "lam_I", "th_U", "th_X", "m0", "eta_S", "eta_A"), 0.0)
    run = simulate(
        model,
        RegionalModel(model=model, panel=panel, parameters=null).values(inputs),
        start=2014,
        stop=2015,
        outcomes=["Output per Capita"],
    )
    logs = np.log(run["Output per Capita"][0, 0])
    extra = np.diff(logs - logs.mean(axis=0), axis=1)[:, 0]
    np.testing.assert_allclose(extra, 0.5 * (relative(panel, 2014) - relative(panel, 2013)), atol=1e-12)


def test_reference_shift_is_the_mean_of_the_window(model, panel):
    inputs = region_inputs(model, panel, 2014, reference_years=5)
    expected = np.mean([relative(panel, year) for year in range(2010, 2015)], axis=0) - relative(panel, 2014)
    np.testing.assert_allclose(inputs.values["Reference Technology Shift"][0, 0], expected, atol=1e-12)


def test_a_missing_cell_makes_up_no_growth_for_the_others(model, panel):
    # Beijing is far above the mean: leaving it out of one year only would move the mean by several per cent.
    holed = with_holes(panel, [(0, 2013)])
    others = panel.subset(entities=panel.codes[1:])
    found = relative_growth(holed)
    np.testing.assert_allclose(found[1:, 12], relative_growth(others)[:, 12], atol=1e-12)
    assert np.isnan(found[0, [12, 13]]).all()
    np.testing.assert_array_equal(
        np.delete(found, [12, 13], axis=1), np.delete(relative_growth(panel), [12, 13], axis=1)
    )
    momentum = region_inputs(model, holed, 2014).values["Initial Growth Momentum"][0, 0]
    assert momentum[0] == 0
    assert momentum[1:].sum() == pytest.approx(0, abs=1e-12)


def test_a_missing_cell_moves_no_reference_but_its_own(model, panel):
    shift = region_inputs(model, with_holes(panel, [(0, 2012)]), 2014, reference_years=5).values
    years = range(2010, 2015)
    logs = np.log(panel.array("output_per_head")[:, [panel.years.index(year) for year in years]])
    position = logs - logs[1:].mean(axis=0)
    expected = position.mean(axis=1) - position[:, -1]
    expected[0] = position[0, [0, 1, 3, 4]].mean() - position[0, -1]
    np.testing.assert_allclose(shift["Reference Technology Shift"][0, 0], expected, atol=1e-12)


def test_without_a_region_seen_in_every_year_the_reference_is_the_first_year(model, panel):
    holed = with_holes(panel, [(region, 2010 + region % 4) for region in range(31)])
    values = region_inputs(model, holed, 2014, reference_years=5).values
    np.testing.assert_array_equal(values["Reference Technology Shift"], 0)


def test_growth_over_several_years_is_not_that_of_one(panel):
    years = [year for year in panel.years if year != 2013]
    found = relative_growth(panel.subset(times=years))
    assert np.isnan(found[:, years.index(2014) - 1]).all()
    np.testing.assert_allclose(found.sum(axis=0)[years.index(2015) - 1], 0, atol=1e-12)


def test_order_of_regions_does_not_matter(model, panel):
    order = np.random.default_rng(3).permutation(31)
    shuffled = Data.by_region(
        name=panel.name,
        regions=[panel.regions[place] for place in order],
        years=panel.years,
        values={name: panel.array(name)[order] for name in panel.variables},
        units=panel.units,
        national=panel.national,
    )
    straight, other = region_inputs(model, panel, 2018).values, region_inputs(model, shuffled, 2018).values
    for name in straight:
        np.testing.assert_allclose(other[name], straight[name][:, :, order], rtol=1e-12, err_msg=name)


def test_another_currency_scales_income_only(model, panel):
    yuan, other = (region_inputs(model, panel, 2014, yuan_per_unit=unit).values for unit in (1.0, 7.0))
    np.testing.assert_allclose(other["Initial Output per Capita"], 7 * yuan["Initial Output per Capita"])
    np.testing.assert_array_equal(other["Initial Population"], yuan["Initial Population"])
