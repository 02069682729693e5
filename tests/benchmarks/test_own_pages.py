"""The comparison with PySD and lmfit: models whose file is not there are left out, and recipes give one answer."""

import sys

import pytest

from benchmarks import own_pages


def test_models_whose_file_is_not_there_are_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(own_pages, "measured", lambda case, _, show: {"model": case.name, "show": show})
    monkeypatch.setattr(sys, "argv", ["own_pages", "--world3", str(tmp_path / "none.mdl")])
    own_pages.main()
    told = capsys.readouterr()
    assert "World3-03: left out" in told.err
    assert "digi31: left out" in told.err
    assert told.out.splitlines()[-1] == "| SIR | False |"


def test_both_recipes_find_the_same(monkeypatch):
    pytest.importorskip("lmfit")
    monkeypatch.setattr(own_pages, "commands", lambda *_: ([0] * 4, 0.0))
    row = own_pages.measured(own_pages.CASES["sir"], None, show=False)
    assert row["estimates apart, in standard errors"] < 0.1
    assert row["four commands"] == "all run"
    assert row["lines"] < row["lines, PySD and lmfit"]
