"""The site as `make docs` built it, in a browser: nothing serious for axe, nothing too wide, search that finds."""

import functools
import http.server
import json
import re
import threading

import pytest

from tests.documentation.readme import ROOT
from tests.reports.explorer.browser import violations

SITE = ROOT / "docs" / "_build" / "html"


def built_pages():
    """What the last build knows; pages of earlier builds may lie beside. The explorer has tests of its own."""
    index = SITE / "searchindex.js"
    if not index.is_file():
        return []
    names = json.loads(re.search(r'"?docnames"?:\s*(\[[^]]*\])', index.read_text(encoding="utf-8"))[1])
    return [f"{name}.html" for name in (*names, "genindex", "search")]


PAGES = built_pages()

pytestmark = pytest.mark.skipif(not PAGES, reason="the site is not built; `make docs` builds it")


@pytest.fixture(scope="module")
def context(browser):
    """As a reader has it; what the site asks of other hosts is not fetched."""
    found = browser.new_context(bypass_csp=True)
    found.route("**/*", lambda route: route.continue_() if "://127.0.0.1" in route.request.url else route.abort())
    yield found
    found.close()


@pytest.fixture(scope="module")
def address():
    """The site on a server of its own, as search needs one."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def opened(context, address):
    page = context.new_page()

    def go(name, width):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{address}/{name}", wait_until="load")
        return page

    yield go
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways_or_keeps_a_reader_out(opened, name):
    for width in (1280, 390):
        page = opened(name, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page, "serious", "critical") == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_asks_another_host_for_a_script_or_a_style(name):
    text = (SITE / name).read_text(encoding="utf-8")
    assert not re.findall(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//', text)


def test_search_finds_a_command_a_word_and_a_function(opened):
    for word, where in (("brief", "brief.html"), ("Theil", "glossary.html"), ("latin_hypercube", "api/ensembles.html")):
        page = opened(f"search.html?q={word}", 1280)
        page.get_by_text("Search finished").wait_for()
        found = page.locator("#search-results li a").evaluate_all("(nodes) => nodes.map((node) => node.href)")
        assert any(where in link for link in found), (word, found[:5])


def test_chinese_pages_say_that_they_are_chinese(opened):
    assert opened("zh/index.html", 1280).get_attribute("html", "lang") == "zh-CN"
    assert opened("index.html", 1280).get_attribute("html", "lang") == "en"


def test_types_in_the_reference_lead_to_their_pages(opened):
    page = opened("api/projections.html", 1280)
    entry = page.locator("dl.py.function", has=page.locator("[id='pysd_runner.study.projection.project']"))
    links = entry.locator("a.reference.internal").evaluate_all(
        "(nodes) => nodes.map((node) => node.getAttribute('href'))"
    )
    assert {"models.html#pysd_runner.model.Model", "panels.html#pysd_runner.data.Data"} <= set(links)
