"""A printed brief is one sheet of A4, and nothing of it is cut on a screen."""

import re

import pytest

from pysd_runner import brief
from pysd_runner.study.projection import project

FIVE = ["zoned_need", "uniform_per_head", "skills_programme", "access_ladder", "integration_only"]


@pytest.fixture(scope="module")
def full(model, panel):
    """As much as a brief holds: five mixes, three years of the table, draws enough to tell causes."""
    return project(model, panel, FIVE, until=2040, draws=60)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("place", ["Gansu", "West", "nation"])
def test_one_sheet_of_a4(browser, full, tmp_path, place, lang):
    page = browser.new_page()
    page.goto(brief(full, place, lang=lang).save(tmp_path / "page.html").as_uri())
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    width, height = (float(size) for size in re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf).groups())
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (210, 297)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1000, 1280])
def test_nothing_is_cut(browser, full, tmp_path, width, lang):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(brief(full, "Gansu", lang=lang).save(tmp_path / "page.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    parts = page.locator(".wide:visible, .phone:visible").evaluate_all(
        "(parts) => parts.map((part) => [part.scrollWidth, part.clientWidth])"
    )
    whole_page = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert whole_page <= width
    assert len(parts) == 4
    assert all(whole <= shown < width for whole, shown in parts), parts
