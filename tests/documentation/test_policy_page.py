"""The page of policy analyses: its commands and code run, and an epidemic of one's own is attributed and optimised."""

import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

import pysd_runner
from pysd_runner.cli import main
from pysd_runner.cli.application import application
from pysd_runner.policy.study import effects_of
from pysd_runner.scenarios import load_scenario
from tests.documentation.readme import ROOT, raw_blocks

PAGE = ROOT / "docs" / "policy_analysis.md"
REGIONS = ("110000", "310000", "410000", "620000")


def lines() -> list[list[str]]:
    """Words of each call of gapsim."""
    return [shlex.split(line)[1:] for block in raw_blocks(PAGE, "") for line in block.splitlines() if "gapsim " in line]


@pytest.fixture
def four_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four provinces in place of the shipped panel."""
    panel = pysd_runner.load_panel("china").subset(regions=REGIONS)
    monkeypatch.setattr(pysd_runner.panel, "load_panel", lambda *_, **__: panel)
    monkeypatch.setattr(pysd_runner, "load_panel", lambda *_, **__: panel)


def test_options_of_its_commands_exist() -> None:
    assert {words[0] for words in lines()} == {"attribute", "optimise", "run", "advise"}
    for words in lines():
        shown = CliRunner().invoke(application(), [words[0], "--help"], env={"COLUMNS": "200"}).output
        for option in (word for word in words if word.startswith("--")):
            assert option in shown, option


@pytest.mark.usefixtures("four_regions")
def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for words in lines():
        quick = ["--open-loop", "--until", "2027", "--draws", "4"]
        assert main([*words, *quick]) == 0, capsys.readouterr().err
    for name in ("parts/attribution.md", "best/optimised.yaml", "again/summary.md", "advice/advice.md"):
        assert (tmp_path / name).is_file()


def test_its_scenario_loads(tmp_path: Path) -> None:
    (block,) = raw_blocks(PAGE, "yaml")
    (tmp_path / "off.yaml").write_text(block, encoding="utf-8")
    levers = load_scenario(tmp_path / "off.yaml").policy.levers
    assert set(levers) == set(YAML(typ="safe").load(block)["policy"]["levers"])


@pytest.mark.usefixtures("four_regions")
def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    left = []
    for block in raw_blocks(PAGE, "python"):
        (tmp_path / "code.py").write_text(block, encoding="utf-8")
        left.append(runpy.run_path(str(tmp_path / "code.py")))
    assert np.abs(left[0]["parts"].shapley.sum(axis=0) - left[0]["parts"].total).max() < 1e-12
    check_epidemic(left[1])


def check_epidemic(left: dict[str, object]) -> None:
    """The optimum of the doses is that of a scan, and the parts sum."""
    study, best, parts = left["study"], left["best"], left["parts"]
    assert np.abs(parts.shapley.sum(axis=0) - parts.total).max() < 1e-9  # type: ignore[attr-defined]
    half = study.only(np.arange(0, study.draws, 2))  # type: ignore[attr-defined]
    scan = [{"Doses": np.array([given, 1000.0 - given])} for given in np.linspace(0, 1000, 41)]
    values = effects_of(half, scan, [half.outcomes["deaths"]])["deaths"][..., -1].mean(axis=1)
    assert best.in_sample >= values.max() - 0.01 * values.max()  # type: ignore[attr-defined]
    assert sum(best.point) == pytest.approx(1000)  # type: ignore[attr-defined]
