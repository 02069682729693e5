"""The comparison with PySD and lmfit: models whose file is not there are left out, and recipes give one answer."""

import sys

import pytest

from benchmarks import own_pages

SIR, EBOLA = own_pages.CASES[:2]


def test_models_whose_file_is_not_there_are_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(own_pages, "measured", lambda case, _: ({"model": case.name}, f"## {case.name}"))
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["own_pages", "--world3", str(tmp_path / "none.mdl"), "--page", str(page)])
    own_pages.main()
    told = capsys.readouterr()
    assert "World3-03: left out" in told.err
    assert "digi31: left out" in told.err
    assert "Ebola in Sierra Leone: left out" in told.err
    assert told.out.splitlines()[-1] == "| SIR |"
    assert page.read_text(encoding="utf-8").endswith("| SIR |\n\n## SIR")


def test_both_recipes_find_the_same(monkeypatch):
    pytest.importorskip("lmfit")
    monkeypatch.setattr(own_pages, "commands", lambda *_: ([0] * 4, 0.0, [""] * 4))
    row, section = own_pages.measured(SIR, None)
    assert row["estimates apart, standard errors"] < 0.1
    assert row["four commands, s"] == 0.0
    assert row["lines"] == "6 and 16"
    assert "gapsim calibrate obs.csv --model mine.mdl --free 'Contact Rate,Duration' --out fit" in section


def test_a_published_table_is_taken_as_it_stands(tmp_path):
    model, data = tmp_path / "source" / EBOLA.model, tmp_path / "source" / EBOLA.data
    for path, text in ((model, REPORTS), (data, "Weeks,New Reported Cases,Cumulative Cases\n0,3,3\n1,16,19\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    start = own_pages.written(EBOLA, EBOLA.source({"cookbook": tmp_path / "source"}), folder)
    assert start == {"Infectivity": 0.05, "Total Population": 7150}
    assert (folder / "obs.csv").read_text(encoding="utf-8") == data.read_text(encoding="utf-8")
    words = own_pages.lines_of_commands(EBOLA)
    assert words[0][-2:] == ["--map", "Cumulative Cases=Cumulative Reported Cases"]
    assert "--map" not in words[3]


REPORTS = """{UTF-8}
Infectivity = 0.05
    ~ Dmnl [-1,1] ~|
Total Population = 7150
    ~ person ~|
New Reported Cases = Infectivity * Total Population
    ~ person/week ~|
Cumulative Reported Cases = INTEG(New Reported Cases, 0)
    ~ person ~|
INITIAL TIME = 0
    ~ week ~|
FINAL TIME = 35
    ~ week ~|
TIME STEP = 0.125
    ~ week ~|
SAVEPER = 1
    ~ week ~|
"""
