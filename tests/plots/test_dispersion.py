"""Gaps by class with Theil and sigma."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots import plot_dispersion
from pysd_runner.plots.palette import CLASSES, INK, SCENARIO
from tests.plots.reading import lines_of, texts_of


@pytest.fixture(scope="module")
def figure(futures, history):
    return plot_dispersion(futures, history, scenario="zoned_need")


def test_classes_theil_and_sigma(figure, futures, history):
    classes, theil, sigma = figure.axes
    for axes, name in ((theil, "theil"), (sigma, "sigma")):
        np.testing.assert_allclose(lines_of(axes, INK)[0][1], history[name])
        expected = futures[name].sel(scenario="zoned_need").median("draw")
        np.testing.assert_allclose(lines_of(axes, SCENARIO)[0][1], expected)
    west = 100 * futures["class_gap"].sel({"class": "West", "scenario": "zoned_need"}).median("draw")
    place = futures["class"].to_numpy().tolist().index("West")
    np.testing.assert_allclose(lines_of(classes, CLASSES[place][0])[1][1], west)


def test_classes_differ_in_hue_and_in_line_style(figure):
    widest = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 1.5]
    looks = {(line.get_color(), str(line._dash_pattern)) for line in widest}
    assert len(looks) == 3
    assert len({colour for colour, _ in looks}) == 3
    assert len({style for _, style in looks}) == 3


def test_titles_units_and_labels(figure):
    words = [text.get_text() for text in texts_of(figure)]
    assert {"Theil index", "Sigma dispersion", "standard deviation of log output per head"} <= set(words)
    assert {"West", "Central", "Northeast", "between classes"} <= set(words)
    assert "East leads: its gap is zero by definition." in figure.caption


def test_the_table_has_every_variable_with_its_unit(figure):
    units = figure.data.groupby("variable")["unit"].agg(set).to_dict()
    assert set(units) == {"class_gap", "theil", "theil_between", "sigma"}
    assert units["sigma"] == {"standard deviation of log output per head"}


def test_without_history_without_between(futures):
    figure = plot_dispersion(futures.drop_vars("theil_between"), baseline=None)
    assert set(figure.data["series"]) == {"projection"}
    assert set(figure.data["scenario"]) == {"baseline"}


def test_a_missing_variable_is_named(futures):
    with pytest.raises(InvalidInput, match=r"futures lacks class_gap, sigma; .*indicators_of"):
        plot_dispersion(futures.drop_vars(["class_gap", "sigma"]))
