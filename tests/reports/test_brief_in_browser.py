"""A printed brief is one sheet of A4, and names that look like code stay text in a browser."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from pysd_runner import brief
from pysd_runner.regional.projection import project
from pysd_runner.reports.document import Bullets, Document, Heading, Paragraph, Picture, Table, to_markdown

pytestmark = pytest.mark.filterwarnings("ignore:.*no font for Chinese.*")

FIVE = ["zoned_need", "uniform_per_head", "skills_programme", "access_ladder", "integration_only"]
# Closes the element it stands in and changes the title of the page, if it is read as code.
HOSTILE = "\"'></td></p><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """Run Chromium without a window, with further options."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium on this machine")
    profile = tmp_path_factory.mktemp("profile")
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")

    def run(page, *options):
        return subprocess.run(
            [program, *fixed, *options, page.as_uri()], capture_output=True, timeout=120, check=True
        ).stdout.decode()

    return run


@pytest.fixture(scope="module")
def full(model, panel):
    """As much as a brief holds: five mixes, three years of the table, draws enough to tell causes."""
    return project(model, panel, FIVE, until=2040, draws=60)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("place", ["Gansu", "West", "nation"])
def test_one_sheet_of_a4(browse, full, tmp_path, place, lang):
    page = brief(full, place, lang=lang).save(tmp_path / "page.html")
    browse(page, f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer")
    pdf = (tmp_path / "page.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    width, height = (float(size) for size in re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf).groups())
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (210, 297)


def test_hostile_names_do_nothing(browse, full, tmp_path):
    data = full.data.copy()
    data["name_en"] = ("region", [HOSTILE, *data["name_en"].to_numpy()[1:]])
    data["label_en"] = ("scenario", [HOSTILE] * data.sizes["scenario"])
    page = brief(replace(full, data=data), "110000").save(tmp_path / "page.html")
    found = browse(page, "--dump-dom", "--virtual-time-budget=2000")
    title = re.search("<title>(.*?)</title>", found, re.DOTALL).group(1)
    assert title.startswith("\"'&gt;&lt;/td&gt;")
    assert "<script" not in found
    assert "<img src=" not in found


def test_hostile_names_in_markdown_are_text(browse, tmp_path):
    table = Table(header=["region", HOSTILE], rows=[[HOSTILE, "1"]], caption=HOSTILE)
    bodies = [Heading(HOSTILE), Paragraph(HOSTILE), Bullets([HOSTILE]), table, Picture("figures/a.png", HOSTILE)]
    text = to_markdown(Document(title=HOSTILE, lang="en", parts=bodies))
    (tmp_path / "page.html").write_text(
        f"<title>calm</title>{MarkdownIt('commonmark', {'html': True}).enable('table').render(text)}", encoding="utf-8"
    )
    found = browse(tmp_path / "page.html", "--dump-dom", "--virtual-time-budget=2000")
    assert "<title>calm</title>" in found
    assert "<script" not in found
    assert "<img src=x" not in found
    assert found.count("&lt;script&gt;") >= 7
