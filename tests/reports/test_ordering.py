"""The section on order in time says what was found, in both languages."""

from types import SimpleNamespace

import pytest

from pysd_runner.policy.ordering import Order
from pysd_runner.reports.document import Heading
from pysd_runner.reports.ordering import order_parts
from pysd_runner.scenarios import load_scenario
from pysd_runner.text import translate

NAMES = ("skills_programme", "uniform_sevenths")


def _answer(order):
    scenarios = {name: load_scenario(name) for name in NAMES}
    return SimpleNamespace(main=SimpleNamespace(order=order, scenarios=scenarios), sought=None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_order_is_told_to_matter_or_not(projection, lang):
    known = {
        "first": NAMES[0],
        "second": NAMES[1],
        "constant": NAMES[0],
        "mean": 2.0,
        "delta": 0.2,
        "pairs": 156,
        "half": 300,
    }
    said = {}
    for gain in ((0.05, 0.03), (0.4, 0.03), (-0.05, 0.03)):
        heading, part = order_parts(projection, _answer(Order(**known, gain=gain)), lang)
        assert heading == Heading(translate("ordering.title", lang))
        said[gain] = part.text
        labels = [load_scenario(name).label[lang] for name in NAMES]
        assert all(text in part.text for text in (*labels, "0.03", "0.20", "156", "300"))
    first, second, third = (text.split(load_scenario(NAMES[0]).label[lang])[0] for text in said.values())
    assert first == third != second


def test_without_a_schedule_there_is_no_section(projection):
    assert not list(order_parts(projection, _answer(None), "en"))
