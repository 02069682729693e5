"""Styles of numbers, fonts and panels are said in Chinese."""

import re

import pytest

from pysd_runner.data.numbers import PLAIN, STYLES
from pysd_runner.plots import style
from pysd_runner.text import panel_title, said
from tests.english import sentences_in

# Names of keys, series and files stay, whatever the language.
NAMES = re.compile(r"`[^`]+`|“[^”]+”|\b\w*[_.]\w+\b|\b[A-Z]{2,}\b|R-hat|run\.json|\bh_[su]\b")


def left_in_english(text):
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub("", text))


@pytest.mark.parametrize("style", STYLES, ids=repr)
def test_a_style_of_numbers_is_said_in_chinese(style):
    assert style == PLAIN or not left_in_english(said(str(style), "zh"))


def test_a_font_that_is_missing_is_said_in_chinese():
    style._warn_once.cache_clear()
    with pytest.warns(style.MissingFont) as found:
        style._warn_once()
    assert not sentences_in(said(str(found[0].message), "zh"))


def test_a_shipped_panel_goes_by_its_title():
    assert panel_title("china", "en") == "Provinces of mainland China"
    assert panel_title("mine", "zh") == "mine"
