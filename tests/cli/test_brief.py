"""``gapsim brief``: from results or from a run of its own, and what it refuses before any work."""

from pathlib import Path

import pytest

from pysd_runner.study.loading import load_future


def test_from_results_that_are_there(gapsim, results):
    answer = gapsim("brief", "Gansu", "东部", "nation", "--run", results, "--out", "pages", code=0)
    assert "output per head of Gansu is expected to go from" in answer.out
    for stem in ("gansu", "east", "nation"):
        for ending in ("html", "docx", "xlsx"):
            assert f"pages/{stem}.{ending}" in answer.out
    assert "Of the feedback loops through output per head of Gansu" in Path("pages/gansu.html").read_text("utf-8")
    again = gapsim("brief", "620000", "--run", results, "--format", "docx", "--out", "pages", "--force", "--json")
    assert again.json["data"]["files"] == ["pages/gansu.docx"]


def test_it_makes_a_run_and_keeps_it(gapsim, small):
    quick = ("--draws", 2, "--until", 2026, "--without", "forecast")
    answer = gapsim(
        "brief", "甘肃", "--mix", "zoned", *small, *quick, "--lang", "zh", "--format", "html", "--out", "b", code=0
    )
    assert "甘肃人均产出" in answer.out
    # Its mix alone, although the run holds what the mix must be compared with.
    assert answer.out.count("“") == 1
    assert "zoned" in load_future("b/run").scenarios
    assert gapsim("run", "b/run/run.json", "--json").json["data"]["identical"]
    assert gapsim("brief", "Henan", "--run", "b/run", "--format", "xlsx", "--out", "c").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Gansoo",), "Did you mean 'Gansu'?"),
        (("Gansu", "--format", "pdf"), "expected one or more of html, docx, xlsx"),
        (("Gansu", "--mix", "zoned_nead"), "Did you mean 'zoned_need'"),
    ],
)
def test_mistakes_are_refused_before_any_work(gapsim, small, tmp_path, words, said):
    answer = gapsim("brief", *words, *small, "--out", "pages", code=2)
    assert said in answer.err
    assert "Projecting" not in answer.err
    assert "orecast" not in answer.err
    assert not (tmp_path / "pages").exists()


def test_options_of_a_run_do_not_go_with_results(gapsim, results):
    answer = gapsim("brief", "Gansu", "--run", results, "--draws", 5, code=2)
    assert "--draws" in answer.err
