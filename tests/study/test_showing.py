"""A projection as tables and pictures in a notebook, and several of them as one."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from openpyxl import load_workbook

from pysd_runner import load_data, load_scenario, together
from pysd_runner.core.errors import InvalidInput, InvalidScenario, UnknownName
from pysd_runner.core.numbers import spoken
from pysd_runner.study.loading import load_future
from pysd_runner.study.projection import project
from tests.provinces import REGIONS

DOUBLE = {"name": "double", "extends": "zoned_need", "policy": {"budget": 0.006}}


@pytest.fixture(scope="module")
def projection(model, panel):
    return project(model, panel, ["zoned_need", DOUBLE], until=2028, draws=6, seed=0)


def test_a_prompt_shows_one_line(projection):
    assert repr(projection) == "<Future: baseline, zoned_need, double; 4 regions, 6 draws, 2024 to 2028>"
    assert "<table" in projection._repr_html_()


def test_the_table_is_the_data(projection):
    table = projection.table(region="甘肃", year=[2026, 2028])
    row = table[(table["scenario"] == "double") & (table["year"] == 2028) & (table["outcome"] == "relative_output")]
    assert len(table) == 2 * 3 * 2
    values = projection.data["relative_output"].sel(region="620000", year=2028)
    own, other = (values.sel(scenario=name).to_numpy() for name in ("double", "baseline"))
    assert row["median"].item() == pytest.approx(np.median(own))
    assert row["difference"].item() == pytest.approx(np.median(own - other))
    assert row["name"].item() == "Gansu"
    assert set(projection.table()["outcome"]) == {"laggard_gap", "theil", "national_gap", "sigma"}
    assert len(projection.table("access")) == 3 * len(REGIONS)
    assert projection.to_latex(region="Gansu").startswith("\\begin{tabular}")
    assert {"table", "plot", "to_latex", "to_excel", "difference"} <= set(dir(projection))


def test_an_outcome_that_needs_people_says_so(model, panel):
    bare = panel.with_values({"output_per_head": panel.array("output_per_head")}, {"output_per_head": "yuan"})
    with pytest.raises(UnknownName, match="no outcome 'laggard_gap': that needs the population of every region, which"):
        project(model, bare, ["zoned_need"], until=2026, draws=2).table("laggard_gap")


def test_names_and_frames_stand_for_loaded_things(model, panel):
    frame = panel.to_frame().dropna(subset="value")
    frame = frame[frame["flag"] != "derived"].drop(columns="flag")
    again = project("regional_digital", frame, DOUBLE, until=2026, draws=2)
    known = project(model, load_data(frame, panel=True), DOUBLE, until=2026, draws=2)
    np.testing.assert_array_equal(again.gaps, known.gaps)
    assert project("regional_digital", panel, "zoned_need", until=2026, draws=2).scenarios[1] == "zoned_need"


def test_a_workbook_of_all_years(projection, tmp_path):
    book = load_workbook(projection.to_excel(tmp_path / "a.xlsx"))
    assert book.sheetnames == ["over time", "regions"]
    assert book["regions"].max_row == 1 + 2 * 3 * 4 * 5


def test_a_picture_alone_or_in_axes_of_ones_own(projection):
    assert projection.plot(region="Gansu").sentence
    axes = Figure().add_subplot()
    assert projection.plot("theil", ax=axes) is axes
    assert isinstance(axes, Axes)
    assert len(axes.lines) >= 3
    with pytest.raises(InvalidInput, match="name one, as in"):
        projection.plot("access")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"outcome": "acess"}, "Did you mean 'access'"),
        ({"region": "Gansoo"}, "Did you mean 'Gansu'"),
        ({"year": 2050}, "it has 2024 to 2028"),
        ({"outcome": "lever_budget"}, "mean over draws"),
    ],
)
def test_mistakes_are_named(projection, asked, said):
    with pytest.raises((UnknownName, InvalidInput), match=said):
        projection.table(**asked)


def test_several_runs_in_one_table_and_one_figure(projection, model, panel):
    other = project(model, panel, ["zoned_need"], until=2028, draws=4, seed=2)
    both = together({"first": projection, "second": other})
    table = both.table("laggard_gap")
    assert list(table["scenario"]) == [
        "first: baseline",
        "first: zoned_need",
        "first: double",
        "second: baseline",
        "second: zoned_need",
    ]
    # Each is compared with the baseline of its own run.
    gaps = other.data["laggard_gap"].sel(year=2028)
    moved = np.median(gaps.sel(scenario="zoned_need").to_numpy() - gaps.sel(scenario="baseline").to_numpy())
    assert table["difference"].iloc[-1] == pytest.approx(moved)
    assert both.plot(region="Gansu").data is not None
    with pytest.raises(InvalidInput, match="other years"):
        together({"a": projection, "b": replace(other, data=other.data.isel(year=slice(0, 2)))})
    with pytest.raises(InvalidInput, match="at least one"):
        together({})


def test_a_scenario_from_a_dictionary_is_that_of_a_file(tmp_path):
    made = load_scenario(DOUBLE)
    (tmp_path / "double.yaml").write_text("schema: 1\nname: double\nextends: zoned_need\npolicy: {budget: 0.006}\n")
    assert made == load_scenario(tmp_path / "double.yaml")
    with pytest.raises(InvalidScenario, match=r"scenario 'x'.*budgett"):
        load_scenario({"name": "x", "policy": {"budgett": 1}})
    with pytest.raises(InvalidScenario, match="cannot: "):
        load_scenario({"name": "x", "policy": {"budget": object()}})
    with pytest.raises(InvalidScenario, match="no scenario or file is called 'zoned_ned'"):
        load_scenario({"extends": "zoned_ned"})


def test_a_scenario_from_another_in_a_line(projection, model, panel):
    zoned = load_scenario("zoned_need")
    double = zoned.with_(budget=0.006)
    assert (double.name, double.policy.budget) == ("zoned_need_budget_0.006", 0.006)
    assert double.policy.mix == zoned.policy.mix
    assert double.baseline() == zoned.baseline()
    assert "budget" in double.written
    assert double.label["en"] == "Zoned by class, by need (budget 0.006)"
    assert zoned.with_(name="mine", redistribution=0.0).label["zh"] == "mine"
    with pytest.raises(InvalidScenario, match="Did you mean 'budget'"):
        zoned.with_(budgt=0.006)
    with pytest.raises(InvalidScenario, match="nothing is changed"):
        zoned.with_()
    with pytest.raises(InvalidScenario, match="budget"):
        zoned.with_(budget=0.5)
    ran = project(model, panel, double, until=2028, draws=6, seed=0)
    np.testing.assert_array_equal(
        ran.data["output"].sel(scenario=double.name), projection.data["output"].sel(scenario="double")
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_answer_of_regions_tells_the_numbers_of_the_table(projection, lang):
    row = projection.table("laggard_gap").set_index("scenario")
    without, with_, sure = projection.answer(lang)
    most = row["difference"].abs().idxmax()
    assert spoken(row.loc["baseline", "median"], lang) in without
    assert projection.data.sel(scenario=most)[f"label_{lang}"].item() in with_
    assert spoken(abs(row.loc[most, "difference"]), lang) in with_
    assert spoken(row.loc[most, "difference_low_90"], lang, signed=True) in sure


def test_each_policy_for_regions_has_a_sentence_and_less_of_a_gap_is_better(projection):
    told = projection.sentences()
    assert len(told) == len(projection.policies)
    assert all("better (lower) in" in text for text in told)


def test_the_answer_of_regions_survives_a_folder_and_other_runs_beside_it(projection, tmp_path):
    assert load_future(projection.save(tmp_path)).answer() == projection.answer()
    both = together({"a": projection, "b": projection})
    assert len(both.answer()) == 3
    assert len(both.sentences()) == 2 * len(projection.policies)
