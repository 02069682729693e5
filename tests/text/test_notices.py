"""Warnings and notes kept in English are said in Chinese: none that a projection makes is left out."""

import re
from dataclasses import replace

import pytest

from pysd_runner.model import load_model
from pysd_runner.panel import load_panel
from pysd_runner.regional.projection import project
from pysd_runner.reports.evidence import noticed
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline
from pysd_runner.text import blanks, texts
from pysd_runner.text.notices import in_language, panel_title

REGIONS = ("110000", "310000", "410000", "620000")
# Names of keys, series and files stay, whatever the language.
NAMES = re.compile(r"`[^`]+`|“[^”]+”|\b\w*[_.]\w+\b|\b[A-Z]{2,}\b|R-hat|run\.json|\bh_[su]\b")


@pytest.fixture(scope="module")
def panel():
    return load_panel("china").subset(regions=REGIONS)


@pytest.fixture(scope="module")
def model():
    return load_model("regional_digital", regions=len(REGIONS))


def left_in_english(text):
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub("", text))


def bare(panel):
    """Output per head alone."""
    return replace(panel, values={"output_per_head": panel["output_per_head"]}, units={"output_per_head": "yuan"})


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
    for line, said in zip(lines, noticed(found, lines, "zh"), strict=True):
        assert not left_in_english(said.removeprefix(kind).removeprefix("flat")), (line, said)
        assert re.search(r"[\u4e00-\u9fff]", said)
    assert noticed(found, lines, "en") == [
        in_language(line, "en", {item.variable: item.en for item in model.spec.inputs.values()}) for line in lines
    ]


def test_of_a_forecast_and_of_another_panel(panel, model):
    import numpy as np

    paths = np.random.default_rng(0).normal(0, 0.001, (3, len(REGIONS), 2)).cumsum(axis=2)
    heads = np.log(panel["output_per_head"][:, -1])
    paths += (heads - heads.mean())[None, :, None]
    baseline = Baseline(
        paths=paths, regions=panel.codes, years=(2025, 2026), origin=2024, panel="another", panel_sha256="0"
    )
    found = project(model, panel, ["zoned_need"], until=2026, draws=2, baseline=baseline)
    told = noticed(found, found.warnings, "zh")
    assert any("“another”" in line for line in told)
    assert not any(left_in_english(line) for line in told)


@pytest.mark.parametrize("key", texts("en", "notice"))
def test_every_notice_is_found_again(key):
    text = texts("en")[f"notice.{key}"]
    values = {name: f"<{name}>" for name in blanks(text)}
    assert in_language(text.format(**values), "zh") == texts("zh")[f"notice.{key}"].format(**values)


def test_what_is_no_notice_stays():
    assert in_language("something else entirely", "zh") == "something else entirely"


def test_a_shipped_panel_goes_by_its_title():
    assert panel_title("china", "en") == "Provinces of mainland China"
    assert panel_title("mine", "zh") == "mine"
