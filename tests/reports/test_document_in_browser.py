"""Reports in a browser: names that look like code stay text, everything has a name, and they fit a telephone."""

import re

import pytest
from markdown_it import MarkdownIt

from pysd_runner import brief
from pysd_runner.plots.figure import open_canvas, save_figure
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Link,
    Listing,
    Paragraph,
    Picture,
    ReportDocument,
    TextTable,
    save_document,
    to_markdown,
)
from pysd_runner.study.future import Future
from tests.reports.explorer.browser import violations

# Closes the element it stands in and changes the title of the page, if it is read as code.
HOSTILE = (
    "\"'></td></p></svg></style>--><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    " [click](javascript:document.title='run') `code`"
)
# Elements that only a hostile name can have made.
FOREIGN = "script, img, iframe, [onerror], [onload], a[href^='javascript']"


def hostile_parts(folder):
    """Every kind of part, with nothing in it but names that look like code."""
    figure = open_canvas(height=1, title=HOSTILE, subtitle=HOSTILE, caption=HOSTILE).figure
    figure.sentence = HOSTILE
    figure.data = figure.data.assign(name=[HOSTILE])
    save_figure(figure, folder, "figure")
    table = TextTable(header=["region", HOSTILE], rows=[[HOSTILE, "1"]], caption=HOSTILE, words=frozenset({1}))
    return [
        Heading(HOSTILE),
        Paragraph(HOSTILE),
        Listing(f"```\n{HOSTILE}"),
        Bullets([HOSTILE]),
        table,
        Picture("figure.png", HOSTILE),
        Picture("", HOSTILE, figure),
        Link(HOSTILE, "explorer.html"),
    ]


@pytest.fixture
def opened(browser):
    """Open a page as wide as asked, in a light or a dark room."""
    pages = []

    def go(path, **settings):
        context = browser.new_context(bypass_csp=True, **settings)
        page = context.new_page()
        pages.append(context)
        page.goto(path.as_uri())
        return page

    yield go
    for context in pages:
        context.close()


def test_names_that_look_like_code_are_text(opened, tmp_path):
    report = ReportDocument(title=HOSTILE, lang="en", parts=hostile_parts(tmp_path))
    page = opened(save_document(report, tmp_path, "report")[1])
    assert page.title().startswith("\"'></td>")
    assert page.locator(FOREIGN).count() == 0
    for place in ("h1", "h2", "p", "li", "caption", "thead th >> nth=1", "tbody th", "figcaption >> nth=0"):
        assert page.locator(place).first.text_content().startswith("\"'></td></p></svg></style>--><script>"), place
    assert page.locator("svg").count() == 2
    assert all(name.startswith("\"'></td>") for name in page.locator("svg").evaluate_all(NAMES))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids)) > 5


NAMES = "(nodes) => nodes.map((node) => node.getAttribute('aria-label'))"


def test_names_that_look_like_code_are_text_in_markdown(opened, tmp_path):
    text = to_markdown(ReportDocument(title=HOSTILE, lang="en", parts=hostile_parts(tmp_path)))
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    (tmp_path / "page.html").write_text(f"<title>calm</title>{shown}", encoding="utf-8")
    page = opened(tmp_path / "page.html")
    assert page.title() == "calm"
    assert page.locator("script, img[src=x], [onerror], a[href^='javascript']").count() == 0
    assert page.content().count("&lt;script&gt;") >= 8


@pytest.fixture(scope="module")
def reports(projection: Future, panel, tmp_path_factory):
    """A report of a run and a brief."""
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.reports.results import write_results

    folder = tmp_path_factory.mktemp("results")
    write_results(projection, folder, inputs=Inputs(panel=panel, source="part of china"), scenarios=["zoned_need"])
    brief(projection, "Gansu").save(folder / "brief.html")
    return folder


@pytest.mark.parametrize("name", ["summary", "brief"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_reports_can_be_read(opened, reports, name, scheme, width):
    page = opened(reports / f"{name}.html", viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_attribute("html", "lang") == "en"
    assert page.locator("table").count() == page.locator("caption").count() > 0
    assert all(len(name) > 20 for name in page.locator("svg").evaluate_all(NAMES))
    assert not re.search("(src|href)=.(http|file)", page.content())
    assert violations(page) == []
