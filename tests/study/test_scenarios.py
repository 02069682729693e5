"""Scenarios and projection of any model."""

import dataclasses
import re

import numpy as np
import pytest

from calibration import Problem, fit
from pysd_runner import load_data, load_model, project, simulate, together
from pysd_runner.core.errors import InvalidInput, InvalidScenario
from pysd_runner.engine import TimePath
from pysd_runner.plots.over_time import plot_fan
from pysd_runner.reports.figures import figure_jobs
from pysd_runner.scenarios import Scenario, load_scenario
from pysd_runner.scenarios.load import load_changes
from pysd_runner.spec import Observation
from pysd_runner.study.equations import PREFIX, check_equations, equations_of, stocks_of, with_starts
from pysd_runner.study.loading import load_future
from tests.study.models import LOGISTIC, REGIONS, SEIR, SIR, infections, made, written


@pytest.fixture(scope="module")
def sir(tmp_path_factory):
    return made(tmp_path_factory.mktemp("sir"), SIR, unit="day", stop=60)


@pytest.fixture(scope="module")
def fitted(sir):
    return fit(Problem(sir, infections(sir), free=["Contact Rate", "Duration"])).fitted


def test_years_of_the_data_are_those_of_a_run_that_counts_from_nought(tmp_path):
    model = made(tmp_path, LOGISTIC, stop=28)
    data = load_data({"year": np.arange(2012, 2025), "stock": np.linspace(5, 9, 13)})
    found = fit(Problem(model, data, free=["Growth Rate"], until=2020))
    assert "Fitted from 2012 to 2020." in found.summary()
    assert found.to_frame()["year"].tolist() == list(range(2012, 2021))
    more = Scenario.of("more", {"Capacity": {2026: "x2", "2030-07-02": 150}}, label={"en": "More", "zh": "更多"})
    future = project(model, data, [more], found.fitted, draws=5, until=2040)
    assert future["Stock"]["time"].to_numpy().tolist() == list(range(2012, 2041))
    assert future.plot().axes[0].lines[-1].get_xdata().tolist() == list(range(2012, 2025))
    assert "than the baseline at 2040 " in future.sentences()[0]
    assert more.describe() == ("Capacity: +100 % from 2026 then 150 from 2030-07-02",)
    moved = future.difference("Stock").isel(scenario=0)
    assert (moved.sel(time=2026) == 0).all()
    assert (moved.sel(time=2027) != 0).all()
    # The fit knows the years by itself, also where newer data begin later.
    later = load_data({"year": [2020, 2030], "stock": [8, 9]})
    for table in (None, later):
        again = project(model, table, [more], found.fitted, draws=5, until="2040-01-01")
        np.testing.assert_array_equal(again["Stock"], future["Stock"])
    assert again.observations.moments.tolist() == [2020, 2030]
    kept = load_future(future.save(tmp_path / "kept"))
    assert kept.cast[1].label["zh"] == "更多"
    assert kept.observations.moments.tolist() == list(range(2012, 2025))
    assert [name for name, _ in figure_jobs(kept)] == ["stock_difference", "stock"]
    for lang, words in (("en", ("in 2024", "in 2040", "“More”", "nine of ten")), ("zh", ("更多", "2040 年"))):
        said = " ".join(kept.answer(lang))
        assert all(word in said for word in words)
        assert len(kept.answer(lang)) == 3
        assert len(re.findall(r"[0-9][0-9.,]*", said)) <= 8
        assert not re.search(r"draw|point|log|median|抽样|中位", said)
        assert kept.plot(lang=lang).sentence


def test_flows_and_formulas_that_are_observed_have_their_fans(tmp_path):
    model = made(tmp_path, SEIR, unit="day", stop=60)
    run = simulate(model, outcomes=["Cases", "Exposed", "Infectious"], stop=40)
    weeks = np.arange(0, 41, 7)
    total = np.cumsum([0, *run["Cases"][0, 0, :-1] / 2 + run["Cases"][0, 0, 1:] / 2])[weeks]
    ill = (run["Exposed"] + run["Infectious"])[0, 0][weeks]
    data = load_data({"day": weeks, "weekly": np.diff(total, prepend=0), "ill": ill})
    seen = [
        Observation(column="weekly", outcome="Cases", kind="flow"),
        Observation(column="ill", outcome="Exposed + Infectious"),
    ]
    found = fit(Problem(model, data, free=["Contact Rate"], observations=seen)).fitted
    future = project(model, data, [Scenario.of("less", {"Contact Rate": {20: "x0.5"}})], found, draws=3)
    assert future.leading == "weekly"
    assert set(future.to_frame()["draw"]) == {0, 1, 2}
    for name, column in (("weekly", "weekly"), ("Exposed + Infectious", "ill")):
        levels = future[name].sel(scenario="baseline").median("draw").sel(time=weeks[1:]).to_numpy()
        np.testing.assert_allclose(levels, data.array(column)[1:], rtol=0.1)
        assert len(future.plot(name).axes[0].lines[-1].get_xdata()) == len(weeks)
        assert future.plot(name, difference=True).axes[0].lines[0].get_ydata()[-1] != 0


@pytest.mark.parametrize(("start", "first"), [(None, 0), (2010, 2), ("2010", 2)])
def test_the_year_of_the_first_moment_can_be_given(tmp_path, start, first):
    model = made(tmp_path, LOGISTIC, stop=28)
    data = load_data({"year": [2012, 2013, 2014, 2015], "stock": [5, 6, 7, 8]})
    problem = Problem(model, data, free=["Growth Rate"], start=start)
    assert problem.series[0].times.tolist() == [first, first + 1, first + 2, first + 3]
    assert problem.first_year == 0


@pytest.mark.parametrize(
    ("unit", "dates", "until", "last"),
    [
        ("day", ["28/02/2020", "29/02/2020", "02/03/2020"], "2020-03-05", "2020-03-05"),
        ("month", ["2024-11", "2024-12", "2025-02"], "2025-04", "2025-04-01"),
        ("week", ["2024-01-01", "2024-01-08", "2024-01-15"], "2024-01-29", "2024-01-29"),
        ("year", ["2020-01-01", "2021-01-01", "2022-01-01"], "2025-01-01", "2025"),
    ],
)
def test_dates_of_the_data_are_those_of_the_run(tmp_path, unit, dates, until, last):
    model = made(tmp_path, LOGISTIC, unit=unit, stop=4)
    data = load_data({"date": dates, "stock": [5, 6, 8]})
    half = Scenario.of("half", {"Capacity": {dates[1]: "x0.5"}})
    future = project(model, data, [half], until=until)
    assert future.sentences()[0].endswith(f"than the baseline at {last}.")
    assert future.plot().axes[0].lines[-1].get_xdata().tolist() == future.observations.moments.tolist()
    kept = load_future(future.save(tmp_path / "kept"))
    np.testing.assert_array_equal(kept["Stock"]["time"], future["Stock"]["time"])
    np.testing.assert_array_equal(kept.observations.moments, future.observations.moments)


def test_a_run_goes_on_five_times_as_long_as_model_and_data_at_most(sir, fitted, tmp_path):
    longer = {"day": np.arange(0, 101, 10), "infected": np.full(11, 3.0)}
    with pytest.raises(InvalidInput, match=r"write --until 300 or less$"):
        project(sir, infections(sir), [], fitted, draws=2, until=301)
    with pytest.raises(InvalidInput, match=r"write --until 500 or less$"):
        project(sir, load_data(longer), [], fitted, draws=2, until=501)
    model = made(tmp_path, LOGISTIC, stop=28)
    with pytest.raises(InvalidInput, match=r"or give the table \(--data\), whose years or dates say when moment 0 is"):
        project(model, None, [], until=2040)
    years = load_data({"year": np.arange(2012, 2025), "stock": np.linspace(5, 9, 13)})
    with pytest.raises(InvalidInput, match=r"\(2012 to 2040\): write --until 2152 or less$"):
        project(model, years, [], until=2153)


def test_a_step_is_that_of_a_path_over_time(sir):
    future = project(sir, None, [Scenario.of("less", {"contact rate": {10: 4, 30: "x0.5"}})], outcomes=["Infected"])
    path = TimePath(times=np.array([0.0, 10, 30]), values=np.array([9.0, 4, 4.5]))
    plain = simulate(sir, {"Contact Rate": path}, outcomes=["Infected"])
    np.testing.assert_allclose(future["Infected"].sel(scenario="less")[0], plain["Infected"][0, 0], rtol=1e-12)
    np.testing.assert_allclose(
        future["Infected"].sel(scenario="baseline")[0], simulate(sir)["Infected"][0, 0], rtol=1e-12
    )


def test_a_sentence_writes_large_numbers_out(tmp_path):
    model = made(tmp_path, LOGISTIC.replace("= 100\n", "= 9e+06\n"), unit="year", stop=100)
    future = project(model, None, [Scenario.of("half", {"Capacity": "x0.5"})], outcomes=["Stock"])
    assert future.sentences() == ("half: 4,500,000 t less Stock than the baseline at 100 year.",)


def test_a_ramp_runs_straight_between_its_times(sir):
    future = project(
        sir,
        None,
        [Scenario.of("ramp", {"Contact Rate": {10: 9, 20: 4, "interpolate": "linear"}})],
        outcomes=["Infected"],
    )
    path = TimePath(times=np.array([10.0, 20]), values=np.array([9.0, 4]), interpolate="linear")
    plain = simulate(sir, {"Contact Rate": path}, outcomes=["Infected"])
    np.testing.assert_allclose(future["Infected"].sel(scenario="ramp")[0], plain["Infected"][0, 0], rtol=1e-9)


def test_relative_changes_hold_in_every_draw(sir, fitted):
    future = project(sir, infections(sir), [Scenario.of("fifth", {"Duration": "-20 %"})], fitted, draws=30, until=50)
    drawn = fitted.sample(np.random.default_rng(0), 30, spec=_spec(fitted))
    plain = simulate(sir, {**drawn, "Duration": 0.8 * drawn["Duration"]}, outcomes=["Infected"], stop=50)
    np.testing.assert_allclose(future["Infected"].sel(scenario="fifth"), plain["Infected"][0], rtol=1e-12)


def test_one_draw_is_the_estimate(sir, fitted):
    future = project(sir, infections(sir), [], fitted, draws=1, outcomes=["Infected"])
    plain = simulate(sir, fitted.as_values(), outcomes=["Infected"])
    np.testing.assert_allclose(future["Infected"][0, 0], plain["Infected"][0, 0], rtol=1e-12)


def _spec(fitted):
    from pysd_runner.study.inputs import spec_of

    return spec_of(fitted)


def test_a_fit_with_an_estimate_outside_its_bounds_is_refused(sir, fitted):
    far = dataclasses.replace(fitted, estimates=(1e9, *fitted.estimates[1:]))
    with pytest.raises(
        InvalidInput, match=r"fitted parameters: 'Contact Rate' is 1e\+09; its bounds are .*calibrate again"
    ):
        project(sir, infections(sir), [Scenario.of("fifth", {"Duration": "-20 %"})], far, draws=2, until=50)


def test_differences_are_taken_draw_by_draw(sir, fitted, tmp_path):
    future = project(sir, infections(sir), [Scenario.of("less", {"Contact Rate": 4})], fitted, draws=20)
    both = future["Infected"]
    np.testing.assert_allclose(future.difference("infected")[0], both[1] - both[0])
    table = future.table("Infected")
    assert {"median", "difference", "low_90"} <= set(table.columns)
    (sentence,) = (item for item in future.sentences() if "Infected" in item)
    assert "person" in sentence
    assert "favourable" not in sentence
    assert "better" not in sentence
    future.save(tmp_path / "results")
    with pytest.raises(InvalidInput, match=r"holds earlier results; give another folder, or .* force=True"):
        future.save(tmp_path / "results")
    future.save(tmp_path / "results", force=True)
    again = load_future(tmp_path / "results")
    np.testing.assert_array_equal(again["Infected"], both)
    assert again.scenarios == future.scenarios
    future.to_excel(tmp_path / "results.xlsx")
    assert "Infected (person), 60 day" in future.plot("Infected").sentence
    both = together({"one": future, "again": again})
    assert both.scenarios == ("one: baseline", "one: less", "again: baseline", "again: less")
    assert plot_fan(both["Infected"]).sentence


def test_elements_and_declared_directions(tmp_path):
    path = written(tmp_path, REGIONS, stop=10)
    path.with_suffix(".toml").write_text("schema = 2\n[outcomes.Stock]\nbetter = 'higher'\n", encoding="utf-8")
    model = load_model(path)
    future = project(model, None, [Scenario.of("north", {"Rate[North]": 0.3})])
    moved = future.difference("Stock").sel(scenario="north", draw=0)
    assert (moved.sel(Place="South") == 0).all()
    assert (moved.sel(Place="North").isel(time=-1) > 0).all()
    assert future.better == {"Stock": "higher"}
    assert future.plot("Stock").sentence


def test_with_a_direction_the_scenarios_to_choose_are_named(tmp_path):
    path = written(tmp_path, SIR, unit="day", stop=60)
    several = {"less": {"Contact Rate": 4}, "twin": {"Contact Rate": 4}, "more": {"Contact Rate": 9}}
    plain = project(load_model(path), None, several, outcomes=["Susceptible"])
    assert "choose" not in plain.answer()[1]
    path.with_suffix(".toml").write_text("schema = 2\n[outcomes.Susceptible]\nbetter = 'higher'\n", encoding="utf-8")
    future = project(load_model(path), None, several, outcomes=["Susceptible"])
    said = "Of the 3 scenarios choose any of “less” or “twin”: there is no reason here to prefer one; in at least"
    assert said in future.answer()[1]
    one = project(load_model(path), None, {name: several[name] for name in ("less", "more")}, outcomes=["Susceptible"])
    assert "It is the best of the 2 scenarios: in 100 % of the simulations" in one.answer()[1]
    assert "中最好的" in one.answer("zh")[1]
    kept = load_future(dataclasses.replace(one, delta=1e9).save(tmp_path / "kept"))
    assert kept.delta == 1e9
    assert "choose any of “less” or “more”" in kept.answer()[1]
    worse = {"more": {"Contact Rate": 9}, "most": {"Contact Rate": 12}}
    none = project(load_model(path), None, worse, outcomes=["Susceptible"]).answer()[1]
    assert none.endswith("None of the 2 scenarios helps visibly.")


def test_a_model_declares_what_its_study_shows_first_and_how_far_it_goes(tmp_path):
    path = written(tmp_path, SIR, unit="day", stop=60)
    beside = path.with_suffix(".toml")
    beside.write_text("schema = 2\n[study]\nuntil = 30\nleading = ['susceptible']\ncaveats = ['Made up.']\n")
    future = project(load_model(path), None, [Scenario.of("less", {"Contact Rate": 4})])
    assert future["Susceptible"]["time"].to_numpy()[-1] == 30
    assert future.leading == "Susceptible"
    assert set(future.table()["outcome"]) == {"Susceptible"}
    assert future.warnings[0] == "Made up."
    kept = load_future(future.save(tmp_path / "kept"))
    assert kept.design.leading == ("Susceptible",)
    assert kept.answer() == future.answer()
    for wrong, said in (
        ("leading = ['susceptibl']", "Did you mean 'Susceptible'"),
        ("save_every = 0", "must be positive"),
    ):
        beside.write_text(f"schema = 2\n[study]\n{wrong}\n")
        with pytest.raises(InvalidInput, match=said):
            load_model(path)


def test_an_edit_of_the_equations_is_noticed_and_named(sir, fitted, tmp_path):
    changed = made(tmp_path, SIR.replace("Infected / Duration", "Infected / Duration / 2"), unit="day", stop=60)
    with pytest.raises(InvalidInput, match="changed: Infected"):
        project(changed, None, [], fitted)
    moved = made(tmp_path, SIR.replace("Ill at the start.", "Another comment."), unit="day", stop=60, name="other")
    check_equations(moved, equations_of(sir), "the fit")


def test_a_run_goes_on_from_the_state_of_another(sir):
    whole = simulate(sir, outcomes=list(stocks_of(sir.ir)))
    law = with_starts(sir, stocks_of(sir.ir))
    values = {f"{PREFIX}{name}": whole[name][..., 20] for name in stocks_of(sir.ir)}
    later = simulate(law, values, start=20, outcomes=list(stocks_of(sir.ir)))
    for name in stocks_of(sir.ir):
        np.testing.assert_array_equal(later[name], whole[name][..., 20:])


def test_scenarios_come_from_files(tmp_path):
    path = tmp_path / "lockdown.yaml"
    path.write_text("name: lockdown\nlabel: Stay home\nchanges:\n  Contact Rate: {10: 4, 30: x0.5}\n", encoding="utf-8")
    found = load_changes(path)
    assert found.describe() == ("Contact Rate: 4 from 10 then -50 % from 30",)
    kept = found.to_dict()
    assert Scenario.from_dict(kept) == found == load_scenario(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chnges: {}\n", "unknown key"),
        ("changes: {Contact Rate: fast}\n", "expected a number, or a change such as"),
        ("changes: {Contact Rate: {soon: 3}}\n", "expected a year, a date"),
        ("changes: {Contact Rate: {1: 3, interpolate: smooth}}\n", "expected step or linear"),
        ("schema: 1\n", "that of the shipped"),
        ("- 1\n", "expected a mapping"),
    ],
)
def test_bad_files_are_refused(tmp_path, text, told):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidScenario) as caught:
        load_changes(path)
    assert told in str(caught.value)


def test_bad_scenarios_are_refused(sir):
    with pytest.raises(InvalidScenario, match="Did you mean 'Contact Rate'"):
        project(sir, None, [Scenario.of("a", {"Contct Rate": 1})])
    with pytest.raises(InvalidScenario, match="computed by an equation"):
        project(sir, None, [Scenario.of("a", {"Infection": 1})])
    with pytest.raises(InvalidScenario, match="after the end of the run"):
        project(sir, None, [Scenario.of("a", {"Duration": {100: 1}})])
    with pytest.raises(InvalidScenario, match="two different scenarios"):
        project(sir, None, [Scenario.of("a", {"Duration": 3}), Scenario.of("a", {})])
    with pytest.raises(InvalidScenario, match="give changes of constants"):
        project(sir, None, load_scenario("zoned_need"))
