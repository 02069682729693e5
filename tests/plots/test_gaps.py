"""The fan chart shows what the numbers say."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.plots import figure_sentence, plot_dispersion, plot_gaps
from pysd_runner.plots.style import BASELINE, CLASSES, FAN, INK, ORIGIN, SCENARIO
from tests.plots.reading import lines_of, texts_of


@pytest.fixture(scope="module")
def figure(futures, history):
    return plot_gaps(
        futures["gap_to_leader"], history["gap_to_leader"], regions=["130000"], scenario="zoned_need", origin=2024
    )


def test_history_is_black_and_in_per_cent(figure, history):
    (years, values), *_ = lines_of(figure.axes[0], INK)
    observed = history["gap_to_leader"].sel(region="130000")
    np.testing.assert_array_equal(years, observed["year"])
    np.testing.assert_allclose(values, 100 * observed)


def test_median_and_dashed_baseline(figure, futures):
    axes = figure.axes[0]
    gaps = 100 * futures["gap_to_leader"].sel(region="130000")
    (_, median), *_ = lines_of(axes, SCENARIO)
    np.testing.assert_allclose(median, gaps.sel(scenario="zoned_need").median("draw"))
    (_, baseline), *_ = lines_of(axes, BASELINE)
    np.testing.assert_allclose(baseline, gaps.sel(scenario="baseline").median("draw"))
    dashed = [line for line in axes.get_lines() if line.get_color() == BASELINE]
    assert dashed[0].is_dashed()


def test_bands_hold_30_60_and_90_of_100_futures(figure, futures):
    axes = figure.axes[0]
    gaps = 100 * futures["gap_to_leader"].sel(region="130000", scenario="zoned_need").to_numpy()
    assert len(axes.collections) == len(FAN)
    for band, (low, high) in zip(axes.collections, [(0.05, 0.95), (0.20, 0.80), (0.35, 0.65)], strict=True):
        corners = band.get_paths()[0].vertices
        last = corners[corners[:, 0] == 2035][:, 1]
        np.testing.assert_allclose([last.min(), last.max()], np.quantile(gaps[:, -1], [low, high]))


def test_origin_is_marked_and_named(figure):
    (years, _), *_ = lines_of(figure.axes[0], ORIGIN)
    assert set(years) == {2024}
    assert "last observed year 2024" in [text.get_text() for text in texts_of(figure)]


def test_caption_says_what_the_bands_are_and_what_is_inside(figure):
    assert "The bands are 30, 60 and 90 % intervals of each year." in figure.caption
    assert "30 simulations" in figure.caption
    assert "include uncertainty about model parameters; not about the starting state" in figure.caption


def test_caption_lists_every_source_once(futures):
    everything = ("parameters", "start", "shocks", "structure", "data")
    forecast = plot_gaps(futures["gap_to_leader"], regions=["130000"], includes=("parameters", "forecast")).caption
    assert "about model parameters and the forecast without policy; not about model structure or data" in forecast
    caption = plot_gaps(futures["gap_to_leader"], regions=["130000"], includes=everything).caption
    assert "model parameters, the starting state, yearly shocks, model structure and data revisions." in caption
    assert "not about" not in caption
    with pytest.raises(UnknownName, match="Did you mean 'shocks'"):
        plot_gaps(futures["gap_to_leader"], regions=["130000"], includes=["shock"])


def test_units_stand_on_the_axes_and_names_beside_the_lines(figure):
    words = [text.get_text() for text in texts_of(figure)]
    assert "% below the leader" in words
    assert "Year" in words
    assert "No policy" in words
    assert any(text.replace("\n", " ") == "Zoned and need-weighted" for text in words)


def test_the_table_behind_is_what_is_drawn(figure, futures, history):
    table = figure.data
    assert table.columns.tolist() == [
        "scenario", "region", "region_name", "year", "variable", "unit", "series", "quantile", "value"
    ]  # fmt: skip
    assert set(table["unit"]) == {"% below the leader"}
    past = table[table["series"] == "history"]
    np.testing.assert_allclose(past["value"], 100 * history["gap_to_leader"].sel(region="130000"))
    assert past["quantile"].isna().all()
    gaps = 100 * futures["gap_to_leader"].sel(region="130000", scenario="zoned_need")
    drawn = table[(table["scenario"] == "zoned_need")].pivot_table(index="year", columns="quantile", values="value")
    assert drawn.columns.tolist() == [0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95]
    np.testing.assert_allclose(drawn, np.quantile(gaps, drawn.columns, axis=0).T)
    assert set(table["scenario"]) == {"", "zoned_need", "baseline"}


def test_the_sentence_has_region_year_median_interval_and_difference(figure, futures):
    gaps = 100 * futures["gap_to_leader"].sel(region="130000", year=2035)
    policy, baseline = gaps.sel(scenario="zoned_need").to_numpy(), gaps.sel(scenario="baseline").to_numpy()
    median = np.median(policy)
    change = np.median(policy - baseline)
    assert figure.sentence.startswith(f"Province 3, 2035: gap to the leading region {median:.1f} % under “Zoned")
    low, high = np.quantile(policy, [0.05, 0.95])
    assert f"(90 % interval {low:.1f} … {high:.1f})" in figure.sentence
    direction, sign = ("narrower", -1) if change < 0 else ("wider", 1)
    ends = sorted(sign * np.quantile(policy - baseline, [0.05, 0.95]))
    told = f"That is {abs(change):.2f} percentage points {direction} than under “No policy” (median; 90 % interval "
    assert f"{told}{ends[0]:.2f} … {ends[1]:.2f})".replace("-", "−") in figure.sentence


def test_sentence_in_chinese_and_for_one_draw(futures):
    sentence = figure_sentence(futures["gap_to_leader"].isel(draw=[0]), region="甘肃", year=2030, lang="zh")
    assert sentence.startswith("甘肃，2030 年：“统一、按人头”情景下与领先地区的差距为")
    assert "一次模拟" in sentence
    with pytest.raises(InvalidInput, match="year 1999 is not in the array, which runs from 2024 to 2035"):
        figure_sentence(futures["gap_to_leader"], year=1999)


def test_many_regions_are_thinned_by_rank_and_the_caption_says_so(futures):
    figure = plot_gaps(futures["gap_to_leader"])
    assert len(figure.axes) == 6
    assert "6 of 31 regions, evenly spaced by their rank in 2035." in figure.caption


def test_a_class_that_always_leads_gets_no_panel(futures, history):
    figure = plot_gaps(futures["class_gap"], history["class_gap"])
    assert set(figure.data["region"]) == {"Central", "West", "Northeast"}
    assert "East leads: its gap is zero by definition." in figure.caption


def test_one_draw_has_a_line_and_no_band(futures):
    figure = plot_gaps(futures["gap_to_leader"].isel(draw=[3]), regions=["130000"])
    assert len(figure.axes[0].collections) == 0
    assert "no uncertainty is shown" in figure.caption
    assert set(figure.data["quantile"]) == {0.5}


def test_failed_draws_are_left_out_and_counted(futures):
    gaps = futures["gap_to_leader"].copy(deep=True)
    gaps[2, 5, 2, 4] = np.nan
    figure = plot_gaps(gaps, regions=["130000"], scenario="zoned_need")
    assert "Left out because they gave no number: 1 of 30 simulations." in figure.caption
    kept = np.delete(100 * gaps.sel(scenario="zoned_need", region="130000").to_numpy(), 5, axis=0)
    drawn = figure.data[(figure.data["scenario"] == "zoned_need") & (figure.data["quantile"] == 0.5)]
    np.testing.assert_allclose(drawn["value"], np.median(kept, axis=0))
    with pytest.raises(InvalidInput, match="none of the 30 draws"):
        plot_gaps(gaps * np.nan, regions=["130000"], origin=2024)


def test_a_fan_opens_from_the_last_observation(futures, history):
    later = futures["gap_to_leader"].sel(year=slice(2026, None))
    figure = plot_gaps(later, history["gap_to_leader"], regions=["130000"])
    (years, values), *_ = lines_of(figure.axes[0], SCENARIO)
    assert years[0] == 2024
    assert values[0] == pytest.approx(100 * float(history["gap_to_leader"].sel(region="130000", year=2024)))
    assert figure.data[figure.data["series"] == "projection"]["year"].min() == 2026


def test_holes_in_history_stay_holes(futures, history):
    holed = history["gap_to_leader"].copy(deep=True)
    holed.loc[{"year": [2012, 2014]}] = np.nan
    figure = plot_gaps(futures["gap_to_leader"], holed, regions=["130000"])
    lines = lines_of(figure.axes[0], INK)
    assert np.isnan(lines[0][1]).sum() == 2
    assert lines[1][0].tolist() == [2013]
    assert {2012, 2014}.isdisjoint(figure.data[figure.data["series"] == "history"]["year"])


def test_origin_is_found_or_asked_for(futures, history):
    gaps = futures["gap_to_leader"]
    assert "last observed year 2024" in _words(plot_gaps(gaps, regions=["130000"]))
    later = gaps.sel(year=slice(2026, None))
    with pytest.raises(InvalidInput, match="pass origin= or history"):
        plot_gaps(later, regions=["130000"])
    assert "last observed year 2023" in _words(plot_gaps(later.assign_attrs(origin=2023), regions=["130000"]))
    with pytest.raises(InvalidInput, match="origin 2040 lies after the last year projected, 2035"):
        plot_gaps(gaps, regions=["130000"], origin=2040)


def test_refusals(futures, history):
    gaps = futures["gap_to_leader"]
    with pytest.raises(InvalidInput, match=r"without labels.*DataArray"):
        plot_gaps(gaps.to_numpy())
    with pytest.raises(UnknownName, match=r"no region is called 'Provinc 3'.*Did you mean 'Province 3'"):
        plot_gaps(gaps, regions=["Provinc 3"])
    with pytest.raises(UnknownName, match=r"no scenario is called 'zoned'.*Did you mean"):
        plot_gaps(gaps, scenario="zoned")
    with pytest.raises(InvalidInput, match="13 regions asked for; plot_gaps draws 1 to 12"):
        plot_gaps(gaps, regions=[str(code) for code in gaps["region"].to_numpy()[:13]])
    with pytest.raises(InvalidInput, match="observations have no scenarios and no draws"):
        plot_gaps(gaps, gaps)
    with pytest.raises(InvalidInput, match="lang='fr' is not a language"):
        plot_gaps(gaps, lang="fr")
    with pytest.raises(InvalidInput, match="expected some of"):
        plot_gaps(gaps.rename(region="province"))


def _words(figure):
    return [text.get_text() for text in texts_of(figure)]


@pytest.fixture(scope="module")
def dispersion(futures, history):
    return plot_dispersion(futures, history, scenario="zoned_need")


def test_classes_theil_and_sigma(dispersion, futures, history):
    classes, theil, sigma = dispersion.axes
    for axes, name in ((theil, "theil"), (sigma, "sigma")):
        np.testing.assert_allclose(lines_of(axes, INK)[0][1], history[name])
        expected = futures[name].sel(scenario="zoned_need").median("draw")
        np.testing.assert_allclose(lines_of(axes, SCENARIO)[0][1], expected)
    west = 100 * futures["class_gap"].sel({"class": "West", "scenario": "zoned_need"}).median("draw")
    place = futures["class"].to_numpy().tolist().index("West")
    np.testing.assert_allclose(lines_of(classes, CLASSES[place][0])[1][1], west)


def test_titles_units_and_labels(dispersion):
    words = [text.get_text() for text in texts_of(dispersion)]
    assert {"Theil index", "Sigma dispersion", "standard deviation of log output per head"} <= set(words)
    assert {"West", "Central", "Northeast", "between classes"} <= set(words)
    assert "East leads: its gap is zero by definition." in dispersion.caption


def test_the_table_has_every_variable_with_its_unit(dispersion):
    units = dispersion.data.groupby("variable")["unit"].agg(set).to_dict()
    assert set(units) == {"class_gap", "theil", "theil_between", "sigma"}
    assert units["sigma"] == {"standard deviation of log output per head"}


def test_without_history_without_between(futures):
    figure = plot_dispersion(futures.drop_vars("theil_between"), baseline=None)
    assert set(figure.data["series"]) == {"projection"}
    assert set(figure.data["scenario"]) == {"baseline"}


def test_charts_are_drawn_in_given_axes_or_it_is_said_how_many_are_needed(futures, history):
    pair = Figure().subplots(1, 2)
    assert plot_gaps(futures["gap_to_leader"], regions=["110000", "130000"], origin=2024, ax=pair) == list(pair)
    assert [axes.get_title(loc="left") for axes in pair] == ["Province 1", "Province 3"]
    with pytest.raises(InvalidInput, match="this figure has 3 charts and was given 2 axes"):
        plot_dispersion(futures, history, ax=pair)
    with pytest.raises(InvalidInput, match="one for each chart; found Figure"):
        plot_dispersion(futures, history, ax=Figure())


def test_a_missing_variable_is_named(futures):
    with pytest.raises(InvalidInput, match=r"futures lacks class_gap, sigma; .*indicators_of"):
        plot_dispersion(futures.drop_vars(["class_gap", "sigma"]))
