"""The page of policy analyses: its commands and code run."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

import pysd_runner
from pysd_runner.cli import main
from pysd_runner.scenarios import load_scenario
from tests.documentation.four_regions import take_four_provinces
from tests.documentation.readme import ROOT, calls, raw_blocks

PAGE = ROOT / "docs" / "policy_analysis.md"
FEWER = {"optimise": ("--starts", "1")}


@pytest.fixture
def four_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four provinces in place of the shipped panel."""
    take_four_provinces(monkeypatch)


@pytest.mark.usefixtures("four_regions")
def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for words in calls(PAGE):
        quick = ["--without", "forecast", "--until", "2027", "--draws", "4", *FEWER.get(words[0], ())]
        assert main([*words, *quick]) == 0, capsys.readouterr().err
    for name in ("parts/attribution.md", "best/optimised.yaml", "again/summary.md"):
        assert (tmp_path / name).is_file()


def test_its_scenario_loads(tmp_path: Path) -> None:
    off, optional = raw_blocks(PAGE, "yaml")
    (tmp_path / "off.yaml").write_text(off, encoding="utf-8")
    levers = load_scenario(tmp_path / "off.yaml").policy.levers
    assert set(levers) == set(YAML(typ="safe").load(off)["policy"]["levers"])
    (tmp_path / "optional.yaml").write_text(optional, encoding="utf-8")
    regions = pysd_runner.load_data("china").regions
    found = load_scenario(tmp_path / "optional.yaml", regions=regions)
    assert found.policy.pilots == ("Guizhou", "Zhejiang")
    assert (found.policy.rural_broadband, found.policy.basic_training) == (0.5, 0.3)
    values = found.values(pysd_runner.load_model("regional_digital", regions=len(regions)), regions, default_start=2025)
    assert values["Governance Capacity Switch"] == values["Diagnosis Switch"] == 1
    assert np.sum(values["Pilot Region"]) == 2


@pytest.mark.usefixtures("four_regions")
def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = raw_blocks(PAGE, "python")
    (tmp_path / "code.py").write_text(block, encoding="utf-8")
    left = runpy.run_path(str(tmp_path / "code.py"))
    assert np.abs(left["parts"].shapley.sum(axis=0) - left["parts"].total).max() < 1e-12
