"""Warnings and notes kept in English are said in Chinese: none that a projection makes is left out."""

import re

import pytest

from pysd_runner.model import load_model
from pysd_runner.panel import load_panel
from pysd_runner.panel.office import nearest_layout
from pysd_runner.panel.validation import PLAIN, STYLES
from pysd_runner.plots import typography
from pysd_runner.reports.evidence import noticed
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline
from pysd_runner.study.projection import project
from pysd_runner.text.notices import in_language, in_lines, panel_title
from tests.english import sentences_in

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


STYLES_READ = [str(style) for style in STYLES if style != PLAIN]
HEADERS = ("geo,TIME_PERIOD", "Country Name,1990", "a,2001,2002", "variable,b", "a,b")
SAID_ON_THE_SCREEN = [
    "explorer.html (383 kB): open it in a browser; it needs no network.",
    "Drawing what every scenario starts from ...",
    "Compiling the model for browsers ...",
    "Running run.json again, 1000 draws ...",
    "Running run.json again, 1 draw ...",
    *(f"  Start with {name}.html, or {name}.md beside it." for name in ("summary", "report", "advice")),
    *(
        f"numbers of output are read with a {style}; if that is wrong, say `decimal` in a mapping file"
        for style in STYLES_READ
    ),
    *(
        f"required column region is missing. Rename a heading or map it. The nearest layout is {layout}"
        for layout in (nearest_layout(header.split(",")) for header in HEADERS)
    ),
]


@pytest.mark.parametrize("text", SAID_ON_THE_SCREEN)
def test_what_commands_say_is_said_in_chinese(text):
    headings = "Eurostat|SDMX-CSV|geo|Country Name|Country Code|Indicator Name|region|year|variable|value"
    names = rf"\b({headings}|output|map|\w+\.html|\w+\.md)\b"
    assert not left_in_english(re.sub(names, "", in_lines(text, "zh"))), in_lines(text, "zh")


def test_a_font_that_is_missing_is_said_in_chinese():
    typography._warn_once.cache_clear()
    with pytest.warns(typography.MissingFont) as found:
        typography._warn_once()
    assert not sentences_in(in_language(str(found[0].message), "zh"))


def bare(panel):
    """Output per head alone."""
    return panel.with_values({"output_per_head": panel["output_per_head"]}, {"output_per_head": "yuan"})


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


def test_what_is_no_notice_stays():
    assert in_language("something else entirely", "zh") == "something else entirely"


def test_a_shipped_panel_goes_by_its_title():
    assert panel_title("china", "en") == "Provinces of mainland China"
    assert panel_title("mine", "zh") == "mine"
