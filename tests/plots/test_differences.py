"""Paired differences to the baseline."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.plots import plot_differences
from pysd_runner.plots.style import SCENARIO
from tests.plots.reading import lines_of, texts_of


@pytest.fixture(scope="module")
def figure(futures):
    return plot_differences(futures["class_gap"], region="West")


def test_draws_are_paired(figure, futures):
    gaps = 100 * futures["class_gap"].sel({"class": "West"})
    # Of a gap it is drawn how much is closed.
    paired = (gaps.sel(scenario="baseline") - gaps.sel(scenario="zoned_need")).to_numpy()
    table = figure.data[figure.data["scenario"] == "zoned_need"].pivot_table(
        index="year", columns="quantile", values="value"
    )
    np.testing.assert_allclose(table, np.quantile(paired, table.columns, axis=0).T, atol=1e-12)
    level = np.ptp(np.quantile(gaps.sel(scenario="zoned_need").to_numpy()[:, -1], [0.05, 0.95]))
    assert np.ptp(table.iloc[-1]) < level
    assert set(figure.data["unit"]) == {"percentage points"}


def test_ranked_with_the_best_first(figure, futures):
    ranking = figure.axes[-1]
    gaps = futures["class_gap"].sel({"class": "West"}).isel(year=-1)
    change = (gaps - gaps.sel(scenario="baseline")).median("draw").drop_sel(scenario="baseline")
    labels = dict(zip(futures["scenario"].to_numpy(), futures["label_en"].to_numpy(), strict=True))
    expected = [labels[name] for name in change["scenario"].to_numpy()[np.argsort(change.to_numpy())]]
    assert [label.get_text() for label in ranking.get_yticklabels()] == expected
    ((values, places),) = lines_of(ranking, SCENARIO)
    assert places.tolist() == [0, 1, 2]
    np.testing.assert_allclose(values, -100 * np.sort(change.to_numpy()))


def test_for_output_more_is_better(futures):
    ranking = plot_differences(futures["national_output"]).axes[-1]
    ((dots, _),) = lines_of(ranking, SCENARIO)
    assert dots.tolist() == sorted(dots, reverse=True)


def test_the_ranking_may_be_of_another_year(futures):
    figure = plot_differences(futures["theil"], year=2028)
    assert "2028, ranked by the median" in [text.get_text() for text in texts_of(figure)]
    assert figure.sentence.startswith("Theil index, 2028: of the 3 drawn")
    with pytest.raises(InvalidInput, match="year 2050 is not in the array"):
        plot_differences(futures["theil"], year=2050)


def test_each_scenario_may_have_its_own_baseline(futures):
    theil = futures["theil"]
    own = {"baseline": "baseline", "uniform": "baseline", "zoned_need": "integration", "integration": "integration"}
    figure = plot_differences(theil, baseline=own)
    assert set(figure.data["scenario"]) == {"uniform", "zoned_need"}
    expected = (theil.sel(scenario="integration") - theil.sel(scenario="zoned_need")).isel(year=-1).median("draw")
    last = figure.data.query("scenario == 'zoned_need' and quantile == 0.5")["value"].iloc[-1]
    assert last == pytest.approx(float(expected))
    assert "its baseline" in figure.sentence


def test_scenarios_may_be_chosen_and_ordered(futures):
    figure = plot_differences(futures["theil"], scenarios=["zoned_need", "uniform"])
    assert figure.data["scenario"].drop_duplicates().tolist() == ["zoned_need", "uniform"]


def test_one_draw_is_told_as_one_simulation(futures):
    figure = plot_differences(futures["theil"].isel(draw=[0]))
    assert "(one simulation)" in figure.sentence
    assert "simulation, so its band" not in figure.caption


def test_refusals(futures):
    with pytest.raises(InvalidInput, match="31 regions and a difference is drawn for one; pass region="):
        plot_differences(futures["gap_to_leader"])
    with pytest.raises(UnknownName, match="no scenario is called 'base'"):
        plot_differences(futures["theil"], baseline="base")
    with pytest.raises(InvalidInput, match="no scenario besides baseline"):
        plot_differences(futures["theil"].isel(scenario=[0]))
    with pytest.raises(InvalidInput, match="no entry for 'integration'"):
        plot_differences(futures["theil"], baseline={"baseline": "baseline", "uniform": "baseline", "zoned_need": "x"})
    with pytest.raises(InvalidInput, match="nothing but baselines"):
        plot_differences(futures["theil"], scenarios=["baseline"])
    with pytest.raises(UnknownName, match="no scenario is called 'zoned'"):
        plot_differences(futures["theil"], scenarios=["zoned"])
