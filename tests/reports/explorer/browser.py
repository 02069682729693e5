"""Opens pages in Chromium, where there is one."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

# For a machine whose network is closed.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT = 60_000


def chromium():
    """Path of a browser; skips where there is none, unless CI says that there must be one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pages are not opened")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("GAPSIM_BROWSER") == "required":
            pytest.fail("no Chromium was found, and GAPSIM_BROWSER=required")
        pytest.skip("no Chromium was found; pages are not opened")
    return sync_api, found


@contextmanager
def opened(browser, path, *, width=1280, height=900, fragment=""):
    """A page that has shown its first results, and what it asked the network for."""
    page = browser.new_page(viewport={"width": width, "height": height})
    try:
        page.asked, errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{path.as_uri()}{fragment}")
        page.wait_for_selector("html[data-ready]", state="attached", timeout=WAIT)
        yield page
        assert not errors
    finally:
        page.close()


def violations(page, *impacts):
    """What axe finds wrong with a page, of these impacts or of any; skips where there is no copy of it."""
    axe = os.environ.get("GAPSIM_AXE", "")
    if not Path(axe).is_file():
        pytest.skip("GAPSIM_AXE names no copy of axe.min.js; accessibility is checked by names and roles alone")
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [(item["id"], item["nodes"][0]["html"][:200]) for item in found if not impacts or item["impact"] in impacts]


def settled(page, action):
    """Do something, and wait until the page is at rest again."""
    page.evaluate("document.documentElement.dataset.state = 'waiting'")
    action()
    page.wait_for_selector("html[data-state='rest']", state="attached", timeout=WAIT)


OUTCOMES = """async ({ slot, draws }) => {
  const { model, pool, record, state } = gapsim, scenario = state[slot];
  const found = await pool.run([model.changes(scenario), model.baseline(scenario)], draws);
  const range = (length, make) => Array.from({ length }, (_, place) => make(place));
  return found.map((outcomes) => record.program.outputs.map(({ cells }, place) =>
    range(cells, (cell) => range(outcomes.rows, (row) => Array.from(outcomes.values(place, cell, row))))));
}"""

# What a keyboard must reach, and what a screen reader would have no word for.
REACHABLE = """[...document.querySelectorAll("button, select, input, summary")]
  .filter((node) => !node.disabled && node.checkVisibility()).map((node) => node.id).filter(Boolean)"""
UNNAMED = """[...document.querySelectorAll("button, select, input")]
  .filter((node) => !(node.labels && node.labels.length) && !node.textContent.trim() && !node.ariaLabel).length"""


def outcomes(page, slot="a"):
    """What a scenario of the page and its baseline give: by outcome, shape (cell, time, draw)."""
    draws = page.evaluate("gapsim.record.draws")
    return page.evaluate(OUTCOMES, {"slot": slot, "draws": draws})
