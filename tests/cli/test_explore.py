"""``gapsim explore``: a page from results or from a model, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from pysd_runner.export import load_netcdf
from pysd_runner.policy.ranking import select_at

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

MODEL = """{UTF-8}
Contact Rate = 9 ~ 1/day [1,20] ~ |
Infected = INTEG(Infected*Contact Rate/100 - Infected/4, 3) ~ person ~ |
INITIAL TIME = 0 ~ day ~ |
FINAL TIME = 20 ~ day ~ |
TIME STEP = 1 ~ day ~ |
SAVEPER = 1 ~ day ~ |
"""


def record_of(path):
    """What a page is about."""
    text = path.read_text(encoding="utf-8").partition('type="application/json">')[2].partition("</script>")[0]
    return json.loads(text)


def test_page_of_results(gapsim, results, tmp_path):
    answer = gapsim("explore", results, "--draws", 2, "--out", "x.html", "--lang", "zh", "--json", code=0)
    assert answer.json["data"]["file"] == "x.html"
    assert answer.json["data"]["bytes"] == (tmp_path / "x.html").stat().st_size
    record = record_of(tmp_path / "x.html")
    assert record["draws"] == 2
    assert record["lang"] == "zh"
    members = select_at(load_netcdf(results / "compared.nc"), "", None).members
    assert record["policy"]["presets"][0]["name"] in members
    assert record["command"].startswith("gapsim run SCENARIO --draws 2")
    assert "leave --data, --seed away" in gapsim("explore", results, "--data", "obs.csv", "--seed", 1, code=2).err


@pytest.mark.parametrize(
    "text", ["scenario;gap_closed_p50\nzoned_need;1,7\n", "", "省\n", "scenario,gap_closed_p50\na,1\n"]
)
def test_a_summary_that_another_program_rewrote_is_named(gapsim, results, tmp_path, text):
    own = tmp_path / "own"
    shutil.copytree(results, own)
    (own / "summary.csv").write_text(text, encoding="gbk")
    answer = gapsim("explore", "own", "--draws", 2, "--out", "x.html", code=2)
    assert f"{Path('own', 'summary.csv')} cannot be read: it is damaged" in answer.err


def test_brief_links_to_the_page_beside_the_results(gapsim, results, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(results, own)
    assert gapsim("explore", "own", "--draws", 2).code == 0
    gapsim("brief", "Gansu", "--run", "own", "--format", "html,docx", "--out", "pages", code=0)
    page = (tmp_path / "pages" / "gansu.html").read_text(encoding="utf-8")
    assert '<a href="explorer.html">' in page
    assert (tmp_path / "pages" / "explorer.html").read_bytes() == (own / "explorer.html").read_bytes()
    assert gapsim("explore", "own", "--draws", 2).code == 2
    assert gapsim("explore", "own", "--draws", 2, "--force").code == 0


def test_page_of_a_model(gapsim, tmp_path):
    (tmp_path / "mine.mdl").write_text(MODEL, encoding="utf-8")
    (tmp_path / "obs.csv").write_text("day,Infected\n0,3\n5,4\n", encoding="utf-8")
    gapsim("explore", "mine.mdl", "--data", "obs.csv", "--until", 10, "--out", "mine.html", code=0)
    record = record_of(tmp_path / "mine.html")
    assert record["times"][-1] == 10
    (constants,) = record["constants"]
    found = [(item["name"], item["lower"], item["upper"]) for item in constants["entries"]]
    assert found == [("Contact Rate", 1, 20)]
    assert record["history"][0]["values"] == [3, 4]
    assert record["command"] == "gapsim run SCENARIO --model mine.mdl --data obs.csv --until 10"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "neither results of `gapsim run` nor a model file"),
        (("nowhere.mdl",), "nowhere.mdl: there is no such file"),
        (("mine.mdl", "--out", "nowhere/x.html"), "there is no folder"),
        (("mine.mdl", "--out", "."), "is a folder; name a file"),
        (("mine.mdl", "--out", "there.html"), "exists already; choose another file"),
        (("mine.mdl", "--outcome", "Infectd", "--out", "x.html"), "Did you mean 'Infected'?"),
        (("delay.mdl", "--out", "x.html"), "DELAY FIXED"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(gapsim, tmp_path, arguments, said):
    (tmp_path / "mine.mdl").write_text(MODEL, encoding="utf-8")
    delayed = MODEL.replace("Infected/4", "DELAY FIXED(Infected/4, 2, 0)")
    (tmp_path / "delay.mdl").write_text(delayed, encoding="utf-8")
    (tmp_path / "there.html").write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    answer = gapsim("explore", *arguments, code=2)
    assert said in answer.err
    assert sorted(tmp_path.iterdir()) == before


def test_model_is_never_replaced_by_its_page(gapsim, tmp_path):
    (tmp_path / "mine.mdl").write_text(MODEL, encoding="utf-8")
    gapsim("explore", "mine.mdl", "--out", "mine.mdl", "--force", code=2)
    assert (tmp_path / "mine.mdl").read_text(encoding="utf-8") == MODEL
