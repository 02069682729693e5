"""Projections start from what was observed, share their draws, and can be made again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pysd_runner.core.errors import InvalidInput, ProbableSlip
from pysd_runner.data import load_data
from pysd_runner.export import load_netcdf, save_netcdf
from pysd_runner.model import load_model
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import FittedParameters
from pysd_runner.study.binding import RegionalModel
from pysd_runner.study.draws import parameter_draws
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.loading import load_future
from pysd_runner.study.projection import project, projected
from tests.engine.small_models import write_model
from tests.provinces import with_variable
from tests.records import resealed


@pytest.fixture(scope="module")
def panel():
    return load_data("china")


@pytest.fixture(scope="module")
def model(panel):
    return load_model("regional_digital", regions=31)


@pytest.fixture(scope="module")
def projection(model, panel):
    return project(model, panel, ["zoned_need", "data_market_full_access"], draws=12, until=2030)


def test_every_path_starts_at_the_observed_state(projection, panel):
    first = projection.data["output_per_head"].sel(year=2024)
    observed = panel.array("output_per_head")[:, panel.years.index(2024)]
    np.testing.assert_allclose(first, np.broadcast_to(observed, first.shape), rtol=1e-12)
    people = projection.data["population"].sel(year=2024)
    np.testing.assert_allclose(people[0, 0], panel.array("population")[:, -1], rtol=1e-12)


def test_history_and_projection_agree_at_the_origin(projection):
    for name in ("gap_to_leader", "theil", "sigma", "class_gap"):
        past = projection.history[name].sel(year=2024).to_numpy()
        future = projection.data[name].sel(year=2024, scenario="baseline").isel(draw=0).to_numpy()
        np.testing.assert_allclose(future, past, rtol=1e-9, atol=1e-12, err_msg=name)


def test_baselines_stand_first_and_assumptions_have_their_own(projection):
    assert projection.scenarios[0] == "baseline"
    assert projection.baselines["zoned_need"] == "baseline"
    own = projection.baselines["data_market_full_access"]
    assert own != "baseline"
    assert own in projection.scenarios


def test_scenarios_share_their_draws_so_that_nothing_differs_before_the_policy(projection):
    difference = projection.difference("gap_to_leader").sel(scenario="zoned_need")
    assert float(np.abs(difference.sel(year=2024)).max()) == 0
    assert float(np.abs(difference.sel(year=2030)).max()) > 1e-4


def test_the_same_seed_gives_the_same_bits_and_another_does_not(model, panel, projection):
    again = project(model, panel, ["zoned_need", "data_market_full_access"], draws=12, until=2030)
    xr.testing.assert_identical(again.data, projection.data)
    other = project(model, panel, ["zoned_need"], draws=12, until=2030, seed=1)
    assert not np.array_equal(other.data["theil"].sel(year=2030), projection.data["theil"].sel(year=2030)[:1])


def test_a_scenario_more_leaves_the_others_alone(model, panel, projection):
    alone = project(model, panel, ["zoned_need"], draws=12, until=2030)
    for name in ("theil", "gap_to_leader", "output"):
        np.testing.assert_allclose(
            alone.data[name].sel(scenario="zoned_need"), projection.data[name].sel(scenario="zoned_need"), rtol=1e-12
        )


def fit_of(model, panel, last_year):
    """A fit made by hand: two parameters near their declared values."""
    seen = panel.subset(times=range(panel.years[0], last_year + 1))
    return FittedParameters(
        model=model.name,
        model_sha256=model.sha256,
        panel=panel.name,
        panel_sha256=seen.sha256,
        first_year=last_year - 5,
        last_year=last_year,
        regions=panel.codes,
        keys=("g0", "alpha"),
        estimates=(0.03, 0.4),
        standard_errors=(0.003, 0.02),
        covariance=((0.01, 0.002), (0.002, 0.01)),
        contraction=(0.5, 0.2),
        at_bound=("", ""),
        status="converged",
        message="made by hand",
        shock_sd=0.02,
    )


@pytest.mark.parametrize("with_fit", [False, True])
def test_nothing_after_the_origin_is_used(model, panel, with_fit):
    # National series with nothing in the last two years, so that the nearest year lies after the origin.
    panel = panel.with_national(
        {
            name: {year: value for year, value in series.items() if year not in (2014, 2015)}
            for name, series in panel.national.items()
        }
    )
    spoilt = panel.with_values(
        {
            name: np.where(np.array(panel.years) > 2015, 1e3 * panel.array(name), panel.array(name))
            for name in panel.variables
        },
        panel.units,
    ).with_national(
        {
            name: {year: value if year <= 2015 else 0.123 for year, value in series.items()}
            for name, series in panel.national.items()
        }
    )
    fitted = fit_of(model, panel, 2015) if with_fit else None
    clean, other = (
        project(model, found, ["zoned"], fitted, origin=2015, until=2018, draws=4) for found in (panel, spoilt)
    )
    xr.testing.assert_equal(clean.data, other.data)


def test_a_fit_that_saw_later_years_or_another_model_is_refused(model, panel):
    fitted = fit_of(model, panel, 2020)
    with pytest.raises(InvalidInput, match=r"saw the years to 2020, which lie after the origin 2019; calibrate again"):
        project(model, panel, ["zoned"], fitted, origin=2019, draws=2)
    with pytest.raises(InvalidInput, match=r"another version of the model.*calibrate again"):
        project(model, panel, ["zoned"], replace(fitted, model_sha256="0" * 64), draws=2)


def test_a_fit_made_at_another_exchange_rate_is_refused(model, panel):
    fitted = replace(fit_of(model, panel, 2024), provenance={"yuan_per_unit": 7.0})
    assert project(model, panel, ["baseline"], fitted, until=2025, draws=1, yuan_per_unit=7).origin == 2024
    with pytest.raises(
        InvalidInput, match=r"made at 7 yuan for a unit of the panel's currency, not at 1; take the rate"
    ):
        project(model, panel, ["baseline"], fitted, until=2025, draws=1)


@pytest.mark.parametrize("value", [-0.5, 40.0])
def test_a_fit_with_values_outside_declared_bounds_is_refused(model, panel, value):
    fitted = fit_of(model, panel, 2024)
    for other in (replace(fitted, estimates=(value, 0.4)), replace(fitted, draws=((0.03, 0.4), (value, 0.4)))):
        with pytest.raises(InvalidInput, match=rf"fitted parameters: 'g0' is {value:g}; its bounds are .*: calibrate"):
            project(model, panel, ["baseline"], other, until=2025, draws=2)


def test_a_fit_to_another_panel_is_told(model, panel):
    fitted = fit_of(model, panel, 2020)
    run = {"draws": 2, "until": 2025}
    assert not any("The fit was made on" in text for text in project(model, panel, ["zoned"], fitted, **run).warnings)
    other = project(model, panel, ["zoned"], replace(fitted, panel_sha256="0" * 64), **run)
    assert any("the values of panel 'china' are others" in text for text in other.warnings)
    fewer = project(model, panel, ["zoned"], replace(fitted, regions=panel.codes[1:]), **run)
    assert any("with 30 regions; those of panel 'china' are others" in text for text in fewer.warnings)


def test_one_draw_is_the_central_run_without_shocks(model, panel):
    one = project(model, panel, ["zoned"], draws=1, until=2027)
    same = project(model, panel, ["zoned"], draws=1, until=2027, seed=5)
    xr.testing.assert_identical(one.data, same.data)


@pytest.mark.parametrize("with_fit", [False, True])
def test_more_years_and_more_draws_keep_those_before_them(model, panel, with_fit):
    fitted = fit_of(model, panel, 2024) if with_fit else None
    few = project(model, panel, ["zoned_need"], fitted, draws=3, until=2027)
    many = project(model, panel, ["zoned_need"], fitted, draws=5, until=2030)
    kept = many.data.sel(draw=few.data["draw"], year=few.data["year"])
    # The money of the levers is a mean over draws.
    for name in set(few.data) - {"lever_budget"}:
        np.testing.assert_allclose(kept[name], few.data[name], rtol=1e-12, atol=1e-14, err_msg=str(name))


def test_the_money_of_the_levers_sums_to_the_budget(model, panel):
    data = project(model, panel, ["zoned_need"], draws=3, until=2027).data
    total, budget = data["lever_budget"].sum(["lever", "region"]), data["policy_budget"].mean("draw")
    np.testing.assert_allclose(total, budget.transpose(*total.dims), rtol=1e-12)
    assert float(total.sel(scenario="zoned_need").isel(year=-1)) > 0


def test_engines_agree(panel):
    some = panel.subset(entities=[region.code for region in panel.regions[:3]])
    small = load_model("regional_digital", regions=3)
    ours, theirs = (
        projected(inputs_of(small, some, draws=2, until=2026, engine=engine), some, ["access_ladder"], engine=engine)
        for engine in ("numpy", "pysd")
    )
    for name in ours.data:
        np.testing.assert_allclose(ours.data[name], theirs.data[name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_saved_and_loaded_to_a_hundred_thousandth_and_then_without_loss(projection, tmp_path):
    folder = projection.save(tmp_path / "results")
    again = load_future(folder)
    assert set(again.data) == set(projection.data)
    for name in projection.data:
        np.testing.assert_allclose(again.data[name], projection.data[name], rtol=1e-5, err_msg=name)
    for name in projection.data.coords:
        assert again.data[name].equals(projection.data[name]), name
    xr.testing.assert_equal(load_future(again.save(tmp_path / "twice")).data, again.data)
    xr.testing.assert_equal(again.history, projection.history)
    assert again.baselines == dict(projection.baselines)
    assert again.warnings == projection.warnings
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["seed"] == 0
    assert len(record["panel"]["sha256"]) == 64


def test_outcomes_carry_units_and_names_in_two_languages(projection):
    for name in ("gap_to_leader", "theil", "output_per_head"):
        attrs = projection.data[name].attrs
        assert attrs["units"]
        assert attrs["long_name"]
        assert attrs["long_name_zh"]
    assert projection.data["name_zh"].sel(region="110000") == "北京"
    assert projection.gaps.dims == ("scenario", "draw", "region", "year")


def test_without_a_scenario_the_baseline_runs_alone(model, panel):
    assert project(model, panel, [], until=2026, draws=2).scenarios == ("baseline",)


def test_a_scenario_that_changes_a_constant_is_one_of_any_model(model, panel):
    name = model.spec.parameters["q_a"].variable
    found = project(model, panel, {"more": {name: "x2"}, "same": {name: "x1"}}, until=2026, draws=2)
    moved = found.difference("access").sel(year=2026)
    assert found.scenarios == ("baseline", "more", "same")
    assert (moved.sel(scenario="same") == 0).all()
    assert (moved.sel(scenario="more") > 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"until": 2024}, "until must lie after the origin"),
        ({"draws": 0}, "draws must be a whole number from 1; found 0"),
        ({"origin": 1999}, "1999"),
        ({"origin": 2020.5}, r"origin must be a whole number; found 2020\.5"),
        ({"until": 2026.5}, r"until must be a whole number; found 2026\.5"),
        ({"draws": 2.5}, r"draws must be a whole number from 1; found 2\.5"),
        ({"seed": -1}, "seed must be a whole number from 0; found -1"),
        ({"seed": None}, "seed must be a whole number"),
        ({"scenarios": ["zoned", 3]}, "names, dictionaries or Scenario objects; found 3"),
    ],
)
def test_settings_that_do_not_fit(model, panel, settings, message):
    with pytest.raises(InvalidInput, match=message):
        project(model, panel, **{"scenarios": ["zoned"], "draws": 2, **settings})


def test_whole_numbers_of_any_kind_and_a_single_scenario_are_taken(model, panel, tmp_path):
    plain = project(model, panel, ["zoned"], draws=2, until=2026, origin=2024)
    years = {"until": np.int64(2026), "origin": np.int64(2024)}
    other = project(model, panel, "zoned", draws=np.int32(2), seed=np.int64(0), **years)
    xr.testing.assert_identical(other.data, plain.data)
    assert other.provenance == plain.provenance
    other.save(tmp_path)
    single = project(model, panel, load_scenario("zoned", model=model), draws=2, until=2026.0)
    xr.testing.assert_identical(single.data, plain.data)


def test_a_panel_with_holes_in_its_years_can_be_projected(model, panel):
    some = panel.subset(times=[2008, 2013, 2017, 2020, 2024])
    assert np.isfinite(project(model, some, ["zoned"], draws=2, until=2026).data["theil"]).all()
    fitted = replace(fit_of(model, panel, 2024), first_year=2016)
    assert np.isfinite(project(model, some, ["zoned"], fitted, draws=2, until=2026).data["theil"]).all()


def test_the_history_starts_in_the_nearest_year_with_output_in_every_region(model, panel):
    output = panel.array("output_per_head").copy()
    output[2, panel.years.index(2014)] = np.nan
    holed = with_variable(panel, "output_per_head", output, unit=panel.units["output_per_head"])
    values = {name: np.array([item.value]) for name, item in model.spec.parameters.items()}
    found = RegionalModel(model=model, panel=holed, parameters=values).carried(2024)
    first_year = fit_of(model, panel, 2018).first_year
    expected = RegionalModel(model=model, panel=panel, parameters=values).carried(2024, first_year)
    assert set(found) == {"s", "u", "X", "G", "N"}
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_model_must_have_the_regions_of_the_panel(panel):
    with pytest.raises(InvalidInput, match="load it with load_model"):
        project(load_model("regional_digital", regions=4), panel, ["zoned"])


@pytest.fixture(scope="module")
def saved(projection, tmp_path_factory):
    """A corner of the projection: how large it is says nothing about damage."""
    corner = projection.data.isel(draw=slice(2), region=slice(3), year=slice(2))
    parameters = projection.parameters.isel(draw=slice(2))
    return replace(projection, data=corner, parameters=parameters).save(tmp_path_factory.mktemp("saved") / "results")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "results"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": None}, r"run\.json: origin: is missing"),
        ({"warnings": None}, r"run\.json: warnings: is missing"),
        ({"origin": "2024"}, r"run\.json: origin: expected a whole number; found '2024'"),
        ({"baselines": ["x"]}, r"run\.json: baselines: expected keys with values"),
        ({"baselines": {"x": "x"}}, r"run\.json: baselines: expected one for each scenario"),
        ({"imputed": "none"}, r"run\.json: imputed: expected a list"),
        ({"imputed": [1]}, r"run\.json: imputed\.0: expected a text in quotes"),
        ({"schema": 2}, r"run\.json: schema: this version reads the record of a projection of schema 1"),
    ],
)
def test_a_damaged_record(folder, change, message):
    def changed(record):
        for name, value in change.items():
            record.pop(name) if value is None else record.update({name: value})

    resealed(folder / "run.json", changed)
    with pytest.raises(InvalidInput, match=message):
        load_future(folder)


def test_a_record_that_was_changed_by_hand(folder):
    file = folder / "run.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"origin": 2024', '"origin": 2023'), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"run\.json is not as it was written.*run the scenarios again"):
        load_future(folder)


def test_the_drawn_parameters_are_kept(projection, folder):
    drawn = projection.parameters
    assert drawn.dims == ("parameter", "draw")
    assert set(drawn["parameter"].to_numpy()) > {"q_a", "c_S"}
    assert float(drawn.sel(parameter="q_a").std()) > 0
    drawn = drawn.isel(draw=slice(2))
    assert load_future(folder).parameters.equals(drawn)
    save_netcdf(drawn.isel(draw=slice(1, None)).to_dataset(name="parameters"), folder / "parameters.nc")
    with pytest.raises(InvalidInput, match=r"parameters\.nc does not belong to the projection beside it"):
        load_future(folder)
    (folder / "parameters.nc").unlink()
    assert load_future(folder).parameters is None


@pytest.mark.parametrize("name", ["projection.nc", "history.nc", "parameters.nc", "run.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x80 not text", b"\x89HDF\r\n\x1a\n"])
def test_bytes_that_are_no_projection(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=name.replace(".", r"\.")):
        load_future(folder)


@pytest.mark.parametrize("name", ["scenario", "draw", "region", "year"])
def test_coordinates_are_there_once_each(folder, name):
    data = load_netcdf(folder / "projection.nc")
    save_netcdf(xr.concat([data, data.isel({name: [0]})], dim=name, data_vars="minimal"), folder / "projection.nc")
    with pytest.raises(InvalidInput, match=rf"projection\.nc: duplicate {name} .*; run the scenarios again"):
        load_future(folder)
    save_netcdf(data.rename({name: "other"}), folder / "projection.nc")
    with pytest.raises(InvalidInput, match=rf"projection\.nc: no coordinate '{name}'"):
        load_future(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput, match=r"there is no folder '.*nothing'; give the folder that `gapsim run` wrote"):
        load_future(tmp_path / "nothing")


def test_prior_draws_stay_within_bounds_and_do_not_move_each_other(model):
    spec = model.spec
    draws = parameter_draws(spec, None, 300, np.random.default_rng(0))
    for name, values in draws.items():
        item = spec.parameters[name]
        assert values.shape == (300,)
        assert (values >= item.lower).all()
        assert (values <= item.upper).all()
    fewer = replace(spec, parameters={name: item for name, item in spec.parameters.items() if name != "alpha"})
    again = parameter_draws(fewer, None, 300, np.random.default_rng(0))
    for name, values in again.items():
        np.testing.assert_array_equal(values, draws[name])


def test_one_region_can_be_projected(panel):
    one = panel.subset(entities=["110000"])
    result = project(load_model("regional_digital", regions=1), one, ["zoned"], draws=3, until=2027)
    assert float(result.data["theil"].max()) == pytest.approx(0, abs=1e-12)


def test_money_comes_back_in_the_currency_of_the_panel(model, panel):
    units = {name: unit.replace("Yuan", "Taler") for name, unit in panel.units.items()}
    money = {name: panel.array(name) / 7 for name in ("output", "output_per_head")}
    taler = replace(panel.with_values({**panel.values, **money}, units), currency="Taler")
    in_yuan = project(model, panel, ["zoned_need"], draws=2, until=2026)
    in_taler = project(model, taler, ["zoned_need"], draws=2, until=2026, yuan_per_unit=7)
    for name in ("output", "output_per_head", "national_output_per_head", "policy_budget"):
        np.testing.assert_allclose(in_taler.data[name], in_yuan.data[name] / 7, rtol=1e-9)
        assert in_taler.data[name].attrs["units"] == in_yuan.data[name].attrs["units"].replace("Yuan", "Taler")
    np.testing.assert_allclose(in_taler.data["theil"], in_yuan.data["theil"], rtol=1e-9)
    for name in ("output", "output_per_head"):
        past, future = in_taler.history[name], in_taler.data[name]
        assert past.attrs["units"] == future.attrs["units"]
        np.testing.assert_allclose(future[0, 0].sel(year=2024), past.sel(year=2024), rtol=1e-12)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), "7"])
def test_an_exchange_rate_that_is_none(model, panel, rate):
    with pytest.raises(InvalidInput, match="yuan_per_unit must be a positive number"):
        project(model, panel, ["zoned"], draws=2, yuan_per_unit=rate)


def test_without_population_nothing_is_weighted_by_it(model, panel, projection):
    bare = panel.with_values({"output_per_head": panel.array("output_per_head")})
    result = project(model, bare, ["zoned_need"], draws=2, until=2026)
    kept = {"output_per_head", "gap_to_leader", "sigma", "access", "skills", "application"}
    assert kept <= set(result.data)
    withheld = {str(name) for name in projection.data} - {str(name) for name in result.data}
    told = (
        "national",
        "theil",
        "class",
        "laggard",
        "output_share",
        "population",
        "policy_budget",
        "lever_budget",
        "budget_share",
        "gini",
    )
    weighted = {str(name) for name in projection.data if str(name).startswith(told)}
    assert withheld == weighted | {"output", "relative_output", "log_gap", "skilled_people_share"}
    assert any("The panel has no population" in text for text in result.warnings)
    assert not any("The panel has no population" in text for text in projection.warnings)


def test_a_policy_that_starts_before_the_origin_is_warned_of(model, panel):
    from pysd_runner.scenarios import Policy, Scenario

    policy = Policy(budget=0.003, start=2019)
    early = Scenario(name="early", label={"en": "Early", "zh": "早"}, policy=policy)
    found = project(model, panel, [early], draws=1, until=2026)
    assert any("early: its policy starts in 2019, not after the last observed year 2024" in x for x in found.warnings)


def test_results_name_what_depends_on_data_at_a_missing_time(tmp_path):
    (tmp_path / "d.csv").write_text("time,a\n0,3\n1,4\n", encoding="utf-8")
    equations = "d := GET DIRECT DATA('d.csv', ',', 'A', 'B2') ~~|\nfirst = GET DATA AT TIME(d, :NA:) ~~|\n"
    path = write_model(
        tmp_path, f"{equations}rest = INTEG(1, first + 1) ~~|\nfree = INTEG(1, 2) ~~|", final=3, step=1, saveper=1
    )
    with pytest.warns(ProbableSlip, match="trust no number"):
        future = project(load_model(path), None, ["baseline"])
    assert any("first, rest" in item for item in future.warnings)
    saved = future.save(tmp_path / "results")
    assert "rest" in (saved / "quantiles.csv").read_text("utf-8")
    with pytest.raises(InvalidInput, match="every value of 'rest' is missing"):
        future.plot("rest")
