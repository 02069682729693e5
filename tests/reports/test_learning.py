"""The section on learning first says what was found, in both languages."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pysd_runner.policy.effects import HEADLINE
from pysd_runner.policy.learning import AIMS, GROUPS, Learning
from pysd_runner.reports.document import Bullets, Heading, Paragraph, TextTable
from pysd_runner.reports.learning import gain_text, learning_parts
from pysd_runner.scenarios import load_scenario
from pysd_runner.text import texts, translate

LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])
NAMES = ("skills_programme", "uniform_sevenths")


def _answer(learning):
    scenarios = {name: load_scenario(name) for name in NAMES}
    main = SimpleNamespace(learning=learning, scenarios=scenarios, year=2040)
    return SimpleNamespace(main=main, sought=None)


def _learning(waiting=(0.71, 0.01), pilots=True):
    gains = dict(zip(GROUPS, ((0.08, 0.01), (-0.01, 0.02), (0.0, 0.0), (np.nan, np.nan)), strict=True))
    row = {"best": NAMES[0], "mean": 2.03, "everything": (0.28, 0.02), **gains}
    seen = {"skills": 0.097, "skills_error": 0.017, "skills_power": 0.95}
    seen |= {"output": 0.005, "output_error": 0.02, "output_power": 0.06, "taught": (0.03, 0.01)}
    return Learning(
        worth=pd.DataFrame.from_dict(dict.fromkeys(AIMS, row), orient="index"),
        waiting=waiting,
        pilots=pd.DataFrame.from_dict({4: seen, 8: seen} if pilots else {}, orient="index"),
    )


def test_every_aim_and_group_has_a_name():
    known = texts("en")
    assert all(f"learning.aim_{aim}" in known for aim in AIMS)
    assert all(f"learning.{group}" in known for group in GROUPS)


@LANGUAGES
def test_gains_are_told_with_their_errors_and_none_as_none(lang):
    assert gain_text((0.285, 0.018), lang) == "0.29 ± 0.02"
    assert gain_text((-0.01, 0.02), lang) == gain_text((0.0, 0.0), lang) == translate("learning.none", lang)
    assert gain_text((np.nan, np.nan), lang) == "–"


@LANGUAGES
def test_the_section_holds_a_table_the_price_of_waiting_and_pilots(projection, lang):
    parts = list(learning_parts(projection, _answer(_learning()), lang))
    assert [type(part) for part in parts] == [Heading, TextTable, Paragraph, Paragraph, Paragraph, Bullets]
    table, waiting, pilots = parts[1], parts[3].text, parts[5].items
    label = load_scenario(NAMES[0]).label[lang]
    for row in table.rows:
        none = translate("learning.none", lang)
        assert row[1:] == [label, "2.03", "0.28 ± 0.02", "0.08 ± 0.01", none, none, "–"]
    assert len(table.rows) == len(AIMS)
    assert all(text in waiting for text in (label, "0.71 ± 0.01", "2.03", "0.28 ± 0.02", "2040"))
    assert len(pilots) == 2
    for line, size in zip(pilots, "48", strict=True):
        assert line.startswith(size)
        assert all(text in line for text in ("9.7 ± 1.7", "95", "0.5 ± 2.0", "0.03 ± 0.01"))


@LANGUAGES
def test_waiting_is_called_too_dear_only_beyond_what_everything_is_worth(projection, lang):
    for waiting, verdict in (((0.71, 0.01), "begin"), ((0.3, 0.02), "may_wait"), ((0.1, 0.01), "may_wait")):
        parts = list(learning_parts(projection, _answer(_learning(waiting, pilots=False)), lang))
        assert len(parts) == 4
        assert parts[-1].text.endswith(translate(f"learning.{verdict}", lang, all="0.28 ± 0.02"))
    unknown = _learning((np.nan, np.nan), pilots=False)
    assert len(list(learning_parts(projection, _answer(unknown), lang))) == 3


def test_without_enough_draws_there_is_none(projection):
    assert not list(learning_parts(projection, _answer(None), "en"))
    assert AIMS[0] == HEADLINE
