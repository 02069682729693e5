"""Warnings and notes kept in English are said in Chinese: none that a projection makes is left out."""

import re

import pytest

from pysd_runner.panel.validation import PLAIN, STYLES
from pysd_runner.plots import style
from pysd_runner.reports.evidence import noticed
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline
from pysd_runner.study.projection import project
from pysd_runner.text import panel_title, said
from tests.english import sentences_in
from tests.provinces import REGIONS

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


def bare(panel):
    """Output per head alone."""
    return panel.with_values({"output_per_head": panel.array("output_per_head")}, {"output_per_head": "yuan"})


def early(panel, model):
    zoned = load_scenario("zoned_need", model=model)
    return zoned.with_(name="early", start=2020)


@pytest.mark.parametrize("kind", ["whole", "bare", "early", "idle", "one class"])
def test_no_english_is_left(panel, model, kind):
    seen = bare(panel) if kind == "bare" else panel
    scenario = {
        "early": lambda: early(panel, model),
        "idle": lambda: load_scenario({"name": "idle", "extends": "zoned_need", "policy": {"budget": 0}}, model=model),
        "one class": lambda: load_scenario("zoned_need", model=model).with_(name="flat", differentiation=0.0),
    }.get(kind, lambda: "zoned_need")()
    found = project(model, seen, [scenario], until=2026, draws=2)
    lines = [*found.warnings, *found.imputed]
    assert len(lines) > 5
    for line, told in zip(lines, noticed(found, lines, "zh"), strict=True):
        assert not left_in_english(told.removeprefix(kind).removeprefix("flat")), (line, told)
        assert re.search(r"[\u4e00-\u9fff]", told)
    assert noticed(found, lines, "en") == [
        said(line, "en", {item.variable: item.en for item in model.spec.inputs.values()}) for line in lines
    ]


def test_of_a_forecast_and_of_another_panel(panel, model):
    import numpy as np

    paths = np.random.default_rng(0).normal(0, 0.001, (3, len(REGIONS), 2)).cumsum(axis=2)
    heads = np.log(panel.array("output_per_head")[:, -1])
    paths += (heads - heads.mean())[None, :, None]
    baseline = Baseline(
        paths=paths, regions=panel.codes, years=(2025, 2026), origin=2024, panel="another", panel_sha256="0"
    )
    found = project(model, panel, ["zoned_need"], until=2026, draws=2, baseline=baseline)
    told = noticed(found, found.warnings, "zh")
    assert any("“another”" in line for line in told)
    assert not any(left_in_english(line) for line in told)


def test_a_shipped_panel_goes_by_its_title():
    assert panel_title("china", "en") == "Provinces of mainland China"
    assert panel_title("mine", "zh") == "mine"
