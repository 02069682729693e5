"""Styles of numbers, fonts and panels are said in Chinese."""

import pytest

from pysd_runner.data.numbers import PLAIN, STYLES
from pysd_runner.plots import style
from pysd_runner.text import panel_title, translated
from tests.english import latin, sentences_in


@pytest.mark.parametrize("style", STYLES, ids=repr)
def test_a_style_of_numbers_is_said_in_chinese(style):
    assert style == PLAIN or not latin(translated(str(style), "zh"))


def test_a_font_that_is_missing_is_said_in_chinese():
    style._warn_once.cache_clear()
    with pytest.warns(style.MissingFont) as found:
        style._warn_once()
    assert not sentences_in(translated(str(found[0].message), "zh"))


def test_a_shipped_panel_goes_by_its_title():
    assert panel_title("china", "en") == "Provinces of mainland China"
    assert panel_title("mine", "zh") == "mine"
