"""The page of forecasts names forecasters that exist, and its commands and code run."""

import re
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.comparators import compared
from pysd_runner.cli import main
from pysd_runner.cli.application import application
from tests.documentation.four_regions import take_four_regions
from tests.documentation.readme import ROOT, calls, raw_blocks, text_of

PAGE = ROOT / "docs" / "forecasts.md"


def test_options_of_its_commands_exist() -> None:
    assert {words[0] for words in calls(PAGE)} == {"backtest", "forecast", "calibrate", "run"}
    for words in calls(PAGE):
        shown = CliRunner().invoke(application(), [words[0], "--help"], env={"COLUMNS": "200"}).output
        for option in (word for word in words if word.startswith("--")):
            assert option in shown, option


def test_forecasters_of_its_tables_exist() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", text_of(PAGE), re.MULTILINE))
    assert "gapsim" in named
    assert named <= set(compared())


def test_its_forecasts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    take_four_regions(monkeypatch)
    fewer = {"forecast": ["--without", "past", "--forecaster", "filtered"], "run": ["--draws", "5"]}
    for words in calls(PAGE):
        if words[0] == "backtest":
            continue
        assert main([*words, *fewer.get(words[0], [])]) == 0, words
        said = capsys.readouterr().out
        if words[0] in {"forecast", "run"}:
            assert "west closes 10% of its gap by 2035" in said
    assert (tmp_path / "forecast" / "forecast.md").is_file()


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_four_regions(monkeypatch)
    for block in raw_blocks(PAGE, "python"):
        (tmp_path / "code.py").write_text(block, encoding="utf-8")
        left = runpy.run_path(str(tmp_path / "code.py"))
    assert left["outlook"].model == "gapsim"
