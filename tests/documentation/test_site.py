"""Pages of the site: the first lines run, Chinese pages keep up with English ones, reference pages are whole."""

import hashlib
import importlib.util
import os
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

import pysd_runner
from pysd_runner.cli import main
from pysd_runner.scenarios import load_scenario
from tests.documentation.four_regions import take_four_provinces
from tests.documentation.readme import CHINESE as CHINESE_README, ENGLISH, ROOT, code_blocks, links, raw_blocks, text_of

DOCS = ROOT / "docs"
CHINESE = sorted((DOCS / "zh").glob("*.md"))
MOST_LINES = 10
FIRST = {"en": (ENGLISH, DOCS / "index.md"), "zh": (CHINESE_README, DOCS / "zh" / "index.md")}
# Results of the calibrated demonstration, of this checkout or of another place.
DEMO = Path(os.environ.get("GAPSIM_DEMO", ROOT / "results" / "demo"))


@pytest.fixture
def small_panel(monkeypatch):
    """Four provinces stand for all, so that pages run quickly."""
    take_four_provinces(monkeypatch)


def run_code(code: str, folder: Path) -> dict[str, object]:
    (folder / "code.py").write_text(code, encoding="utf-8")
    return runpy.run_path(str(folder / "code.py"))


def test_the_lines_of_the_first_page_run(small_panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = raw_blocks(DOCS / "index.md", "python")
    assert len([line for line in code.splitlines() if line]) <= MOST_LINES
    # The demonstration takes minutes; any results will do.
    quick = ("--draws", "2", "--until", "2027", "--without", "forecast", "--out", "results/demo", "--quiet")
    assert main(["run", "zoned_need", *quick]) == 0
    found = run_code(code, tmp_path)
    assert np.isfinite(found["found"].table(region="Sichuan")["median"]).all()
    assert (tmp_path / "sichuan.docx").is_file()


def said_by_the_picture(lang):
    """First words of the brief, which `docs/pictures.py` writes into its picture."""
    from PIL import Image

    with Image.open(DOCS / "images" / ("brief.png" if lang == "en" else f"brief_{lang}.png")) as picture:
        return picture.info["Description"]


@pytest.mark.parametrize("lang", FIRST)
def test_first_pages_say_what_their_picture_says(lang):
    for page in FIRST[lang]:
        assert said_by_the_picture(lang) in re.sub(r"[\s>]+", " ", text_of(page)), page


@pytest.mark.skipif(not DEMO.is_dir(), reason="no results of `gapsim demo`, from which the picture is drawn")
@pytest.mark.parametrize("lang", FIRST)
def test_the_picture_is_that_of_the_brief_of_the_demonstration(lang):
    lead = pysd_runner.brief(pysd_runner.load_future(DEMO), "Sichuan", lang=lang).lead
    assert said_by_the_picture(lang) == " ".join(lead), "python docs/pictures.py results/demo"


def test_the_scenario_of_the_page_doubles_the_budget(small_panel, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "double.yaml").write_text(raw_blocks(DOCS / "scenarios.md", "yaml")[0], encoding="utf-8")
    assert load_scenario("double.yaml").policy.budget == 2 * load_scenario("zoned_need").policy.budget
    describe, brief = (shlex.split(line)[1:] for line in raw_blocks(DOCS / "scenarios.md", "sh")[0].splitlines())
    assert main(describe) == 0
    assert main([*brief, "--draws", "2", "--until", "2027", "--without", "forecast", "--format", "html"]) == 0
    assert "Double budget" in capsys.readouterr().out


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_chinese_pages_keep_up(page):
    english = DOCS / page.name
    now = hashlib.sha256(english.read_bytes()).hexdigest()[:12]
    first = text_of(page).splitlines()[0]
    assert first == f"% Translates ../{page.name} as of {now}.", (
        f"docs/{page.name} has changed: bring docs/zh/{page.name} up to date, then write {now} into its first line"
    )
    known = code_blocks(english)
    assert all(block in known for block in code_blocks(page)), "code differs from that of the English page"
    assert sum("\u4e00" <= sign <= "\u9fff" for sign in text_of(page)) > 150


def test_there_is_a_chinese_page_for_each_first_step():
    assert [page.stem for page in CHINESE] == [
        "brief",
        "cite",
        "index",
        "measured_effects",
        "own_data",
        "own_model",
        "policy_tests",
        "published_studies",
        "scenarios",
        "studies",
    ]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_has_each_with_all_its_options(reference):
    page = reference.commands_page()
    found = dict(reference.commands())
    assert {"gapsim brief", "gapsim data check", "gapsim calibrate", "gapsim forecast"} <= set(found)
    for words, command in found.items():
        part = page.partition(f"## {words}\n")[2].partition("\n## ")[0]
        for item in command.params:
            if not getattr(item, "hidden", False) and item.opts[0].startswith("-"):
                assert all(f"`{name}`" in part for name in item.opts), (words, item.opts)


def test_the_page_of_keys_has_each_key_of_the_template(reference):
    page = reference.keys_page()
    template = (ROOT / "pysd_runner" / "scenarios" / "template.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\s*(?:# )?\s*([a-z_]+):(?: |$)", template, re.MULTILINE))
    assert len(keys) > 15
    known = {part for name, _ in reference.scenario_keys(reference.scenario_schema()) for part in name.split(".")}
    assert keys <= known | {"true"}, keys - known
    assert "`policy.mix.access`" in page


def test_reference_pages_are_written_once(reference, tmp_path):
    reference.write(tmp_path)
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "auto_reference").iterdir()}
    assert len(times) == 3
    reference.write(tmp_path)
    assert all(file.stat().st_mtime_ns == when for file, when in times.items())


def test_evidence_counts_what_the_evaluation_counts():
    counts = re.search(r"passed (\d+), failed (\d+), not tested (\d+)", text_of(DOCS / "evaluation.md"))
    passed, failed, untested = (int(number) for number in counts.groups())
    told = text_of(DOCS / "evidence.md").replace("\n", " ")
    assert f"{passed + failed + untested} tests" in told
    assert f"{passed} passed, {failed} failed, {untested} could not be tested" in re.sub(r" +", " ", told)


NEW = [*(DOCS / f"{name}.md" for name in ("index", "scenarios", "cite", "glossary", "questions", "evidence")), *CHINESE]


@pytest.mark.parametrize("page", NEW, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_between_pages_lead_somewhere(page):
    for link in links(page):
        if link.startswith("http") or "auto_" in link:
            continue
        target = page.parent / link.partition("#")[0]
        assert target.is_file() or target.with_suffix(".md").is_file(), link
