"""The page of a projection in a browser: what it computes, what it gives away, how it is used."""

import base64
import json
import re

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.reports.explorer.page import page_of
from pysd_runner.reports.explorer.policies import SAVED, policies_explored
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.projection import project
from tests.reports.explorer.browser import REACHABLE, UNNAMED, opened, outcomes, settled, violations

UNTIL, DRAWS = 2030, 12


@pytest.fixture(scope="module")
def start():
    """What a projection starts from: shipped model and panel, a made-up forecast."""
    panel = load_data("china")
    model = load_model("regional_digital", regions=len(panel.regions))
    rng = np.random.default_rng(0)
    logs = np.log(panel.array("output_per_head")[:, -1])
    steps = rng.normal(0, 0.01, (DRAWS, len(logs), UNTIL - panel.years[-1]))
    paths = (logs - logs.mean())[:, None] + steps.cumsum(axis=2)
    baseline = Baseline(
        paths=paths,
        regions=panel.codes,
        years=tuple(range(panel.years[-1] + 1, UNTIL + 1)),
        origin=panel.years[-1],
        panel=panel.name,
        panel_sha256=panel.sha256,
    )
    return model, panel, {"until": UNTIL, "draws": DRAWS, "seed": 3, "baseline": baseline}


@pytest.fixture(scope="module")
def written(start, tmp_path_factory):
    model, panel, settings = start
    command = "gapsim run SCENARIO --draws 12"
    offered = [load_scenario(name, model=model) for name in ("zoned_need", "uniform_per_head")]
    told = {"draws": 1000, "policies": {"zoned_need": {"gap_closed": [0.7, 1.75, 3.7], "output_change": [0.6, 2, 5]}}}
    explored = policies_explored(inputs_of(model, panel, **settings), offered, told=told)
    text = page_of(explored, command=command)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def assert_repeats(found, start, scenario):
    """Outcomes of a scenario and its baseline in the page are those of a projection."""
    model, panel, settings = start
    data = project(model, panel, [scenario], **settings).data
    for ours, name in zip(found, (scenario.name, scenario.baseline_name), strict=True):
        for key, values in zip(SAVED, ours, strict=True):
            theirs = data[key].sel(scenario=name)
            theirs = theirs.transpose(*(dim for dim in ("region", "year", "draw") if dim in theirs.dims)).to_numpy()
            here = np.array(values).reshape(theirs.shape)
            assert np.abs(here - theirs).max() <= 1e-12 * np.abs(theirs).max(), key


def test_shipped_scenario_is_that_of_a_run(start, written, browser):
    model, _, _ = start
    with opened(browser, written) as page:
        settled(page, lambda: page.select_option("#preset", "zoned_need"))
        found = outcomes(page)
    assert_repeats(found, start, load_scenario("zoned_need", model=model))


def test_what_the_results_say_of_a_policy_is_what_the_card_says(written, browser):
    with opened(browser, written) as page:
        card = page.locator(".card", has_text="below the mean closed, %")
        assert card.locator(".figure").inner_text() == "+1.75 (+0.7 … +3.7)"
        assert "the 1000 simulations of the results; of the 12 simulations of this page: " in card.inner_text()
        assert page.locator(".card .figure").nth(1).inner_text() == "+2 % (+0.6 … +5)"
        settled(page, lambda: page.fill("#budget", "0.31"))
        assert card.locator(".figure").inner_text() != "+1.75 (+0.7 … +3.7)"
        assert "Median of the 12 simulations of this page" in card.inner_text()


def test_downloaded_scenario_is_repeated_by_a_run(start, written, tmp_path, browser):
    model, panel, _ = start
    with opened(browser, written) as page:
        settled(page, lambda: page.fill("#budget", "0.55"))
        settled(page, lambda: page.fill("#start", "2026"))
        settled(page, lambda: page.fill("#end", "2029"))
        settled(page, lambda: page.fill("#redistribution", "0.4"))
        settled(page, lambda: page.uncheck("[id='classes.frontier']"))
        settled(page, lambda: page.uncheck("[id='groups.Central']"))
        settled(page, lambda: page.check("#rolling"))
        settled(page, lambda: page.fill("[id='mixes.frontier.skills']", "73"))
        page.click("text=When each lever runs")
        settled(page, lambda: page.fill("[id='window.skills.0']", "2027"))
        settled(page, lambda: page.fill("[id='window.data.1']", "2028"))
        page.click("text=Unit costs")
        settled(page, lambda: page.press("[id='constant.Cost per Training Place']", "ArrowRight"))
        with page.expect_download() as download:
            page.click("#do-yaml")
        download.value.save_as(tmp_path / "mine.yaml")
        found = outcomes(page)
    scenario = load_scenario(tmp_path / "mine.yaml", model=model, regions=panel.regions)
    assert scenario.policy.levers
    assert scenario.assumptions
    assert_repeats(found, start, scenario)


def test_scenario_in_the_link_comes_back(written, browser):
    with opened(browser, written) as page:
        settled(page, lambda: page.fill("#budget", "0.8"))
        settled(page, lambda: page.select_option("#preset", "skills_programme"))
        page.select_option("#area", index=3)
        settled(page, lambda: page.check("#both"))
        state, fragment = page.evaluate("gapsim.state"), page.evaluate("location.hash")
    with opened(browser, written, fragment=fragment) as page:
        assert page.evaluate("gapsim.state") == state
        assert page.input_value("#preset") == "skills_programme"


@pytest.mark.parametrize(
    "state", ["x", {"a": {"budget": 1e9, "windows": {"__proto__": [1, 2], "skills": "no"}}, "lang": 7, "area": "<b>"}]
)
def test_link_of_somebody_else_is_kept_within_limits(written, state, browser):
    fragment = "#" + base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")
    with opened(browser, written, fragment=fragment) as page:
        assert page.evaluate("gapsim.state.a.budget") <= 0.01
        assert page.evaluate("gapsim.state.lang") == "en"


def test_nothing_is_asked_of_the_network(written, browser):
    with opened(browser, written) as page:
        settled(page, lambda: page.fill("#budget", "0.8"))
        page.click("#language")
        asked = [url for url in page.asked if not url.startswith(("file:", "blob:"))]
    assert not asked
    assert not re.search(
        r"""(?:src|href)=["'](?!data:|#)""", written.read_text(encoding="utf-8").split('<div id="page">')[0]
    )


def test_keyboard_alone_suffices(written, browser):
    with opened(browser, written) as page:
        reached = set()
        for _ in range(400):
            page.keyboard.press("Tab")
            name = page.evaluate("document.activeElement.id || document.activeElement.tagName")
            if name == "BODY" and reached:
                break
            reached.add(name)
        wanted = set(page.evaluate(REACHABLE))
        assert wanted <= reached
        before = page.text_content("#sentence")
        page.focus("#budget")
        settled(page, lambda: page.keyboard.press("ArrowRight"))
        assert page.text_content("#sentence") != before
        assert page.get_attribute("#budget", "aria-valuetext") == "0.35 % of output"
        assert page.get_attribute("#sentence", "aria-live") == "polite"


def test_every_control_has_a_name_and_every_chart_a_table(written, browser):
    with opened(browser, written) as page:
        assert page.evaluate(UNNAMED) == 0
        assert page.evaluate(
            "[...document.querySelectorAll('svg[role=img]')].every((n) => n.getAttribute('aria-label').length > 10)"
        )
        for part in ("fan", "difference", "regions"):
            page.click(f"#{part}-table summary")
            page.locator(f"#{part}-table tbody tr").nth(UNTIL - 2024).wait_for()


def test_axe_finds_no_violation(written, browser):
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(written.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.check("#both")
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert violations(page) == []
    context.close()


def test_languages_change_everything_that_is_said(written, browser):
    with opened(browser, written) as page:
        page.click("#language")
        assert page.get_attribute("html", "lang") == "zh-CN"
        text = page.inner_text("#page")
        assert "无政策" in text
        assert "Scenario" not in text
        assert "china" not in page.title()
        assert re.search(r"[一-鿿]", page.title())


def test_telephone_does_not_scroll_sideways(written, browser):
    with opened(browser, written, width=390, height=844) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_assumption_that_moves_the_baseline_says_so(written, browser):
    with opened(browser, written) as page:
        page.click("text=Other assumptions")
        slider = "[id='constant.Agglomeration Elasticity']"
        assert "off the forecast" not in page.inner_text("#warning")
        settled(page, lambda: page.press(slider, "ArrowRight"))
        assert "off the forecast" in page.inner_text("#warning")
        settled(page, lambda: page.click(f".control:has({slider}) button"))
        assert "off the forecast" not in page.inner_text("#warning")


def test_table_download_holds_what_is_shown(written, tmp_path, browser):
    with opened(browser, written) as page:
        with page.expect_download() as download:
            page.click("#do-csv")
        download.value.save_as(tmp_path / "shown.csv")
        with page.expect_download() as download:
            page.click("#do-svg")
        download.value.save_as(tmp_path / "chart.svg")
        middle = page.evaluate("gapsim.series[1].spreads.at(-1).middle")
    lines = (tmp_path / "shown.csv").read_text(encoding="utf-8-sig").splitlines()
    assert any(f",{UNTIL},{middle!r}" in line for line in lines)
    assert (tmp_path / "chart.svg").read_text(encoding="utf-8").startswith("<svg")


def test_page_is_small(start, written):
    _, _, settings = start
    size = written.stat().st_size
    draws = written.read_text(encoding="utf-8").partition('"numbers":"')[2].partition('"')[0]
    assert size + len(draws) * (32 - settings["draws"]) / settings["draws"] < 600_000
