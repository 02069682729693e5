"""Chinese labels where a font can draw them, English ones otherwise."""

import warnings

import matplotlib as mpl
import pytest

from pysd_runner.plots import MissingFont, fonts, plot_gaps, plot_tiles
from pysd_runner.plots.palette import drawing
from tests.plots.reading import texts_of


def test_without_a_font_labels_are_english_and_said_once(no_chinese, futures):
    gaps = futures["gap_to_leader"]
    with pytest.warns(MissingFont, match="apt-get install fonts-noto-cjk"):
        figure = plot_gaps(gaps, regions=["130000"], lang="zh")
    assert figure.sentence.startswith("Province 3, 2035")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = plot_tiles(gaps.isel(region=[0, 1]), lang="zh")
    again.canvas.draw()


def test_names_that_cannot_be_drawn_give_way(no_chinese, futures):
    gaps = futures["gap_to_leader"].isel(region=[0, 1])
    chinese = gaps.assign_coords(region=["甘肃", "新疆"], name_en=("region", ["甘肃省", "Xinjiang"]))
    figure = plot_gaps(chinese, lang="en")
    words = {text.get_text() for text in texts_of(figure)}
    assert {"Region 1", "Xinjiang"} <= words
    figure.canvas.draw()


def test_chinese_everywhere_when_a_font_is_there(futures, has_chinese):
    if not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    figure = plot_gaps(futures["gap_to_leader"], regions=["甘肃"], lang="zh")
    words = [text.get_text() for text in texts_of(figure)]
    assert "甘肃：与领先地区的差距" in words
    assert "最后观测年份 2024" in words
    assert "90% 区间" in figure.caption
    figure.canvas.draw()


def test_headings_are_bold_only_where_the_font_can(no_chinese):
    assert fonts.heading_style("Gap")["weight"] == "bold"
    assert fonts.heading_style("Gap")["family"] == [fonts.BASE]


def test_drawing_sets_a_list_of_families_and_restores(has_chinese):
    before = list(mpl.rcParams["font.family"])
    with drawing():
        assert mpl.rcParams["font.family"][0] == "DejaVu Sans"
        assert len(mpl.rcParams["font.family"]) > 1 or not has_chinese
    assert list(mpl.rcParams["font.family"]) == before


def test_can_draw():
    assert fonts.can_draw("Gansu −1.6 %")
    assert not fonts.can_draw("\U0010ffff")
